"""What images look like on the whole: values of each channel, and some images of each class."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from salamandre.data.images import Images

BLOCK = 1 << 25  # bytes of pixels at a time
EACH, MOST = 8, 100  # images of a class, and in all, in a grid


class Values(NamedTuple):
    """The pixels of a channel, scaled to 0..1.

    Attributes:
        smallest: of them.
        largest: of them.
        mean: of them.
        std: their standard deviation.
    """

    smallest: float
    largest: float
    mean: float
    std: float


def channel_values(images: Images) -> list[Values]:
    """Return the values of each channel, from the exact counts of all pixels."""
    found = []
    step = max(1, BLOCK // math.prod(images.shape))
    for channel in range(images.shape[0]):
        counts = np.zeros(256, np.int64)
        for start in range(0, len(images), step):
            pixels = images.images[start : start + step, channel].ravel()
            counts += np.bincount(pixels, minlength=256)
        level = np.arange(256) / images.white
        mean = counts @ level / counts.sum()
        std = math.sqrt(counts @ (level - mean) ** 2 / counts.sum())
        there = level[counts > 0]
        found.append(Values(float(there[0]), float(there[-1]), float(mean), std))
    return found


def class_sizes(images: Images) -> NDArray[np.int64]:
    """Return the number of images of each class."""
    return np.bincount(images.labels, minlength=len(images.classes))


def some_of_each(images: Images) -> tuple[NDArray[np.float32], list[str], int]:
    """Return images for a grid: those of a class beside one another, evenly spread over the class.

    Args:
        images: to choose from: 8 of each class, of a single class 64; fewer, or of fewer classes,
            if they would be more than 100.

    Returns:
        Pixels (N, C, H, W) scaled to 0..1, white where a class has too few; the name of the class
        of each, empty for the white ones; and the columns of the grid.
    """
    sizes = class_sizes(images)
    classes = np.flatnonzero(sizes)
    each = EACH * EACH if len(classes) == 1 else max(1, min(EACH, MOST // len(classes)))
    each = min(each, int(sizes.max()))
    if len(classes) > MOST:
        classes = classes[np.linspace(0, len(classes) - 1, MOST).astype(int)]
    pixels = np.ones((len(classes) * each, *images.shape), np.float32)
    names = [""] * len(pixels)
    for number, label in enumerate(classes):
        rows = np.flatnonzero(images.labels == label)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, each).astype(int))]
        first = number * each
        pixels[first : first + len(rows)] = images.images[rows] / np.float32(images.white)
        names[first : first + len(rows)] = [images.classes[label]] * len(rows)
    columns = math.ceil(math.sqrt(each)) if len(classes) == 1 else each * max(1, 8 // each)
    return pixels, names, columns
