"""``salamandre datasets show`` and ``verify``: what is told of data sets and folders."""

from __future__ import annotations

import os

import numpy as np
import pytest
from command import call, error_of, letters, picture
from PIL import Image

from salamandre.data import CATALOGUE, cache, loading

pytestmark = pytest.mark.usefixtures("alone")


def rows(output):
    """The texts of each row, by its first one."""
    return {line.split("  ")[0]: line.split("  ", 1)[-1].split() for line in output.splitlines()}


def test_a_folder_is_described(place):
    for split, count in (("train", 6), ("test", 2)):
        letters(place / "abc" / split, ("a", "b"), count)
    letters(place / "abc" / "train", "c", 3)
    black = Image.new("RGB", (9, 9))
    for file in (place / "abc" / "test").rglob("*.png"):
        black.save(file)
    found = rows(call("datasets", "show", place / "abc", "--image-size", 8))
    assert found["abc"] == ["train", "test"]
    assert found["images"] == ["15", "4"]
    assert found["size"] == ["3×8×8", "3×8×8"]
    assert found["classes"] == ["3", "2"]
    assert found["smallest class"] == ["c", "(3)", "a", "(2)"]
    assert found["largest class"] == ["a", "(6)", "a", "(2)"]
    assert found["mean"][3:] == found["standard deviation"][3:] == ["0", "0", "0"]
    assert 0.3 < float(found["mean"][0]) < 0.7
    assert (found["a"], found["c"]) == (["6", "2"], ["3", "0"])


@pytest.mark.filterwarnings("always")
def test_what_was_passed_over_is_told(place):
    letters(place / "abc", "ab")
    (place / "abc" / "a" / "x.txt").touch()
    output = call("datasets", "show", place / "abc", "--grey")
    assert "passed over 1 file of other kinds (.txt)" in output
    assert rows(output)["size"] == ["1×64×64"]


def test_a_set_is_described_by_its_name():
    found = rows(call("datasets", "show", "digits"))
    assert found["images"] == ["1,437", "360"]
    assert found["size"] == ["1×8×8", "1×8×8"]
    assert found["classes"] == ["10", "10"]


def test_a_file_is_described(place):
    pixels = np.full((4, 5, 5), 51, np.uint8)
    np.savez(place / "mine.npz", x_train=pixels, y_train=np.array([0, 1, 1, 1]))
    found = rows(call("datasets", "show", "mine.npz"))
    assert found["size"] == ["1×5×5"]
    assert found["largest class"] == ["1", "(3)"]
    assert (found["mean"], found["standard deviation"]) == (["0.2"], ["0"])


def test_images_of_each_class_are_drawn(place):
    letters(place / "abc", ("a$b", "c$\\d", "かな", "e" * 40), 2)
    call("datasets", "show", place / "abc", "--to", "grid.png")
    height, width, _ = picture("grid.png").shape
    assert width > 700 and height > 100
    sheet = np.asarray(Image.open("grid.png").convert("L"))
    assert (sheet < 250).mean() > 0.3


def test_many_classes_are_listed_in_part(place):
    letters(place / "many", [f"{number:03}" for number in range(100)], 1)
    output = call("datasets", "show", place / "many", "--image-size", 4)
    assert {"000", "019", "080", "099", "..."} < set(rows(output))
    assert not {"020", "079"} & set(rows(output))


def test_what_cannot_be_shown(place):
    message = error_of("datasets", "show", "nowhere", code=2)
    assert "'nowhere' is neither the name of a data set (known: mnist, " in message
    assert "IDX, .npz, .npy, .mat, .parquet, .csv" in message
    message = error_of("datasets", "show", "digits", "--to", "grid.jpg", code=2)
    assert "grid.jpg must end in .png" in message


def test_a_set_that_only_the_cache_holds_is_not_called_absent(place):
    entry = CATALOGUE["mnist"]
    for split, count in (("train", entry.train), ("test", entry.test)):
        home = place / "cache" / "mnist"
        path = loading._cached(home, entry, split, entry.forms[0], "published")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, count * 785)
        os.utime(path, (cache.SEAL, cache.SEAL))
    told = "mnist: only converted in the cache, without the published files"
    assert told in call("datasets", "verify", "mnist", code=1)
    assert told in call("datasets", "verify")
    assert "fashion-mnist: not here" in call("datasets", "verify", "fashion-mnist", code=1)
    (place / "empty").mkdir()
    assert "mnist: not here" in call("datasets", "verify", "mnist", "--data-dir", "empty", code=1)
