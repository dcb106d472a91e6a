"""z = x Wᵀ + b and its gradients.

Vectors (N, features) are transposed in memory: zᵀ = W xᵀ is faster than z = x Wᵀ for few
examples, and a sum over the batch reads contiguous memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from salamandre.backend.operation import Array, Operation


def affine(ctx: Any, x: Array, weights: Array, bias: Array | None = None, name: str = "z") -> Array:
    """Return x Wᵀ + b, (N, outputs); ``name`` is of the buffer."""
    z = ctx.buffer(name, (len(x), len(weights)), by_feature=True)
    ctx.xp.dot(weights, x.T, out=z.T)
    if bias is not None:
        z += bias
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
        ctx: where it ``postpones``, the factors of dW are kept: for the pass that follows, as one
            product of the rows of both is faster than two, or for :func:`descend`.
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
        rows = ctx.buffer("inputs", x.shape)
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
    all_dz, all_x = zip(*factors, strict=True)
    rows, inputs = _stacked(ctx, "rows", all_dz), _stacked(ctx, "inputs", all_x)
    out = ctx.backend.workspace("d_weights", d_weights.shape, ctx.dtype) if adds else d_weights
    ctx.xp.dot(rows.T, inputs, out=out)
    if adds:
        d_weights += out


@Operation
def descend(xp: Any, weights: Array, bias: Array | None, dz: Array, x: Array, rate: float) -> None:
    """W ← W - rate dzᵀ x and b ← b - rate Σ_n dz, for few examples.

    Shapes: weights (outputs, inputs), bias (outputs,) or ``None``, dz (outputs, N), x (N, inputs).
    """
    weights -= rate * xp.dot(dz, x)
    if bias is not None:
        bias -= rate * dz.sum(axis=1)


@descend.compiled
def _descend(weights: Array, bias: Array | None, dz: Array, x: Array, rate: float) -> None:
    count = len(x)
    fours = count - count % 4
    for o in range(len(weights)):
        row = weights[o]
        for n in range(0, fours, 4):  # four at a time: the row is read and written less often
            a, b = rate * dz[o, n], rate * dz[o, n + 1]
            c, d = rate * dz[o, n + 2], rate * dz[o, n + 3]
            for i in range(row.size):
                row[i] -= a * x[n, i] + b * x[n + 1, i] + c * x[n + 2, i] + d * x[n + 3, i]
        for n in range(fours, count):
            a = rate * dz[o, n]
            for i in range(row.size):
                row[i] -= a * x[n, i]
        if bias is not None:
            for n in range(count):
                bias[o] -= rate * dz[o, n]


def _stacked(ctx: Any, name: str, arrays: Sequence[Array]) -> Array:
    """Return arrays (N_k, C) as one of all their rows."""
    first = arrays[0]
    if len(arrays) == 1:
        return first
    shape = sum(map(len, arrays)), first.shape[1]
    out = ctx.buffer(f"all {name}", shape, by_feature=not first.flags.c_contiguous)
    return ctx.xp.concatenate(arrays, out=out)


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
