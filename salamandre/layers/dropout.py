"""Dropout."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.checks import real
from salamandre.layer import Layer, Shape, pixelwise
from salamandre.layers.window import require_images


class Dropout(Layer):
    """While training, y = x m / (1 - rate), where each m is 0 with probability ``rate``, else 1.

    The division keeps the expected value, so that without training y = x (Srivastava et al. 2014,
    section 10, in its "inverted" form). Any shape (N, ...).

    Args:
        rate: the share of elements set to 0, in [0, 1). Default 0.5.
        maps: one m for each map (N, C, H, W): neighbouring pixels say much the same, so that single
            ones are not missed (Tompson et al. 2015, section 3.2). Default False.
    """

    def __init__(self, rate: float = 0.5, maps: bool = False) -> None:
        super().__init__()
        self.rate = real("Dropout rate", rate, 0, 1, below=True)
        self.maps = bool(maps)

    def build(self, input_shape: Shape) -> Shape:
        """Keep the shape."""
        if self.maps:
            require_images("Dropout of maps", input_shape)
        return input_shape

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return x m / (1 - rate), or x when not training."""
        if not training or self.rate == 0:
            self._mask = None
            return x
        if self.maps:
            self._mask = drawn = self.buffer("mask", (*x.shape[:2], 1, 1))
        else:
            self._mask = self.buffer_like("mask", x)
            drawn = _as_it_lies(self._mask)
        drawn[...] = self.random.uniform(drawn.shape, self.dtype) >= self.rate
        self._mask *= 1 / (1 - self.rate)
        return self.xp.multiply(x, self._mask, out=self.buffer_like("y", x))

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return dy m / (1 - rate)."""
        if self._mask is None:
            return dy
        return self.xp.multiply(dy, self._mask, out=self.buffer_like("dx", dy))

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return x_dot m / (1 - rate)."""
        return x_dot if self._mask is None else x_dot * self._mask

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return both times m / (1 - rate)."""
        return None if dy is None else self.compute_tangent(dy), self.compute_tangent(dy_dot)


def _as_it_lies(x: Array) -> Array:
    """Return x with its axes in the order of memory."""
    if x.flags.c_contiguous:
        return x
    return pixelwise(x) if x.ndim == 4 else x.T
