"""Winograd's F(4 x 4, 3 x 3): 36 products in place of 144, for windows of 3 x 3 pixels at stride 1.

Of a window g and six pixels d in a row, the four outputs are Aᵀ (G g · Bᵀ d), with 6 products in
place of 12 (Winograd 1980; Lavin and Gray 2016, "Fast algorithms for convolutional neural
networks", sections 4.1 to 4.3); in both directions they are Aᵀ (G g Gᵀ · Bᵀ d B) A. The adjoint
with respect to g is the gradient of the weights: Gᵀ (A dy Aᵀ · Bᵀ d B) G.

The matrices follow from six points, at which polynomials are multiplied. Lavin and Gray's 0, ±1,
±2 and ∞ lose a digit; of 0, ±1/√2, ±√2 and ∞ the powers differ less, and hardly any is lost.

Images x are contiguous (N, H, W, C), tiles (36, N, Th, Tw, C).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend.operation import Array, Operation, Pair

STEP = 4  # pixels from a tile to the next
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
_SCALE = np.array([1, -1.5, -1.5, 6, 6])[:, None]
_G = np.vstack([_POINTS ** np.arange(3) / _SCALE, [0, 0, 1]])
G = np.kron(_G, _G).astype("float32")  # in both directions, for windows as vectors of 9 numbers


def _pixels(
    x: Array, begin: int, near: int, far: int, y: Array, to: int, step: int, run: int
) -> None:
    """Write Bᵀ d of a run of columns d; the results are ``step`` apart in flat y, from ``to``.

    Number j of a column is in flat x at begin + j near for j < 4, then at
    begin + far + (j - 4) near.
    """
    d0, d1 = x[begin : begin + run], x[begin + near : begin + near + run]
    d2 = x[begin + 2 * near : begin + 2 * near + run]
    d3 = x[begin + 3 * near : begin + 3 * near + run]
    d4 = x[begin + far : begin + far + run]
    d5 = x[begin + far + near : begin + far + near + run]
    y0, y1 = y[to : to + run], y[to + step : to + step + run]
    y2, y3 = y[to + 2 * step : to + 2 * step + run], y[to + 3 * step : to + 3 * step + run]
    y4, y5 = y[to + 4 * step : to + 4 * step + run], y[to + 5 * step : to + 5 * step + run]
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


def _gradients(x: Array, begin: int, near: int, y: Array, to: int, step: int, run: int) -> None:
    """Write A d of a run of columns d in the same way."""
    d0, d1 = x[begin : begin + run], x[begin + near : begin + near + run]
    d2 = x[begin + 2 * near : begin + 2 * near + run]
    d3 = x[begin + 3 * near : begin + 3 * near + run]
    y0, y1 = y[to : to + run], y[to + step : to + step + run]
    y2, y3 = y[to + 2 * step : to + 2 * step + run], y[to + 3 * step : to + 3 * step + run]
    y4, y5 = y[to + 4 * step : to + 4 * step + run], y[to + 5 * step : to + 5 * step + run]
    number = x.dtype.type
    half, two, a, b = number(0.5), number(2), number(NEAR), number(FAR)
    for k in range(run):
        y0[k] = d0[k]
        y5[k] = d3[k]
    for k in range(run):
        even, odd = d0[k] + half * d2[k], a * (d1[k] + half * d3[k])
        y1[k] = even + odd
        y2[k] = even - odd
    for k in range(run):
        even, odd = d0[k] + two * d2[k], b * (d1[k] + two * d3[k])
        y3[k] = even + odd
        y4[k] = even - odd


def _outputs(x: Array, begin: int, near: int, y: Array, to: int, step: int, run: int) -> None:
    """Write Aᵀ m of a run of columns m in the same way."""
    m0, m1 = x[begin : begin + run], x[begin + near : begin + near + run]
    m2 = x[begin + 2 * near : begin + 2 * near + run]
    m3 = x[begin + 3 * near : begin + 3 * near + run]
    m4 = x[begin + 4 * near : begin + 4 * near + run]
    m5 = x[begin + 5 * near : begin + 5 * near + run]
    y0, y1 = y[to : to + run], y[to + step : to + step + run]
    y2, y3 = y[to + 2 * step : to + 2 * step + run], y[to + 3 * step : to + 3 * step + run]
    number = x.dtype.type
    half, two, a, b = number(0.5), number(2), number(NEAR), number(FAR)
    for k in range(run):
        one, other = m1[k] + m2[k], m3[k] + m4[k]
        y0[k] = m0[k] + one + other
        y2[k] = half * one + two * other
    for k in range(run):
        one, other = a * (m1[k] - m2[k]), b * (m3[k] - m4[k])
        y1[k] = one + other
        y3[k] = half * one + two * other + m5[k]


@Operation
def image_to_winograd(xp: Any, x: Array, tiles: Array, size: int, padding: Pair) -> None:
    """Write M d Mᵀ of each patch d of x into ``tiles`` (36, N, Th, Tw, C).

    The patches begin at pixels (4 t - top, 4 u - left). Those of ``size`` 6 are an image's, M is
    Bᵀ; those of size 4 are a gradient's, M is A. What lies beyond x counts as zeros.
    """
    _, n, th, tw, channels = tiles.shape
    matrix, (top, left) = B if size == 6 else A, padding
    padded = xp.zeros((n, STEP * th + size, STEP * tw + size, channels), x.dtype)
    part = padded[:, top:, left:][:, : x.shape[1], : x.shape[2]]
    part[...] = x[:, : part.shape[1], : part.shape[2]]
    tiles[...] = 0
    for i in range(size):
        for j in range(size):
            seen = padded[:, i : i + STEP * th : STEP, j : j + STEP * tw : STEP]
            for k in range(36):
                tiles[k] += float(matrix[k // 6, i] * matrix[k % 6, j]) * seen


@image_to_winograd.compiled
def _image_to_winograd(x: Array, tiles: Array, size: int, padding: Pair) -> None:
    height, width, channels = x.shape[1:]
    th, tw = tiles.shape[2:4]
    top, left = padding
    # A row of pixels is kept as its every 4th pixel, the ones after those, and so on: what one
    # element of all patches sees is then one run of memory.
    run, line = tw * channels, (tw + 1) * channels
    row = STEP * line
    pixels = np.zeros((6, STEP, tw + 1, channels), x.dtype)
    rows, mixed = pixels.reshape(-1), np.empty(6 * row, x.dtype)
    flat = tiles.reshape(-1)
    plane = flat.size // 36
    last = min(width, STEP * (tw + 1) - left)
    for n in range(x.shape[0]):
        for t in range(th):
            for i in range(size):
                h = STEP * t + i - top
                if t > 0 and i < size - STEP:
                    pixels[i] = pixels[i + STEP]
                elif h < 0 or h >= height:
                    pixels[i] = 0
                else:
                    for w in range(last):
                        u, s = divmod(w + left, STEP)
                        for k in range(channels):
                            pixels[i, s, u, k] = x[n, h, w, k]
            start = (n * th + t) * run
            if size == 6:
                _pixels(rows, 0, row, STEP * row, mixed, 0, row, row)
            else:
                _gradients(rows, 0, row, mixed, 0, row, row)
            for i in range(6):
                to = 6 * i * plane + start
                if size == 6:
                    _pixels(mixed, i * row, line, channels, flat, to, plane, run)
                else:
                    _gradients(mixed, i * row, line, flat, to, plane, run)


@Operation
def winograd_to_image(xp: Any, tiles: Array, y: Array) -> None:
    """Write Aᵀ m A of each tile m into the 4 x 4 pixels of y that are its own."""
    for a in range(STEP):
        for b in range(STEP):
            part = y[:, a::STEP, b::STEP]
            part[...] = 0
            for k in range(36):
                factor = float(A[k // 6, a] * A[k % 6, b])
                part += factor * tiles[k, :, : part.shape[1], : part.shape[2]]


@winograd_to_image.compiled
def _winograd_to_image(tiles: Array, y: Array) -> None:
    height, width, channels = y.shape[1:]
    th, tw = tiles.shape[2:4]
    run = tw * channels
    flat = tiles.reshape(-1)
    plane = flat.size // 36
    mixed, found = np.empty(STEP * 6 * run, y.dtype), np.empty(STEP * run, y.dtype)
    pixels = found.reshape(STEP, tw, channels)
    for n in range(y.shape[0]):
        for t in range(th):
            for j in range(6):
                start = j * plane + (n * th + t) * run
                _outputs(flat, start, 6 * plane, mixed, j * run, 6 * run, run)
            for a in range(min(STEP, height - STEP * t)):
                _outputs(mixed, a * 6 * run, run, found, 0, run, run)
                for w in range(width):
                    for k in range(channels):
                        y[n, STEP * t + a, w, k] = pixels[w % STEP, w // STEP, k]
