"""Pooling: windows of an image become one pixel each."""

from __future__ import annotations

from collections.abc import Sequence

from salamandre.backend import Array
from salamandre.backend.operations.pooling import (
    add_chosen,
    max_pool,
    spread_pool,
    sum_pool,
    take_chosen,
)
from salamandre.layer import Layer, Shape, mapwise, pixelwise
from salamandre.layers.window import Window, require_images


class _Pool(Layer):
    """A window that moves over each map."""

    def __init__(
        self,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] | None,
        padding: int | Sequence[int],
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
        self._place = (window.kernel, window.stride, window.corner)

    def build(self, input_shape: Shape) -> Shape:
        """Shrink the maps (C, H, W)."""
        require_images(type(self).__name__, input_shape)
        self._image = input_shape
        self._output_shape = (input_shape[0], *self.window.outputs(input_shape[1:]))
        return self._output_shape

    def _to(self, x: Array, shape: Shape, name: str) -> tuple[Array, Array]:
        """Return x pixel by pixel, and a buffer for as many images of ``shape``."""
        y = self.buffer(name, (len(x), *shape), channels_last=True)
        return self.pixels(f"{name} from", x), pixelwise(y)


class MaxPool(_Pool):
    """Y is the largest pixel that its window sees; of equal ones, the first.

    dE/dx is dE/dy at the pixels that were chosen (Riesenhuber and Poggio 1999; LeCun, Bengio,
    Hinton 2015). Padding is never chosen.

    Shapes: x (N, C, H, W), y (N, C, Ho, Wo) with Ho = ⌊(H + 2 padding - kh) / stride⌋ + 1.

    Args:
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves. Default: the kernel.
        padding: pixels on each side, at most half of the kernel. Default 0.
    """

    def __init__(
        self,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(kernel, stride, padding)

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return the largest pixels; keep their places."""
        x, y = self._to(x, self._output_shape, "y")
        pixels = self.window.kernel[0] * self.window.kernel[1]
        dtype = "uint8" if pixels <= 256 else "int32"
        self._chosen = self.buffer("chosen", y.shape, dtype=dtype)
        max_pool(self.backend, x, y, self._chosen, *self._place)
        return mapwise(y)

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return dy at the chosen pixels, summed where windows overlap."""
        dy, dx = self._to(dy, self._image, "dx")
        add_chosen(self.backend, dy, dx, self._chosen, *self._place)
        return mapwise(dx)

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return the chosen pixels of x_dot."""
        x_dot, y_dot = self._to(x_dot, self._output_shape, "y_dot")
        take_chosen(self.backend, x_dot, y_dot, self._chosen, *self._place)
        return mapwise(y_dot)

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return both at the chosen pixels."""
        dx = None if dy is None else self.backprop(dy) + 0
        return dx, self.backprop(dy_dot)


class AveragePool(_Pool):
    """Y is the mean of what its window sees; padding counts as zeros.

    Shapes: as :class:`MaxPool`.

    Args:
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves. Default: the kernel.
        padding: zeros on each side, at most half of the kernel. Default 0.
    """

    def __init__(
        self,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(kernel, stride, padding)
        self._share = 1 / (self.window.kernel[0] * self.window.kernel[1])

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return the means."""
        return self._means(x, "y")

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return dy / (kh kw) at each pixel, summed where windows overlap."""
        dy, dx = self._to(dy, self._image, "dx")
        spread_pool(self.backend, dy, dx, *self._place)
        dx *= self._share
        return mapwise(dx)

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return the means of x_dot: the layer is linear."""
        return self._means(x_dot, "y_dot")

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return the gradients by x and by x_dot."""
        dx = None if dy is None else self.backprop(dy) + 0
        return dx, self.backprop(dy_dot)

    def _means(self, x: Array, name: str) -> Array:
        x, y = self._to(x, self._output_shape, name)
        sum_pool(self.backend, x, y, *self._place)
        y *= self._share
        return mapwise(y)


class GlobalAveragePool(Layer):
    """Each map becomes its mean (Lin, Chen, Yan 2014, section 3.2).

    Shapes: x (N, C, H, W), y (N, C): a :class:`NeuronLayer` may follow.
    """

    def build(self, input_shape: Shape) -> Shape:
        """Take images (C, H, W), return vectors (C,)."""
        require_images("GlobalAveragePool", input_shape)
        self._image = input_shape
        return (input_shape[0],)

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return the means of the maps."""
        return x.mean(axis=(2, 3))

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return dy / (H W) at each pixel."""
        dx = self.buffer("dx", (len(dy), *self._image), channels_last=True)
        dx[...] = (dy / (self._image[1] * self._image[2])).reshape(*dy.shape, 1, 1)
        return dx

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return the means of x_dot: the layer is linear."""
        return self.compute(x_dot)

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return the gradients by x and by x_dot."""
        dx = None if dy is None else self.backprop(dy) + 0
        return dx, self.backprop(dy_dot)
