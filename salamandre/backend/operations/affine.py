"""z = x Wᵀ + b and its gradients.

Vectors (N, features) are transposed in memory: zᵀ = W xᵀ is faster than z = x Wᵀ for few
examples, and a sum over the batch reads contiguous memory.
"""

from __future__ import annotations

from typing import Any

Array = Any


def affine(ctx: Any, x: Array, weights: Array, bias: Array | None = None, name: str = "z") -> Array:
    """Return x Wᵀ + b, (N, outputs); ``name`` is of the buffer."""
    z = ctx.buffer(name, (len(x), len(weights)), by_feature=True)
    ctx.xp.dot(weights, x.T, out=z.T)
    if bias is not None:
        z += bias
    return z


def affine_parameters(
    ctx: Any, dz: Array, x: Array, d_weights: Array, d_bias: Array | None = None
) -> None:
    """Write dW = dzᵀ x and db = Σ_n dz."""
    ctx.xp.dot(dz.T, x, out=d_weights)
    if d_bias is not None:
        sum_of_rows(ctx, dz, d_bias)


def affine_input(ctx: Any, dz: Array, weights: Array, name: str = "dx") -> Array:
    """Return dx = dz W, or the part of it that is wanted."""
    if ctx.input_gradient is not True:
        weights = weights[:, ctx.input_gradient]
    dx = ctx.buffer(name, (len(dz), weights.shape[1]), by_feature=True)
    ctx.xp.dot(weights.T, dz.T, out=dx.T)
    return dx


def sum_of_rows(ctx: Any, rows: Array, out: Array) -> None:
    """Write the sum of rows (M, C): a product with ones, several times faster than a sum."""
    ctx.xp.dot(rows.T, ctx.backend.ones(len(rows), ctx.dtype), out=out)
