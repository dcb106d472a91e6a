"""Normalisation within each example: what batch-norm is, without the batch."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.checks import real
from salamandre.initializers import Constant, Zeros
from salamandre.layer import Layer, Shape
from salamandre.layers.window import require_images


class _ExampleNorm(Layer):
    """y = gamma x̂ + beta with x̂ = (x - mean) / √(variance + eps), over axes of one example.

    With J the derivative of x̂ by x, a symmetric matrix, J u = (u - mean(u) - x̂ mean(u x̂)) / σ
    serves backprop (u = gamma dy) and tangents (u = x_dot) alike.
    """

    gamma: Array
    beta: Array
    d_gamma: Array
    d_beta: Array

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = real(f"{type(self).__name__} eps", eps, 0, above=True)

    def _prepare(self, shape: Shape, memory: Shape, row: Shape, axes: Shape, sums: Shape) -> None:
        """Declare gamma and beta; ``row`` is their shape beside x, ``sums`` the axes without it."""
        self.declare("gamma", shape, Constant(1), memory)
        self.declare("beta", shape, Zeros(), memory)
        self._row, self._axes, self._sums = row, axes, sums

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return gamma x̂ + beta."""
        xp = self.xp
        x_hat = xp.subtract(x, self._mean(x), out=self.buffer_like("x_hat", x))
        self._inverse_std = 1 / xp.sqrt(self._mean(x_hat * x_hat) + self.eps)
        x_hat *= self._inverse_std
        self._x_hat = x_hat
        y = xp.multiply(x_hat, self.gamma.reshape(self._row), out=self.buffer_like("y", x))
        y += self.beta.reshape(self._row)
        return y

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return J (gamma dy); write dgamma = Σ dy x̂ and dbeta = Σ dy."""
        if update:
            self.d_gamma[...] = self._sum(dy * self._x_hat)
            self.d_beta[...] = self._sum(dy)
        u = self.xp.multiply(dy, self.gamma.reshape(self._row), out=self.buffer_like("dx", dy))
        u -= self._mean(u) + self._x_hat * self._mean(u * self._x_hat)
        u *= self._inverse_std
        return u

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return gamma x̂_dot with x̂_dot = J x_dot."""
        self._shared_part = self._mean(self._x_hat * x_dot)
        self._x_hat_dot = self._derivative(x_dot)
        return self.gamma.reshape(self._row) * self._x_hat_dot

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return dE/dx and dE/dx_dot = J u with u = gamma dy_dot.

        The derivative of ⟨u, J x_dot⟩ by x is, all means over one example,
        -(mean(u x̂_dot) x̂ + mean(x̂ x_dot) J u + mean(x̂ u) x̂_dot) / σ.
        """
        u = self.gamma.reshape(self._row) * dy_dot
        x_hat, x_hat_dot = self._x_hat, self._x_hat_dot
        dx_dot = self._derivative(u)
        dx = self._mean(u * x_hat_dot) * x_hat + self._shared_part * dx_dot
        dx += self._mean(x_hat * u) * x_hat_dot
        dx *= -self._inverse_std
        d_gamma = self._sum(dy_dot * x_hat_dot)
        if dy is None:
            self.d_beta[...] = 0
            self.d_gamma[...] = d_gamma
        else:
            dx += self.backprop(dy)
            self.d_gamma += d_gamma
        return dx, dx_dot

    def _derivative(self, u: Array) -> Array:
        """Return J u."""
        x_hat = self._x_hat
        return (u - self._mean(u) - x_hat * self._mean(u * x_hat)) * self._inverse_std

    def _mean(self, x: Array) -> Array:
        return x.mean(axis=self._axes, keepdims=True)

    def _sum(self, x: Array) -> Array:
        return x.sum(axis=self._sums)


class LayerNorm(_ExampleNorm):
    """y = gamma x̂ + beta, mean and variance over all features of an example.

    Ba, Kiros, Hinton 2016, equations 3 and 4. Examples stay independent, so that it may stand in a
    critic with a gradient penalty, where batch-norm may not (Gulrajani et al. 2017, section 4).

    Shapes: x and y (N, ...); gamma and beta as one example.

    Args:
        eps: added to the variance. Default 1e-5.
    """

    def build(self, input_shape: Shape) -> Shape:
        """Declare gamma and beta; those of maps lie pixel by pixel, as images do."""
        axes = tuple(range(1, len(input_shape) + 1))
        memory = (1, 2, 0) if len(input_shape) == 3 else ()
        self._prepare(input_shape, memory, (1, *input_shape), axes, (0,))
        return input_shape


class InstanceNorm(_ExampleNorm):
    """y = gamma x̂ + beta, mean and variance over each map of each example.

    Ulyanov, Vedaldi, Lempitsky 2016, equation 3.

    Shapes: x and y (N, maps, H, W); gamma and beta (maps,).

    Args:
        eps: added to the variance. Default 1e-5.
    """

    def build(self, input_shape: Shape) -> Shape:
        """Declare gamma and beta."""
        require_images("InstanceNorm", input_shape)
        if input_shape[1] * input_shape[2] < 2:
            raise ValueError(
                f"InstanceNorm needs maps of at least 2 pixels, got examples of shape "
                f"{input_shape}: leave it out, or use a LayerNorm()"
            )
        maps = input_shape[:1]
        self._prepare(maps, (), (1, *maps, 1, 1), (2, 3), (0, 2, 3))
        return input_shape
