"""A tiny data set made here, a web server with good and bad mirrors of it, and no other network."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from salamandre.data import CATALOGUE, DataSet
from salamandre.data.catalogue import File, Form, Part

DATA = os.environ.get("SALAMANDRE_DATA")
NAMES = {
    ("train", "images"): "train-images-idx3-ubyte.gz",
    ("train", "labels"): "train-labels-idx1-ubyte.gz",
    ("test", "images"): "t10k-images-idx3-ubyte.gz",
    ("test", "labels"): "t10k-labels-idx1-ubyte.gz",
}


@pytest.fixture(scope="session")
def real():
    """The folder with the published files."""
    if not DATA:
        pytest.skip("SALAMANDRE_DATA names no folder with the published data sets")
    return Path(DATA)


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """Keep the tests away from the user's folders and from the network."""
    monkeypatch.delenv("SALAMANDRE_DATA", raising=False)
    monkeypatch.setenv("SALAMANDRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    look_up = socket.getaddrinfo

    def only_here(host, *args, **kwargs):
        assert host == "127.0.0.1", f"a test wanted to reach {host}"
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)


def idx(array):
    """The bytes of an IDX file, by its definition."""
    if array.ndim == 1:
        return struct.pack(">II", 2049, len(array)) + array.tobytes()
    count, _, height, width = array.shape
    return struct.pack(">IIII", 2051, count, height, width) + array.tobytes()


@dataclass
class Made:
    """A data set, its arrays and its files."""

    entry: DataSet
    arrays: dict
    files: dict

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder

    def with_mirrors(self, *mirrors):
        (form,) = self.entry.forms
        CATALOGUE[self.entry.name] = replace(self.entry, forms=(replace(form, mirrors=mirrors),))

    def agrees_with(self, train, test):
        for split, found in (("train", train), ("test", test)):
            np.testing.assert_array_equal(found.images, self.arrays[split, "images"])
            np.testing.assert_array_equal(found.labels, self.arrays[split, "labels"])
            assert found.split == split


def make(name="tiny", seed=0):
    random = np.random.default_rng(seed)
    arrays, contents, files, parts = {}, {}, [], []
    for (split, kind), file in NAMES.items():
        count = 40 if split == "train" else 10
        if kind == "images":
            array = random.integers(0, 256, (count, 1, 6, 5), np.uint8)  # not square
        else:
            array = random.integers(0, 3, count, np.uint8)
        content = idx(array)
        packed = gzip.compress(content, mtime=0)
        arrays[split, kind], contents[file] = array, packed
        files.append(File(file, hashlib.md5(packed).hexdigest(), len(packed)))
        parts.append(Part(file, split, (kind,), count, hashlib.md5(content).hexdigest()))
    entry = DataSet(
        name=name,
        title=name.title(),
        shape=(1, 6, 5),
        classes=("a", "b", "c"),
        train=40,
        test=10,
        licence="none",
        source="made in a test",
        forms=(Form("idx", tuple(files), tuple(parts)),),
    )
    return Made(entry, arrays, contents)


@pytest.fixture
def tiny(monkeypatch):
    made = make()
    monkeypatch.setitem(CATALOGUE, "tiny", made.entry)
    return made


@pytest.fixture
def other(monkeypatch):
    """A second set of the same shapes and other content."""
    made = make("other", seed=1)
    monkeypatch.setitem(CATALOGUE, "other", made.entry)
    return made


class Mirrors(ThreadingHTTPServer):
    """Serves the tiny set; the first word of the path says how well."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.requests, self.starts = [], []
        self.closing = threading.Event()

    def url(self, manner):
        return f"http://127.0.0.1:{self.server_address[1]}/{manner}/"

    def handle_error(self, request, client_address):
        pass  # clients that were killed or gave up


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        _, manner, name = self.path.split("/")
        self.server.requests.append(self.path.strip("/"))
        body = self.server.files[name]
        self.start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.starts.append(self.start)
        with contextlib.suppress(ConnectionError):
            getattr(self, manner)(body[self.start :])

    def head(self, size=None):
        self.send_response(206 if self.start else 200)
        if size is not None:
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def pieces(self, body, size, pause):
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            if self.server.closing.wait(pause):
                return

    def good(self, body):
        self.head(len(body))
        self.wfile.write(body)

    def slow(self, body):
        self.head(len(body))
        self.pieces(body, len(body) // 8 + 1, 0.003)

    def missing(self, body):
        self.send_error(404)

    def forbidden(self, body):
        self.send_error(403)

    def moved(self, body):
        self.send_response(302)
        self.send_header("Location", self.path.replace("moved", "good"))
        self.end_headers()

    def silent(self, body):
        self.server.closing.wait(30)

    def stalling(self, body):
        self.head(len(body))
        self.wfile.write(body[: len(body) // 2])
        self.server.closing.wait(30)

    def dripping(self, body):
        self.head(len(body))
        self.pieces(body, 500, 0.02)

    def trickling(self, body):
        self.head(len(body))
        self.pieces(body, 1, 0.05)

    def truncated(self, body):
        self.head(len(body))
        self.wfile.write(body[: len(body) // 2])

    def unannounced(self, body):
        """Close after 8 kB at most, without having said how much there is."""
        self.head()
        self.wfile.write(body[:8000])

    def from_the_start(self, body):
        self.start = 0
        self.good(self.server.files[self.path.split("/")[2]])

    def wrong(self, body):
        self.good(b"<html>please log in</html>")

    def changed(self, body):
        self.good(bytes(len(body)))

    def oversized(self, body):
        self.head()
        self.wfile.write(body)
        for _ in range(64):
            self.wfile.write(bytes(1 << 16))

    def log_message(self, *args):
        pass


@pytest.fixture
def mirrors(tiny):
    with Mirrors(tiny.files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()
