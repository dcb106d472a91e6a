"""Normalisation: over the batch, or within each example."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.backend.operations.layout import pixels
from salamandre.backend.operations.normalization import (
    moments,
    normalize,
    normalize_gradient,
    normalize_sums,
)
from salamandre.checks import real
from salamandre.initializers import Constant, Zeros
from salamandre.layer import Layer, Shape
from salamandre.layers.shape import require_images
from salamandre.passes import Context


class BatchNorm(Layer):
    """y = gamma x̂ + beta with x̂ = (x - mean) / √(variance + eps), feature by feature.

    While training, mean and variance are the batch's; otherwise they are the running ones, which
    training updates as r ← (1 - momentum) r + momentum · batch (the variance with the unbiased
    divisor, as PyTorch does). Ioffe and Szegedy 2015, algorithms 1 and 2; the gradient is that of
    their section 3.

    Shapes: x and y (N, features) or (N, channels, H, W); gamma, beta and the running statistics
    (features,) or (channels,): a channel shares one mean and variance.

    Args:
        momentum: the weight of the newest batch in the running statistics. Default 0.1.
        eps: added to the variance. Default 1e-5.
        affine: whether gamma and beta are learned; otherwise they stay 1 and 0. Default True.
        shift_rate: multiple of the learning rate that beta learns by (Jordan 2024, "94% on CIFAR-10
            in 3.29 seconds on a single GPU", section 3.4: 64). Default 1.
    """

    couples_examples = fresh_output = fresh_gradient = True

    gamma: Array
    beta: Array
    d_gamma: Array
    d_beta: Array
    running_mean: Array
    running_variance: Array

    def __init__(
        self,
        momentum: float = 0.1,
        eps: float = 1e-5,
        affine: bool = True,
        shift_rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.momentum = real("BatchNorm momentum", momentum, 0, 1)
        self.shift_rate = real("BatchNorm shift_rate", shift_rate, 0, above=True)
        self.eps = real("BatchNorm eps", eps, 0, 1, above=True)
        self.affine = bool(affine)

    def build(self, input_shape: Shape) -> Shape:
        """Declare gamma, beta and the running statistics."""
        if len(input_shape) not in (1, 3):
            raise ValueError(
                f"BatchNorm takes vectors (features,) or images (channels, height, width), got "
                f"examples of shape {input_shape}"
            )
        features = (input_shape[0],)
        if self.affine:
            self.declare("gamma", features, Constant(1))
            self.declare("beta", features, Zeros(), rate=self.shift_rate)
        self.declare_state("running_mean", features, Zeros())
        self.declare_state("running_variance", features, Constant(1))
        return input_shape

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return gamma x̂ + beta."""
        xp = ctx.xp
        ctx.rows, y = self._rows(ctx, "x", x), self._like(ctx, "y", x)
        if self.affine:
            ctx.gamma, beta = self.gamma, self.beta
        else:
            ctx.gamma, beta = xp.ones_like(self.running_mean), xp.zeros_like(self.running_mean)
        if ctx.training:
            ctx.mean, variance = self._batch_statistics(ctx)
        else:
            ctx.mean, variance = self.running_mean + 0, self.running_variance  # which may change
        ctx.inverse_std = 1 / xp.sqrt(variance + self.eps)
        rows = self._rows(ctx, "y", y)
        normalize(ctx.backend, ctx.rows, ctx.mean, ctx.inverse_std, ctx.gamma, beta, rows)
        return y

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """dx = gamma/σ (dy - mean(dy) - x̂ mean(dy x̂)); without training, dx = gamma/σ dy."""
        xp, backend, inverse_std = ctx.xp, ctx.backend, ctx.inverse_std
        dx, dy = self._like(ctx, "dx", dy), self._rows(ctx, "dy", dy)
        d_gamma, d_beta = xp.empty_like(ctx.gamma), xp.empty_like(ctx.gamma)
        normalize_sums(backend, dy, ctx.rows, ctx.mean, inverse_std, d_gamma, d_beta)
        if ctx.parameter_gradients and self.affine:
            self.d_gamma[...] = d_gamma
            self.d_beta[...] = d_beta
        scale = ctx.gamma * inverse_std
        share = 1 / ctx.count if ctx.training else 0.0
        if ctx.training and ctx.group.size > 1:  # each share has added its own to the gradients
            d_gamma, d_beta = ctx.group.all_reduce(xp.stack([d_gamma, d_beta]))
        slope, shift = -share * scale * inverse_std * d_gamma, -share * scale * d_beta
        rows = self._rows(ctx, "dx", dx)
        normalize_gradient(backend, dy, ctx.rows, ctx.mean, scale, slope, shift, rows)
        return dx

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Refuse: a penalty on each example's gradient needs examples that are independent."""
        raise ValueError(
            "BatchNorm cannot be part of a critic with a gradient penalty: it makes each output "
            "depend on the whole batch (Gulrajani et al. 2017, section 4); leave it out"
        )

    def _rows(self, ctx: Context, name: str, x: Array) -> Array:
        """Return (N, features, H, W) as rows (N H W, features): a view where channels are last."""
        return pixels(ctx, f"{name} rows", x).reshape(-1, x.shape[1]) if x.ndim == 4 else x

    def _like(self, ctx: Context, name: str, x: Array) -> Array:
        if x.ndim == 4:
            return ctx.buffer(name, x.shape, channels_last=True)
        return ctx.buffer_like(name, x)

    def _batch_statistics(self, ctx: Context) -> tuple[Array, Array]:
        mean, variance = ctx.xp.empty_like(ctx.gamma), ctx.xp.empty_like(ctx.gamma)
        moments(ctx.backend, ctx.rows, mean, variance)
        count = len(ctx.rows)
        if ctx.group.size > 1:
            count, mean, variance = self._of_all_shares(count, mean, variance, ctx)
        ctx.count = count
        if count < 2:
            raise ValueError(
                "BatchNorm needs at least 2 values per feature to train, got a batch of one: "
                "use a larger batch, or compute with training=False"
            )
        unbiased = variance * (count / (count - 1))
        for running, batch in ((self.running_mean, mean), (self.running_variance, unbiased)):
            ctx.update(running, running * (1 - self.momentum) + self.momentum * batch)
        return mean, variance

    def _of_all_shares(
        self, count: int, mean: Array, variance: Array, ctx: Context
    ) -> tuple[int, Array, Array]:
        """Return count, mean and variance of the whole batch from those of this share."""
        xp, mean, variance = ctx.xp, mean.astype("float64"), variance.astype("float64")
        sums = ctx.group.all_reduce(xp.concatenate([mean, xp.ones(1, dtype="float64")]) * count)
        total, whole_mean = round(float(sums[-1])), sums[:-1] / sums[-1]
        squares = ctx.group.all_reduce((variance + (mean - whole_mean) ** 2) * count)
        return total, whole_mean.astype(ctx.dtype), (squares / total).astype(ctx.dtype)


class _ExampleNorm(Layer, abstract=True):
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
        self.eps = real(f"{type(self).__name__} eps", eps, 0, 1, above=True)

    def _prepare(self, shape: Shape, memory: Shape, row: Shape, axes: Shape, sums: Shape) -> None:
        """Declare gamma and beta; ``row`` is their shape beside x, ``sums`` the axes without it."""
        self.declare("gamma", shape, Constant(1), memory)
        self.declare("beta", shape, Zeros(), memory)
        self._row, self._axes, self._sums = row, axes, sums

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return gamma x̂ + beta."""
        xp = ctx.xp
        x_hat = xp.subtract(x, self._mean(x), out=ctx.buffer_like("x_hat", x))
        x_hat -= self._mean(x_hat)  # which rounding has left, of constant channels all there is
        ctx.inverse_std = 1 / xp.sqrt(self._mean(x_hat * x_hat) + self.eps)
        x_hat *= ctx.inverse_std
        ctx.x_hat = x_hat
        y = xp.multiply(x_hat, self.gamma.reshape(self._row), out=ctx.buffer_like("y", x))
        y += self.beta.reshape(self._row)
        return y

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Return J (gamma dy); write dgamma = Σ dy x̂ and dbeta = Σ dy."""
        if ctx.parameter_gradients:
            self.d_gamma[...] = self._sum(dy * ctx.x_hat)
            self.d_beta[...] = self._sum(dy)
        u = ctx.xp.multiply(dy, self.gamma.reshape(self._row), out=ctx.buffer_like("dx", dy))
        u -= self._mean(u) + ctx.x_hat * self._mean(u * ctx.x_hat)
        u *= ctx.inverse_std
        return u

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return gamma x̂_dot with x̂_dot = J x_dot."""
        ctx.shared_part = self._mean(ctx.x_hat * x_dot)
        ctx.x_hat_dot = self._derivative(x_dot, ctx)
        return self.gamma.reshape(self._row) * ctx.x_hat_dot

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Return dE/dx and dE/dx_dot = J u with u = gamma dy_dot.

        The derivative of ⟨u, J x_dot⟩ by x is, all means over one example,
        -(mean(u x̂_dot) x̂ + mean(x̂ x_dot) J u + mean(x̂ u) x̂_dot) / σ.
        """
        u = self.gamma.reshape(self._row) * dy_dot
        x_hat, x_hat_dot = ctx.x_hat, ctx.x_hat_dot
        dx_dot = self._derivative(u, ctx)
        dx = self._mean(u * x_hat_dot) * x_hat + ctx.shared_part * dx_dot
        dx += self._mean(x_hat * u) * x_hat_dot
        dx *= -ctx.inverse_std
        if dy is not None:
            dx += self.backprop(dy, ctx)
        if ctx.parameter_gradients:
            if dy is None:
                self.d_gamma[...] = self.d_beta[...] = 0
            self.d_gamma += self._sum(dy_dot * x_hat_dot)
        return dx, dx_dot

    def _derivative(self, u: Array, ctx: Context) -> Array:
        """Return J u."""
        x_hat = ctx.x_hat
        return (u - self._mean(u) - x_hat * self._mean(u * x_hat)) * ctx.inverse_std

    def _mean(self, x: Array) -> Array:
        for axis in self._axes:  # one after another: a long sum in float32 loses digits
            x = x.mean(axis=axis, keepdims=True)
        return x

    def _sum(self, x: Array) -> Array:
        return x.sum(axis=self._sums)


class LayerNorm(_ExampleNorm):
    """y = gamma x̂ + beta, mean and variance over all features of an example.

    Ba, Kiros, Hinton 2016, equations 3 and 4. Examples stay independent: it may be part of a
    critic with a gradient penalty, where batch-norm may not (Gulrajani et al. 2017, section 4).

    Shapes: x and y (N, ...); gamma and beta as one example.

    Args:
        eps: added to the variance. Default 1e-5.
    """

    fresh_output = fresh_gradient = True

    def build(self, input_shape: Shape) -> Shape:
        """Declare gamma and beta; for images, channels last in memory as theirs."""
        axes = tuple(range(1, len(input_shape) + 1))
        memory = (1, 2, 0) if len(input_shape) == 3 else ()
        self._prepare(input_shape, memory, (1, *input_shape), axes, (0,))
        return input_shape


class InstanceNorm(_ExampleNorm):
    """y = gamma x̂ + beta, mean and variance over each channel of each example.

    Ulyanov, Vedaldi, Lempitsky 2016, equation 3.

    Shapes: x and y (N, channels, H, W); gamma and beta (channels,).

    Args:
        eps: added to the variance. Default 1e-5.
    """

    fresh_output = fresh_gradient = True

    def build(self, input_shape: Shape) -> Shape:
        """Declare gamma and beta."""
        require_images("InstanceNorm", input_shape)
        if input_shape[1] * input_shape[2] < 2:
            raise ValueError(
                f"InstanceNorm needs channels of at least 2 pixels, got examples of shape "
                f"{input_shape}: leave it out, or use a LayerNorm()"
            )
        channels = input_shape[:1]
        self._prepare(channels, (), (1, *channels, 1, 1), (2, 3), (0, 2, 3))
        return input_shape
