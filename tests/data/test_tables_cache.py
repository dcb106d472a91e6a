"""Tables are read once: then they come from the cache, until a file changes."""

from __future__ import annotations

import os

import numpy as np
import pytest
from samples import IMAGES, LABELS, csv, is_mapped

from salamandre import data
from salamandre.data import csv_files


@pytest.fixture
def reads(monkeypatch):
    """The tables that were read so far."""
    paths = []

    def read(*args, **kwargs):
        paths.append(args[0])
        return table(*args, **kwargs)

    table = csv_files._csv_table
    monkeypatch.setattr(csv_files, "_csv_table", read)
    return paths


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "own"
    path.mkdir()
    for split, *pair in zip(("train", "test"), IMAGES, LABELS, strict=True):
        (path / f"{split}.csv").write_bytes(csv(*pair))
    return path


def agrees(train, test):
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])
    np.testing.assert_array_equal(test.labels, LABELS[1])
    assert (train.classes, train.name, test.split) == (("0", "1", "2"), "own", "test")


def test_they_are_mapped_from_the_first_time_on(folder):
    for _ in range(2):
        assert is_mapped(data.open(folder)[0].images)


def test_the_second_time_nothing_is_read(folder, reads):
    agrees(*data.open(folder))
    agrees(*data.open(folder))
    assert len(reads) == 2
    for _ in range(2):
        for names in (None, ("a", "b", "c")):
            train, _ = data.open(folder / "train.csv", class_names=names)
            assert train.classes == (names or ("0", "1", "2"))
    assert len(reads) == 4


def test_a_changed_file_is_read_again(folder, reads):
    data.open(folder)
    (folder / "test.csv").write_bytes(csv(IMAGES[0], LABELS[0]))
    os.utime(folder / "test.csv", (1, 1))
    _, test = data.open(folder)
    np.testing.assert_array_equal(test.images, IMAGES[0][:, None])
    changed = (folder / "test.csv").read_bytes()
    (folder / "test.csv").write_bytes(changed[:-2] + bytes([changed[-2] ^ 1]) + changed[-1:])
    os.utime(folder / "test.csv", (1, 1))  # as a copy that keeps size and date
    assert (data.open(folder)[1].images != test.images).sum() == 1


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"shape":[1,9,9],"classes":["a"],"splits":1}'])
def test_a_damaged_cache_is_written_anew(folder, reads, tmp_path, damage):
    data.open(folder)
    (about,) = (tmp_path / "cache").rglob("*.json")
    good = about.read_bytes()
    about.write_bytes(damage)
    agrees(*data.open(folder))
    assert (len(reads), about.read_bytes()) == (4, good)
    next((tmp_path / "cache").rglob("*-test.bytes")).write_bytes(b"x")
    agrees(*data.open(folder))
    assert len(reads) == 6


def test_a_cache_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match=r"file/tables cannot be written .* stays in memory"):
        train, test = data.open(folder, cache_dir=tmp_path / "file")
    agrees(train, test)
