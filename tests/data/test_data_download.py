"""Downloads from a server on this machine, with mirrors that fail in every way."""

from __future__ import annotations

import sys
import time

import pytest

from salamandre.data import DataUnavailable, load
from salamandre.data.download import download


@pytest.fixture
def fetch(tiny, mirrors, tmp_path):
    """Download the training images from mirrors of the given manners."""

    def fetch(*manners, timeout=0.3):
        addresses = [mirrors.url(manner) for manner in manners]
        return download(tiny.entry.parts[0], addresses, tmp_path / "down", timeout)

    return fetch


NAME = "train-images-idx3-ubyte.gz"
BAD = {
    "missing": "HTTP Error 404",
    "forbidden": "HTTP Error 403",
    "silent": "timed out",
    "stalling": "timed out",
    "dripping": "less than 1024 bytes per second",
    "truncated": "sent is a damaged gzip file",
    "wrong": r"sent starts with magic number \d+, not 2051",
    "oversized": r"sent more than the [\d,]+ bytes",
}


@pytest.mark.parametrize("manner", ["good", "slow", "moved", "packed_again"])
def test_a_good_mirror(tiny, fetch, mirrors, tmp_path, manner):
    path = fetch(manner)
    assert path == tmp_path / "down" / NAME
    if manner != "packed_again":
        assert path.read_bytes() == tiny.files[NAME]
    assert mirrors.requests[0] == f"{manner}/{NAME}"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("manner", BAD)
def test_a_bad_mirror_is_passed_over(tiny, fetch, mirrors, manner):
    started = time.monotonic()
    path = fetch(manner, "good")
    assert path.read_bytes() == tiny.files[NAME]
    assert mirrors.requests == [f"{manner}/{NAME}", f"good/{NAME}"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("manner", BAD)
def test_what_failed_is_said(fetch, mirrors, tmp_path, manner):
    with pytest.raises(DataUnavailable, match=BAD[manner]) as caught:
        fetch(manner)
    message = str(caught.value)
    assert message.startswith("the training images of Tiny could not be downloaded (")
    assert mirrors.url(manner) + NAME in message
    assert f"put {NAME} and the other files of Tiny into a folder" in message
    assert "--data-dir" in message
    assert "SALAMANDRE_DATA" in message
    assert "\n" not in message
    assert list((tmp_path / "down").iterdir()) == []


def test_every_failure_is_listed(fetch):
    with pytest.raises(DataUnavailable, match=r"404: Not Found; .*403: Forbidden; .*timed out"):
        fetch("missing", "forbidden", "stalling")


def test_no_server_and_no_address(tiny, tmp_path):
    with pytest.raises(DataUnavailable, match=r"refused.*unknown url type"):
        download(tiny.entry.parts[0], ["http://127.0.0.1:1/", "nonsense"], tmp_path, 1)


def test_a_failure_leaves_the_old_file(tiny, fetch, tmp_path):
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / NAME).write_bytes(b"old")
    with pytest.raises(DataUnavailable):
        fetch("wrong")
    assert (tmp_path / "down" / NAME).read_bytes() == b"old"


def test_progress_is_shown_on_a_terminal_only(fetch, capsys, monkeypatch):
    fetch("good")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch("good")
    shown = capsys.readouterr()
    assert NAME in shown.err
    assert "100%" in shown.err
    assert shown.out == ""


def test_load_downloads_once_into_the_cache(tiny, mirrors, tmp_path):
    tiny.with_mirrors(mirrors.url("missing"), mirrors.url("good"))
    tiny.agrees_with(*load("tiny"))
    assert len(mirrors.requests) == 8
    tiny.agrees_with(*load("tiny"))
    for path in (tmp_path / "cache" / "tiny").glob("*.npy"):
        path.unlink()
    tiny.agrees_with(*load("tiny", download=False))
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


def test_where_data_is_looked_for(tiny, other, mirrors, tmp_path, monkeypatch):
    tiny.with_mirrors(mirrors.url("good"))
    with_set, without, spoiled = tmp_path / "with", tmp_path / "without", tmp_path / "spoiled"
    tiny.write(with_set)
    without.mkdir()
    other.write(spoiled)

    monkeypatch.setenv("SALAMANDRE_DATA", str(with_set))
    tiny.agrees_with(*load("tiny"))
    assert mirrors.requests == []

    monkeypatch.setenv("SALAMANDRE_DATA", str(spoiled))  # the argument goes before the variable
    tiny.agrees_with(*load("tiny", data_dir=with_set))

    monkeypatch.setenv("SALAMANDRE_DATA", str(without))
    tiny.agrees_with(*load("tiny", cache_dir=tmp_path / "cache"))
    assert mirrors.requests == []
    tiny.agrees_with(*load("tiny", cache_dir=tmp_path / "empty"))
    assert len(mirrors.requests) == 4
