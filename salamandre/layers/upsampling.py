"""Larger images without anything to learn."""

from __future__ import annotations

from collections.abc import Sequence

from salamandre.backend import Array
from salamandre.backend.operations.pooling import spread_pool, sum_pool
from salamandre.layer import Layer, Shape, pixelwise
from salamandre.layers.window import pair, require_images


class Upsample(Layer):
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
        self._place = (self.factor, self.factor, (0, 0))  # as kernel, stride and corner

    def build(self, input_shape: Shape) -> Shape:
        """Enlarge the maps (C, H, W)."""
        require_images("Upsample", input_shape)
        self._image = input_shape
        maps, height, width = input_shape
        return (maps, height * self.factor[0], width * self.factor[1])

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return each pixel of x in all places of its rectangle."""
        return self._enlarge(x, "y")

    def _enlarge(self, x: Array, name: str) -> Array:
        maps, height, width = self._image
        shape = (len(x), maps, height * self.factor[0], width * self.factor[1])
        y = self.buffer(name, shape, channels_last=True)
        spread_pool(self.backend, self.pixels("x", x), pixelwise(y), *self._place)
        return y

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return the sum of each rectangle."""
        dx = self.buffer("dx", (len(dy), *self._image), channels_last=True)
        sum_pool(self.backend, self.pixels("dy", dy), pixelwise(dx), *self._place)
        return dx

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return the enlarged x_dot: the layer is linear."""
        return self._enlarge(x_dot, "y_dot")

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return the gradients by x and by x_dot."""
        dx = None if dy is None else self.backprop(dy) + 0
        return dx, self.backprop(dy_dot)
