"""Data is converted once; whatever happens to the cache, it serves the right data or none."""

from __future__ import annotations

import io
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from salamandre.atomic import replacing, sweep
from salamandre.data import CATALOGUE, DataUnavailable, idx, load
from salamandre.data.cache import SEAL


@pytest.fixture
def folder(tiny, tmp_path):
    return tiny.write(tmp_path / "data")


@pytest.fixture
def cache(tiny, folder, tmp_path):
    """The folder of a set that was converted."""
    load("tiny", data_dir=folder)
    return tmp_path / "cache" / "tiny"


def is_mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def no_unpacking(*args):
    raise AssertionError("a file was unpacked again")


def test_second_start_maps_what_the_first_converted(tiny, folder, cache, monkeypatch):
    monkeypatch.setattr(idx, "content", no_unpacking)
    for given in ({"data_dir": folder}, {}, {"download": False}):
        train, test = load("tiny", **given)
        tiny.agrees_with(train, test)
        assert is_mapped(train.images)
        assert is_mapped(test.labels)
        assert not train.images.flags.writeable


def test_first_start_gives_mapped_arrays_too(tiny, folder):
    assert is_mapped(load("tiny", data_dir=folder)[0].images)


def test_where_the_cache_is(tiny, folder, tmp_path, monkeypatch):
    load("tiny", data_dir=folder, cache_dir=tmp_path / "mine")
    assert len(list((tmp_path / "mine" / "tiny").iterdir())) == 4
    assert not (tmp_path / "cache").exists()
    monkeypatch.delenv("SALAMANDRE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "user" / name))
    load("tiny", data_dir=folder)
    assert len(list((tmp_path / "user" / "salamandre" / "tiny").iterdir())) == 4


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def saved(array, **how):
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


DAMAGE = {
    "absent": lambda path: path.unlink(),
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "another byte": flip,
    "not NumPy's": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "half a header": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "other shape": lambda path: path.write_bytes(saved(np.zeros((40, 1, 5, 6), np.uint8))),
    "other type": lambda path: path.write_bytes(saved(np.zeros((40, 1, 6, 5), np.int8))),
    "pickle": lambda path: path.write_bytes(saved(np.array([{}]), allow_pickle=True)),
}


@pytest.mark.parametrize(
    ("damage", "sealed"),
    # a changed byte is recognised by the time of change alone
    [(d, s) for d in DAMAGE for s in (False, True) if (d, s) != ("another byte", True)],
)
def test_a_damaged_entry_is_built_again(tiny, folder, cache, damage, sealed):
    (path,) = cache.glob("train-images-*")
    DAMAGE[damage](path)
    if sealed and path.exists():
        os.utime(path, (SEAL, SEAL))
    train, test = load("tiny", data_dir=folder)
    tiny.agrees_with(train, test)
    assert is_mapped(train.images)
    tiny.agrees_with(*load("tiny", download=False))


def test_a_cache_that_cannot_be_written_costs_a_warning(tiny, folder, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    with pytest.warns(UserWarning, match=f"{in_the_way}.* cannot be written .*SALAMANDRE_CACHE"):
        train, test = load("tiny", data_dir=folder, cache_dir=in_the_way)
    tiny.agrees_with(train, test)
    assert not train.images.flags.writeable


def test_a_cache_that_cannot_be_written_does_not_stop_a_download(tiny, mirrors, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    tiny.with_mirrors(mirrors.url("good"))
    with pytest.warns(UserWarning, match="cannot be written"):
        tiny.agrees_with(*load("tiny", cache_dir=in_the_way))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_cache_is_still_read(tiny, folder, cache):
    cache.chmod(0o555)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.agrees_with(*load("tiny", download=False))
    (path,) = cache.glob("test-labels-*")
    path.chmod(0o666)
    cut(path)
    with pytest.warns(UserWarning, match="cannot be written"):
        tiny.agrees_with(*load("tiny", data_dir=folder))
    cache.chmod(0o755)


def test_a_full_disk_costs_a_warning(tiny, folder, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        tiny.agrees_with(*load("tiny", data_dir=folder))


def test_other_content_is_never_served_for_a_name(tiny, other, folder, cache, tmp_path):
    changed = replace(other.entry, name="tiny")
    CATALOGUE["tiny"] = changed
    with pytest.raises(DataUnavailable):
        load("tiny", download=False)
    other.agrees_with(*load("tiny", data_dir=other.write(tmp_path / "other")))
    CATALOGUE["tiny"] = tiny.entry
    tiny.agrees_with(*load("tiny", download=False))


def test_many_at_once(tiny, folder):
    with ThreadPoolExecutor(6) as threads:
        for train, test in threads.map(lambda _: load("tiny", data_dir=folder), range(24)):
            tiny.agrees_with(train, test)


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "new" / "file"
    with replacing(path) as file:
        file.write(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        raise KeyboardInterrupt
    assert [(p.name, p.read_bytes()) for p in path.parent.iterdir()] == [("file", b"old")]


def test_only_temporaries_of_the_dead_are_swept(tmp_path):
    (tmp_path / "file.0123abcd.part").write_bytes(b"of a killed process")
    (tmp_path / "file").write_bytes(b"old")
    with replacing(tmp_path / "file") as file:
        file.write(b"new")
        sweep(tmp_path / "file")
        assert len(list(tmp_path.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_sweeping_never_disturbs_writing(tmp_path):
    done = threading.Event()

    def keep_sweeping():
        while not done.is_set():
            sweep(tmp_path / "file")

    sweeper = threading.Thread(target=keep_sweeping)
    sweeper.start()
    try:
        for i in range(200):
            with replacing(tmp_path / "file") as file:
                file.write(b"%d" % i)
            assert (tmp_path / "file").read_bytes() == b"%d" % i
    finally:
        done.set()
        sweeper.join()
