"""Arrays as people have them, as pixels of one byte and labels of named classes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salamandre.class_names import Names, composed, listed, matched
from salamandre.data.arrays import are_one_hot
from salamandre.data.catalogue import Unfit, WrongFormat
from salamandre.data.images import MOST, label_type

BLOCK = 1 << 22  # numbers at a time
SLACK = 1e-3  # beyond the ends of a range: what has been computed is rounded
UNLABELED = ("unlabeled",)
LUMINANCE = np.array([299, 587, 114], np.float32) / 1000  # of red, green, blue (ITU-R BT.601)


class Arrays(NamedTuple):
    """A split as it stands in a file.

    Attributes:
        images: numbers (N, H, W), (N, H, W, C), (N, C, H, W) or (N, pixels).
        labels: of any type, or None if there are none.
        classes: names of the labels 0, 1, 2, ..., if the file has them.
    """

    images: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...] | None = None


# -- pixels --------------------------------------------------------------------------------------


def to_pixels(sets: Sequence[np.ndarray]) -> list[NDArray[np.uint8]]:
    """Return images of splits as bytes (N, C, H, W); the value range is guessed from all of them.

    Bytes are kept, unless there are only 0 and 1. Numbers in 0..1 are multiplied by 255, those in
    -1..1 moved to 0..255 and those in 0..255 rounded; a warning says which. Rows of numbers are
    square images, row by row; with three times as many numbers as a square, red, green and blue
    follow each other.

    Raises:
        WrongFormat: another shape, type or value range, or a NaN.
    """
    shaped = [_shaped(images) for images in sets]
    if len({images.shape[1:] for images in shaped}) > 1:
        shapes = " and ".join(str(images.shape[1:]) for images in shaped)
        raise WrongFormat(f"has images of different shapes {shapes} for training and testing")
    bytes_only = all(images.dtype == np.uint8 for images in shaped)
    if bytes_only and max(images.max() for images in shaped) != 1:
        return [np.ascontiguousarray(images) for images in shaped]
    blocks = [block for images in shaped for block in _blocks(images)]
    low = float(np.min([block.min() for block in blocks]))  # NaN if one is
    high = float(np.max([block.max() for block in blocks]))
    if low >= -SLACK and high <= 1 + SLACK:
        scale, shift = 255.0, 0.0
    elif low >= -SLACK and high <= 255 + SLACK:
        scale, shift = 1.0, 0.0
        if any(one.dtype.kind == "f" and 0 < one.max() <= 1 + SLACK for one in shaped):
            raise WrongFormat(
                f"has splits of different value ranges, one of floats in 0..1 beside 0..{high:g}"
            )
    elif low >= -1 - SLACK and high <= 1 + SLACK:
        scale, shift = 127.5, 127.5
        if any(one.min() >= 0 for one in shaped):
            raise WrongFormat("has splits of different value ranges, 0..1 beside -1..1")
    else:  # also NaN, which is in no range
        raise WrongFormat(f"has pixels in {low:g}..{high:g}, expected 0..255, 0..1 or -1..1")
    if any(images.dtype.kind == "f" for images in shaped) or scale != 1:
        taken = "0..255" if scale == 1 else "0..1" if not shift else "-1..1"
        warnings.warn(
            f"pixels in {low:g}..{high:g} are taken as numbers in {taken} and stored as bytes",
            stacklevel=4,
        )
    return [_bytes(images, scale, shift) for images in shaped]


def _bytes(images: np.ndarray, scale: float, shift: float) -> NDArray[np.uint8]:
    out = np.empty(images.shape, np.uint8)
    start = 0
    for block in _blocks(images):
        out[start : start + len(block)] = np.rint(block.astype(np.float32) * scale + shift)
        start += len(block)
    return out


def _blocks(images: np.ndarray) -> list[np.ndarray]:
    step = max(1, BLOCK // math.prod(images.shape[1:]))
    return [images[start : start + step] for start in range(0, len(images), step)]


def _shaped(images: np.ndarray) -> np.ndarray:
    """Return images as (N, C, H, W)."""
    if images.dtype.kind not in "buif":
        raise WrongFormat(f"has images of type {images.dtype}, expected numbers")
    if 0 in images.shape or not 2 <= images.ndim <= 4:
        raise WrongFormat(f"has images of shape {images.shape}, expected (N, H, W) or (N, pixels)")
    shape = images.shape
    if images.ndim == 2:
        channels, size = square_of(shape[1])
        return images.reshape(-1, channels, size, size)
    if images.ndim == 3:
        return images[:, None]
    if shape[3] in (1, 3):
        return images.transpose(0, 3, 1, 2)
    if shape[1] in (1, 3):
        return images
    raise WrongFormat(f"has images of shape {shape}, expected 1 or 3 channels, first or last")


def square_of(pixels: int) -> tuple[int, int]:
    """Return channels and size of a square image with so many numbers.

    Raises:
        WrongFormat: there is none.
    """
    for channels in (1, 3):
        size = math.isqrt(pixels // channels)
        if size and channels * size * size == pixels:
            return channels, size
    raise WrongFormat(f"has rows of {pixels:,} pixels, which are no square image, grey or colour")


def with_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Return images (N, C, H, W) with 1 or 3 channels; grey is the luminance of colours."""
    if images.shape[1] == channels:
        return images
    if images.shape[1] not in (1, 3):
        raise ValueError(f"only grey and colour images can be converted, got {images.shape[1:]}")
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    grey = np.empty((len(images), 1, *images.shape[2:]), np.uint8)
    start = 0
    for block in _blocks(images):
        mixed = np.einsum("ncij,c->nij", block.astype(np.float32), LUMINANCE)
        grey[start : start + len(block), 0] = np.rint(mixed)
        start += len(block)
    return grey


def with_equal_channels(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return arrays of images with 3 channels each, if some have 3 and the others 1."""
    depths = {one.shape[1] if one.ndim == 4 and one.dtype == np.uint8 else 0 for one in images}
    return [with_channels(one, 3) for one in images] if depths == {1, 3} else list(images)


# -- labels --------------------------------------------------------------------------------------


def to_classes(
    sets: Sequence[Arrays], names: Sequence[str] | None
) -> tuple[list[NDArray[Any]], tuple[str, ...]]:
    """Return the labels of splits as numbers of classes, and the names of these.

    Labels may be whole numbers, strings, (N, 1) or one-hot (N, classes). Without names, the
    different values of all splits are the classes, in their order. With names, label k is the name
    ``names[k]``, or ``names[k - 1]`` if labels count from 1, or the label is a name.

    Args:
        sets: the splits; either all have labels or none has.
        names: of the classes. Default: those of the file, else the values.

    Raises:
        WrongFormat: labels of something else, or that do not fit the names.
    """
    if sets[0].labels is None:
        classes = tuple(names or UNLABELED)
        if len(classes) != 1:
            raise Unfit(f"has no labels for the {len(classes)} class names given")
        return [np.zeros(len(one.images), np.uint8) for one in sets], classes
    columns = [_column(one.labels, len(one.images)) for one in sets if one.labels is not None]
    for place, one in enumerate(sets[1:], 1):
        if sets[0].classes and one.classes and one.classes != sets[0].classes:
            columns[place] = _renamed(columns[place], one.classes, sets[0].classes, names)
    text = any(column.dtype.kind == "U" for column in columns)
    if text:
        words = [_composed(column) for column in columns if column.dtype.kind == "U"]
        columns = [_composed(column.astype(str)) for column in columns]
        others = np.setdiff1d(np.concatenate(columns), np.concatenate(words))
        if names is None and len(others):  # numbers of classes whose names stand in the other split
            raise WrongFormat(
                f"has words as labels, and numbers such as {others[0]} that are none of them: give "
                f"both splits the same labels"
            )
    values = np.unique(np.concatenate([np.unique(column) for column in columns]))
    if len(values) > MOST:
        raise WrongFormat(f"has {len(values):,} different labels, expected at most {MOST:,}")
    kind = WrongFormat if names is None else Unfit
    classes = tuple(map(composed, names or sets[0].classes or map(str, values.tolist())))
    if names is None and sets[0].classes is None:
        order = values
    elif text:
        if unknown := sorted(set(values.tolist()) - set(classes)):
            raise kind(f"has the label {unknown[0]!r}, which is no class name given")
        order = np.array(classes)
    else:
        first = int(values[0] > 0 and values[-1] == len(classes))
        order = np.arange(len(classes)) + first
        if not np.isin(values, order).all():
            if names is None or len(values) != len(classes):
                raise kind(
                    f"has labels in {values[0]}..{values[-1]} for {len(classes)} class names"
                )
            order = values
    rank = np.argsort(order, kind="stable")
    found = [rank[np.searchsorted(order, column, sorter=rank)] for column in columns]
    return [labels.astype(label_type(len(classes))) for labels in found], classes


def _renamed(
    labels: np.ndarray, own: Names, wanted: Names, given: Sequence[str] | None
) -> np.ndarray:
    """Return labels of the names that a split has of its own as those of the first split."""
    if given is not None:
        raise Unfit(
            f"has other names of classes in its splits, {listed(wanted)} and {listed(own)}: leave "
            f"the class names out"
        )
    if labels.dtype.kind == "U" or not len(labels):
        return labels
    if labels.min() < 0 or labels.max() >= len(own):
        raise WrongFormat(
            f"has labels in {labels.min()}..{labels.max()} for {len(own)} class names, which "
            f"another split has in another order: count them from 0"
        )
    try:
        return matched("it", labels, own, "its training split", wanted)
    except ValueError as error:
        raise WrongFormat(f"has other classes in its splits: {error}") from None


def _composed(texts: np.ndarray) -> np.ndarray:
    """Return texts (N,) in Unicode's composed form."""
    found, places = np.unique(texts, return_inverse=True)
    return np.array([composed(str(text)) for text in found])[places]


def _column(labels: np.ndarray, count: int) -> np.ndarray:
    """Return labels (N,) as int64 or as text."""
    shape = labels.shape
    if labels.ndim == 2 and 1 in shape:
        labels = labels.reshape(-1)
    if len(labels.shape) not in (1, 2) or len(labels) != count:
        raise WrongFormat(f"has labels of shape {shape} for {count:,} images")
    if labels.ndim == 2:
        if labels.dtype.kind not in "buif" or not are_one_hot(labels):
            raise WrongFormat(
                f"has labels of shape {shape} that are not one-hot, expected one for each image"
            )
        return labels.argmax(1)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind not in "buif":
        raise WrongFormat(f"has labels of type {labels.dtype}, expected whole numbers or strings")
    if labels.dtype.kind == "f" and (labels != np.rint(labels)).any():  # also NaN
        raise WrongFormat("has labels that are no whole numbers")
    if labels.size and (abs(labels.astype(np.float64)) > 2**53).any():
        raise WrongFormat("has labels that are too large")
    return labels.astype(np.int64)
