"""Layers that only change the shape of an example."""

from __future__ import annotations

import math
from collections.abc import Sequence

from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.layer import Layer, Shape, mapwise


class _Reshaping(Layer):
    """Read the same numbers in another shape, maps one after the other; images lie by pixels."""

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return x in the output shape."""
        return self._read(x, self._output_shape, "y")

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return dy in the input shape."""
        return self._read(dy, self._input_shape, "dx")

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return x_dot in the output shape."""
        return self._read(x_dot, self._output_shape, "y_dot")

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return both in the input shape."""
        dx = None if dy is None else self.backprop(dy)
        return dx, self._read(dy_dot, self._input_shape, "dx_dot")

    def _read(self, x: Array, shape: Shape, name: str) -> Array:
        x = x.reshape(len(x), *shape)
        return mapwise(self.pixels(name, x)) if len(shape) == 3 else x

    def _between(self, input_shape: Shape, output_shape: Shape) -> Shape:
        self._input_shape, self._output_shape = input_shape, output_shape
        return output_shape


class Flatten(_Reshaping):
    """(N, ...) becomes (N, features), row by row."""

    def build(self, input_shape: Shape) -> Shape:
        """Multiply the dimensions of an example."""
        return self._between(input_shape, (math.prod(input_shape),))


class Reshape(_Reshaping):
    """(N, ...) becomes (N, *shape).

    Args:
        shape: of one example, such as (1, 28, 28).
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(whole("a dimension of Reshape", size) for size in shape)

    def build(self, input_shape: Shape) -> Shape:
        """Check that the numbers of elements agree."""
        if math.prod(input_shape) != math.prod(self.shape):
            raise ValueError(
                f"Reshape to {self.shape} needs {math.prod(self.shape)} numbers an example, "
                f"got {math.prod(input_shape)} (shape {input_shape})"
            )
        return self._between(input_shape, self.shape)
