"""A run belongs to one process at a time, and looking at it disturbs nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from salamandre.runs.lock import LOCK, OWNER, RunInUse, in_use, locked

HOLD = """
import sys, pathlib
from salamandre.runs.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the lock of the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_process_that_has_a_run_is_named(tmp_path, holder):
    assert in_use(tmp_path)
    message = rf"another process \(process ID {holder.pid}\): wait"
    with pytest.raises(RunInUse, match=message), locked(tmp_path):
        raise AssertionError
    holder.communicate("")
    assert not in_use(tmp_path)
    with locked(tmp_path):
        assert (tmp_path / OWNER).read_text() == str(os.getpid())
    assert not (tmp_path / OWNER).exists()


def test_a_run_that_this_process_plays_is_said_to_be_its_own(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(RunInUse, match="is being played by this process already: wait"),
        locked(tmp_path),
    ):
        raise AssertionError


def test_a_lock_ends_with_its_process_whatever_ends_that(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / OWNER).exists()  # nobody could remove it
    assert not in_use(tmp_path)
    assert not (tmp_path / OWNER).exists()
    with locked(tmp_path):
        pass


def test_looking_at_a_run_never_takes_it(tmp_path):
    """Whoever looks leaves a folder alone whose owner left it, so that starting never waits."""
    assert not in_use(tmp_path)
    assert not list(tmp_path.iterdir())
    with locked(tmp_path):
        pass
    stop, seen = threading.Event(), []

    def look():
        while not stop.is_set():
            seen.append(in_use(tmp_path))

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for _ in range(50):
        with locked(tmp_path):
            pass
    stop.set()
    for watcher in watchers:
        watcher.join()
    assert seen and (tmp_path / LOCK).exists()
    assert not in_use(tmp_path)
