"""Batch normalisation."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.backend.operations.normalization import (
    moments,
    normalize,
    normalize_gradient,
    normalize_sums,
)
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
        if len(input_shape) not in (1, 3):
            raise ValueError(
                f"BatchNorm takes vectors (features,) or images (maps, height, width), got "
                f"examples of shape {input_shape}"
            )
        features = (input_shape[0],)
        if self.affine:
            self.declare("gamma", features, Constant(1))
            self.declare("beta", features, Zeros())
        self.declare_state("running_mean", features, Zeros())
        self.declare_state("running_variance", features, Constant(1))
        self._features = input_shape[0]
        return input_shape

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return gamma x̂ + beta."""
        self._training = training
        if not self.affine:
            self.gamma = self.xp.ones(self._features, dtype=self.dtype)
            self.beta = self.xp.zeros(self._features, dtype=self.dtype)
        self._x = rows = self._rows("x", x)
        if training:
            self._mean, variance = self._batch_statistics(rows)
        else:
            self._mean, variance = self.running_mean, self.running_variance
        self._inverse_std = 1 / self.xp.sqrt(variance + self.eps)
        y = self._like("y", x)
        normalize(
            self.backend,
            rows,
            self._mean,
            self._inverse_std,
            self.gamma,
            self.beta,
            self._rows("y", y),
        )
        return y

    def compute_tangent(self, x_dot: Array) -> Array:
        """Refuse: a penalty on each example's gradient needs examples that are independent."""
        raise ValueError(
            "BatchNorm cannot be part of a critic with a gradient penalty: it makes each output "
            "depend on the whole batch (Gulrajani et al. 2017, section 4); leave it out"
        )

    def _rows(self, name: str, x: Array) -> Array:
        """Return (N, features, H, W) as rows (N H W, features): a view of what lies so."""
        return self.pixels(f"{name} by pixel", x).reshape(-1, self._features) if x.ndim == 4 else x

    def _like(self, name: str, x: Array) -> Array:
        if x.ndim == 4:
            return self.buffer(name, x.shape, channels_last=True)
        return self.buffer_like(name, x)

    def _batch_statistics(self, rows: Array) -> tuple[Array, Array]:
        count = len(rows)
        if count < 2:
            raise ValueError(
                "BatchNorm needs at least 2 values per feature to train, got a batch of one: "
                "use a larger batch, or compute with training=False"
            )
        mean, variance = self.xp.empty_like(self.gamma), self.xp.empty_like(self.gamma)
        moments(self.backend, rows, mean, variance)
        for running, batch in (
            (self.running_mean, mean),
            (self.running_variance, variance * (count / (count - 1))),
        ):
            running *= 1 - self.momentum
            running += self.momentum * batch
        return mean, variance

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Dx = gamma/σ (dy - mean(dy) - x̂ mean(dy x̂)); without training, dx = gamma/σ dy."""
        xp, backend, inverse_std = self.xp, self.backend, self._inverse_std
        dx, dy = self._like("dx", dy), self._rows("dy", dy)
        d_gamma, d_beta = xp.empty_like(self.gamma), xp.empty_like(self.gamma)
        normalize_sums(backend, dy, self._x, self._mean, inverse_std, d_gamma, d_beta)
        if update and self.affine:
            self.d_gamma[...] = d_gamma
            self.d_beta[...] = d_beta
        scale = self.gamma * inverse_std
        share = 1 / len(dy) if self._training else 0.0
        slope, shift = -share * scale * inverse_std * d_gamma, -share * scale * d_beta
        normalize_gradient(
            backend, dy, self._x, self._mean, scale, slope, shift, self._rows("dx", dx)
        )
        return dx
