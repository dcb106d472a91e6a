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


def _beyond(image: Pair, outputs: Pair, kernel: Pair, stride: Pair) -> bool:
    """Whether the last windows reach beyond the image."""
    ends = ((outputs[d] - 1) * stride[d] + kernel[d] > image[d] for d in (0, 1))
    return any(ends)
