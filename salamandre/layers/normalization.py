"""Batch normalisation."""

from __future__ import annotations

import math

from salamandre.backend import Array
from salamandre.checks import real
from salamandre.initializers import Constant, Zeros
from salamandre.layer import Layer, Shape


class BatchNorm(Layer):
    """y = gamma x̂ + beta with x̂ = (x - mean) / √(variance + eps), feature by feature.

    While training, mean and variance are the batch's; otherwise they are the running ones, which
    training updates as r ← (1 - momentum) r + momentum · batch (the variance with the unbiased
    divisor, as PyTorch does). Ioffe and Szegedy 2015, algorithms 1 and 2; the gradient is that of
    their section 3.

    Shapes: x and y (N, features) or (N, maps, H, W); gamma, beta and the running statistics
    (features,) or (maps,): a map shares one mean and variance.

    Args:
        momentum: the weight of the newest batch in the running statistics. Default 0.1.
        eps: added to the variance. Default 1e-5.
        affine: whether gamma and beta are learned; otherwise they stay 1 and 0. Default True.
    """

    couples_examples = True

    gamma: Array
    beta: Array
    d_gamma: Array
    d_beta: Array
    running_mean: Array
    running_variance: Array

    def __init__(self, momentum: float = 0.1, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.momentum = real("BatchNorm momentum", momentum, 0, 1)
        self.eps = real("BatchNorm eps", eps, 0, above=True)
        self.affine = bool(affine)

    def build(self, input_shape: Shape) -> Shape:
        """Declare gamma, beta and the running statistics."""
        features = (input_shape[0],)
        declare = self.declare if self.affine else self.declare_state
        declare("gamma", features, Constant(1))
        declare("beta", features, Zeros())
        self.declare_state("running_mean", features, Zeros())
        self.declare_state("running_variance", features, Constant(1))
        self._axes = (0, *range(2, len(input_shape) + 1))
        self._row = (1, -1) + (1,) * (len(input_shape) - 1)
        return input_shape

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return gamma x̂ + beta."""
        xp, row = self.xp, self._row
        self._training = training
        if training:
            mean, variance = self._batch_statistics(x)
        else:
            mean, variance = self.running_mean, self.running_variance
        self._inverse_std = 1 / xp.sqrt(variance + self.eps)
        x_hat = xp.subtract(x, mean.reshape(row), out=self.buffer_like("x_hat", x))
        x_hat *= self._inverse_std.reshape(row)
        self._x_hat = x_hat
        y = xp.multiply(x_hat, self.gamma.reshape(row), out=self.buffer_like("y", x))
        y += self.beta.reshape(row)
        return y

    def compute_tangent(self, x_dot: Array) -> Array:
        """Refuse: a penalty on each example's gradient needs examples that are independent."""
        raise ValueError(
            "BatchNorm cannot be part of a critic with a gradient penalty: it makes each output "
            "depend on the whole batch (Gulrajani et al. 2017, section 4); leave it out"
        )

    def _batch_statistics(self, x: Array) -> tuple[Array, Array]:
        count = math.prod(x.shape) // x.shape[1]
        if count < 2:
            raise ValueError(
                f"BatchNorm needs at least 2 values per feature to train, got a batch of shape "
                f"{x.shape}: use a larger batch, or compute with training=False"
            )
        mean = x.mean(axis=self._axes)
        centred = self.xp.subtract(x, mean.reshape(self._row), out=self.buffer_like("y", x))
        centred *= centred
        variance = centred.mean(axis=self._axes)
        for running, batch in (
            (self.running_mean, mean),
            (self.running_variance, variance * (count / (count - 1))),
        ):
            running *= 1 - self.momentum
            running += self.momentum * batch
        return mean, variance

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Dx = gamma/σ (dy - mean(dy) - x̂ mean(dy x̂)); without training, dx = gamma/σ dy."""
        xp, row, axes = self.xp, self._row, self._axes
        dx = xp.multiply(dy, self._x_hat, out=self.buffer_like("dx", dy))
        d_gamma, d_beta = dx.sum(axis=axes), dy.sum(axis=axes)
        if update and self.affine:
            self.d_gamma[...] = d_gamma
            self.d_beta[...] = d_beta
        if self._training:
            count = math.prod(dy.shape) // dy.shape[1]
            xp.multiply(self._x_hat, (d_gamma / -count).reshape(row), out=dx)
            dx += dy
            dx -= (d_beta / count).reshape(row)
            dx *= (self.gamma * self._inverse_std).reshape(row)
        else:
            xp.multiply(dy, (self.gamma * self._inverse_std).reshape(row), out=dx)
        return dx
