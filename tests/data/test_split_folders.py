"""Folders of splits are told from folders of classes."""

from __future__ import annotations

import shutil

import pytest
from samples import draw

from salamandre.data import folder, folders
from salamandre.data.folders import splits

COLOURS = ("red", "green", "blue")


def make(place, *files):
    for name in files:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Training", "TESTING"),
        ("TRAIN", "Val"),
        ("train", "valid"),
        ("train", "validation"),
        ("train", "dev"),
    ],
)
def test_names_of_splits(tmp_path, train, test):
    make(tmp_path, f"{train}/cat/1.png", f"{test}/cat/1.png", "read.me", ".git/1.png")
    make(tmp_path, "notes/a.txt")
    found = {"train": tmp_path / train, "test": tmp_path / test}
    assert splits(tmp_path) == splits(str(tmp_path)) == found


def test_test_comes_before_validation(tmp_path):
    make(tmp_path, "train/1.png", "val/1.png", "test/1.png")
    with pytest.warns(UserWarning, match=r"passed over the splits \(val\)"):
        assert splits(tmp_path)["test"] == tmp_path / "test"


@pytest.mark.parametrize(
    "files",
    [
        ["cat/1.png", "dog/1.png"],
        ["train/1.png"],
        ["test/1.png"],
        ["test/1.png", "val/1.png"],
        ["train/1.png", "test/1.png", "bus/1.png"],
        ["train/1.png", "test/1.png", "0.png"],
        ["train", "test"],
    ],
)
def test_what_are_no_splits(tmp_path, files):
    make(tmp_path, *files)
    assert splits(tmp_path) is None


def test_a_folder_that_is_none(tmp_path):
    assert splits(tmp_path / "nowhere") is None


@pytest.fixture
def parted(tmp_path):
    """Pictures whose colour is their class: a red and a blue one, in other orders of classes."""
    place = tmp_path / "parted"
    for split, names in (("Train", ("blue", "green", "red")), ("VAL", ("blue", "red"))):
        for name in names:
            draw(place / split / name / "a.png", tuple(255 * (name == c) for c in COLOURS))
    return place


def test_both_splits_have_the_labels_of_the_training_classes(parted):
    train, test = folders.both(parted, 8)
    assert (train.name, train.split, test.name, test.split) == ("parted", "train", "parted", "test")
    assert train.classes == test.classes == ("blue", "green", "red")
    for part, names in ((train, ("blue", "green", "red")), (test, ("blue", "red"))):
        assert [part.classes[label] for label in part.labels] == list(names)
        shown = [COLOURS[channel] for channel in part.images[:, :, 4, 4].argmax(1)]
        assert shown == list(names)
    train, test = folders.both(parted, 8, class_names=("red", "blue", "green"))
    assert train.labels.tolist() == [1, 2, 0]
    assert test.labels.tolist() == [1, 0]


def test_a_class_of_the_test_split_alone_is_refused(parted):
    draw(parted / "VAL" / "grey" / "a.png", 100)
    with pytest.raises(
        ValueError, match=r"class 'grey' .* are 'blue', 'grey', 'red', .* 'green', 'red'$"
    ):
        folders.both(parted, 8)


def test_splits_without_classes_are_of_one_class(tmp_path):
    draw(tmp_path / "faces" / "train" / "a.png")
    draw(tmp_path / "faces" / "test" / "a.png")
    train, test = folders.both(tmp_path / "faces", 8)
    assert train.classes == test.classes == ("faces",)


def test_a_folder_without_splits_is_for_training(tmp_path):
    for name in ("cat", "dog", "thé"):
        draw(tmp_path / "pets" / name / "a.png")
    train, test = folders.both(tmp_path / "pets", 8)
    assert (train.name, train.split, train.classes, test) == (
        "pets",
        "train",
        ("cat", "dog", "thé"),
        None,
    )


def test_a_third_split_is_told(parted):
    draw(parted / "test" / "red" / "a.png", (9, 0, 0))
    with pytest.warns(UserWarning, match=r"parted: passed over the splits \(VAL\)"):
        _, test = folders.both(parted, 8)
    assert test.images[0, 0, 4, 4] == 9


def test_splits_are_not_taken_for_classes(parted):
    with pytest.raises(ValueError, match=r"holds splits \(Train, VAL\) in place of classes: name"):
        folder(parted, 8)
    assert len(folder(parted, 8, classes=False)) == 5
    assert folder(parted / "VAL", 8).classes == ("blue", "red")
    shutil.rmtree(parted / "VAL")
    with pytest.raises(ValueError, match=r"holds splits \(Train\) in place of classes"):
        folder(parted, 8)


def test_trains_are_vehicles_too(tmp_path):
    for name in ("bus", "train", "test"):
        draw(tmp_path / name / "a.png")
    assert folder(tmp_path, 8).classes == ("bus", "test", "train")
