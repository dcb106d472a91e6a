"""Data is converted once; whatever happens to the cache, it serves the right data or none."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from msgspec.structs import replace
from samples import is_mapped

from salamandre.data import CATALOGUE, DataUnavailable, load, reading
from salamandre.data.cache import SEAL, keep, stored


@pytest.fixture
def folder(tiny, tmp_path):
    return tiny.write(tmp_path / "data")


@pytest.fixture
def cache(tiny, folder, tmp_path):
    """The folder of a set that was converted."""
    load("tiny", data_dir=folder)
    return tmp_path / "cache" / "tiny"


def no_reading(*args):
    raise AssertionError("a file was read again")


def test_second_start_maps_what_the_first_converted(tiny, folder, cache, monkeypatch):
    monkeypatch.setattr(reading, "write", no_reading)
    train, test = load("tiny", data_dir=folder)
    tiny.agrees_with(train, test)
    for array in (train.images, train.labels, test.images, test.labels):
        assert is_mapped(array)
        assert not array.flags.writeable
    monkeypatch.setenv("SALAMANDRE_DATA", str(folder))
    tiny.agrees_with(*load("tiny"))


def test_first_start_gives_mapped_arrays_too(tiny, folder):
    assert is_mapped(load("tiny", data_dir=folder)[0].images)


def test_where_the_cache_is(tiny, folder, tmp_path, monkeypatch):
    load("tiny", data_dir=folder, cache_dir=tmp_path / "mine")
    assert len(list((tmp_path / "mine" / "tiny").iterdir())) == 2
    assert not (tmp_path / "cache").exists()
    monkeypatch.delenv("SALAMANDRE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "user" / name))
    load("tiny", data_dir=folder)
    assert len(list((tmp_path / "user" / "salamandre" / "tiny").iterdir())) == 2


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "absent": lambda path: path.unlink(),
    "cut": cut,
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "empty": lambda path: path.write_bytes(b""),
    "another byte": flip,
}


@pytest.mark.parametrize(
    ("damage", "sealed"),
    # a changed byte is recognised by the time of change alone
    [(d, s) for d in DAMAGE for s in (False, True) if (d, s) != ("another byte", True)],
)
def test_a_damaged_entry_is_built_again(tiny, folder, cache, damage, sealed):
    (path,) = cache.glob("train-*")
    DAMAGE[damage](path)
    if sealed and path.exists():
        os.utime(path, (SEAL, SEAL))
    train, test = load("tiny", data_dir=folder)
    tiny.agrees_with(train, test)
    assert is_mapped(train.images)
    tiny.agrees_with(*load("tiny", data_dir=folder))


def test_a_cache_that_cannot_be_written_costs_a_warning(tiny, folder, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    with pytest.warns(UserWarning, match=f"{in_the_way}.* cannot be written .*SALAMANDRE_CACHE"):
        train, test = load("tiny", data_dir=folder, cache_dir=in_the_way)
    tiny.agrees_with(train, test)
    assert not train.images.flags.writeable


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_cache_is_still_read(tiny, folder, cache):
    cache.chmod(0o555)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.agrees_with(*load("tiny", data_dir=folder))
    (path,) = cache.glob("test-*")
    path.chmod(0o666)
    cut(path)
    with pytest.warns(UserWarning, match="cannot be written"):
        tiny.agrees_with(*load("tiny", data_dir=folder))
    cache.chmod(0o755)


def test_a_full_disk_costs_a_warning(tiny, folder, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        tiny.agrees_with(*load("tiny", data_dir=folder))


def test_what_cannot_be_read_is_not_blamed_on_the_cache(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        keep(tmp_path / "cache" / "a", (1, 2, 2), lambda file: (tmp_path / "nowhere").read_bytes())
    assert list((tmp_path / "cache").iterdir()) == []


def test_other_content_is_never_served_for_a_name(tiny, other, mirrors):
    tiny.with_mirrors(mirrors.url("good"))
    tiny.agrees_with(*load("tiny"))
    entry = CATALOGUE["tiny"]
    CATALOGUE["tiny"] = replace(entry, forms=other.entry.forms)
    with pytest.raises(DataUnavailable):
        load("tiny", download=False)
    CATALOGUE["tiny"] = entry
    tiny.agrees_with(*load("tiny", download=False))


def test_files_of_another_folder_are_other_files(tiny, other, folder, cache, tmp_path):
    CATALOGUE["tiny"] = replace(other.entry, name="tiny")
    other.agrees_with(*load("tiny", data_dir=other.write(tmp_path / "other")))
    CATALOGUE["tiny"] = tiny.entry
    tiny.agrees_with(*load("tiny", data_dir=folder))


def test_many_at_once(tiny, folder):
    with ThreadPoolExecutor(6) as threads:
        for train, test in threads.map(lambda _: load("tiny", data_dir=folder), range(24)):
            tiny.agrees_with(train, test)


@pytest.mark.parametrize("classes", [1, 256, 257, 1623])
def test_labels_of_any_number_of_classes(tmp_path, classes):
    pixels = np.arange(5 * 9, dtype=np.uint8).reshape(5, 1, 3, 3)  # an odd number of bytes
    labels = np.array([0, 1, 2, 3, 4]) * (classes - 1) // 4

    def write(file):
        file.write(pixels.tobytes() + stored(labels, classes))

    for _ in range(2):
        found = keep(tmp_path / "a.bytes", (1, 3, 3), write, classes)
        np.testing.assert_array_equal(found[0], pixels)
        assert found[1].tolist() == labels.tolist()
        assert found[1].dtype == (np.uint8 if classes <= 256 else np.uint16)
        assert found[1].flags.aligned


def test_entries_of_earlier_versions_stay_valid(tmp_path):
    """They held a byte for each label."""
    path = tmp_path / "a.bytes"
    path.write_bytes(bytes(range(2 * 4)) + b"\0\x07")
    os.utime(path, (SEAL, SEAL))
    images, labels = keep(path, (1, 2, 2), no_reading, 10)
    assert images.tolist() == [[[[0, 1], [2, 3]]], [[[4, 5], [6, 7]]]]
    assert labels.tolist() == [0, 7]
