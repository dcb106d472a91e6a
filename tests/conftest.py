"""What all tests share: the backends that the numerical suite runs on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

# Before NumPy is loaded: test processes run side by side, and their threads would fight for cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's
os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch's

import numpy as np
import pytest
from strict_backend import StrictBackend

import salamandre as sal
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.operations.tile_products import TileProducts, WinogradProducts
from salamandre.component import Component

# A shell starts what runs in the background deaf to Ctrl-C, and all that it starts itself.
signal.signal(signal.SIGINT, signal.default_int_handler)

sal.register_backend("strict", StrictBackend)
sal.register_backend("plain", lambda: NumpyBackend(compiled=False))


def missing_gpu() -> str:
    """Return why CuPy cannot be used here, or nothing."""
    try:
        sal.get_backend("cupy")
    except RuntimeError as error:
        return str(error)
    return ""


GENERATORS: list[tuple[np.random.Generator, dict]] = []  # of the modules, with their states


def pytest_collection_modifyitems(items):
    here = str(Path(__file__).parent)
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", None)).startswith(here):
            found = [v for v in vars(module).values() if isinstance(v, np.random.Generator)]
            GENERATORS.extend((random, random.bit_generator.state) for random in found)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = missing_gpu() if marked else ""
    for item in marked:
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


BACKENDS = ["numpy", "plain", "strict", pytest.param("cupy", marks=pytest.mark.gpu)]


@pytest.fixture(params=BACKENDS)
def backend(request) -> str:
    """The name of a backend; the numerical suite runs on each."""
    return request.param


@pytest.fixture
def host(backend):
    """A function that copies an array of the backend to the host, and leaves others alone."""
    to_numpy = sal.get_backend(backend).to_numpy

    def copy(array):
        return array if isinstance(array, (np.ndarray, float)) else to_numpy(array)

    return copy


@pytest.fixture
def tiles_of_any_batch(monkeypatch):
    """Let convolutions be computed by tiles where windows allow it, also for few examples."""
    for kind in (TileProducts, WinogradProducts):
        monkeypatch.setattr(kind, "least", 1)


@pytest.fixture(autouse=True)
def _own_components():
    """Forget the classes that a test defines: sentences of later ones would name them as near."""
    before = set(Component._classes)
    yield
    for name in Component._classes.keys() - before:
        if Component._classes[name].__module__.partition(".")[0] != "salamandre":
            del Component._classes[name]


@pytest.fixture(autouse=True)
def _same_numbers():
    """Let modules and PyTorch draw the same numbers whichever tests have run before."""
    for random, state in GENERATORS:
        random.bit_generator.state = state
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _quick_pictures(request, monkeypatch):
    """Let pictures have no layout, which takes longer than drawing, but where they are tested."""
    layout = sys.modules.get("matplotlib.layout_engine")
    if layout and "plots" not in request.path.parts:
        monkeypatch.setattr(layout.ConstrainedLayoutEngine, "execute", lambda *_: None)


@pytest.fixture
def random() -> np.random.Generator:
    """Random numbers that are the same whichever tests have run before."""
    return np.random.default_rng(7)
