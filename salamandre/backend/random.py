"""Streams of random numbers whose state can be saved, restored, copied and pickled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.backend.base import Array, Backend
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
    """SplitMix64: the k-th number is a hash of ``seed + k γ`` (Steele, Lea, Flood 2014, Fig. 16).

    For backends whose own generators cannot be saved. The numbers are computed on the device, all
    at once, and the state is two integers. The hash needs nothing but 64-bit integer arithmetic
    that wraps around.
    """

    def __init__(self, backend: Backend, seed: int | Sequence[int]) -> None:
        self._backend = backend
        words = np.random.SeedSequence(seed).generate_state(1, np.uint64)
        self._key, self._drawn = int(words[0]), 0

    @property
    def state(self) -> dict[str, Any]:
        """The state as plain values that JSON can hold."""
        return {"key": self._key, "drawn": self._drawn}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        key, drawn = (whole(name, state[name], least=0) for name in ("key", "drawn"))
        self._key, self._drawn = key, drawn

    def _bits(self, count: int) -> Array:
        """Return the next ``count`` 64-bit words."""
        xp = self._backend.xp
        start = (self._key + (self._drawn + 1) * 0x9E3779B97F4A7C15) % 2**64
        z = xp.arange(count, dtype=xp.uint64) * xp.uint64(0x9E3779B97F4A7C15) + xp.uint64(start)
        z = (z ^ (z >> xp.uint64(30))) * xp.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> xp.uint64(27))) * xp.uint64(0x94D049BB133111EB)
        self._drawn += count
        return z ^ (z >> xp.uint64(31))

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return numbers uniform in [0, 1), with as many random bits as ``dtype`` can hold."""
        dtype = np.dtype(dtype)
        bits = 24 if dtype.itemsize == 4 else 53
        words = self._bits(math.prod(shape)) >> self._backend.xp.uint64(64 - bits)
        return (words.astype(dtype) * 2.0**-bits).reshape(shape)

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return standard Gaussian numbers (Box and Muller 1958)."""
        xp, count = self._backend.xp, math.prod(shape)
        half = (count + 1) // 2
        u = self.uniform((2, half), dtype)
        radius = xp.sqrt(-2.0 * xp.log(1.0 - u[0]))
        angle = (2.0 * math.pi) * u[1]
        pairs = xp.stack([radius * xp.cos(angle), radius * xp.sin(angle)])
        return pairs.reshape(-1)[:count].reshape(shape)
