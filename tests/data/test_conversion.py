"""Arrays as people have them become pixels of one byte and labels of named classes."""

from __future__ import annotations

import numpy as np
import pytest
from samples import IMAGES, LABELS, same, save

from salamandre import data
from salamandre.data import CorruptData


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (IMAGES[0] / np.float32(255), r"pixels in \S+ are taken as numbers in 0\.\.1 and"),
        (IMAGES[0] / 127.5 - 1, r"numbers in -1\.\.1"),
        (IMAGES[0].astype(np.float32), r"numbers in 0\.\.255"),
    ],
)
def test_the_range_of_pixels_is_guessed_and_said_once(tmp_path, images, told):
    with pytest.warns(UserWarning, match=told) as warned:
        train, _ = data.open(save(tmp_path, x_train=images, y_train=LABELS[0], x_test=images[:2]
                                  , y_test=LABELS[0][:2]))  # fmt: skip
    assert len(warned) == 1
    same(train, IMAGES[0][:, None])


def test_whole_numbers_and_truth_values_are_pixels(tmp_path):
    same(data.open(save(tmp_path, x=IMAGES[0].astype(int), y=LABELS[0]))[0], IMAGES[0][:, None])
    black = IMAGES[0] > 127
    with pytest.warns(UserWarning, match=r"taken as numbers in 0\.\.1"):
        train, _ = data.open(save(tmp_path, x=black, y=LABELS[0]))
    same(train, 255 * black[:, None])
    with pytest.warns(
        UserWarning, match=r"taken as numbers in 0\.\.1"
    ):  # drawings in black and white
        train, _ = data.open(save(tmp_path, x=black.astype(np.uint8), y=LABELS[0]))
    same(train, 255 * black[:, None])


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (
            np.array(["cat", "dog", "ape", "cat", "dog", "ape"]),
            ("ape", "cat", "dog"),
            [1, 2, 0] * 2,
        ),
        (np.array([b"b", b"a"] * 3), ("a", "b"), [1, 0] * 3),
        (np.array([-1, 1] * 3), ("-1", "1"), [0, 1] * 3),
        (np.array([7.0, 2.0] * 3), ("2", "7"), [1, 0] * 3),
        (np.array([True, False] * 3), ("0", "1"), [1, 0] * 3),
        (np.eye(3)[LABELS[0]], ("0", "1", "2"), LABELS[0]),
        (LABELS[0][None], ("0", "1", "2"), LABELS[0]),
    ],
)
def test_labels_of_any_kind_become_classes(tmp_path, labels, classes, expected):
    train, _ = data.open(save(tmp_path, x=IMAGES[0], y=labels))
    assert train.classes == classes
    assert train.labels.tolist() == list(expected)


def test_words_in_one_split_and_numbers_in_the_other(tmp_path):
    split = {"x_train": IMAGES[0], "x_test": IMAGES[1]}
    words = np.array(["1", "2", "a"] * 2)
    _, test = data.open(save(tmp_path, **split, y_train=words, y_test=[1, 2] * 3))
    assert (test.classes, test.labels.tolist()) == (("1", "2", "a"), [0, 1] * 3)
    with pytest.raises(CorruptData, match="words as labels, and numbers such as 0 that are none"):
        data.open(save(tmp_path, **split, y_train=words, y_test=[0, 1] * 3))


def test_classes_are_those_of_both_splits(tmp_path):
    train, test = data.open(
        save(
            tmp_path,
            x_train=IMAGES[0],
            y_train=np.array(["blue", "green", "red"] * 2),
            x_test=IMAGES[1],
            y_test=np.array(["blue", "red", "white"] * 2),
        )
    )
    assert train.classes == test.classes == ("blue", "green", "red", "white")
    assert [test.classes[label] for label in test.labels] == ["blue", "red", "white"] * 2


def test_more_classes_than_a_byte_counts(tmp_path):
    labels = np.arange(300)[::-1] * 10
    train, _ = data.open(save(tmp_path, x=np.zeros((300, 2, 2), np.uint8), y=labels))
    assert train.classes[299] == "2990"
    assert train.labels.tolist() == list(range(300))[::-1]


def test_class_names_from_a_file_or_a_list(tmp_path):
    path = save(tmp_path, x=IMAGES[0], y=LABELS[0])
    names = tmp_path / "names.txt"
    names.write_text("eins\nzwei\n\ndrei\n", "utf-8")
    assert data.open(path, class_names=names)[0].classes == ("eins", "zwei", "drei")
    train, _ = data.open(path, class_names=["a", "b", "c", "d"])  # one of them has no example
    assert (train.classes, train.labels.max()) == (("a", "b", "c", "d"), 2)
    forms = ["\u00e4", "a\u0308"]  # of one letter in Unicode
    train, _ = data.open(save(tmp_path, x=IMAGES[0], y=forms * 3), class_names=["o", forms[1]])
    assert (train.classes, train.labels.tolist()) == (("o", forms[0]), [1] * 6)
    for labels in (LABELS[0] + 1, np.array([-1, 0, 1] * 2), np.array(["a", "b", "c"] * 2)):
        train, _ = data.open(save(tmp_path, x=IMAGES[0], y=labels), class_names=("a", "b", "c"))
        assert train.labels.tolist() == [0, 1, 2] * 2
    with pytest.raises(ValueError, match="the label 'c', which is no class name"):
        data.open(path, class_names=("a", "b", "x"))
    path = save(tmp_path, x=IMAGES[0], y=LABELS[0])
    with pytest.raises(ValueError, match=r"labels in 0\.\.2 for 2 class names"):
        data.open(path, class_names=("a", "b"))
    with pytest.raises(ValueError, match="must be different names, got 'a', 'b', 'a'"):
        data.open(path, class_names=("a", "b", "a"))


def test_images_without_labels_are_of_one_class(tmp_path):
    with pytest.warns(UserWarning, match="has no labels: all images are of one class"):
        train, _ = data.open(save(tmp_path, x=IMAGES[0]))
    assert (train.classes, train.labels.any()) == (("unlabeled",), False)
    with pytest.warns(UserWarning, match="no labels for its test images: left out"):
        _, test = data.open(save(tmp_path, x_train=IMAGES[0], y_train=LABELS[0], x_test=IMAGES[1]))
    assert test is None


@pytest.mark.parametrize(("scale", "shift"), [(255, 0), (127.5, 1)])
def test_what_rounding_takes_beyond_the_ends_is_at_the_ends(tmp_path, scale, shift):
    images = IMAGES[0] / np.float64(scale) - shift
    images[0, 0, 0], images[1, 0, 0] = 1.0000002, -shift - 1e-7
    with pytest.warns(UserWarning, match="are taken as numbers"):
        train, _ = data.open(save(tmp_path, x=images, y=LABELS[0]))
    expected = IMAGES[0][:, None].copy()
    expected[0, 0, 0, 0], expected[1, 0, 0, 0] = 255, 0
    same(train, expected)


def test_splits_of_two_ranges_are_refused(tmp_path):
    ones, beyond = IMAGES[0] / 255, IMAGES[0] / 254.9999
    for train, test, told in (
        (IMAGES[0], ones, r"one of floats in 0\.\.1 beside 0\.\.255"),
        (IMAGES[0].astype(float), beyond, r"one of floats in 0\.\.1 beside 0\.\.255"),
        (2 * ones - 1, ones, r"0\.\.1 beside -1\.\.1"),
    ):
        arrays = {"x_train": train, "x_test": test, "y_train": LABELS[0], "y_test": LABELS[0]}
        with pytest.raises(CorruptData, match=told):
            data.open(save(tmp_path, **arrays))


@pytest.mark.parametrize("names", [range(3), 5, b"abc"])
def test_class_names_are_texts(tmp_path, names):
    with pytest.raises(ValueError, match="class_names must be a sequence of texts"):
        data.open(save(tmp_path, x=IMAGES[0], y=LABELS[0]), class_names=names)
