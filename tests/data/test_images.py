"""Images refuse what is not a set of labelled images, and cannot be changed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from salamandre.data import Images

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
LABELS = np.array([1, 0], np.uint8)


def images(pixels=PIXELS, labels=LABELS, classes=("no", "yes"), **more):
    return Images(pixels, labels, classes, "mine", "train", **more)


def test_length_shape_and_white():
    assert len(images()) == 2
    assert images().shape == (3, 4, 5)
    assert images().white == 255
    assert images(white=16).white == 16


def test_read_only():
    made = images()
    for array in (made.images, made.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.white = 1
    PIXELS[0, 0, 0, 0] = 0  # the caller's own array stays as it was


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pixels": PIXELS / 255}, r"images must be a uint8 array .*, got float64 of shape"),
        ({"pixels": PIXELS[0]}, r"of shape \(N, C, H, W\), got uint8 of shape \(3, 4, 5\)"),
        ({"labels": LABELS.astype(int)}, r"labels must be a uint8 array .*, got int64"),
        ({"labels": LABELS[:, None]}, r"of shape \(N\), got uint8 of shape \(2, 1\)"),
        ({"labels": LABELS[:1]}, r"one label for each image, got 1 labels for 2 images"),
        ({"pixels": PIXELS[:0], "labels": LABELS[:0]}, r"at least one pixel, .*\(0, 3, 4, 5\)"),
        ({"pixels": PIXELS[:, :, :0]}, r"at least one pixel, got shape \(2, 3, 0, 5\)"),
        ({"labels": LABELS + np.uint8(1)}, r"below the number of classes 2, got 2"),
        ({"white": 0}, r"white must be a whole number of at least 1, got 0"),
    ],
)
def test_what_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        images(**wrong)
