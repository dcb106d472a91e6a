"""Functions that overflow or lose digits if they are written as in a textbook; here they do not."""

from __future__ import annotations

import math
from typing import Any

from salamandre.backend import Array


def sigmoid(xp: Any, x: Array, slope: float = 1.0, out: Array | None = None) -> Array:
    """Return 1 / (1 + exp(-slope x)), the exponent held below overflow."""
    out = xp.multiply(x, -slope, out=out)
    xp.minimum(out, math.log(xp.finfo(x.dtype).max) - 1, out=out)
    xp.exp(out, out=out)
    xp.add(out, 1, out=out)
    return xp.divide(1, out, out=out)


def softplus(xp: Any, x: Array, out: Array | None = None) -> Array:
    """Return log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)): the exponential is at most 1."""
    small = xp.abs(x)
    xp.negative(small, out=small)
    xp.exp(small, out=small)
    xp.log1p(small, out=small)
    out = xp.maximum(x, 0, out=out)
    return xp.add(out, small, out=out)


def logistic(xp: Any, z: Array) -> tuple[Array, Array, Array]:
    """Return log(1 + exp(-|z|)), s = 1 / (1 + exp(-z)) and 1 - s, of one exponential."""
    small = xp.exp(-xp.abs(z))
    near = 1 / (1 + small)
    far, above = small * near, z > 0
    return xp.log1p(small), xp.where(above, near, far), xp.where(above, far, near)


def softmax(xp: Any, z: Array, out: Array | None = None) -> Array:
    """Return exp(z_j) / Σ_k exp(z_k) of each row; the exponentials are at most 1."""
    out = xp.subtract(z, z.max(axis=1, keepdims=True), out=out)
    xp.exp(out, out=out)
    return xp.divide(out, out.sum(axis=1, keepdims=True), out=out)


def log_softmax(xp: Any, z: Array) -> Array:
    """Return z_j - log Σ_k exp(z_k) of each row."""
    shifted = z - z.max(axis=1, keepdims=True)
    shifted -= xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    return shifted
