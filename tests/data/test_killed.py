"""Processes killed at random moments leave whole files or none, and nothing stands in the way."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import pytest

from salamandre.data import CATALOGUE, load

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

ROUNDS = 20

# Forks, so that the children need no imports; alone in its process, so that forking is safe.
KILLER = """
import hashlib, json, os, pickle, random, signal, sys, time, traceback
from pathlib import Path

import filelock, platformdirs, pooch, requests, tqdm.auto

from salamandre.data import CATALOGUE, load

_, entry, folder, arguments, rounds = sys.argv
entry, arguments = pickle.loads(Path(entry).read_bytes()), json.loads(arguments)
CATALOGUE[entry.name] = entry
folder, fsync = Path(folder), os.fsync


def slow_fsync(descriptor):
    time.sleep(0.01)
    fsync(descriptor)
    time.sleep(0.01)


os.fsync = slow_fsync


def start():
    pid = os.fork()
    if not pid:
        try:
            load(entry.name, **arguments)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return pid


def checksums():
    return {
        path.name: hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix in (".bytes", ".gz")
    }


started = time.monotonic()
assert os.waitpid(start(), 0)[1] == 0
duration = time.monotonic() - started
whole = checksums()
killed = interrupted = 0
choose = random.Random(4)
for _ in range(5 * int(rounds)):
    if killed == int(rounds):
        break
    for name in whole:
        (folder / name).unlink(missing_ok=True)
    pid = start()
    time.sleep(choose.uniform(0, duration))
    os.kill(pid, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    interrupted += any(folder.glob("*.part")) or any(folder.glob("*.unfinished"))
    for name, checksum in checksums().items():
        assert whole[name] == checksum, f"{name} is not whole"
print(json.dumps([killed, interrupted, sorted(whole)]))
"""


@pytest.fixture
def kill(tiny, tmp_path):
    def kill(**arguments):
        entry = tmp_path / "entry"
        entry.write_bytes(pickle.dumps(CATALOGUE["tiny"]))
        cache = tmp_path / "cache" / "tiny"
        done = subprocess.run(
            [sys.executable, "-c", KILLER, entry, cache, json.dumps(arguments), str(ROUNDS)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        killed, interrupted, files = json.loads(done.stdout)
        assert killed == ROUNDS
        assert interrupted  # at least once in the middle of a file
        return cache, files

    return kill


def test_killed_while_converting(tiny, kill, tmp_path):
    folder = tiny.write(tmp_path / "data")
    cache, files = kill(data_dir=str(folder))
    assert len(files) == 2
    tiny.agrees_with(*load("tiny", data_dir=folder))
    assert sorted(path.name for path in cache.iterdir()) == files


def test_killed_while_downloading(tiny, mirrors, kill):
    tiny.with_mirrors(mirrors.url("slow"))
    cache, files = kill()
    assert len(files) == 6
    tiny.agrees_with(*load("tiny"))
    assert sorted(path.name for path in cache.iterdir()) == [".lock", *files]
