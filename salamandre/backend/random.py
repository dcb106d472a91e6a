"""Streams of random numbers whose state can be saved, restored, copied and pickled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.backend.base import Array, Backend
from salamandre.backend.operation import Operation
from salamandre.backend.operations.random_numbers import normal, pairs, uniform
from salamandre.checks import whole


class NumpyStream:
    """Random numbers from NumPy's PCG64."""

    def __init__(self, seed: int | Sequence[int]) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    @property
    def state(self) -> dict[str, Any]:
        """The state as plain values that JSON can hold."""
        return dict(self._generator.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._generator.bit_generator.state = state

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return standard Gaussian numbers."""
        return self._generator.standard_normal(shape, dtype=dtype)

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return numbers uniform in [0, 1)."""
        return self._generator.random(shape, dtype=dtype)


class SplitMixStream:
    """SplitMix64, see :mod:`salamandre.backend.operations.random_numbers`.

    For backends whose own generators cannot be saved. The state, two integers, is on the device:
    a recorded step draws other numbers each time that it is replayed.
    """

    def __init__(self, backend: Backend, seed: int | Sequence[int]) -> None:
        self._backend = backend
        (key,) = np.random.SeedSequence(seed).generate_state(1, np.uint64)
        self._state = backend.asarray(np.array([key, 0], np.uint64))

    @property
    def state(self) -> dict[str, Any]:
        """The state as plain values that JSON can hold."""
        key, drawn = self._backend.to_numpy(self._state).tolist()
        return {"key": key, "drawn": drawn}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        numbers = [whole(name, state[name], least=0) % 2**64 for name in ("key", "drawn")]
        self._state[...] = self._backend.asarray(np.array(numbers, np.uint64))

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return numbers uniform in [0, 1), with as many random bits as ``dtype`` can hold."""
        return self._drawn(uniform, shape, dtype, math.prod(shape))

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return standard Gaussian numbers."""
        return self._drawn(normal, shape, dtype, 2 * pairs(math.prod(shape)))

    def _drawn(self, numbers: Operation, shape: tuple[int, ...], dtype: Any, count: int) -> Array:
        out = self._backend.xp.empty(shape, dtype=dtype)
        if count:
            numbers(self._backend, out, self._state)
            drawn = self._state[1:]
            drawn += self._backend.xp.uint64(count)
        return out
