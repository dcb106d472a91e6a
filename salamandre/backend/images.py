"""The kernels over images, in plain array code: the reference that faster ones are tested against.

Images are contiguous arrays (N, H, W, C): what a window sees of one row is one run of memory.
A window of (kh, kw) pixels stands at (a sh - top, b sw - left) for a = 0 ... Ho - 1 and
b = 0 ... Wo - 1; where it reaches beyond the image it sees zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Array = Any
Pair = tuple[int, int]
Spans = tuple[slice, slice]


def overlap(size: int, outputs: int, stride: int, shift: int) -> Spans:
    """Return which outputs see a pixel through an element of the window, and which pixels.

    Output a sees pixel a stride + shift. Either slice is empty if there is none.
    """
    first = max(0, -(shift // stride))
    end = max(first, min(outputs, (size - 1 - shift) // stride + 1))
    start = first * stride + shift
    stop = start + (end - first - 1) * stride + 1 if end > first else start
    return slice(first, end), slice(start, stop, stride)


def overlaps(
    image: Pair, outputs: Pair, kernel: Pair, stride: Pair, corner: Pair
) -> Iterator[tuple[Pair, Spans, Spans]]:
    """Yield each element of the window with the outputs and the pixels where it meets them."""
    for i in range(kernel[0]):
        rows, ys = overlap(image[0], outputs[0], stride[0], i - corner[0])
        for j in range(kernel[1]):
            columns, xs = overlap(image[1], outputs[1], stride[1], j - corner[1])
            yield (i, j), (rows, columns), (ys, xs)


class ImageKernels:
    """What convolutions, pooling and normalisation do beside matrix products."""

    xp: Any

    def im2col(self, x: Array, columns: Array, stride: Pair, corner: Pair) -> None:
        """Write what each window sees of x into ``columns`` (N, Ho, Wo, kh, kw, C).

        The matrix of windows turns a convolution into one product (Chellapilla, Puri, Simard
        2006, section 3.1). ``corner`` is (top, left).
        """
        outputs, kernel = columns.shape[1:3], columns.shape[3:5]
        if corner != (0, 0) or _beyond(x.shape[1:3], outputs, kernel, stride):
            columns[...] = 0
        for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], outputs, kernel, stride, corner):
            columns[:, a, b, i, j] = x[:, h, w]

    def col2im(self, columns: Array, x: Array, stride: Pair, corner: Pair) -> None:
        """Write into each pixel of x the sum of what ``columns`` hold of it: im2col's adjoint."""
        outputs, kernel = columns.shape[1:3], columns.shape[3:5]
        x[...] = 0
        for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], outputs, kernel, stride, corner):
            x[:, h, w] += columns[:, a, b, i, j]

    def image_to_tiles(self, x: Array, tiles: Array, stride: Pair, corner: Pair) -> None:
        """Write Bᵀ d B of each tile d of x into ``tiles`` (9, N, Th, Tw, sh, sw C).

        For windows of twice the stride s. Of every s-th pixel, in either direction, 3 are what 2
        neighbouring windows see, and Winograd's F(2, 2) finds the 2 outputs with 3 products (1980;
        Lavin and Gray 2016, section 4.1): with g the window and d the pixels,

            d0 g0 + d1 g1 = (d0 - d1) g0 + d1 (g0 + g1)
            d1 g0 + d2 g1 = d1 (g0 + g1) + (d2 - d1) g1

        so Bᵀ d = (d0 - d1, d1, d2 - d1). In both directions that makes 9 products for 16, and the
        coefficients are 1 and -1: no accuracy is lost.
        """
        padded = self._phases(x, tiles, stride, corner)
        rows = _three(padded.transpose(1, 2, 0, 3, 4))  # each (Th, sh, N, 2 Tw + 1, sw C)
        for i, row in enumerate(rows):
            for j, values in enumerate(_three(row.transpose(3, 0, 1, 2, 4))):
                tiles[3 * i + j] = values.transpose(3, 1, 0, 2, 4)

    def tiles_to_image(self, tiles: Array, x: Array, stride: Pair, corner: Pair) -> None:
        """Write into x the adjoint of image_to_tiles: the sum of B t Bᵀ, where tiles overlap."""
        _, n, th, tw, sh, run = tiles.shape
        padded = self.xp.zeros((n, 2 * th + 1, sh, 2 * tw + 1, run), dtype=x.dtype)
        for i, rows in enumerate(_THREE):
            for j, columns in enumerate(_THREE):
                values = tiles[3 * i + j].transpose(0, 1, 3, 2, 4)
                for row, row_sign in rows:
                    for column, sign in columns:
                        part = padded[:, row : row + 2 * th : 2, :, column : column + 2 * tw : 2]
                        if row_sign == sign:
                            part += values
                        else:
                            part -= values
        flat = padded.reshape(n, (2 * th + 1) * sh, -1, x.shape[3])
        (ys, hs), (xs, ws) = (
            overlap(x.shape[d], flat.shape[d], 1, -corner[d - 1])[::-1] for d in (1, 2)
        )
        x[...] = 0
        x[:, ys, xs] = flat[:, hs, ws]

    def _phases(self, x: Array, tiles: Array, stride: Pair, corner: Pair) -> Array:
        """Return x amid zeros as (N, 2 Th + 1, sh, 2 Tw + 1, sw C)."""
        _, n, th, tw, sh, run = tiles.shape
        padded = self.xp.zeros(
            (n, (2 * th + 1) * sh, (2 * tw + 1) * stride[1], x.shape[3]), x.dtype
        )
        (ys, hs), (xs, ws) = (
            overlap(x.shape[d], padded.shape[d], 1, -corner[d - 1])[::-1] for d in (1, 2)
        )
        padded[:, hs, ws] = x[:, ys, xs]
        return padded.reshape(n, 2 * th + 1, sh, 2 * tw + 1, run)

    def expand(self, y: Array, tiles: Array) -> None:
        """Write A y Aᵀ of each tile of 2 x 2 of y (N, Ho, Wo, P) into ``tiles`` (9, N, Th, Tw, P).

        A y = (y0, y0 + y1, y1), in both directions. It takes windows to their products with
        image_to_tiles, and gradients there too; :meth:`contract` is its adjoint. An odd last row or
        column has zeros beside it.
        """
        tiles[...] = 0
        for e in (0, 1):
            for f in (0, 1):
                part = y[:, e::2, f::2]
                for i in (e, e + 1):
                    for j in (f, f + 1):
                        tiles[3 * i + j][:, : part.shape[1], : part.shape[2]] += part

    def contract(self, tiles: Array, y: Array) -> None:
        """Write Aᵀ t A into each tile of 2 x 2 of y: the outputs from their products."""
        for e in (0, 1):
            for f in (0, 1):
                part = y[:, e::2, f::2]
                found = tiles[3 * e + f] + tiles[3 * e + f + 1]
                found += tiles[3 * e + f + 3]
                found += tiles[3 * e + f + 4]
                part[...] = found[:, : part.shape[1], : part.shape[2]]

    def max_pool(
        self, x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair
    ) -> None:
        """Write the largest pixel of each window into y, its place i kw + j into ``chosen``."""
        y[...] = -float("inf")
        chosen[...] = 0
        for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, corner):
            found, best, place = x[:, h, w], y[:, a, b], chosen[:, a, b]
            larger = found > best
            place *= ~larger
            place += larger * chosen.dtype.type(i * kernel[1] + j)
            y[:, a, b] = self.xp.maximum(found, best)

    def take_chosen(
        self, x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair
    ) -> None:
        """Write the chosen pixel of each window of x into y."""
        y[...] = 0
        for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, corner):
            y[:, a, b] += x[:, h, w] * (chosen[:, a, b] == i * kernel[1] + j)

    def add_chosen(
        self, y: Array, x: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair
    ) -> None:
        """Write into each pixel of x the sum of the y that chose it: take_chosen's adjoint."""
        x[...] = 0
        for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, corner):
            x[:, h, w] += y[:, a, b] * (chosen[:, a, b] == i * kernel[1] + j)

    def sum_pool(self, x: Array, y: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
        """Write the sum of each window into y."""
        y[...] = 0
        for _, (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, corner):
            y[:, a, b] += x[:, h, w]

    def spread_pool(self, y: Array, x: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
        """Write into each pixel of x the sum of the y whose windows see it."""
        x[...] = 0
        for _, (a, b), (h, w) in overlaps(x.shape[1:3], y.shape[1:3], kernel, stride, corner):
            x[:, h, w] += y[:, a, b]


# The rows of Bᵀ: which of three pixels they take, and with which sign.
_THREE = (((0, 1), (1, -1)), ((1, 1),), ((2, 1), (1, -1)))


def _three(values: Array) -> tuple[Array, Array, Array]:
    """Return the rows of Bᵀ d of all tiles along the first axis."""
    even, odd = values[::2], values[1::2]
    return even[:-1] - odd, odd, even[1:] - odd


def _beyond(image: Pair, outputs: Pair, kernel: Pair, stride: Pair) -> bool:
    """Whether the last windows reach beyond the image."""
    ends = ((outputs[d] - 1) * stride[d] + kernel[d] > image[d] for d in (0, 1))
    return any(ends)
