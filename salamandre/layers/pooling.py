"""Pooling: windows of an image become one pixel each, or a pixel becomes a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from salamandre.backend import Array
from salamandre.backend.operations.layout import channels_first, images, pixels
from salamandre.backend.operations.pooling import (
    add_chosen,
    max_pool,
    spread_pool,
    sum_pool,
    take_chosen,
)
from salamandre.layer import Linear, Shape
from salamandre.layers.shape import require_images
from salamandre.layers.window import Window, pair
from salamandre.passes import Context


class _Pool(Linear, abstract=True):
    """A window that moves over each channel."""

    def __init__(
        self,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] | None,
        padding: int | Sequence[int] | str,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        window = Window(name, kernel, kernel if stride is None else stride, padding)
        if any(2 * window.corner[d] > window.kernel[d] for d in (0, 1)):
            raise ValueError(
                f"{name} padding must be at most half of the kernel {window.kernel}, "
                f"got {window.corner}"
            )
        self.window = window

    def build(self, input_shape: Shape) -> Shape:
        """Shrink images (C, H, W)."""
        require_images(type(self).__name__, input_shape)
        self._image = input_shape
        self._output_shape = (input_shape[0], *self.window.outputs(input_shape[1:]))
        return self._output_shape


class MaxPool(_Pool):
    """y is the largest pixel that its window sees; of equal ones, the first.

    dE/dx is dE/dy at the pixels that were chosen (Riesenhuber and Poggio 1999; LeCun, Bengio,
    Hinton 2015). Padding is never chosen.

    Shapes: x (N, C, H, W), y (N, C, Ho, Wo) with Ho = ⌊(H + 2 padding - kh) / stride⌋ + 1.

    Args:
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves. Default: the kernel.
        padding: pixels on each side, at most half of the kernel, or ``"same"`` for outputs of the
            inputs' size at stride 1. Default 0.
    """

    fresh_output = fresh_gradient = True

    def __init__(
        self,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] | str = 0,
    ) -> None:
        super().__init__(kernel, stride, padding)

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return the largest pixels; keep where they are."""
        y = images(ctx, "y", len(x), self._output_shape)
        elements = self.window.kernel[0] * self.window.kernel[1]
        dtype = "uint8" if elements <= 256 else "int32"
        ctx.chosen = ctx.buffer("chosen", y.shape, dtype=dtype)
        max_pool(ctx.backend, pixels(ctx, "x", x), y, ctx.chosen, *self.window.geometry)
        return channels_first(y)

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return the chosen pixels of x."""
        y = images(ctx, name, len(x), self._output_shape)
        take_chosen(ctx.backend, pixels(ctx, "x", x), y, ctx.chosen, *self.window.geometry)
        return channels_first(y)

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return dy at the chosen pixels, summed where windows overlap."""
        dx = images(ctx, name, len(dy), self._image)
        add_chosen(ctx.backend, pixels(ctx, "dy", dy), dx, ctx.chosen, *self.window.geometry)
        return channels_first(dx)


class AveragePool(_Pool):
    """y is the mean of what its window sees; padding counts as zeros.

    Shapes: as :class:`MaxPool`.

    Args:
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves. Default: the kernel.
        padding: zeros on each side, as of :class:`MaxPool`. Default 0.
    """

    fresh_output = fresh_gradient = True

    def __init__(
        self,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] | str = 0,
    ) -> None:
        super().__init__(kernel, stride, padding)
        self._share = 1 / (self.window.kernel[0] * self.window.kernel[1])

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return the means."""
        y = images(ctx, name, len(x), self._output_shape)
        sum_pool(ctx.backend, pixels(ctx, "x", x), y, *self.window.geometry)
        y *= self._share
        return channels_first(y)

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return dy / (kh kw) at each pixel, summed where windows overlap."""
        dx = images(ctx, name, len(dy), self._image)
        spread_pool(ctx.backend, pixels(ctx, "dy", dy), dx, *self.window.geometry)
        dx *= self._share
        return channels_first(dx)


class GlobalAveragePool(Linear):
    """Each channel becomes its mean (Lin, Chen, Yan 2014, section 3.2).

    Shapes: x (N, C, H, W), y (N, C): a :class:`NeuronLayer` may follow.
    """

    def build(self, input_shape: Shape) -> Shape:
        """Take images (C, H, W), return vectors (C,)."""
        require_images("GlobalAveragePool", input_shape)
        self._image = input_shape
        return (input_shape[0],)

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return the means of the channels."""
        return x.mean(axis=(2, 3))

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return dy / (H W) at each pixel."""
        dx = channels_first(images(ctx, name, len(dy), self._image))
        dx[...] = (dy / (self._image[1] * self._image[2])).reshape(*dy.shape, 1, 1)
        return dx


class AdaptiveAveragePool(Linear):
    """y has a given size, whatever the size of x; if it is the same, y = x.

    Row a of y is the mean of the rows ⌊a H / Ho⌋ to ⌈(a + 1) H / Ho⌉ - 1 of x, and likewise for
    columns: y = A x Bᵀ. PyTorch's layer of that name, in the heads of VGG and AlexNet.

    Shapes: x (N, C, H, W), y (N, C, *size).

    Args:
        size: of y; a number or a pair (vertical, horizontal).
    """

    repeats = False  # A and B come from the host

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = pair("AdaptiveAveragePool size", size)

    def build(self, input_shape: Shape) -> Shape:
        """Give images (C, H, W) the size."""
        require_images("AdaptiveAveragePool", input_shape)
        self.rows, self.columns = map(_means, input_shape[1:], self.size)
        return (input_shape[0], *self.size)

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return the means."""
        return self._product(x, self.rows, self.columns, ctx)

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return Aᵀ dy B."""
        return self._product(dy, self.rows.T, self.columns.T, ctx)

    def _product(self, x: Array, rows: np.ndarray, columns: np.ndarray, ctx: Context) -> Array:
        left, right = (ctx.backend.asarray(a.astype(ctx.dtype)) for a in (rows, columns))
        return ctx.xp.matmul(ctx.xp.matmul(left, x), right.T)


def _means(length: int, size: int) -> np.ndarray:
    """Return the weights (size, length) of pixels in means over nearly equal parts."""
    weights = np.zeros((size, length))
    for a in range(size):
        part = slice(a * length // size, -(-(a + 1) * length // size))
        weights[a, part] = 1 / (part.stop - part.start)
    return weights


class Upsample(Linear):
    """Each pixel becomes a rectangle of equal ones: y[n, c, a, b] = x[n, c, ⌊a / fh⌋, ⌊b / fw⌋].

    Before a convolution it enlarges an image without the checkerboards that a transposed
    convolution may leave (Odena, Dumoulin, Olah 2016, "Deconvolution and checkerboard artifacts").

    Shapes: x (N, C, H, W), y (N, C, fh H, fw W).

    Args:
        factor: how many times larger; a number or a pair (vertical, horizontal). Default 2.
    """

    def __init__(self, factor: int | Sequence[int] = 2) -> None:
        super().__init__()
        self.factor = pair("Upsample factor", factor)
        self._window = (self.factor, self.factor, (0, 0))  # kernel, stride and padding

    def build(self, input_shape: Shape) -> Shape:
        """Enlarge images (C, H, W)."""
        require_images("Upsample", input_shape)
        self._image = input_shape
        channels, height, width = input_shape
        self._output_shape = (channels, height * self.factor[0], width * self.factor[1])
        return self._output_shape

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return each pixel of x all over its rectangle."""
        y = images(ctx, name, len(x), self._output_shape)
        spread_pool(ctx.backend, pixels(ctx, "x", x), y, *self._window)
        return channels_first(y)

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return the sum of each rectangle."""
        dx = images(ctx, name, len(dy), self._image)
        sum_pool(ctx.backend, pixels(ctx, "dy", dy), dx, *self._window)
        return channels_first(dx)
