"""Windows over images: the matrix that turns a convolution into one product, and its adjoint.

Images are contiguous arrays (N, H, W, C): what a window sees of one row is one run of memory. The
window of output position (a, b) begins at pixel (a sh - top, b sw - left), for a = 0 ... Ho - 1 and
b = 0 ... Wo - 1, where the pairs are ``stride`` (sh, sw) and ``padding`` (top, left). What lies
beyond the image, on any side, counts as zeros: padding at the bottom and at the right follows from
the number of output positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from salamandre.backend.operation import Array, Operation, Pair

Slices = tuple[slice, slice]


def overlap(size: int, outputs: int, stride: int, shift: int) -> Slices:
    """Return which outputs see a pixel through an element of the window, and which pixels.

    Output a sees pixel a stride + shift. Either slice is empty if there is none.
    """
    first = max(0, -(shift // stride))
    end = max(first, min(outputs, (size - 1 - shift) // stride + 1))
    start = first * stride + shift
    stop = start + (end - first - 1) * stride + 1 if end > first else start
    return slice(first, end), slice(start, stop, stride)


def overlaps(
    image: Pair, outputs: Pair, kernel: Pair, stride: Pair, padding: Pair
) -> Iterator[tuple[Pair, Slices, Slices]]:
    """Yield each element of the window with the outputs and the pixels where it meets them."""
    for i in range(kernel[0]):
        rows, ys = overlap(image[0], outputs[0], stride[0], i - padding[0])
        for j in range(kernel[1]):
            columns, xs = overlap(image[1], outputs[1], stride[1], j - padding[1])
            yield (i, j), (rows, columns), (ys, xs)


def visible(output: int, kernel: int, stride: int, padding: int, size: int) -> tuple[int, int, int]:
    """Return where the window of an output begins in the image, and which part of it is inside.

    For loops, along one axis: elements first ... end - 1 of the window see pixels.
    """
    begin = output * stride - padding
    return begin, max(0, -begin), min(kernel, size - begin)


# For CUDA: the sizes of images and windows, Ho = rows and Wo = columns among them.
PLACED = (
    "int32 height, int32 width, int32 channels, int32 rows, int32 columns, "
    "int32 kh, int32 kw, int32 sh, int32 sw, int32 top, int32 left"
)
# The index of an element: GPUs take several times as long for a division of 64 bits.
INDEX = "const unsigned int e = i;"
# The pixel that an index of an image (N, H, W, C) is, and the output of one of (N, Ho, Wo, C).
PIXEL = f"""{INDEX}
    const int c = e % channels, w = e / channels % width, h = e / channels / width % height;
    const int image = e / channels / width / height;
"""
OUTPUT = f"""{INDEX}
    const int c = e % channels, b = e / channels % columns, a = e / channels / columns % rows;
    const int image = e / channels / columns / rows;
"""
# A loop over all pixels that an output sees, one over all outputs that see a pixel, and their end.
SEEN = """
    for (int p = 0; p < kh; ++p) {
        for (int q = 0; q < kw; ++q) {
            const int h = a * sh + p - top, w = b * sw + q - left;
            if (h < 0 || h >= height || w < 0 || w >= width) continue;
            const ptrdiff_t pixel = (((ptrdiff_t)image * height + h) * width + w) * channels + c;
"""
SEEING = """
    for (int p = 0; p < kh; ++p) {
        for (int q = 0; q < kw; ++q) {
            const int y_at = h + top - p, x_at = w + left - q;
            if (y_at < 0 || x_at < 0 || y_at % sh || x_at % sw) continue;
            const int a = y_at / sh, b = x_at / sw;
            if (a >= rows || b >= columns) continue;
            const ptrdiff_t output = ((ptrdiff_t)image * rows + a) * columns + b;
"""
END = """
        }
    }
"""


def placed(
    image: Array, outputs: Array, kernel: Pair, stride: Pair, padding: Pair
) -> tuple[int, ...]:
    """Return the numbers of ``PLACED``."""
    return (*image.shape[1:], *outputs.shape[1:3], *kernel, *stride, *padding)


@Operation
def im2col(xp: Any, x: Array, columns: Array, stride: Pair, padding: Pair) -> None:
    """Write what each window sees of x into ``columns`` (N, Ho, Wo, kh, kw, C).

    The matrix of windows turns a convolution into one product (Chellapilla, Puri, Simard 2006,
    section 3.1).
    """
    outputs, kernel = columns.shape[1:3], columns.shape[3:5]
    beyond = ((outputs[d] - 1) * stride[d] + kernel[d] > x.shape[1 + d] for d in (0, 1))
    if padding != (0, 0) or any(beyond):
        columns[...] = 0
    for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], outputs, kernel, stride, padding):
        columns[:, a, b, i, j] = x[:, h, w]


@im2col.compiled
def _im2col(x: Array, columns: Array, stride: Pair, padding: Pair) -> None:
    height, width, channels = x.shape[1:]
    out_height, out_width, kh, kw = columns.shape[1:5]
    run = kw * channels
    lines = x.reshape(x.shape[0], height, width * channels)
    windows = columns.reshape(columns.shape[0], out_height, out_width, kh, run)
    for n in range(x.shape[0]):
        for a in range(out_height):
            top, first, end = visible(a, kh, stride[0], padding[0], height)
            for b in range(out_width):
                left, first_j, end_j = visible(b, kw, stride[1], padding[1], width)
                low, high = first_j * channels, end_j * channels
                if end - first == kh and high - low == run:  # wholly inside, as most are
                    for i in range(kh):
                        window, given = windows[n, a, b, i], lines[n, top + i, left * channels :]
                        for k in range(run):
                            window[k] = given[k]
                    continue
                for i in range(kh):
                    window = windows[n, a, b, i]
                    if i < first or i >= end or low >= high:
                        window[:] = 0
                        continue
                    given = lines[n, top + i, left * channels + low : left * channels + high]
                    inside = window[low:high]
                    for k in range(inside.size):
                        inside[k] = given[k]
                    if low > 0:
                        window[:low] = 0
                    if high < run:
                        window[high:] = 0


im2col.cuda(
    f"raw T x, {PLACED}",
    "T seen",
    f"""{INDEX}
    const int c = e % channels, q = e / channels % kw, p = e / channels / kw % kh;
    const unsigned int output = e / channels / kw / kh;
    const int h = output / columns % rows * sh + p - top, w = output % columns * sw + q - left;
    const ptrdiff_t image = output / columns / rows;
    const bool inside = h >= 0 && h < height && w >= 0 && w < width;
    seen = inside ? x[((image * height + h) * width + w) * channels + c] : T(0);
    """,
    lambda x, columns, *place: (x, *placed(x, columns, columns.shape[3:5], *place), columns),
)


@Operation
def col2im(xp: Any, columns: Array, x: Array, stride: Pair, padding: Pair) -> None:
    """Write into each pixel of x the sum of what ``columns`` hold of it: im2col's adjoint."""
    outputs, kernel = columns.shape[1:3], columns.shape[3:5]
    x[...] = 0
    for (i, j), (a, b), (h, w) in overlaps(x.shape[1:3], outputs, kernel, stride, padding):
        x[:, h, w] += columns[:, a, b, i, j]


@col2im.compiled
def _col2im(columns: Array, x: Array, stride: Pair, padding: Pair) -> None:
    height, width, channels = x.shape[1:]
    out_height, out_width, kh, kw = columns.shape[1:5]
    lines = x.reshape(x.shape[0], height, width * channels)
    windows = columns.reshape(columns.shape[0], out_height, out_width, kh, kw * channels)
    for n in range(x.shape[0]):
        lines[n] = 0
        for a in range(out_height):
            top, first, end = visible(a, kh, stride[0], padding[0], height)
            for b in range(out_width):
                left, first_j, end_j = visible(b, kw, stride[1], padding[1], width)
                low, high = first_j * channels, end_j * channels
                if low >= high:
                    continue
                for i in range(first, end):
                    seen = lines[n, top + i, left * channels + low : left * channels + high]
                    given = windows[n, a, b, i, low:high]
                    for k in range(given.size):
                        seen[k] += given[k]


col2im.cuda(
    f"raw T seen, {PLACED}",
    "T x",
    f"""{PIXEL}
    T sum = 0;
    {SEEING}
        sum += seen[((output * kh + p) * kw + q) * channels + c];
    {END}
    x = sum;
    """,
    lambda columns, x, *place: (columns, *placed(x, columns, columns.shape[3:5], *place), x),
)
