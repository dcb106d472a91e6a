"""Images refuse what is not a set of labelled images, and cannot be changed."""

from __future__ import annotations

import dataclasses
import zlib

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
        ({"labels": LABELS.astype(int)}, r"labels must be a uint8 or uint16 array .*, got int64"),
        ({"labels": np.ma.array(LABELS, mask=[1, 0])}, r"labels are a masked array"),
        ({"pixels": np.ma.array(PIXELS)}, r"images are a masked array"),
        ({"classes": ("no", "yes", "no")}, r"classes must have different names, got twice 'no'"),
        ({"classes": ("\u00e4", "a\u0308")}, r"different names, got twice '\u00e4'"),
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


def test_more_classes_than_a_byte_can_tell_apart():
    names = tuple(map(str, range(300)))
    made = images(labels=np.array([299, 3], np.uint16), classes=names)
    assert made.labels.tolist() == [299, 3]
    with pytest.raises(ValueError, match="below the number of classes 300, got 300"):
        images(labels=np.array([300, 3], np.uint16), classes=names)


def test_the_checksum_is_of_pixels_and_labels():
    made, pixels = images(), PIXELS.copy()
    assert made.checksum == zlib.crc32(LABELS.tobytes(), zlib.crc32(PIXELS.tobytes()))
    assert images(pixels).checksum == made.checksum
    pixels[1, 2, 3, 4] ^= 1
    assert images(pixels).checksum != made.checksum
    assert images(labels=LABELS[::-1]).checksum != made.checksum


def test_names_of_classes_are_kept_in_composed_form():
    assert images(classes=("a\u0308", "o")).classes == ("\u00e4", "o")


def test_what_it_shows():
    assert repr(images()) == "Images('mine', train: 2 of 3×4×5, 2 classes: 'no', 'yes')"
    many = images(classes=tuple(map(str, range(1000))))
    assert repr(many).endswith("1,000 classes: '0', '1', '2', ..., '997', '998', '999')")
    assert "1 class: 'all')" in repr(images(labels=LABELS * 0, classes=("all",)))
