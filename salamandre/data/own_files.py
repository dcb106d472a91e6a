"""What the readers of data of one's own share: splits by words in names, errors, limits.

Before memory is taken, the size that a file claims is compared with the bytes that it has. Nothing
in a file is run: pickled objects are refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from salamandre.checks import reason
from salamandre.data.catalogue import CorruptData, Unfit, WrongFormat
from salamandre.data.conversion import Arrays, with_equal_channels
from salamandre.program import WrongUsage
from salamandre.texts import bracketed

DENSEST = 1100  # times that DEFLATE can shorten a file, at most 1032 (zlib's technical details)
WORDS = {  # in the names of files, arrays and folders; of several folders the first is taken
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation", "dev"),
    "images": ("x", "images", "image", "imgs", "img", "data"),
    "labels": ("y", "labels", "label", "targets", "target"),
}
LONGEST = 256  # characters of a label
INSTALL = "pip install 'salamandre[data]'"

Found = dict[str, Arrays]  # by split: "train", "test", "val", or "" if its name says none
Load = Callable[[], np.ndarray]


class Wanted(NamedTuple):
    """What a user asks of a source.

    Attributes:
        label_column: name of the column of labels, ``"first"`` or ``"last"``, or None.
        size: height and width of images, or None for their own.
        channels: 1, 3, or None for their own.
    """

    label_column: str | None = None
    size: int | None = None
    channels: int | None = None


@contextmanager
def refusing(path: Path, form: str) -> Iterator[None]:
    """Turn the errors of reading a file into ones that name it.

    Raises:
        CorruptData: the file is damaged, or of another form.
        WrongUsage: the options given for it do not fit.
        OSError: it could not be opened.
    """
    try:
        yield
    except (CorruptData, WrongUsage, ImportError, Warning):  # a user may want warnings as errors
        raise
    except Unfit as error:
        raise WrongUsage(f"{path} {error}") from None
    except WrongFormat as error:
        raise CorruptData(f"{path} {error}") from None
    except Exception as error:  # damaged files raise many kinds of errors
        if isinstance(error, OSError) and error.filename:
            raise  # it could not be opened
        raise CorruptData(f"{path} is damaged or no {form} ({reason(error)})") from None


def sort_out(named: Iterable[tuple[str, str, Load]]) -> Found:
    """Return the splits among arrays, by the words in their names.

    Args:
        named: for each array the name of its file, its name in it (or nothing), and how to read it.

    Raises:
        WrongFormat: there are no images, or two arrays for one place.
    """
    places: dict[tuple[str, str], tuple[str, Load]] = {}
    names = []
    for file, name, load in named:
        names.append(name or file)
        split, kind = split_of(name) or split_of(file), first_of(("labels", "images"), names[-1])
        if not kind:
            continue
        if (split, kind) in places:
            other = places[split, kind][0]
            raise WrongFormat(f"has both {other} and {names[-1]} for the {kind} {split}".rstrip())
        places[split, kind] = names[-1], load
    splits = [split for split, kind in places if kind == "images"]
    if not splits:
        raise WrongFormat(
            f"has no images among its arrays ({', '.join(names[:8]) or 'none'}): name them "
            f"x_train and y_train, train_images and train_labels, or images and labels"
        )
    found = {}
    for split in splits:
        labels = places.get((split, "labels"))
        found[split] = Arrays(places[split, "images"][1](), labels[1]() if labels else None)
    return found


def split_of(name: str) -> str:
    """Return ``"train"``, ``"test"`` or ``"val"`` if a name has such a word, else nothing."""
    return first_of(("train", "test", "val"), name)


def first_of(wanted: Iterable[str], name: str) -> str:
    """Return the first kind of :data:`WORDS` that a name has a word of, or nothing."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    return next((key for key in wanted if not words.isdisjoint(WORDS[key])), "")


def check_claim(size: int, most: int) -> None:
    """Raise WrongFormat if an array is said to have more bytes than its file can hold."""
    if size > most:
        raise WrongFormat(f"claims an array of {size:,} bytes, more than the file can hold")


def label_array(labels: Sequence[Any]) -> np.ndarray:
    """Return the labels of a table, which may lack none.

    Raises:
        WrongFormat: one is missing, or is a text too long for a label.
    """
    for row, label in enumerate(labels):
        if label is None or label == "":
            raise WrongFormat(f"has no label for image {row + 1:,}")
        if isinstance(label, str) and len(label) > LONGEST:  # an array has room for it in each row
            raise WrongFormat(f"has a label of {len(label):,} characters, at most {LONGEST} fit")
    return np.array(labels)


def splits_of(paths: Sequence[Path], form: str, read: Callable[[Path], Arrays]) -> Found:
    """Return the splits in tables, which the words in their names tell; parts are joined."""
    splits: dict[str, list[Path]] = {}
    for path in paths:
        splits.setdefault(split_of(path.stem), []).append(path)
    if len(splits) > 1 and (others := splits.pop("", [])):
        warnings.warn(
            f"{others[0].parent}: passed over the files whose names tell no split"
            f"{bracketed([path.name for path in others])}",
            stacklevel=7,
        )
    found = {}
    for split, some in splits.items():
        parts = []
        for path in some:
            with refusing(path, form):
                parts.append(read(path))
        found[split] = _joined(parts)
    return found


def _joined(parts: Sequence[Arrays]) -> Arrays:
    """Return the rows of tables, one after the other."""
    if len(parts) == 1:
        return parts[0]
    _, labels, classes = zip(*parts, strict=True)
    images = with_equal_channels([part.images for part in parts])
    shapes = {one.shape[1:] for one in images}
    if len(shapes) > 1 or len({(part.labels is None, part.classes) for part in parts}) > 1:
        raise WrongFormat("has tables of one split that differ in image shape, labels or classes")
    if len({one.dtype.kind in "UO" for one in labels if one is not None}) > 1:
        raise WrongFormat("has tables of one split with labels that are texts in some of them only")
    return Arrays(
        np.concatenate(images),
        None if labels[0] is None else np.concatenate(labels),
        classes[0],
    )
