"""Winograd's algorithm for windows of 3 x 3 or 4 x 4 pixels at stride 1: a quarter of the products.

Of a window g of three pixels and six pixels d in a row, the four outputs are Aᵀ (G g · Bᵀ d), with
6 products in place of 12 (Winograd 1980; Lavin and Gray 2016, "Fast algorithms for convolutional
neural networks", sections 4.1 to 4.3); in both directions they are Aᵀ (G g Gᵀ · Bᵀ d B) A, with 36
products in place of 144. That is F(4 x 4, 3 x 3). The adjoint with respect to g is the gradient of
the weights: Gᵀ (A dy Aᵀ · Bᵀ d B) G.

Outputs and window may change places: the three outputs of a window h of four pixels are
Gᵀ (A h · Bᵀ d), F(3 x 3, 4 x 4).

The matrices follow from six points, at which polynomials are multiplied. Lavin and Gray's 0, ±1,
±2 and ∞ lose a digit; of 0, ±1/√2, ±√2 and ∞ the powers differ less, and hardly any is lost.

Images x are contiguous (N, H, W, C), tiles (36, N, Th, Tw, C). A tile is ``step`` pixels from the
next, as many as it has outputs in a direction: 4 or 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend.operation import Array, Operation, Pair

NEAR, FAR = 0.5**0.5, 2**0.5  # the points

B = np.array(  # transposed
    [
        [1, 0, -2.5, 0, 1, 0],
        [0, -2 * NEAR, -2, NEAR, 1, 0],
        [0, 2 * NEAR, -2, -NEAR, 1, 0],
        [0, -FAR / 2, -0.5, FAR, 1, 0],
        [0, FAR / 2, -0.5, -FAR, 1, 0],
        [0, 1, 0, -2.5, 0, 1],
    ]
)
_POINTS = np.array([0, NEAR, -NEAR, FAR, -FAR])[:, None]
A = np.vstack([_POINTS ** np.arange(4), [0, 0, 0, 1]])
NEAR_SCALE, FAR_SCALE = -1 / 1.5, 1 / 6
_SCALE = np.array([1, NEAR_SCALE, NEAR_SCALE, FAR_SCALE, FAR_SCALE])[:, None]
G = np.vstack([_POINTS ** np.arange(3) * _SCALE, [0, 0, 1]])
#: What patches are multiplied by, in either direction, by their size.
MATRICES = {3: G, 4: A, 6: B}
#: The same in both directions, for windows as vectors of 9 or 16 numbers.
WINDOWS = {size: np.kron(MATRICES[size], MATRICES[size]).astype("float32") for size in (3, 4)}


def _pixels(
    x: Array, begin: int, near: int, far: int, step: int, y: Array, to: int, apart: int, run: int
) -> None:
    """Write Bᵀ d of a run of columns d; the results are ``apart`` in flat y, from ``to``.

    Number j of a column is in flat x at begin + j near for j < step, then at
    begin + far + (j - step) near.
    """
    third = begin + 3 * near if step > 3 else begin + far
    fourth = begin + far + (4 - step) * near
    d0, d1 = x[begin : begin + run], x[begin + near : begin + near + run]
    d2 = x[begin + 2 * near : begin + 2 * near + run]
    d3 = x[third : third + run]
    d4 = x[fourth : fourth + run]
    d5 = x[fourth + near : fourth + near + run]
    y0, y1 = y[to : to + run], y[to + apart : to + apart + run]
    y2, y3 = y[to + 2 * apart : to + 2 * apart + run], y[to + 3 * apart : to + 3 * apart + run]
    y4, y5 = y[to + 4 * apart : to + 4 * apart + run], y[to + 5 * apart : to + 5 * apart + run]
    number = x.dtype.type
    half, two, total, a, b = number(0.5), number(2), number(2.5), number(NEAR), number(FAR)
    for k in range(run):
        y0[k] = d0[k] - total * d2[k] + d4[k]
    for k in range(run):
        even, odd = d4[k] - two * d2[k], a * (d3[k] - two * d1[k])
        y1[k] = even + odd
        y2[k] = even - odd
    for k in range(run):
        even, odd = d4[k] - half * d2[k], b * (d3[k] - half * d1[k])
        y3[k] = even + odd
        y4[k] = even - odd
    for k in range(run):
        y5[k] = d1[k] - total * d3[k] + d5[k]


def _gradients(
    x: Array, begin: int, near: int, size: int, y: Array, to: int, apart: int, run: int
) -> None:
    """Write A d of a run of columns d of four numbers in the same way, or G d of three."""
    d0, d1 = x[begin : begin + run], x[begin + near : begin + near + run]
    d2 = x[begin + 2 * near : begin + 2 * near + run]
    last = begin + (size - 1) * near
    d3 = x[last : last + run]
    y0, y1 = y[to : to + run], y[to + apart : to + apart + run]
    y2, y3 = y[to + 2 * apart : to + 2 * apart + run], y[to + 3 * apart : to + 3 * apart + run]
    y4, y5 = y[to + 4 * apart : to + 4 * apart + run], y[to + 5 * apart : to + 5 * apart + run]
    number = x.dtype.type
    half, two, a, b = number(0.5), number(2), number(NEAR), number(FAR)
    for k in range(run):
        y0[k] = d0[k]
        y5[k] = d3[k]
    if size == 4:
        for k in range(run):
            even, odd = d0[k] + half * d2[k], a * (d1[k] + half * d3[k])
            y1[k] = even + odd
            y2[k] = even - odd
        for k in range(run):
            even, odd = d0[k] + two * d2[k], b * (d1[k] + two * d3[k])
            y3[k] = even + odd
            y4[k] = even - odd
    else:
        c, d = number(NEAR_SCALE), number(FAR_SCALE)
        for k in range(run):
            even, odd = c * (d0[k] + half * d2[k]), c * a * d1[k]
            y1[k] = even + odd
            y2[k] = even - odd
        for k in range(run):
            even, odd = d * (d0[k] + two * d2[k]), d * b * d1[k]
            y3[k] = even + odd
            y4[k] = even - odd


def _outputs(
    x: Array, begin: int, near: int, y: Array, to: int, apart: int, size: int, run: int
) -> None:
    """Write Aᵀ m of a run of columns m, four numbers, in the same way; or Gᵀ m, three."""
    m0, m1 = x[begin : begin + run], x[begin + near : begin + near + run]
    m2 = x[begin + 2 * near : begin + 2 * near + run]
    m3 = x[begin + 3 * near : begin + 3 * near + run]
    m4 = x[begin + 4 * near : begin + 4 * near + run]
    m5 = x[begin + 5 * near : begin + 5 * near + run]
    last = to + (size - 1) * apart
    y0, y1 = y[to : to + run], y[to + apart : to + apart + run]
    y2, y3 = y[to + 2 * apart : to + 2 * apart + run], y[last : last + run]
    number = x.dtype.type
    half, two, a, b = number(0.5), number(2), number(NEAR), number(FAR)
    if size == 4:
        for k in range(run):
            one, other = m1[k] + m2[k], m3[k] + m4[k]
            y0[k] = m0[k] + one + other
            y2[k] = half * one + two * other
        for k in range(run):
            one, other = a * (m1[k] - m2[k]), b * (m3[k] - m4[k])
            y1[k] = one + other
            y3[k] = half * one + two * other + m5[k]
    else:
        c, d = number(NEAR_SCALE), number(FAR_SCALE)
        for k in range(run):
            one, other = c * (m1[k] + m2[k]), d * (m3[k] + m4[k])
            y0[k] = m0[k] + one + other
            y2[k] = half * one + two * other + m5[k]
        for k in range(run):
            y1[k] = c * a * (m1[k] - m2[k]) + d * b * (m3[k] - m4[k])


@Operation
def image_to_winograd(xp: Any, x: Array, tiles: Array, size: int, step: int, padding: Pair) -> None:
    """Write M d Mᵀ of each patch d of x into ``tiles`` (36, N, Th, Tw, C).

    The patches begin at pixels (step t - top, step u - left). Those of ``size`` 6 are an image's, M
    is Bᵀ; those of the size of a step are a gradient's, M is A or G. What lies beyond x counts as
    zeros.
    """
    _, n, th, tw, channels = tiles.shape
    matrix, (top, left) = MATRICES[size], padding
    padded = xp.zeros((n, step * th + size, step * tw + size, channels), x.dtype)
    part = padded[:, top:, left:][:, : x.shape[1], : x.shape[2]]
    part[...] = x[:, : part.shape[1], : part.shape[2]]
    tiles[...] = 0
    for i in range(size):
        for j in range(size):
            seen = padded[:, i : i + step * th : step, j : j + step * tw : step]
            for k in range(36):
                tiles[k] += float(matrix[k // 6, i] * matrix[k % 6, j]) * seen


@image_to_winograd.compiled
def _image_to_winograd(x: Array, tiles: Array, size: int, step: int, padding: Pair) -> None:
    height, width, channels = x.shape[1:]
    th, tw = tiles.shape[2:4]
    top, left = padding
    # A row of pixels is kept as its every step-th pixel, the ones after those, and so on: what one
    # element of all patches sees is then one run of memory.
    run, line = tw * channels, (tw + 1) * channels
    row = step * line
    pixels = np.zeros((6, step, tw + 1, channels), x.dtype)
    rows, mixed = pixels.reshape(-1), np.empty(6 * row, x.dtype)
    flat = tiles.reshape(-1)
    plane = flat.size // 36
    last = min(width, step * (tw + 1) - left)
    for n in range(x.shape[0]):
        for t in range(th):
            for i in range(size):
                h = step * t + i - top
                if t > 0 and i < size - step:  # in a loop: a copy of arrays takes long to compile
                    for k in range(i * row, (i + 1) * row):
                        rows[k] = rows[k + step * row]
                elif h < 0 or h >= height:
                    pixels[i] = 0
                else:
                    for w in range(last):
                        u, s = divmod(w + left, step)
                        for k in range(channels):
                            pixels[i, s, u, k] = x[n, h, w, k]
            start = (n * th + t) * run
            if size == 6:
                _pixels(rows, 0, row, step * row, step, mixed, 0, row, row)
            else:
                _gradients(rows, 0, row, size, mixed, 0, row, row)
            for i in range(6):
                to = 6 * i * plane + start
                if size == 6:
                    _pixels(mixed, i * row, line, channels, step, flat, to, plane, run)
                else:
                    _gradients(mixed, i * row, line, size, flat, to, plane, run)


@Operation
def winograd_to_image(xp: Any, tiles: Array, y: Array, step: int) -> None:
    """Write Mᵀ m M of each tile m into the pixels of y that are its own; M is A or G."""
    matrix = MATRICES[step]
    for a in range(step):
        for b in range(step):
            part = y[:, a::step, b::step]
            part[...] = 0
            for k in range(36):
                factor = float(matrix[k // 6, a] * matrix[k % 6, b])
                part += factor * tiles[k, :, : part.shape[1], : part.shape[2]]


@winograd_to_image.compiled
def _winograd_to_image(tiles: Array, y: Array, step: int) -> None:
    height, width, channels = y.shape[1:]
    th, tw = tiles.shape[2:4]
    run = tw * channels
    flat = tiles.reshape(-1)
    plane = flat.size // 36
    mixed, found = np.empty(step * 6 * run, y.dtype), np.empty(step * run, y.dtype)
    pixels = found.reshape(step, tw, channels)
    for n in range(y.shape[0]):
        for t in range(th):
            for j in range(6):
                start = j * plane + (n * th + t) * run
                _outputs(flat, start, 6 * plane, mixed, j * run, 6 * run, step, run)
            for a in range(min(step, height - step * t)):
                _outputs(mixed, a * 6 * run, run, found, 0, run, step, run)
                for w in range(width):
                    for k in range(channels):
                        y[n, step * t + a, w, k] = pixels[w % step, w // step, k]
