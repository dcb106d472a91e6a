"""Layers that only change the shape of an example."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from salamandre.backend import Array
from salamandre.backend.operations.layout import channels_first, pixels
from salamandre.checks import whole
from salamandre.layer import Linear, Shape
from salamandre.passes import Context


def require_vectors(
    what: str, input_shape: Shape, instead: str = "put a Flatten() before it"
) -> None:
    """Refuse examples that are not vectors."""
    if len(input_shape) != 1:
        raise ValueError(
            f"{what} takes vectors, shape (features,), got examples of shape {input_shape}: "
            f"{instead}"
        )


def require_images(
    what: str,
    input_shape: Shape,
    instead: str = "put a Reshape((channels, height, width)) before it",
) -> None:
    """Refuse examples that are not images."""
    if len(input_shape) != 3:
        raise ValueError(
            f"{what} takes images, shape (channels, height, width), got examples of shape "
            f"{input_shape}: {instead}"
        )


class _Reshaping(Linear, abstract=True):
    """The same numbers in another shape, channel after channel."""

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return x in the output shape."""
        return _read(x, self._output_shape, ctx, name)

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return dy in the input shape."""
        return _read(dy, self._input_shape, ctx, name)

    def _between(self, input_shape: Shape, output_shape: Shape) -> Shape:
        self._input_shape, self._output_shape = input_shape, output_shape
        return output_shape


def _read(x: Array, shape: Shape, ctx: Context, name: str) -> Array:
    x = x.reshape(len(x), *shape)
    return channels_first(pixels(ctx, name, x)) if len(shape) == 3 else x


class Flatten(_Reshaping):
    """(N, ...) becomes (N, features), row by row."""

    def build(self, input_shape: Shape) -> Shape:
        """Multiply the dimensions of an example."""
        return self._between(input_shape, (math.prod(input_shape),))


class Reshape(_Reshaping):
    """(N, ...) becomes (N, *shape).

    Args:
        shape: of one example, such as (1, 28, 28); a number is that of a vector.
    """

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        sizes = shape if isinstance(shape, Iterable) else (shape,)
        self.shape = tuple(whole("a dimension of Reshape", size) for size in sizes)

    def build(self, input_shape: Shape) -> Shape:
        """Check that the numbers of elements agree."""
        if math.prod(input_shape) != math.prod(self.shape):
            raise ValueError(
                f"Reshape to {self.shape} needs {math.prod(self.shape)} numbers an example, "
                f"got {math.prod(input_shape)} (shape {input_shape})"
            )
        return self._between(input_shape, self.shape)
