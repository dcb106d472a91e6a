"""Published weights: where they are found, and how they become a network's."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from salamandre.checks import nearest
from salamandre.data import cache
from salamandre.models.architectures import UNNAMED
from salamandre.models.preprocessing import Preprocessing
from salamandre.models.state_dicts import read_weights
from salamandre.network import Network
from salamandre.pytorch import NAMES
from salamandre.texts import path_of

VARIABLE = "SALAMANDRE_WEIGHTS"
SITE = "https://download.pytorch.org/models/"
SUFFIXES = (".safetensors", ".pth", ".pt")

TORCHVISION = Preprocessing(
    (224, 224), shorter_side=256, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
CAFFE = Preprocessing((227, 227), order="BGR", scale=1.0, mean=(104.006, 116.669, 122.679))
#: What published weights expect if it is not torchvision's preprocessing, by the first digits of
#: the SHA-256 of their first convolution, which is the same in all formats of files.
EXCEPTIONS = {"90e4b9d94ef58758": CAFFE}  # SqueezeNet 1.1 by its authors, trained in Caffe


@dataclass(frozen=True)
class Weights:
    """Weights in a file, by PyTorch's names.

    Attributes:
        source: the file.
        arrays: by name.
    """

    source: str
    arrays: dict[str, np.ndarray]

    def preprocessing(self, default: Preprocessing) -> Preprocessing:
        """Return what pictures need for them: that of :data:`EXCEPTIONS`, or the default."""
        of_colours = (a for a in self.arrays.values() if a.ndim == 4 and a.shape[1] == 3)
        first = next(of_colours, np.empty(0))
        values = np.ascontiguousarray(first, "<f4").tobytes()
        return EXCEPTIONS.get(hashlib.sha256(values).hexdigest()[:16], default)

    def give(self, network: Network, but: str = "") -> None:
        """Give them to a network, whose arrays must be the same by name and shape.

        Args:
            network: takes them.
            but: the part that keeps its own, such as ``"classifier.6."``.

        Raises:
            ValueError: they are another network's; the first name or shape that differs is named,
                and the network has not changed.
        """
        ours = {_published(name): name for name in network.named_arrays()}
        theirs = {n: a for n, a in self.arrays.items() if not n.endswith("num_batches_tracked")}
        kept = network.tensors() if but else {}
        values = {}
        for name, own in ours.items():
            shape = network.named_arrays()[own].shape
            if but and own.startswith(but):
                values[own] = kept[own]
            elif name not in theirs:
                raise ValueError(
                    f"{self.source} holds the weights of another network: it lacks {name!r}"
                    f"{nearest(name, theirs)}"
                )
            elif theirs[name].shape != shape:
                raise ValueError(
                    f"{self.source} holds the weights of another network: {name!r} has the shape "
                    f"{theirs[name].shape} instead of {shape}"
                )
            else:
                values[own] = theirs[name]
        if more := [name for name in theirs if name not in ours]:
            raise ValueError(
                f"{self.source} holds the weights of another network: this one has no {more[0]!r}"
            )
        network.load_tensors(values)


def _published(name: str) -> str:
    """Return PyTorch's name for one of our arrays."""
    *path, kind = name.split(".")
    return ".".join([*(part for part in path if part not in UNNAMED), NAMES[kind]])


def find_weights(
    name: str, file: str, given: str | os.PathLike[str] | None = None, site: str = SITE
) -> Weights:
    """Return weights from a file, a folder, the cache or the internet.

    Args:
        name: of the network; in a folder its weights are ``name.safetensors``, ``name.pth`` or
            the published file, directly or in a folder of that name.
        file: the published file, ``""`` if there is none. As PyTorch's, its name ends in
            the first digits of its SHA-256, which are checked after a download.
        given: a file or a folder. Default: what ``SALAMANDRE_WEIGHTS`` names, a folder or a file of
            one of these names, else the cache, else it is downloaded into the cache.
        site: where the published file is.

    Raises:
        FileNotFoundError: they are nowhere, or ``SALAMANDRE_WEIGHTS`` names something else.
        ValueError: a damaged file.
    """
    named = given or os.environ.get(VARIABLE)
    places = [path_of(named)] if named else []
    if given and places[0].is_file():
        return Weights(str(places[0]), read_weights(places[0]))
    home = cache.root() / "weights"
    names = [name + suffix for suffix in SUFFIXES] + ([file] if file else [])
    if named and not given and not places[0].exists():
        raise FileNotFoundError(f"{VARIABLE} names {named}, which does not exist")
    if named and not given and places[0].is_file() and places[0].name not in names:
        raise FileNotFoundError(
            f"{VARIABLE} names the file {named}, and weights of {name} are called "
            f"{' or '.join(names)}: rename it, name a folder, or give it as weights (--weights)"
        )
    for place in (*places, *([] if given else [home])):
        found = [place] if place.is_file() and place.name in names else []
        found += [folder / n for folder in (place, place / name) for n in names]
        if path := next((path for path in found if path.is_file()), None):
            return Weights(str(path), read_weights(path))
    where = " or ".join(map(str, (*places, *([] if given else [home]))))
    if given or not file:
        raise FileNotFoundError(
            f"there are no weights of {name} in {where} (looked for {', '.join(names)})"
        )
    return Weights(file, read_weights(_download(file, home, site)))


def _download(file: str, home: Path, site: str) -> Path:
    """Download a published file into the cache; only a right one gets its name."""
    import pooch

    target = home / file
    fetch = pooch.HTTPDownloader(timeout=20, progressbar=_on_terminal())
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as own:  # other processes may be at it too
            received = Path(own) / file
            fetch(site + file, str(received), None)
            checksum = pooch.file_hash(str(received), "sha256")
            right = checksum.startswith(Path(file).stem.rpartition("-")[2])
            if right:
                os.replace(received, target)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{file} could not be downloaded from {site} ({error}): put it into a folder and name "
            f"that with {VARIABLE}, or give the file as weights (--weights)"
        ) from None
    if not right:
        raise ValueError(f"{site}{file} sent a file whose SHA-256 is {checksum}: try again later")
    return target


def _on_terminal() -> bool:
    import sys

    return sys.stderr.isatty()
