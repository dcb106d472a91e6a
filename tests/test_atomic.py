"""Files are whole or absent under their name, and nothing is left of processes that were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import salamandre as sal
from salamandre.atomic import replacing, sweep, write_atomically


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(OSError, match="closed"):
        write_atomically(tmp_path / "closed" / "file", b"data")


def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    write_atomically(tmp_path / "file", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_others_may_read_what_is_saved(tmp_path):
    umask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "file", b"data")
    finally:
        os.umask(umask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


SAVER = """
import sys
import salamandre as sal
net = sal.Network([sal.NeuronLayer(200)], 500)
value = 0
while True:
    value += 1
    net.parameters[...] = value
    net.save(sys.argv[1])
    print(value, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_while_saving_leaves_a_whole_file(tmp_path):
    path = tmp_path / "net.safetensors"
    for delay in np.linspace(0, 0.03, 8):
        command = [sys.executable, "-c", SAVER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "1\n"
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            saved = 1 + len(process.stdout.read().splitlines())
        parameters = sal.Network.load(path).parameters
        assert (parameters == parameters[0]).all()
        assert parameters[0] in (saved, saved + 1)
    sal.Network.load(path).save(path)  # clears what the killed ones left
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
