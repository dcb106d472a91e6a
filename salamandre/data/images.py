"""A split of a data set of images, checked and read-only."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from salamandre import html
from salamandre.checks import array as as_array, whole
from salamandre.class_names import composed, listed
from salamandre.data.splitting import chosen_rows, spread_rows
from salamandre.told import Told

SHOWN, SHOWN_IN_A_ROW = 30, 10  # images in a notebook
LABEL_TYPES = (np.uint8, np.uint16)
MOST = 1 << 16  # classes, since a label has at most 16 bits


@dataclass(frozen=True, eq=False, repr=False)
class Images(Told):
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

    ways: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("x", "data", "inputs"), "it is images"),
        **dict.fromkeys(("y", "target", "targets"), "it is labels"),
        "class_names": "it is classes",
        "image": "its pixels are images",
        "label": "its label is labels[0]",
        **dict.fromkeys(
            ("batch", "shuffle", "map", "prefetch"), "an Engine, or network.fit, makes batches"
        ),
        **dict.fromkeys(
            ("astype", "reshape", "flatten", "numpy"), "the array is images, the labels are labels"
        ),
        **dict.fromkeys(("plot", "show"), "plots.plot_images(x.images, white=x.white) draws it"),
    }

    def __post_init__(self) -> None:
        for what, types, dimensions in (
            ("images", (np.uint8,), "(N, C, H, W)"),
            ("labels", LABEL_TYPES, "(N)"),
        ):
            array = np.asarray(as_array(what, getattr(self, what)))
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
        test = chosen_rows(self.labels, test_share, seed)
        return replace(self[~test], split="train"), replace(self[test], split="test")

    def spread(self, count: int) -> Images:
        """Return so many of the images, or all, in equal steps, as they may be in class order.

        Args:
            count: at least 1.
        """
        return self[spread_rows(count, len(self))]

    def __getitem__(self, index: Any) -> Images:
        """Return some of the images as :class:`Images`: ``test[0]``, ``test[:10]``, ``test[mask]``.

        Iteration gives the images one by one, each likewise.
        """
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"there are {len(self):,} images, got index {index}")
            index = slice(index, index + 1 or None)
        return replace(self, images=self.images[index], labels=self.labels[index])

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to be one array, since there are two."""
        raise TypeError("Images are no array: take their images (N, C, H, W), or labels (N,)")

    def __len__(self) -> int:
        return len(self.images)

    def __reduce__(self) -> tuple[Any, ...]:  # what is unpickled is read-only too
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __deepcopy__(self, memo: Any) -> Images:
        return self  # it never changes

    def _repr_html_(self) -> str:
        from salamandre.plots.images import grid_png

        shown, text = self[:SHOWN], html.paragraph(repr(self))
        if not len(shown) or self.shape[0] not in (1, 3):
            return text
        columns = min(SHOWN_IN_A_ROW, len(shown))
        grid = grid_png(shown.images / np.float32(self.white), columns)
        return text + html.picture(grid, "the first images")

    def __repr__(self) -> str:
        size = "×".join(map(str, self.shape))
        return (
            f"Images({self.name!r}, {self.split}: {len(self):,} of {size}, "
            f"{len(self.classes):,} {'class' if len(self.classes) == 1 else 'classes'}: "
            f"{listed(self.classes)})"
        )


BLOCK = 1 << 24  # bytes of an array that are read at a time


def label_type(classes: int) -> type[np.uint8 | np.uint16]:
    """Return the type of labels of so many classes: one byte if that is enough, else two."""
    return LABEL_TYPES[classes > 256]


def checksum(*arrays: np.ndarray) -> int:
    """Return a checksum (CRC-32) of arrays (N, ...), with little memory: they may be mapped."""
    value = 0
    for array in arrays:
        step = max(1, BLOCK // max(1, array[:1].nbytes))
        for first in range(0, len(array), step):
            value = zlib.crc32(np.ascontiguousarray(array[first : first + step]).data, value)
    return value
