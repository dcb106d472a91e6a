"""Images refuse what is not a set of labelled images, and cannot be changed."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import tracemalloc
import zlib

import numpy as np
import pytest

from salamandre.data import Images, images as images_module

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
    again = pickle.loads(pickle.dumps(made))
    assert not (again.images.flags.writeable or again.labels.flags.writeable)
    assert again.checksum == made.checksum and copy.deepcopy(made) is made
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


def of_classes(*counts, labels=np.uint8):
    """Images whose pixel tells their number, mixed over classes of these sizes."""
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    pixels = np.zeros((len(order), 1, 1, 2), np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = np.divmod(np.arange(len(order)), 256)
    names = tuple(f"c{number}" for number in range(len(counts)))
    return Images(pixels, order.astype(labels), names, "mixed", "train", white=9)


def numbers(made):
    return (made.images[:, 0, 0, 0].astype(int) * 256 + made.images[:, 0, 0, 1]).tolist()


@pytest.mark.parametrize(
    ("counts", "share", "taken"),
    [
        ((100, 50, 10), 0.2, (20, 10, 2)),
        ((100, 50, 10), 0.9, (90, 45, 9)),
        ((1, 100), 0.5, (0, 50)),  # the only image of a class is for training
        ((2, 2, 2), 0.99, (1, 1, 1)),
        ((7, 0, 3), 0.3, (2, 0, 1)),  # 2.1 and 0.9: the largest remainder
        ((5,), 0.3, (2,)),
    ],
)
def test_a_split_has_the_same_shares_of_each_class(counts, share, taken):
    whole = of_classes(*counts)
    train, test = whole.train_test_split(share)
    assert tuple(np.bincount(test.labels, minlength=len(counts))) == taken
    assert sorted(numbers(train) + numbers(test)) == list(range(len(whole)))
    for part, name in ((train, "train"), (test, "test")):
        assert numbers(part) == sorted(numbers(part))
        assert part.labels.tolist() == whole.labels[numbers(part)].tolist()
        assert (part.split, part.name, part.classes, part.white) == (
            name,
            "mixed",
            whole.classes,
            9,
        )


def test_small_classes_share_a_small_test_split():
    _, test = of_classes(*[3] * 300, labels=np.uint16).train_test_split(0.1)
    assert len(test) == 90
    assert np.bincount(test.labels).max() == 1


def test_a_split_depends_on_its_seed_alone():
    whole = of_classes(60, 40)
    assert numbers(whole.train_test_split(0.3)[1]) == numbers(whole.train_test_split(0.3)[1])
    assert numbers(whole.train_test_split(0.3)[1]) != numbers(whole.train_test_split(0.3, 1)[1])


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), "half", True])
def test_shares_that_are_none(share):
    with pytest.raises(ValueError, match="test_share must be a finite number above 0 and below 1"):
        of_classes(5, 5).train_test_split(share)


@pytest.mark.parametrize(("counts", "share"), [((1, 1, 1), 0.5), ((9, 9), 0.01)])
def test_a_split_that_would_be_empty(counts, share):
    with pytest.raises(ValueError, match=r"a share of .* leaves none to test with: give"):
        of_classes(*counts).train_test_split(share)


def test_a_spread_part_has_all_classes_of_a_sorted_set():
    labels = np.repeat(np.arange(4, dtype=np.uint8), 25)
    made = images(np.zeros((100, 1, 2, 2), np.uint8), labels, tuple("abcd"))
    assert made.spread(8).labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(made.spread(1000)) == 100
    with pytest.raises(ValueError, match="count must be a whole number"):
        made.spread(0)


def test_the_checksum_of_a_view_needs_no_copy_of_it():
    array = np.random.default_rng(0).integers(0, 256, (400, 40, 40, 3), np.uint8)
    view = array.transpose(0, 3, 1, 2)
    expected = zlib.crc32(view.tobytes())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(images_module, "BLOCK", 1 << 14)
        tracemalloc.start()
        found = images_module.checksum(view)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found == expected and peak < view.nbytes / 10
