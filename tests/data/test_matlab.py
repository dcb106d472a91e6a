"""MATLAB files: EMNIST's and SVHN's forms, others by their names."""

from __future__ import annotations

import io

import numpy as np
import pytest
from samples import CLASSES, COUNT, IMAGES, LABELS, emnist, mat, svhn

from salamandre import data
from salamandre.data import CorruptData
from salamandre.data.matlab import read_mat

RANDOM = np.random.default_rng(0)


def write(path, variables):
    path.write_bytes(mat(variables))
    return path


def test_svhn_in_its_second_form(tmp_path):
    images = RANDOM.integers(0, 256, (12, 3, 32, 32), np.uint8)
    labels = np.arange(12, dtype=np.uint8) % 10
    write(tmp_path / "train_32x32.mat", svhn(images, labels))
    write(tmp_path / "test_32x32.mat", svhn(images[::-1], labels[::-1]))
    train, test = data.open(tmp_path)
    np.testing.assert_array_equal(train.images, images)
    np.testing.assert_array_equal(train.labels, labels)
    np.testing.assert_array_equal(test.images, images[::-1])
    assert train.classes == tuple("0123456789")
    train, test = data.open(tmp_path / "test_32x32.mat", test_share=0.5)  # it alone
    assert len(train) + len(test) == 12


def test_emnist_in_its_second_form(tmp_path):
    train, test = data.open(write(tmp_path / "emnist-letters.mat", emnist(IMAGES, LABELS)))
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])  # upright
    np.testing.assert_array_equal(test.images, IMAGES[1][:, None])
    np.testing.assert_array_equal(test.labels, LABELS[1])
    assert (train.classes, train.name) == (CLASSES, "emnist-letters")


def test_other_names(tmp_path):
    rows = IMAGES.reshape(2, COUNT, -1)
    variables = {"train_x": rows[0], "train_y": np.eye(3)[LABELS[0]]}
    variables |= {"test_x": rows[1], "test_y": np.eye(3)[LABELS[1]]}
    train, test = data.open(write(tmp_path / "digits.mat", variables))
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])
    np.testing.assert_array_equal(test.labels, LABELS[1])


@pytest.mark.parametrize("packed", [True, False])
def test_numbers_of_every_type_are_those_that_scipy_wrote(packed):
    codes = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "?")
    arrays = {
        f"a_{code.strip('?')}": RANDOM.integers(0, 2, (3, 4, 2)).astype(code) for code in codes
    }
    arrays |= {"row": np.arange(5), "complex": np.array([[1 + 2j]]), "empty": np.zeros((0, 3))}
    others = {"text": "abc", "cell": np.array([1, "a"], object), "inner": {"x": 1, "y": {"z": [2]}}}
    found = read_mat(io.BytesIO(mat(arrays | others, packed)))
    assert found.keys() == {*arrays, "inner"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], np.atleast_2d(array).real)
    assert (found["inner"]["x"], found["inner"]["y"]["z"]) == (1, 2)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "new.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    with pytest.raises(CorruptData, match=r"new\.mat is a MATLAB file of version 7\.3 \(HDF5\)"):
        data.open(path)
    with pytest.raises(CorruptData, match=r"new\.mat has no images among its arrays \(a\)"):
        data.open(write(path, {"a": np.zeros((2, 2))}))
    with pytest.raises(CorruptData, match=r"new\.mat is damaged or no MATLAB file"):
        data.open(write(path, {"dataset": {"train": 1}}))


def test_one_hot_labels_beside_images_whose_first_axis_counts(tmp_path):
    labels = np.eye(10)[np.arange(COUNT) % 10]
    train, _ = data.open(write(tmp_path / "set.mat", {"x": IMAGES[0], "y": labels}))
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])


def test_as_many_coloured_images_as_a_side_has_pixels(tmp_path):
    images = RANDOM.integers(0, 256, (8, 8, 8, 3), np.uint8)
    with pytest.warns(UserWarning, match="has no labels"):
        train, _ = data.open(write(tmp_path / "set.mat", {"x": images}))
    np.testing.assert_array_equal(train.images, images.transpose(0, 3, 1, 2))


def test_without_labels_the_last_axis_counts_square_images(tmp_path):
    moved = np.moveaxis(IMAGES[0], 0, -1)
    with pytest.warns(UserWarning, match="has no labels"):
        train, _ = data.open(write(tmp_path / "set.mat", {"x": moved}))
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])


def test_ten_is_the_digit_0_in_svhn_alone(tmp_path):
    images = RANDOM.integers(0, 256, (32, 32, 3, 20), np.uint8)
    names = [f"kind {letter}" for letter in "abcdefghij"]
    labels = np.tile(np.arange(1, 11), 2)
    path = write(tmp_path / "set.mat", {"images": images, "labels": labels})
    train, _ = data.open(path, class_names=names)
    assert [train.classes[label] for label in train.labels] == 2 * names
