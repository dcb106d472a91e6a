"""The ways in which operations run."""

from __future__ import annotations

import cuda_on_cpu
import pytest
from tape_backend import TapeBackend

import salamandre as sal
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.cuda import CupyBackend

RUNNERS = ["loop", "kernel", "reference", pytest.param("gpu", marks=pytest.mark.gpu)]


@pytest.fixture(params=RUNNERS, scope="module")
def runner(request):
    """What runs operations: their compiled loop, CUDA kernel, or reference on strict arrays."""
    return request.param


@pytest.fixture(scope="module")
def running(runner):
    """The backend of the runner."""
    if runner == "loop":
        pytest.importorskip("numba")
        return NumpyBackend(compiled=True)
    if runner == "kernel":
        if cuda_on_cpu.COMPILER is None:
            pytest.skip("needs a C++ compiler")
        return cuda_on_cpu.CudaOnCpu()
    return sal.get_backend("strict" if runner == "reference" else "cupy")


@pytest.fixture(params=["tape", pytest.param("cupy", marks=pytest.mark.gpu)])
def sides(request):
    """A backend that works at once, and one of the same kind that records."""
    if request.param == "tape":
        return sal.get_backend("strict"), TapeBackend()
    return CupyBackend(graphs=False), CupyBackend(graphs=True)
