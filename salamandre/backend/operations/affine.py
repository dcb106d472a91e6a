"""z = x Wᵀ + b and its gradients.

Vectors (N, features) are transposed in memory: zᵀ = W xᵀ is faster than z = x Wᵀ for few
examples, and a sum over the batch reads contiguous memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from salamandre.backend.operation import Array, Operation
from salamandre.backend.operations.rectifier import add_bias_to_features


def affine(
    ctx: Any,
    x: Array,
    weights: Array,
    bias: Array | None = None,
    slope: float | None = None,
    name: str = "z",
) -> Array:
    """Return x Wᵀ + b, (N, outputs); ``name`` is of the buffer.

    With a ``slope``, what is below zero is multiplied by it when the bias is added.
    """
    z = ctx.buffer(name, (len(x), len(weights)), by_feature=True)
    ctx.xp.dot(weights, x.T, out=z.T)
    if bias is not None:
        add_bias_to_features(ctx.backend, z.T, bias, 1.0 if slope is None else slope)
    return z


def mixture(ctx: Any, both: Array, name: str) -> Array:
    """Return the mixtures of the first N rows of ``both`` with the other N, by ``run.share``."""
    share, xp = ctx.run.share, ctx.xp
    first, second = both[: len(share)], both[len(share) :]
    out = ctx.buffer(name, first.shape, both.ndim == 2 and not both.flags.c_contiguous)
    xp.subtract(first, second, out=out)
    xp.multiply(out, share, out=out)
    return xp.add(out, second, out=out)


def affine_parameters(
    ctx: Any,
    dz: Array | None,
    x: Array,
    d_weights: Array,
    d_bias: Array | None = None,
    tangent: tuple[Array, Array] | None = None,
) -> None:
    """Write dW = dzᵀ x and db = Σ_n dz, or add to them where ``ctx.adds``.

    Args:
        ctx: where it ``postpones``, the factors of dW are kept: for the pass that follows, whose
            products are then added to what is in the cache, or for :func:`descend`.
        dz: ``None`` means zero.
        x: (N, inputs).
        d_weights: (outputs, inputs).
        d_bias: (outputs,).
        tangent: dz_dot and x_dot, whose product dz_dotᵀ x_dot is added to dW.

    Raises:
        ValueError: dz has another shape; a compiled loop would not look.
    """
    given = tangent[0] if dz is None and tangent else dz
    if getattr(given, "shape", None) != (len(x), len(d_weights)):
        raise ValueError(f"dE/dz must be an array ({len(x)}, {len(d_weights)})")
    if ctx.run.postpones and ctx.postpones:  # x may be an array of the user's, who may change it
        rows = ctx.buffer_like("inputs", x)
        rows[...] = x
        ctx.postponed = [(dz, rows)]
        return
    if d_bias is not None:
        if dz is not None:
            sum_of_rows(ctx, dz, d_bias, ctx.adds)
        elif not ctx.adds:
            d_bias[...] = 0
    factors = [] if dz is None else [(dz, x)]
    if tangent is not None:
        factors.append(tangent)
    if ctx.postpones:
        ctx.postponed = factors
        return
    adds = ctx.adds
    if ctx.before is not None and ctx.before.postponed:
        factors, adds = [*ctx.before.postponed, *factors], False
        ctx.before.postponed = []
    affine_product(ctx, factors, d_weights, adds)


def affine_product(
    ctx: Any, factors: Sequence[tuple[Array, Array]], d_weights: Array, adds: bool = False
) -> None:
    """Write the sum of the products dzᵀ x of some factors (dz, x), or add it."""
    for dz, x in factors:
        if adds:
            ctx.backend.add_product(dz.T, x, 1.0, d_weights)
        else:
            ctx.xp.dot(dz.T, x, out=d_weights)
        adds = True


def descend(ctx: Any, dz: Array, x: Array, weights: Array, bias: Array | None, rate: float) -> None:
    """W ← W - rate dzᵀ x and b ← b - rate Σ_n dz."""
    if len(x) == 1:  # a loop is sooner done than BLAS is called
        descend_one(ctx.backend, weights, bias, dz.reshape(-1), x.reshape(-1), rate)
        return
    ctx.backend.add_product(dz.T, x, -rate, weights)
    if bias is not None:
        bias -= rate * ctx.xp.dot(dz.T, ctx.backend.ones(len(dz), ctx.dtype))


@Operation
def descend_one(
    xp: Any, weights: Array, bias: Array | None, dz: Array, x: Array, rate: float
) -> None:
    """As :func:`descend`, for one example: dz (outputs,), x (inputs,)."""
    weights -= (rate * dz)[:, None] * x
    if bias is not None:
        bias -= rate * dz


@descend_one.compiled
def _descend_one(weights: Array, bias: Array | None, dz: Array, x: Array, rate: float) -> None:
    for o in range(len(weights)):
        row, step = weights[o], rate * dz[o]
        for i in range(row.size):
            row[i] -= step * x[i]
        if bias is not None:
            bias[o] -= step


def affine_input(ctx: Any, dz: Array, weights: Array, name: str = "dx") -> Array:
    """Return dx = dz W, or the part of it that is wanted, in the layout of x."""
    if ctx.input_gradient is not True:
        weights = weights[:, ctx.input_gradient]
    shape = len(dz), weights.shape[1]
    if ctx.x.flags.c_contiguous:
        return ctx.xp.dot(dz, weights, out=ctx.buffer(name, shape))
    dx = ctx.buffer(name, shape, by_feature=True)
    ctx.xp.dot(weights.T, dz.T, out=dx.T)
    return dx


def sum_of_rows(ctx: Any, rows: Array, out: Array, adds: bool = False) -> None:
    """Write the sum of rows (M, C): a product with ones, several times faster than a sum."""
    ones = ctx.backend.ones(len(rows), ctx.dtype)
    if adds:
        out += ctx.xp.dot(rows.T, ones)
    else:
        ctx.xp.dot(rows.T, ones, out=out)
