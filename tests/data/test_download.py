"""Downloads from a server on this machine, with mirrors that fail in every way."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from msgspec.structs import replace

from salamandre.data import CATALOGUE, DataUnavailable, load
from salamandre.data.catalogue import File
from salamandre.data.download import download

NAME = "train-images-idx3-ubyte.gz"
BAD = {
    "missing": "404 Client Error",
    "forbidden": "403 Client Error",
    "silent": "timed out",
    "stalling": "timed out",
    "dripping": "less than 1000000 bytes per second",
    "trickling": "less than 1000000 bytes per second",
    "truncated": r"IncompleteRead\(\d+ bytes read",
    "wrong": r"sent a file whose MD5 is not \w+",
    "changed": r"sent a file whose MD5 is not \w+",
    "oversized": r"sent more than the [\d,]+ bytes",
}


WHOLE = np.random.default_rng(0).bytes(20_000)


@pytest.fixture
def fetch(tiny, mirrors, tmp_path, monkeypatch):
    """Download a file from mirrors of the given manners."""
    monkeypatch.setattr("salamandre.data.download.SLOWEST", 1_000_000)
    mirrors.files = {NAME: WHOLE}
    file = File(NAME, hashlib.md5(WHOLE).hexdigest(), len(WHOLE))

    def arguments(*manners):
        urls = tuple(mirrors.url(manner) for manner in manners)
        return replace(tiny.entry.forms[0], files=(file,), mirrors=urls), file, tmp_path / "down"

    def fetch(*manners, timeout=0.2):
        return download(*arguments(*manners), timeout)

    fetch.arguments = arguments
    return fetch


@pytest.fixture
def kept(tmp_path):
    """Write what was received before."""

    def kept(content):
        (tmp_path / "down").mkdir()
        (tmp_path / "down" / f"{NAME}.unfinished").write_bytes(content)

    return kept


def names(folder):
    return [path.name for path in folder.iterdir() if path.name != ".lock"]


@pytest.mark.parametrize("manner", ["good", "slow", "moved"])
def test_a_good_mirror(fetch, mirrors, tmp_path, manner):
    path = fetch(manner)
    assert path == tmp_path / "down" / NAME
    assert path.read_bytes() == WHOLE
    assert mirrors.requests[0] == f"{manner}/{NAME}"
    assert names(path.parent) == [NAME]


@pytest.mark.parametrize("manner", BAD)
def test_a_bad_mirror_is_passed_over(fetch, mirrors, manner):
    started = time.monotonic()
    path = fetch(manner, "good")
    assert path.read_bytes() == WHOLE
    assert mirrors.requests == [f"{manner}/{NAME}", f"good/{NAME}"]
    assert names(path.parent) == [NAME]
    assert time.monotonic() - started < 20  # the time-out that a user has


@pytest.mark.parametrize("manner", BAD)
def test_what_failed_is_said(fetch, mirrors, tmp_path, manner, monkeypatch):
    monkeypatch.setattr("salamandre.data.download.ATTEMPTS", 1)
    with pytest.raises(DataUnavailable, match=BAD[manner]) as caught:
        fetch(manner)
    message = str(caught.value)
    assert message.startswith(f"{NAME} could not be downloaded ({mirrors.url(manner)}{NAME}: ")
    assert f"put {NAME} into a folder and name that folder" in message
    assert "--data-dir" in message
    assert "SALAMANDRE_DATA" in message
    assert "\n" not in message
    assert NAME not in names(tmp_path / "down")


def test_every_failure_is_listed(fetch):
    with pytest.raises(DataUnavailable, match=r"404 .*403 .*timed out\); put"):
        fetch("missing", "forbidden", "stalling", timeout=0.1)


def test_no_server_and_no_address(tiny, tmp_path):
    form = replace(tiny.entry.forms[0], mirrors=("http://127.0.0.1:1/", "nonsense"))
    with pytest.raises(DataUnavailable, match=r"refused.*Invalid URL 'nonsense"):
        download(form, form.files[0], tmp_path, 1)


def test_a_failure_leaves_the_old_file(fetch, tmp_path):
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / NAME).write_bytes(b"old")
    with pytest.raises(DataUnavailable):
        fetch("wrong")
    assert (tmp_path / "down" / NAME).read_bytes() == b"old"


def test_progress_is_lines_where_there_is_no_terminal(fetch, tmp_path, capsys, monkeypatch):
    fetch("good")
    start, end = capsys.readouterr().err.splitlines()
    assert "0% 0" in start and "100%" in end
    (tmp_path / "down" / NAME).unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch("good")
    shown = capsys.readouterr()
    assert NAME in shown.err
    assert "100%" in shown.err
    assert shown.out == ""


def test_a_file_of_unknown_size(fetch, mirrors, kept, monkeypatch):
    kept(WHOLE[:-1])
    form, file, folder = fetch.arguments("truncated", "good")
    file = replace(file, bytes=0)
    assert download(form, file, folder, 0.2).read_bytes() == WHOLE
    (folder / NAME).unlink()
    monkeypatch.setattr("salamandre.data.download.LARGEST", 10_000)
    with pytest.raises(DataUnavailable, match="sent more than the 10,000 bytes"):
        download(form, file, folder, 0.2)


# -- in several goes -----------------------------------------------------------------------------


def test_the_next_mirror_goes_on(fetch, mirrors):
    assert fetch("truncated", "good").read_bytes() == WHOLE
    assert mirrors.starts == [0, len(WHOLE) // 2]  # to the byte


def test_the_next_call_goes_on(fetch, mirrors, tmp_path):
    with pytest.raises(DataUnavailable, match="IncompleteRead"):
        fetch("truncated")
    assert names(tmp_path / "down") == [NAME + ".unfinished"]
    assert fetch("good").read_bytes() == WHOLE
    assert mirrors.starts == sorted(set(mirrors.starts))
    assert len(mirrors.starts) == 4


def test_a_server_that_cannot_go_on(fetch, kept, mirrors):
    kept(WHOLE[:100])
    assert fetch("from_the_start").read_bytes() == WHOLE
    assert mirrors.starts == [100]


def test_what_was_kept_of_a_file_of_unknown_size_is_fetched_again(fetch, kept, mirrors):
    kept(WHOLE[:100])
    form, file, folder = fetch.arguments("good")
    assert download(form, replace(file, bytes=0), folder, 0.2).read_bytes() == WHOLE
    assert mirrors.starts == [0]


def test_whole_but_not_yet_named(fetch, kept, mirrors):
    kept(WHOLE)
    assert fetch("good").read_bytes() == WHOLE
    assert mirrors.requests == []


@pytest.mark.parametrize("more", [-500, 0, 9])
def test_what_was_kept_is_of_something_else(fetch, kept, more):
    kept(bytes(len(WHOLE) + more))
    assert fetch("good").read_bytes() == WHOLE


STALLED = """
import pickle, sys
from pathlib import Path
from salamandre.data.download import download

download(*pickle.loads(Path(sys.argv[1]).read_bytes()))
"""


def test_what_a_killed_process_received_is_kept(fetch, mirrors, tmp_path):
    form, file, folder = fetch.arguments("stalling")
    arguments, partial = tmp_path / "arguments", folder / f"{NAME}.unfinished"
    arguments.write_bytes(pickle.dumps((form, file, folder)))
    process = subprocess.Popen([sys.executable, "-c", STALLED, arguments])
    deadline = time.monotonic() + 30
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert fetch("good").read_bytes() == WHOLE
    assert mirrors.starts[0] == 0 < mirrors.starts[1]


# -- into the cache ------------------------------------------------------------------------------


def test_load_downloads_once_into_the_cache(tiny, mirrors, tmp_path):
    tiny.with_mirrors(mirrors.url("missing"), mirrors.url("good"))
    tiny.agrees_with(*load("tiny"))
    assert len(mirrors.requests) == 8
    tiny.agrees_with(*load("tiny"))
    for path in (tmp_path / "cache" / "tiny").glob("*.bytes"):
        path.unlink()
    tiny.agrees_with(*load("tiny", download=False))
    for path in (tmp_path / "cache" / "tiny").glob("*.gz"):
        path.unlink()
    tiny.agrees_with(*load("tiny", download=False))  # from what was converted
    assert len(mirrors.requests) == 8


def test_a_damaged_download_is_fetched_again(tiny, mirrors, tmp_path):
    tiny.with_mirrors(mirrors.url("good"))
    folder = tiny.write(tmp_path / "cache" / "tiny")
    (folder / NAME).write_bytes(b"")
    with pytest.raises(DataUnavailable, match="downloading was not allowed"):
        load("tiny", download=False)
    assert mirrors.requests == []
    tiny.agrees_with(*load("tiny"))
    assert mirrors.requests == [f"good/{NAME}"]


def test_a_cache_that_cannot_be_written_does_not_stop_a_download(tiny, mirrors, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    tiny.with_mirrors(mirrors.url("good"))
    with pytest.warns(UserWarning, match="cannot be written"):
        tiny.agrees_with(*load("tiny", cache_dir=in_the_way))


def test_threads_download_once(fetch, mirrors):
    threads = [threading.Thread(target=fetch, args=("slow",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mirrors.requests == [f"slow/{NAME}"]


PROGRAM = """
import pickle, sys
from pathlib import Path
from salamandre.data import CATALOGUE, load

CATALOGUE["tiny"] = pickle.loads(Path(sys.argv[1]).read_bytes())
print(sum(len(images) for images in load("tiny")))
"""


def test_processes_download_once(tiny, mirrors, tmp_path):
    tiny.with_mirrors(mirrors.url("slow"))
    entry = tmp_path / "entry"
    entry.write_bytes(pickle.dumps(CATALOGUE["tiny"]))
    command = [sys.executable, "-c", PROGRAM, entry]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in started] == ["50\n"] * 2
    assert len(mirrors.requests) == 4
    assert os.listdir(tmp_path / "cache") == ["tiny"]


def test_where_data_is_looked_for(tiny, other, mirrors, tmp_path, monkeypatch):
    tiny.with_mirrors(mirrors.url("good"))
    with_set, without, spoiled = tmp_path / "with", tmp_path / "without", tmp_path / "spoiled"
    tiny.write(with_set)
    without.mkdir()
    other.write(spoiled)

    monkeypatch.setenv("SALAMANDRE_DATA", str(with_set))
    tiny.agrees_with(*load("tiny"))
    monkeypatch.setenv("SALAMANDRE_DATA", str(spoiled))  # the argument goes before the variable
    tiny.agrees_with(*load("tiny", data_dir=with_set))
    assert mirrors.requests == []

    monkeypatch.setenv("SALAMANDRE_DATA", str(without))
    tiny.agrees_with(*load("tiny"))
    tiny.agrees_with(*load("tiny"))
    assert len(mirrors.requests) == 4


def test_what_a_server_sends_that_does_not_say_how_much_is_kept(fetch, mirrors):
    path = fetch("unannounced", "unannounced", "unannounced")
    assert path.read_bytes() == WHOLE
    assert len(mirrors.requests) == 3
