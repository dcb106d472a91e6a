"""A split of a data set of images, checked and read-only."""

from __future__ import annotations

import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import real, unmasked, whole

LABEL_TYPES = (np.uint8, np.uint16)
MOST = 1 << 16  # classes, since a label has at most 16 bits
SHOWN = 3  # names of classes at each end of a list that is shortened


@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """Labelled images.

    Attributes:
        images: uint8 (N, C, H, W), read-only; memory-mapped where it comes from the cache.
        labels: uint8 or uint16 (N,), read-only.
        classes: different names of the classes, in Unicode's composed form (NFC); label k is
            ``classes[k]``.
        name: of the data set, such as ``"mnist"``.
        split: ``"train"`` or ``"test"``.
        white: the largest pixel value, so that ``images / white`` is in 0..1.
            Default 255.

    Raises:
        ValueError: an array of another type or shape, no images, not one label for each image, a
            label that has no class, or two classes of one name.
    """

    images: NDArray[np.uint8]
    labels: NDArray[Any]
    classes: tuple[str, ...]
    name: str
    split: str
    white: int = 255

    def __post_init__(self) -> None:
        for what, types, dimensions in (
            ("images", (np.uint8,), "(N, C, H, W)"),
            ("labels", LABEL_TYPES, "(N)"),
        ):
            array = np.asarray(unmasked(what, getattr(self, what)))
            if array.dtype not in types or array.ndim != dimensions.count(",") + 1:
                raise ValueError(
                    f"{what} must be a {' or '.join(kind.__name__ for kind in types)} array of "
                    f"shape {dimensions}, got {array.dtype} of shape {array.shape}"
                )
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, what, view)
        object.__setattr__(self, "classes", tuple(composed(str(name)) for name in self.classes))
        if len(set(self.classes)) < len(self.classes):
            twice = [name for name, count in Counter(self.classes).items() if count > 1]
            raise ValueError(f"classes must have different names, got twice {listed(twice)}")
        if 0 in self.images.shape:
            raise ValueError(f"there must be at least one pixel, got shape {self.images.shape}")
        if len(self.images) != len(self.labels):
            raise ValueError(
                f"there must be one label for each image, "
                f"got {len(self.labels):,} labels for {len(self.images):,} images"
            )
        if self.labels.max() >= len(self.classes):
            raise ValueError(
                f"labels must be below the number of classes {len(self.classes)}, "
                f"got {self.labels.max()}"
            )
        whole("white", self.white)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image: (C, H, W)."""
        return self.images.shape[1:]

    @cached_property
    def checksum(self) -> int:
        """A checksum (CRC-32) of pixels and labels; it reads all of them, once."""
        return checksum(self.images, self.labels)

    def train_test_split(self, test_share: float, seed: int = 0) -> tuple[Images, Images]:
        """Return two disjoint parts of the images, with the same shares of each class.

        The parts are copies in memory, in the order of the images.

        Args:
            test_share: the share of the images in the second part, above 0 and below 1. The first
                keeps at least one image of each class that it has.
            seed: of the choice. Default 0.

        Returns:
            The parts as the splits ``"train"`` and ``"test"``.

        Raises:
            ValueError: a share that leaves one of them empty.
        """
        share = real("test_share", test_share, 0, 1, above=True, below=True)
        random = np.random.default_rng(whole("seed", seed, 0))
        counts = np.bincount(self.labels, minlength=len(self.classes))
        most = np.maximum(counts - 1, 0)
        wanted = share * counts
        taken = np.minimum(np.floor(wanted).astype(int), most)
        # The rest goes to the classes with the largest remainders; chance decides between equals.
        by_chance = random.permutation(len(counts))
        order = by_chance[np.argsort(-(wanted % 1)[by_chance], kind="stable")]
        order = order[(taken < most)[order]]
        taken[order[: max(0, round(share * len(self)) - taken.sum())]] += 1
        if not taken.any():
            raise ValueError(
                f"test_share {share:g} of {len(self):,} images in {np.count_nonzero(counts):,} "
                f"classes leaves the test split empty: give a larger share or more images"
            )
        shuffled = random.permutation(len(self))
        shuffled = shuffled[np.argsort(self.labels[shuffled], kind="stable")]  # class after class
        rank = np.arange(len(self)) - (np.cumsum(counts) - counts)[self.labels[shuffled]]
        test = np.zeros(len(self), bool)
        test[shuffled[rank < taken[self.labels[shuffled]]]] = True
        return self._rows(~test, "train"), self._rows(test, "test")

    def _rows(self, chosen: NDArray[np.bool_], split: str) -> Images:
        return replace(self, images=self.images[chosen], labels=self.labels[chosen], split=split)

    def relabelled(self, classes: Sequence[str]) -> Images:
        """Return the same images with the labels that their classes have in another list.

        Args:
            classes: names, such as the classes of the training split; there may be more than those
                of these images.

        Raises:
            ValueError: a class of these images is not among them.
        """
        names = tuple(composed(name) for name in classes)
        if names == self.classes:
            return self
        if missing := [name for name in self.classes if name not in set(names)]:
            raise ValueError(
                f"the {self.split} images of {self.name!r} have a class {listed(missing)} that the "
                f"others lack: theirs are {listed(self.classes)}, the others {listed(names)}"
            )
        label = {name: number for number, name in enumerate(names)}
        table = np.array([label[name] for name in self.classes], label_type(len(names)))
        return replace(self, labels=table[self.labels], classes=names)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        size = "×".join(map(str, self.shape))
        return (
            f"Images({self.name!r}, {self.split}: {len(self):,} of {size}, "
            f"{len(self.classes):,} {'class' if len(self.classes) == 1 else 'classes'}: "
            f"{listed(self.classes)})"
        )


def label_type(classes: int) -> type[np.uint8 | np.uint16]:
    """Return the type of labels of so many classes: one byte if that is enough, else two."""
    return LABEL_TYPES[classes > 256]


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), in which names are compared."""
    return unicodedata.normalize("NFC", name)


def listed(names: Sequence[str]) -> str:
    """Return names in quotes; of many the first and the last ones."""
    quoted = [repr(name) for name in names]
    if len(quoted) > 2 * SHOWN + 1:
        quoted[SHOWN:-SHOWN] = ["..."]
    return ", ".join(quoted)


def checksum(*arrays: np.ndarray) -> int:
    """Return a checksum (CRC-32) of arrays."""
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array).data, value)
    return value
