"""Weights are found in files, folders, the cache and on a server; others' are refused."""

from __future__ import annotations

import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from safetensors.numpy import save_file

from salamandre import models
from salamandre.models.weights import VARIABLE, Weights, find_weights

torch = pytest.importorskip("torch")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SALAMANDRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def server(tmp_path):
    """A folder and the address under which its files can be fetched."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{site.server_port}/"
    site.shutdown()
    site.server_close()


def published(folder):
    """Write weights under a name that ends in the first digits of their checksum."""
    torch.save({"a.weight": torch.arange(3.0)}, folder / "net.pth")
    digits = hashlib.sha256((folder / "net.pth").read_bytes()).hexdigest()[:8]
    return (folder / "net.pth").rename(folder / f"net-{digits}.pth").name


def test_published_weights_are_downloaded_once(cache, server):
    folder, site = server
    name = published(folder)
    found = find_weights("net", name, site=site)
    np.testing.assert_array_equal(found.arrays["a.weight"], [0, 1, 2])
    (folder / name).unlink()
    again = find_weights("net", name, site=site)
    assert again.source == str(cache / name)


def test_a_download_with_another_checksum_is_refused(cache, server):
    folder, site = server
    name = published(folder)
    (folder / name).write_bytes((folder / name).read_bytes() + b"more")
    with pytest.raises(ValueError, match="SHA-256"):
        find_weights("net", name, site=site)
    assert not list(cache.iterdir())


def test_a_file_that_is_on_no_server_is_explained(cache, server):
    with pytest.raises(
        FileNotFoundError, match=r"nothing-00\.pth could not be downloaded.*SALAMANDRE_WEIGHTS"
    ):
        find_weights("net", "nothing-00.pth", site=server[1])


def test_where_weights_are_looked_for(cache, tmp_path, monkeypatch):
    for place, value in (("own", 1), ("named", 2), ("cache", 3)):
        folder = cache if place == "cache" else tmp_path / place / "net"
        folder.mkdir(parents=True)
        save_file({"a": np.full(1, value, np.float32)}, folder / "net.safetensors")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "named"))

    def value(*given):
        return float(find_weights("net", "", *given).arrays["a"][0])

    assert value(tmp_path / "own") == 1
    assert value() == 2
    monkeypatch.delenv(VARIABLE)
    assert value() == 3
    with pytest.raises(FileNotFoundError, match=r"no weights of other in .*other\.safetensors"):
        find_weights("other", "", tmp_path / "own")
    own = tmp_path / "own" / "net" / "net.safetensors"
    monkeypatch.setenv(VARIABLE, str(own))
    assert value() == 1
    own.rename(own.with_name("mine.safetensors"))
    mine = own.with_name("mine.safetensors")
    for wrong, message in ((own, "which does not exist"), (mine, "weights of net are called net")):
        monkeypatch.setenv(VARIABLE, str(wrong))
        with pytest.raises(FileNotFoundError, match=message):
            value()


def test_weights_of_another_network_are_refused_and_change_nothing():
    network = models.lenet5().network
    right = {name.replace("weights", "weight"): array for name, array in network.tensors().items()}
    before = network.parameters.copy()
    lacking = {name: a for name, a in right.items() if name != "fc1.bias"}
    wrong = right | {"conv2.weight": np.zeros((16, 6, 3, 3), np.float32)}
    for arrays, message in (
        (lacking, "another network: it lacks 'fc1.bias', did you mean"),
        (wrong, r"'conv2.weight' has the shape \(16, 6, 3, 3\) instead of \(16, 6, 5, 5\)"),
        (right | {"fc9.weight": np.ones(1)}, "this one has no 'fc9.weight'"),
        (right | {"fc1.bias": np.full(120, np.nan)}, "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            Weights("w.pth", arrays).give(network)
    np.testing.assert_array_equal(network.parameters, before)
    Weights("w.pth", {n: a + 1 for n, a in right.items()}).give(network)
    np.testing.assert_allclose(network.parameters, before + 1, rtol=1e-6)
