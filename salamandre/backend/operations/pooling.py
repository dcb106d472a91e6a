"""Pooling: what a window sees of each channel becomes one number; and the adjoints.

Images x are contiguous (N, H, W, C), results y (N, Ho, Wo, C); the positions of windows are those
of :mod:`salamandre.backend.operations.windows`.
"""

from __future__ import annotations

from typing import Any

from salamandre.backend.operation import Array, Operation, Pair
from salamandre.backend.operations.windows import (
    END,
    OUTPUT,
    PIXEL,
    PLACED,
    SEEING,
    SEEN,
    overlaps,
    placed,
    visible,
)


@Operation
def max_pool(
    xp: Any, x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """Write the largest pixel of each window into y, and which one it is into ``chosen``.

    That is the index i kw + j within the window, of equal pixels the first. Padding is never
    chosen (a window of nothing else gets 0); one that holds NaN gives NaN, the last of them.
    """
    y[...] = -float("inf")
    chosen[...] = 0
    places = overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, padding)
    for (i, j), (a, b), (h, w) in reversed(list(places)):
        found, best, index = x[:, h, w], y[:, a, b], chosen[:, a, b]
        larger = ~(found < best) & (best == best)  # in this order equal ones after it, and NaN
        index *= ~larger
        index += larger * chosen.dtype.type(i * kernel[1] + j)
        y[:, a, b] = xp.maximum(found, best)


@max_pool.compiled
def _max_pool(x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, padding: Pair) -> None:
    height, width, channels = x.shape[1:]
    for n in range(y.shape[0]):
        for a in range(y.shape[1]):
            top, first, end = visible(a, kernel[0], stride[0], padding[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = visible(b, kernel[1], stride[1], padding[1], width)
                best, index = y[n, a, b], chosen[n, a, b]
                best[:] = -float("inf")
                index[:] = first * kernel[1] + first_j if first < end and first_j < end_j else 0
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        here = index.dtype.type(i * kernel[1] + j)
                        for c in range(channels):
                            value, old, old_index = seen[c], best[c], index[c]  # no branches
                            larger = (value > old) | (value != value)  # NaN stays
                            index[c] = here if larger else old_index
                            best[c] = value if larger else old


max_pool.cuda(
    f"raw T x, {PLACED}",
    "T y, U chosen",
    f"""{OUTPUT}
    T best = log(T(0));
    int index = -1;
    {SEEN}
        const T value = x[pixel];
        if (index < 0 || value > best || value != value) index = p * kw + q;
        if (best == best && !(value <= best)) best = value;  // NaN stays
    {END}
    y = best;
    chosen = index < 0 ? 0 : index;
    """,
    lambda x, y, chosen, *window: (x, *placed(x, y, *window), y, chosen),
)


@Operation
def take_chosen(
    xp: Any, x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """Write the chosen pixel of each window of x into y."""
    y[...] = 0
    for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, padding):
        y[:, a, b] += x[:, h, w] * (chosen[:, a, b] == i * kernel[1] + j)


take_chosen.cuda(
    f"raw T x, U chosen, {PLACED}",
    "T y",
    f"""{OUTPUT}
    T value = 0;
    {SEEN}
        if (int(chosen) == p * kw + q) value = x[pixel];
    {END}
    y = value;
    """,
    lambda x, y, chosen, *window: (x, chosen, *placed(x, y, *window), y),
)


@Operation
def add_chosen(
    xp: Any, y: Array, x: Array, chosen: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """Write into each pixel of x the sum of the y that chose it: take_chosen's adjoint."""
    x[...] = 0
    for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, padding):
        x[:, h, w] += y[:, a, b] * (chosen[:, a, b] == i * kernel[1] + j)


@add_chosen.compiled
def _add_chosen(
    y: Array, x: Array, chosen: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    height, width, channels = x.shape[1:]
    nothing = x.dtype.type(0)  # with the integer 0 the sum would be of double precision
    for n in range(y.shape[0]):
        x[n] = 0
        for a in range(y.shape[1]):
            top, first, end = visible(a, kernel[0], stride[0], padding[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = visible(b, kernel[1], stride[1], padding[1], width)
                given, index = y[n, a, b], chosen[n, a, b]
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        here = index.dtype.type(i * kernel[1] + j)
                        for c in range(channels):
                            seen[c] += given[c] if index[c] == here else nothing


add_chosen.cuda(
    f"raw T y, raw U chosen, {PLACED}",
    "T x",
    f"""{PIXEL}
    T sum = 0;
    {SEEING}
        if (int(chosen[output * channels + c]) == p * kw + q) sum += y[output * channels + c];
    {END}
    x = sum;
    """,
    lambda y, x, chosen, *window: (y, chosen, *placed(x, y, *window), x),
)


@Operation
def sum_pool(xp: Any, x: Array, y: Array, kernel: Pair, stride: Pair, padding: Pair) -> None:
    """Write the sum of each window into y."""
    y[...] = 0
    for _, (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, padding):
        y[:, a, b] += x[:, h, w]


@sum_pool.compiled
def _sum_pool(x: Array, y: Array, kernel: Pair, stride: Pair, padding: Pair) -> None:
    height, width, channels = x.shape[1:]
    for n in range(y.shape[0]):
        for a in range(y.shape[1]):
            top, first, end = visible(a, kernel[0], stride[0], padding[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = visible(b, kernel[1], stride[1], padding[1], width)
                total = y[n, a, b]
                total[:] = 0
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        for c in range(channels):
                            total[c] += seen[c]


sum_pool.cuda(
    f"raw T x, {PLACED}",
    "T y",
    f"{OUTPUT} T sum = 0; {SEEN} sum += x[pixel]; {END} y = sum;",
    lambda x, y, *window: (x, *placed(x, y, *window), y),
)


@Operation
def spread_pool(xp: Any, y: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> None:
    """Write into each pixel of x the sum of the y whose windows see it: sum_pool's adjoint."""
    x[...] = 0
    for _, (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, padding):
        x[:, h, w] += y[:, a, b]


@spread_pool.compiled
def _spread_pool(y: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> None:
    height, width, channels = x.shape[1:]
    for n in range(y.shape[0]):
        x[n] = 0
        for a in range(y.shape[1]):
            top, first, end = visible(a, kernel[0], stride[0], padding[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = visible(b, kernel[1], stride[1], padding[1], width)
                given = y[n, a, b]
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        for c in range(channels):
                            seen[c] += given[c]


spread_pool.cuda(
    f"raw T y, {PLACED}",
    "T x",
    f"{PIXEL} T sum = 0; {SEEING} sum += y[output * channels + c]; {END} x = sum;",
    lambda y, x, *window: (y, *placed(x, y, *window), x),
)
