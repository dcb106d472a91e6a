"""Winograd's tiles, for windows of twice the stride: 9 products in place of 16.

Of every s-th pixel, in either direction, 3 are what 2 neighbouring windows see, and Winograd's
F(2, 2) finds the 2 outputs with 3 products (1980; Lavin and Gray 2016, section 4.1): with g the
window and d the pixels,

    d0 g0 + d1 g1 = (d0 - d1) g0 + d1 (g0 + g1)
    d1 g0 + d2 g1 = d1 (g0 + g1) + (d2 - d1) g1

So with Bᵀ d = (d0 - d1, d1, d2 - d1), A g = (g0, g0 + g1, g1) and m their product, element by
element, the outputs are Aᵀ m = (m0 + m1, m1 + m2). In both directions that makes 9 products, and
the coefficients are 1 and -1: no accuracy is lost.

Images x are contiguous (N, H, W, C); the positions of windows are those of
:mod:`salamandre.backend.operations.windows`. There are Th x Tw tiles of 2 x 2 outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend.operation import Array, Operation, Pair
from salamandre.backend.operations.windows import INDEX, PIXEL

# The rows of Bᵀ: which of three pixels they take, and with which sign.
_ROWS = (((0, 1), (1, -1)), ((1, 1),), ((2, 1), (1, -1)))


def _row_values(pixels: Array) -> tuple[Array, Array, Array]:
    """Return the rows of Bᵀ d of all tiles along the first axis."""
    even, odd = pixels[::2], pixels[1::2]
    return even[:-1] - odd, odd, even[1:] - odd


def _inside(padded: Array, x: Array, padding: Pair) -> tuple[Array, Array]:
    """Return views of the part of x that a padded image has room for: in that image, and in x."""
    part = padded[:, padding[0] :, padding[1] :][:, : x.shape[1], : x.shape[2]]
    return part, x[:, : part.shape[1], : part.shape[2]]


# For CUDA: the sizes of an image and of its tiles, and the sign of a pixel in a row of Bᵀ.
_SIZES = (
    "int32 height, int32 width, int32 channels, int32 images, int32 th, int32 tw, "
    "int32 sh, int32 sw, int32 top, int32 left"
)
_SIGN = """
    const auto sign = [](int row, int pixel) {
        return row == pixel ? 1 : (pixel == 1 && row != 1 ? -1 : 0);
    };
"""
# The sizes of outputs and of their tiles.
_GRID = "int32 rows, int32 columns, int32 run, int32 images, int32 th, int32 tw"


@Operation
def image_to_tiles(xp: Any, x: Array, tiles: Array, stride: Pair, padding: Pair) -> None:
    """Write Bᵀ d B of each tile d of x into ``tiles`` (9, N, Th, Tw, sh, sw C)."""
    _, n, th, tw, sh, run = tiles.shape
    padded = xp.zeros((n, (2 * th + 1) * sh, (2 * tw + 1) * stride[1], x.shape[3]), x.dtype)
    part, seen = _inside(padded, x, padding)
    part[...] = seen
    phases = padded.reshape(n, 2 * th + 1, sh, 2 * tw + 1, run)
    for i, row in enumerate(_row_values(phases.transpose(1, 2, 0, 3, 4))):
        for j, values in enumerate(_row_values(row.transpose(3, 0, 1, 2, 4))):
            tiles[3 * i + j] = values.transpose(3, 1, 0, 2, 4)


@image_to_tiles.compiled
def _image_to_tiles(x: Array, tiles: Array, stride: Pair, padding: Pair) -> None:
    height, channels = x.shape[1], x.shape[3]
    th, tw, sh, run = tiles.shape[2:]
    line = x.shape[2] * channels
    lines = x.reshape(x.shape[0], height, line)
    left = padding[1] * channels
    length = (2 * tw + 1) * run
    seen = min(line, length - left)
    padded = np.zeros(((2 * th + 1) * sh, length), x.dtype)
    e = np.empty(length, x.dtype)
    for n in range(x.shape[0]):
        for h in range(min(height, padded.shape[0] - padding[0])):
            inside, given = padded[h + padding[0], left : left + seen], lines[n, h, :seen]
            for k in range(seen):
                inside[k] = given[k]
        for t in range(th):
            for p in range(sh):
                for i in range(3):
                    even = padded[(2 * t + (i // 2) * 2) * sh + p]
                    odd = padded[(2 * t + 1) * sh + p]
                    if i == 1:
                        for k in range(length):
                            e[k] = odd[k]
                    else:
                        for k in range(length):
                            e[k] = even[k] - odd[k]
                    for u in range(tw):
                        d0 = e[2 * u * run : (2 * u + 1) * run]
                        d1 = e[(2 * u + 1) * run : (2 * u + 2) * run]
                        d2 = e[(2 * u + 2) * run : (2 * u + 3) * run]
                        v0 = tiles[3 * i, n, t, u, p]
                        v1 = tiles[3 * i + 1, n, t, u, p]
                        v2 = tiles[3 * i + 2, n, t, u, p]
                        for k in range(run):
                            v0[k] = d0[k] - d1[k]
                        for k in range(run):
                            v1[k] = d1[k]
                        for k in range(run):
                            v2[k] = d2[k] - d1[k]


image_to_tiles.cuda(
    f"raw T x, {_SIZES}",
    "T tile",
    f"""{_SIGN} {INDEX}
    const int run = sw * channels, at = e % run, p = e / run % sh;
    const int u = e / run / sh % tw, t = e / run / sh / tw % th;
    const unsigned int index = e / run / sh / tw / th;
    const int image = index % images, row = index / images / 3, column = index / images % 3;
    T sum = 0;
    for (int r = 0; r < 3; ++r) {{
        for (int s = 0; s < 3; ++s) {{
            const int h = (2 * t + r) * sh + p - top;
            const int w = (2 * u + s) * sw + at / channels - left;
            const int factor = sign(row, r) * sign(column, s);
            if (!factor || h < 0 || h >= height || w < 0 || w >= width) continue;
            const ptrdiff_t pixel = ((ptrdiff_t)image * height + h) * width + w;
            sum += factor * x[pixel * channels + at % channels];
        }}
    }}
    tile = sum;
    """,
    lambda x, tiles, s, p: (x, *x.shape[1:], *tiles.shape[1:4], *s, *p, tiles),
)


@Operation
def tiles_to_image(xp: Any, tiles: Array, x: Array, stride: Pair, padding: Pair) -> None:
    """Write into x the adjoint of image_to_tiles: the sum of B t Bᵀ, where tiles overlap."""
    _, n, th, tw, sh, run = tiles.shape
    phases = xp.zeros((n, 2 * th + 1, sh, 2 * tw + 1, run), dtype=x.dtype)
    for i, rows in enumerate(_ROWS):
        for j, columns in enumerate(_ROWS):
            values = tiles[3 * i + j].transpose(0, 1, 3, 2, 4)
            for row, row_sign in rows:
                for column, sign in columns:
                    part = phases[:, row : row + 2 * th : 2, :, column : column + 2 * tw : 2]
                    if row_sign == sign:
                        part += values
                    else:
                        part -= values
    padded = phases.reshape(n, (2 * th + 1) * sh, -1, x.shape[3])
    part, seen = _inside(padded, x, padding)
    x[...] = 0
    seen[...] = part


@tiles_to_image.compiled
def _tiles_to_image(tiles: Array, x: Array, stride: Pair, padding: Pair) -> None:
    height, channels = x.shape[1], x.shape[3]
    th, tw, sh, run = tiles.shape[2:]
    line = x.shape[2] * channels
    lines = x.reshape(x.shape[0], height, line)
    left = padding[1] * channels
    length = (2 * tw + 1) * run
    seen = min(line, length - left)
    padded = np.zeros(((2 * th + 1) * sh, length), x.dtype)
    e = np.empty(length, x.dtype)
    for n in range(x.shape[0]):
        padded[:] = 0
        for t in range(th):
            for p in range(sh):
                for i in range(3):
                    e[:run] = 0
                    for u in range(tw):
                        d0 = e[2 * u * run : (2 * u + 1) * run]
                        d1 = e[(2 * u + 1) * run : (2 * u + 2) * run]
                        d2 = e[(2 * u + 2) * run : (2 * u + 3) * run]
                        v0 = tiles[3 * i, n, t, u, p]
                        v1 = tiles[3 * i + 1, n, t, u, p]
                        v2 = tiles[3 * i + 2, n, t, u, p]
                        for k in range(run):
                            d0[k] += v0[k]
                            d1[k] = v1[k] - v0[k] - v2[k]
                            d2[k] = v2[k]
                    even = padded[(2 * t + (i // 2) * 2) * sh + p]
                    odd = padded[(2 * t + 1) * sh + p]
                    if i == 1:
                        for k in range(length):
                            odd[k] += e[k]
                    else:
                        for k in range(length):
                            even[k] += e[k]
                            odd[k] -= e[k]
        for h in range(height):
            if h >= padded.shape[0] - padding[0]:
                lines[n, h] = 0
                continue
            inside, given = padded[h + padding[0], left : left + seen], lines[n, h]
            for k in range(seen):
                given[k] = inside[k]
            given[seen:] = 0


tiles_to_image.cuda(
    f"raw T tiles, {_SIZES}",
    "T x",
    f"""{_SIGN} {PIXEL}
    const int down = h + top, along = w + left;
    const ptrdiff_t at = (ptrdiff_t)(down % sh) * sw * channels + along % sw * channels + c;
    T sum = 0;
    for (int r = 0; r < 3; ++r) {{
        for (int s = 0; s < 3; ++s) {{
            const int t = (down / sh - r) / 2, u = (along / sw - s) / 2;
            if (down / sh - 2 * t != r || along / sw - 2 * u != s) continue;
            if (t < 0 || t >= th || u < 0 || u >= tw) continue;
            for (int k = 0; k < 9; ++k) {{
                const int factor = sign(k / 3, r) * sign(k % 3, s);
                if (!factor) continue;
                const ptrdiff_t tile = (((ptrdiff_t)k * images + image) * th + t) * tw + u;
                sum += factor * tiles[tile * sh * sw * channels + at];
            }}
        }}
    }}
    x = sum;
    """,
    lambda tiles, x, s, p: (tiles, *x.shape[1:], *tiles.shape[1:4], *s, *p, x),
)


@Operation
def expand(xp: Any, y: Array, tiles: Array) -> None:
    """Write A y Aᵀ of each tile of 2 x 2 of y (N, Ho, Wo, P) into ``tiles`` (9, N, Th, Tw, P).

    It takes windows to their products with image_to_tiles, and gradients there too. An odd last
    row or column has zeros beside it.
    """
    tiles[...] = 0
    for e in (0, 1):
        for f in (0, 1):
            part = y[:, e::2, f::2]
            for i in (e, e + 1):
                for j in (f, f + 1):
                    tiles[3 * i + j][:, : part.shape[1], : part.shape[2]] += part


@expand.compiled
def _expand(y: Array, tiles: Array) -> None:
    rows, columns, run = y.shape[1:]
    nothing = np.zeros(run, y.dtype)
    for n in range(y.shape[0]):
        for t in range(tiles.shape[2]):
            for u in range(tiles.shape[3]):
                wide, high = 2 * u + 1 < columns, 2 * t + 1 < rows
                y00 = y[n, 2 * t, 2 * u]
                y01 = y[n, 2 * t, 2 * u + 1] if wide else nothing
                y10 = y[n, 2 * t + 1, 2 * u] if high else nothing
                y11 = y[n, 2 * t + 1, 2 * u + 1] if wide and high else nothing
                for i in range(3):
                    v0 = tiles[3 * i, n, t, u]
                    v1 = tiles[3 * i + 1, n, t, u]
                    v2 = tiles[3 * i + 2, n, t, u]
                    if i == 1:
                        for k in range(run):
                            left, right = y00[k] + y10[k], y01[k] + y11[k]
                            v0[k] = left
                            v1[k] = left + right
                            v2[k] = right
                    else:
                        left_one, right_one = (y00, y01) if i == 0 else (y10, y11)
                        for k in range(run):
                            v0[k] = left_one[k]
                            v1[k] = left_one[k] + right_one[k]
                            v2[k] = right_one[k]


expand.cuda(
    f"raw T y, {_GRID}",
    "T tile",
    f"""{INDEX}
    const int at = e % run, u = e / run % tw, t = e / run / tw % th;
    const unsigned int index = e / run / tw / th;
    const int image = index % images, row = index / images / 3, column = index / images % 3;
    T sum = 0;
    for (int e = row / 2; e <= (row + 1) / 2; ++e) {{
        for (int f = column / 2; f <= (column + 1) / 2; ++f) {{
            const int a = 2 * t + e, b = 2 * u + f;
            if (a < rows && b < columns) {{
                sum += y[(((ptrdiff_t)image * rows + a) * columns + b) * run + at];
            }}
        }}
    }}
    tile = sum;
    """,
    lambda y, tiles: (y, *y.shape[1:], *tiles.shape[1:4], tiles),
)


@Operation
def contract(xp: Any, tiles: Array, y: Array) -> None:
    """Write Aᵀ t A into each tile of 2 x 2 of y, the outputs from their products: its adjoint."""
    for e in (0, 1):
        for f in (0, 1):
            part = y[:, e::2, f::2]
            found = tiles[3 * e + f] + tiles[3 * e + f + 1]
            found += tiles[3 * e + f + 3]
            found += tiles[3 * e + f + 4]
            part[...] = found[:, : part.shape[1], : part.shape[2]]


@contract.compiled
def _contract(tiles: Array, y: Array) -> None:
    rows, columns, run = y.shape[1:]
    for n in range(y.shape[0]):
        for t in range(tiles.shape[2]):
            for u in range(tiles.shape[3]):
                for e in range(min(2, rows - 2 * t)):
                    for f in range(min(2, columns - 2 * u)):
                        a, b = tiles[3 * e + f, n, t, u], tiles[3 * e + f + 1, n, t, u]
                        c, d = tiles[3 * e + f + 3, n, t, u], tiles[3 * e + f + 4, n, t, u]
                        found = y[n, 2 * t + e, 2 * u + f]
                        for k in range(run):
                            found[k] = (a[k] + b[k]) + (c[k] + d[k])


contract.cuda(
    f"raw T tiles, {_GRID}",
    "T y",
    f"""{INDEX}
    const int at = e % run, b = e / run % columns, a = e / run / columns % rows;
    const int image = e / run / columns / rows;
    T sum = 0;
    for (int row = a % 2; row <= a % 2 + 1; ++row) {{
        for (int column = b % 2; column <= b % 2 + 1; ++column) {{
            const ptrdiff_t tile = (ptrdiff_t)(3 * row + column) * images + image;
            sum += tiles[((tile * th + a / 2) * tw + b / 2) * run + at];
        }}
    }}
    y = sum;
    """,
    lambda tiles, y: (tiles, *y.shape[1:], *tiles.shape[1:4], y),
)
