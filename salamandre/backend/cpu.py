"""The NumPy backend, with Numba loops where Numba is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy import ndarray

from salamandre.backend.base import Array, Backend, RandomStream
from salamandre.backend.blas import add_product, gemm
from salamandre.backend.operation import Operation, in_order
from salamandre.backend.random import NumpyStream
from salamandre.backend.team import free_threads, team

# Numbers of a slice that pay for a thread, and those that one slice begins after another at a
# multiple of: a loop takes as many at a time at most, and so computes each as in one slice of all.
LEAST, GRAIN = 2**18, 2**10
SMALL = 2**13  # numbers, below which NumPy is sooner done in three steps than BLAS is called


class NumpyBackend(Backend):
    """Arrays in main memory.

    Args:
        compiled: run operations as Numba loops. ``None`` uses Numba where it is installed, unless
            the environment variable ``SALAMANDRE_NUMBA`` is ``0``.
    """

    name = "numpy"
    shares_batches = True
    xp = np

    def __init__(self, compiled: bool | None = None) -> None:
        if compiled is None:
            wanted = os.environ.get("SALAMANDRE_NUMBA", "1") != "0"
            compiled = wanted and find_spec("numba") is not None
        self.compiled = compiled
        self.few = 128 if gemm("f") else 8  # without it a product takes memory and two more loops

    def arguments(self) -> tuple[bool]:
        """Return whether loops are compiled."""
        return (self.compiled,)

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """Return ``array`` as a NumPy array."""
        return np.asarray(array, dtype=dtype)

    def to_numpy(self, array: Array) -> ndarray:
        """Return ``array`` itself: it is on the host already."""
        return array

    def stream(self, seed: int | Sequence[int]) -> RandomStream:
        """Return a PCG64 stream."""
        return NumpyStream(seed)

    def in_slices(self, count: int, work: Callable[[slice], None]) -> None:
        """As the base; in a step whose batch is shared among threads, a slice for each of them."""
        threads = min(free_threads(), count // LEAST) if count >= 2 * LEAST else 1
        if threads < 2:
            work(slice(None))
            return
        size = -(-count // (threads * GRAIN)) * GRAIN
        team(threads).run(lambda group: work(slice(group.rank * size, (group.rank + 1) * size)))

    def add_product(self, a: Array, b: Array, factor: float, out: Array) -> None:
        """As the base, without memory for the product where that is large."""
        if out.size < SMALL or not add_product(a, b, factor, out):
            super().add_product(a, b, factor, out)

    def run(self, operation: Operation, arguments: tuple[Any, ...]) -> None:
        """Run the compiled loop where it pays and the arrays' memory allows it, or array code."""
        if self.compiled and operation.loop and arguments[0].size >= operation.least:
            over = operation.loop_in_place is not None and arguments[-1] is arguments[0]
            given = in_order(arguments[:-1] if over else arguments, ndarray, operation.elementwise)
            if given is not None:
                (operation.code_in_place if over else operation.machine_code)(*given)
                return
        operation.reference(np, *arguments)
