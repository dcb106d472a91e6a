"""Archives are downloaded from a server on this machine, in as many goes as it takes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from salamandre import data
from salamandre.data import CATALOGUE, DataUnavailable
from salamandre.data.download import download_archive

FILE = "cifar-10-binary.tar.gz"


class Server(ThreadingHTTPServer):
    """Sends one file, whole or from a byte on; ``most`` bytes a connection."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Answer)
        self.content, self.most, self.resumes = content, len(content), True
        self.starts = []

    def handle_error(self, request, client_address):
        pass


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range", "bytes=0-")
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        server.starts.append(start)
        if server.resumes and start >= len(server.content) > 0:
            return self.send_error(416)
        start = start if server.resumes else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(server.content[start : start + server.most])

    def log_message(self, *args):
        pass


@pytest.fixture
def content():
    """The small archive of CIFAR-10 with one example in each member."""
    random, file = np.random.default_rng(0), io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for member in CATALOGUE["cifar-10"].archives[0].members:
            info = tarfile.TarInfo(member.name)
            info.size = 3073
            archive.addfile(info, io.BytesIO(b"\3" + random.bytes(3072)))
    return file.getvalue()


@pytest.fixture
def server(content):
    with Server(content) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def archive(server, content, monkeypatch):
    entry = CATALOGUE["cifar-10"]
    archive = replace(
        entry.archives[0],
        members=tuple(replace(member, count=1) for member in entry.archives[0].members),
        url=f"http://127.0.0.1:{server.server_address[1]}/{FILE}",
        md5=hashlib.md5(content).hexdigest(),
        bytes=len(content),
    )
    monkeypatch.setitem(CATALOGUE, "cifar-10", replace(entry, archives=(archive,)))
    return archive


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_load_downloads_once(server, archive, tmp_path):
    for _ in range(2):
        train, test = data.load("cifar-10")
        assert (len(train), len(test)) == (5, 1)
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.unlink()
    assert len(data.load("cifar-10", download=False)[0]) == 5
    (tmp_path / "cache" / "cifar-10" / FILE).unlink()
    assert len(data.load("cifar-10", download=False)[0]) == 5  # from what was converted
    assert server.starts == [0]


def test_a_damaged_download_is_fetched_again(server, archive, content, tmp_path):
    home = tmp_path / "cache" / "cifar-10"
    home.mkdir(parents=True)
    (home / FILE).write_bytes(content[:-1])
    with pytest.raises(DataUnavailable, match="downloading was not allowed"):
        data.load("cifar-10", download=False)
    assert len(data.load("cifar-10")[0]) == 5
    assert (home / FILE).read_bytes() == content
    assert server.starts == [0]


def test_a_connection_that_ends_early(server, archive, content, tmp_path):
    server.most = len(content) // 2
    path = download_archive(archive, tmp_path / "down")
    assert path.read_bytes() == content
    assert names(path.parent) == [FILE]
    assert server.starts == [0, server.most, 2 * server.most][: len(server.starts)]


def test_the_next_call_goes_on(server, archive, content, tmp_path):
    server.most = len(content) // 5
    with pytest.raises(
        DataUnavailable, match=r"\(the connection ended early; .*what was received is kept .*; put"
    ):
        download_archive(archive, tmp_path)
    assert names(tmp_path) == [FILE + ".unfinished"]
    assert download_archive(archive, tmp_path).read_bytes() == content
    assert server.starts == [server.most * number for number in range(len(server.starts))]


def test_a_server_that_cannot_go_on(server, archive, content, tmp_path):
    (tmp_path / (FILE + ".unfinished")).write_bytes(b"what came before")
    server.resumes = False
    assert download_archive(archive, tmp_path).read_bytes() == content
    assert server.starts == [16]


def test_whole_but_not_yet_named(server, archive, content, tmp_path):
    (tmp_path / (FILE + ".unfinished")).write_bytes(content)
    assert download_archive(archive, tmp_path).read_bytes() == content
    assert server.starts == []


@pytest.mark.parametrize("more", [0, 9])
def test_what_was_kept_is_of_something_else(server, archive, content, tmp_path, more):
    (tmp_path / (FILE + ".unfinished")).write_bytes(bytes(len(content) + more))
    assert download_archive(archive, tmp_path).read_bytes() == content


def test_a_wrong_file_is_not_kept(server, archive, content, tmp_path):
    (tmp_path / (FILE + ".unfinished")).write_bytes(b"wrong")
    with pytest.raises(DataUnavailable, match=r"sent a file with MD5 \w+, not \w+; put"):
        download_archive(archive, tmp_path)
    assert FILE not in names(tmp_path)
    assert download_archive(archive, tmp_path).read_bytes() == content


def test_no_server(server, archive, tmp_path):
    nowhere = replace(archive, url="http://127.0.0.1:1/")
    with pytest.raises(DataUnavailable, match=r"could not be downloaded from .*refused"):
        download_archive(nowhere, tmp_path)


def test_two_at_once(server, archive, content, tmp_path):
    threads = [
        threading.Thread(target=download_archive, args=(archive, tmp_path)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / FILE).read_bytes() == content
    assert server.starts == [0]


def test_a_cache_that_cannot_be_written(server, archive, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="cannot be written"):
        train, _ = data.load("cifar-10", cache_dir=tmp_path / "file")
    assert len(train) == 5


def test_progress_is_shown_on_a_terminal_only(server, archive, tmp_path, capsys, monkeypatch):
    download_archive(archive, tmp_path / "a")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    download_archive(archive, tmp_path / "b")
    assert FILE in capsys.readouterr().err
