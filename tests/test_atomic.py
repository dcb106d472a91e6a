"""Files are whole or absent under their name, and nothing is left of processes that were killed."""

from __future__ import annotations

import threading

import pytest

from salamandre.atomic import replacing, sweep


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
        for i in range(100):
            with replacing(tmp_path / "file") as file:
                file.write(b"%d" % i)
            assert (tmp_path / "file").read_bytes() == b"%d" % i
    finally:
        done.set()
        sweeper.join()
