"""Random numbers by SplitMix64: number k is a hash of ``key + (k + 1) γ``.

Steele, Lea, Flood 2014, figure 16. The hash needs nothing but 64-bit integers that wrap around, so
all numbers are computed at once. The state of a stream is an array of two words: its key, and how
many numbers were drawn.
"""

from __future__ import annotations

import math
from typing import Any

from salamandre.backend.operation import Array, Operation

GAMMA = 0x9E3779B97F4A7C15

# For CUDA: the number k after those that were drawn, in [0, 1).
_NUMBER = """
    const auto number = [&](long long k) {
        unsigned long long z = state[0] + (state[1] + k + 1) * 0x9E3779B97F4A7C15ull;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        z ^= z >> 31;
        return sizeof(T) == 4 ? T(z >> 40) * T(1.0 / (1 << 24)) : T(z >> 11) * T(1.0 / (1ll << 53));
    };
"""


def words(xp: Any, state: Array, count: int) -> Array:
    """Return the next 64-bit words of a stream."""
    word = xp.uint64
    z = (xp.arange(count, dtype=word) + state[1] + word(1)) * word(GAMMA) + state[0]
    z = (z ^ (z >> word(30))) * word(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> word(27))) * word(0x94D049BB133111EB)
    return z ^ (z >> word(31))


@Operation
def uniform(xp: Any, out: Array, state: Array) -> None:
    """Write numbers in [0, 1), with as many random bits as the dtype can hold."""
    bits = 24 if out.dtype.itemsize == 4 else 53
    drawn = words(xp, state, out.size) >> xp.uint64(64 - bits)
    out[...] = (drawn.astype(out.dtype) * 2.0**-bits).reshape(out.shape)


uniform.cuda(
    "raw uint64 state", "T out", f"{_NUMBER} out = number(i);", lambda out, state: (state, out)
)


@Operation
def normal(xp: Any, out: Array, state: Array) -> None:
    """Write standard Gaussian numbers, each pair from two uniform ones (Box and Muller 1958)."""
    half = pairs(out.size)
    u = xp.empty((2, half), dtype=out.dtype)
    uniform.reference(xp, u, state)
    radius = xp.sqrt(-2.0 * xp.log(1.0 - u[0]))
    angle = (2.0 * math.pi) * u[1]
    found = xp.stack([radius * xp.cos(angle), radius * xp.sin(angle)]).reshape(-1)
    out[...] = found[: out.size].reshape(out.shape)


def pairs(count: int) -> int:
    """Return how many pairs of numbers are drawn for so many Gaussian ones."""
    return (count + 1) // 2


normal.cuda(
    "raw uint64 state, int64 half",
    "T out",
    f"""{_NUMBER}
    const bool first = i < half;
    const long long pair = first ? i : i - half;
    const T radius = sqrt(T(-2) * log(T(1) - number(pair)));
    const T angle = T(6.283185307179586) * number(half + pair);
    out = radius * (first ? cos(angle) : sin(angle));
    """,
    lambda out, state: (state, pairs(out.size), out),
)
