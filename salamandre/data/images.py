"""A split of a data set of images, checked and read-only."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import whole


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images.

    Attributes:
        images: uint8 (N, C, H, W), read-only; memory-mapped where it comes from the cache.
        labels: uint8 (N,), read-only.
        classes: names of the classes; label k is ``classes[k]``.
        name: of the data set, such as ``"mnist"``.
        split: ``"train"`` or ``"test"``.
        white: the largest pixel value, so that ``images / white`` is in 0..1.
            Default 255.

    Raises:
        ValueError: an array of another type or shape, no images, not one label for each image, or
            a label that has no class.
    """

    images: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)
    classes: tuple[str, ...]
    name: str
    split: str
    white: int = 255

    def __post_init__(self) -> None:
        for what, dimensions in (("images", "(N, C, H, W)"), ("labels", "(N)")):
            array = np.asarray(getattr(self, what))
            if array.dtype != np.uint8 or array.ndim != dimensions.count(",") + 1:
                raise ValueError(
                    f"{what} must be a uint8 array of shape {dimensions}, "
                    f"got {array.dtype} of shape {array.shape}"
                )
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, what, view)
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

    def __len__(self) -> int:
        return len(self.images)


def checksum(*arrays: np.ndarray) -> int:
    """Return a checksum (CRC-32) of arrays."""
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array).data, value)
    return value
