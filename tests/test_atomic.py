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


FULL = """
import errno, resource, sys
import numpy as np
import salamandre as sal

net = sal.Network([sal.NeuronLayer(64, sal.Softmax())], 64, sal.CrossEntropy(), sal.SGD())
engine = sal.Engine(net, (np.eye(64, dtype="f4"), np.arange(64)))
net.save("net"), engine.save("run")
engine.run(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
for save, path in ((net.save, "net"), (engine.save, "run")):
    try:
        save(path)
    except OSError as error:
        print(errno.errorcode[error.errno], error.filename)
"""


def test_no_room_for_a_whole_file_keeps_the_old_one(tmp_path):
    command = [sys.executable, "-c", FULL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["EFBIG net", "EFBIG run"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "run"]
    assert (sal.Network.load(tmp_path / "net").layers[0].bias == 0).all()  # before it learned


def test_a_rename_that_fails_keeps_the_old_file_and_names_it(tmp_path, monkeypatch):
    """As on a network drive, or where a virus scanner holds the file."""
    write_atomically(tmp_path / "file", b"old")

    def refuse(source, target):
        raise PermissionError(13, "Permission denied", source, None, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError) as caught:
        write_atomically(tmp_path / "file", b"new")
    assert str(caught.value) == f"[Errno 13] Permission denied: '{tmp_path / 'file'}'"
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"), replacing(tmp_path / "file"):
        (tmp_path / "nothing").read_bytes()


def test_a_link_to_a_folder_and_a_folder_that_vanished(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    write_atomically(tmp_path / "link" / "file", b"data")
    assert (tmp_path / "real" / "file").read_bytes() == b"data"
    (tmp_path / "real" / "file").unlink()
    (tmp_path / "real").rmdir()
    with pytest.raises(OSError, match="link"):  # which leads nowhere now
        write_atomically(tmp_path / "link" / "file", b"data")


WRITER = """
import sys
from salamandre.atomic import write_atomically
for i in range(60):
    write_atomically(sys.argv[1], sys.argv[2].encode() * 20_000)
"""


def test_a_path_that_many_write_is_always_one_of_the_files(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"a" * 20_000)

    def write(letter):
        for _ in range(60):
            write_atomically(path, letter * 20_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    commands = [[sys.executable, "-c", WRITER, path, letter] for letter in "cd"]
    processes = [subprocess.Popen(command) for command in commands]
    for thread in threads:
        thread.start()
    while any(process.poll() is None for process in processes):
        assert path.read_bytes() in [letter * 20_000 for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.join()
    assert [process.returncode for process in processes] == [0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


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
for value in range(1, 5000):  # until it is killed
    net.parameters[...] = value
    net.save(sys.argv[1])
    print(value, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_while_saving_leaves_a_whole_file(tmp_path):
    path = tmp_path / "net.safetensors"
    for delay in np.linspace(0, 0.03, 4):
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
