"""Activation functions: y = f(x), element by element (Softmax: row by row).

An activation is a layer without parameters: it may be one of a network's layers, or be given to a
layer that applies it to its own output. Its mathematics are two methods: :meth:`function` and
:meth:`gradient`. All built-in ones find f'(x) from y alone, so y may be written over x.

The functions hold at any finite input, ±1e4 in float32 included: no overflow, no NaN.
"""

from __future__ import annotations

from typing import ClassVar

from salamandre import stable
from salamandre.backend import Array
from salamandre.backend.operations.rectifier import leaky_relu, leaky_relu_gradient
from salamandre.checks import real
from salamandre.initializers import He, Initializer, Xavier
from salamandre.layer import Layer, Shape
from salamandre.parts import given_part
from salamandre.passes import Context


class Activation(Layer, abstract=True):
    """Base of activations. Your own one needs :meth:`function` and :meth:`gradient`.

    Attributes:
        from_output: True if :meth:`gradient` uses y alone; x may then be overwritten by y.
        slope: f'(x) below zero where f(x) = x above it; ``None`` for all others. Layers may then
            rectify while they add their bias, unless a class derived from it has methods of its
            own.
        initializer: what a layer with this activation starts its weights with by default.
    """

    required = {"function": "compute", "gradient": "backprop"}
    from_output: ClassVar[bool] = False
    slope: float | None = None
    initializer: ClassVar[Initializer] = Xavier()

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Write f(x) into ``out`` (which may be x itself if ``from_output``) and return it."""
        raise NotImplementedError

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Write dE/dx = dy f'(x) into ``out`` (which may be dy itself) and return it."""
        raise NotImplementedError

    def curvature(self, x: Array, y: Array, ctx: Context) -> Array | None:
        """Return f''(x), or ``None`` where it is zero almost everywhere; for gradient penalties."""
        raise ValueError(
            f"{type(self).__name__} cannot be part of a critic with a gradient penalty: it has no "
            f"curvature"
        )

    @property
    def output_activation(self) -> Activation:
        """The activation itself."""
        return self

    def build(self, input_shape: Shape) -> Shape:
        """Keep the shape."""
        return input_shape

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return f(x); any shape (N, ...)."""
        if ctx.logits:
            return x
        over = ctx.may_overwrite and self.from_output
        ctx.x, ctx.y = x, self.function(x, x if over else ctx.buffer_like("y", x), ctx)
        if ctx.y is None:
            raise TypeError(f"{type(self).__name__}.function must return y, got None")
        return ctx.y

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Return dy f'(x)."""
        if ctx.logits:
            return dy
        dx = dy if ctx.may_overwrite_gradient else ctx.buffer_like("dx", dy)
        dx = self.gradient(dy, ctx.x, ctx.y, dx, ctx)
        if dx is None:
            raise TypeError(f"{type(self).__name__}.gradient must return dE/dx, got None")
        return dx

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return x_dot f'(x)."""
        if ctx.logits:
            return x_dot
        ctx.x_dot = x_dot
        return self.gradient(x_dot, ctx.x, ctx.y, ctx.buffer_like("y_dot", x_dot), ctx)

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Return dy f'(x) + dy_dot x_dot f''(x) and dy_dot f'(x)."""
        if ctx.logits:
            return dy, dy_dot
        x, y = ctx.x, ctx.y
        dx = None if dy is None else self.gradient(dy, x, y, ctx.buffer_like("dx", dy), ctx)
        curvature = self.curvature(x, y, ctx)
        if curvature is not None:
            bent = dy_dot * ctx.x_dot * curvature
            dx = bent if dx is None else dx + bent
        return dx, self.gradient(dy_dot, x, y, ctx.buffer_like("dx_dot", dy_dot), ctx)


class ActivatedLayer(Layer, abstract=True):
    """Base of layers that apply an activation to their own output: y = f(z).

    The activation is their only child; it may write over z.

    Args:
        activation: f, of which the layer has an equal one of its own; or its name, such as
            ``"relu"``. Default :class:`Identity`.
    """

    def __init__(self, activation: Activation | str | None) -> None:
        super().__init__()
        given = Identity() if activation is None else activation
        part: Activation = given_part(self, "activation", given, Activation)
        self.activation = type(part)(**part.checked_config())
        self.children = (self.activation,)

    @property
    def output_activation(self) -> Activation | None:
        """The activation f, unless a compute of a user's own makes something else of it."""
        return self.activation if self.is_standard("compute") else None

    @property
    def is_linear(self) -> bool:
        """Whether f is the identity."""
        return isinstance(self.activation, Identity)

    @property
    def has_rectifier(self) -> bool:
        """Whether f is a rectifier, which may be computed with the bias."""
        names = "compute", "function", "gradient"
        standard = all(self.activation.is_standard(name) for name in names)
        return standard and self.activation.slope is not None

    def plan(self, ctx: Context) -> None:
        """Let the activation write over z, or leave it out."""
        part = ctx.parts[0]
        part.may_overwrite = not ctx.keeps_z
        part.may_overwrite_gradient = ctx.may_overwrite_gradient
        self.activation.plan_part(part, ctx, True, ctx.logits)


class Identity(Activation):
    """y = x."""

    slope = 1.0

    def plan(self, ctx: Context) -> None:
        """Leave the activation out, as before logits."""
        ctx.logits = True

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Return x."""
        out[...] = x
        return out

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Return dy."""
        out[...] = dy
        return out


class Sigmoid(Activation):
    """The logistic function y = 1 / (1 + exp(-mu x)), in (0, 1).

    Args:
        mu: the slope; the derivative at 0 is mu / 4. Default 1.
    """

    from_output = True

    def __init__(self, mu: float = 1.0) -> None:
        super().__init__()
        self.mu = real("Sigmoid mu", mu, 0, above=True)

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Return 1 / (1 + exp(-mu x))."""
        return stable.sigmoid(ctx.xp, x, self.mu, out)

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Return dy mu y (1 - y)."""
        xp = ctx.xp
        slope = y * (1 - y)
        xp.multiply(slope, self.mu, out=slope)
        return xp.multiply(dy, slope, out=out)

    def curvature(self, x: Array, y: Array, ctx: Context) -> Array | None:
        """Return mu² y (1 - y) (1 - 2 y)."""
        return self.mu**2 * y * (1 - y) * (1 - 2 * y)


class Tanh(Activation):
    """y = k tanh(alpha x), in (-k, k).

    LeCun et al. 1998, "Efficient BackProp", section 4.4, recommend k = 1.7159, alpha = 2/3.

    Args:
        k: the amplitude. Default 1.
        alpha: the slope inside; the derivative at 0 is k alpha. Default 1.
    """

    from_output = True

    def __init__(self, k: float = 1.0, alpha: float = 1.0) -> None:
        super().__init__()
        self.k = real("Tanh k", k, 0, above=True)
        self.alpha = real("Tanh alpha", alpha, 0, above=True)

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Return k tanh(alpha x)."""
        xp = ctx.xp
        xp.multiply(x, self.alpha, out=out)
        xp.tanh(out, out=out)
        return xp.multiply(out, self.k, out=out)

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Return dy (k - y²/k) alpha."""
        xp = ctx.xp
        slope = y * y
        xp.multiply(slope, -self.alpha / self.k, out=slope)
        xp.add(slope, self.k * self.alpha, out=slope)
        return xp.multiply(dy, slope, out=out)

    def curvature(self, x: Array, y: Array, ctx: Context) -> Array | None:
        """Return -2 alpha² y (1 - y²/k²)."""
        return (-2 * self.alpha**2) * y * (1 - y * y / self.k**2)


class CenteredSigmoid(Tanh):
    """The logistic function moved to (-1, 1): y = 2 / (1 + exp(-mu x)) - 1 = tanh(mu x / 2).

    Args:
        mu: the slope; the derivative at 0 is mu / 2. Default 1.
    """

    def __init__(self, mu: float = 1.0) -> None:
        super().__init__(alpha=real("CenteredSigmoid mu", mu, 0, above=True) / 2)


class LeakyReLU(Activation):
    """y = x where x > 0, slope x elsewhere (Maas, Hannun, Ng 2013).

    Args:
        slope: in [0, 1). Default 0.01; GAN discriminators commonly use 0.2.
    """

    from_output = True
    initializer = He()

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope: float = real("LeakyReLU slope", slope, 0, 1, below=True)

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Return max(x, slope x): the slope is below 1."""
        leaky_relu(ctx.backend, x, self.slope, out)
        return out

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Return dy, times the slope where y <= 0."""
        leaky_relu_gradient(ctx.backend, dy, y, self.slope, out)
        return out

    def curvature(self, x: Array, y: Array, ctx: Context) -> Array | None:
        """Return ``None``: zero almost everywhere."""
        return None


class ReLU(LeakyReLU):
    """y = max(x, 0); the derivative at 0 is taken as 0."""

    def __init__(self) -> None:
        super().__init__(0.0)


class ELU(Activation):
    """y = x where x > 0, alpha (exp(x) - 1) elsewhere (Clevert, Unterthiner, Hochreiter 2016).

    Args:
        alpha: minus the limit at -∞; positive. Default 1.
    """

    from_output = True
    initializer = He()

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = real("ELU alpha", alpha, 0, above=True)

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Return max(x, 0) + alpha (exp(min(x, 0)) - 1)."""
        xp = ctx.xp
        below = xp.minimum(x, 0)
        xp.expm1(below, out=below)
        xp.multiply(below, self.alpha, out=below)
        xp.maximum(x, 0, out=out)
        return xp.add(out, below, out=out)

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Return dy where y > 0, dy (y + alpha) elsewhere."""
        xp = ctx.xp
        slope = xp.where(y > 0, xp.ones_like(y), y + self.alpha)
        return xp.multiply(dy, slope, out=out)

    def curvature(self, x: Array, y: Array, ctx: Context) -> Array | None:
        """Return 0 where y > 0, y + alpha elsewhere."""
        return ctx.xp.where(y > 0, ctx.xp.zeros_like(y), y + self.alpha)


class SoftPlus(Activation):
    """y = log(1 + exp(x)), a smooth ReLU (Dugas et al. 2001)."""

    from_output = True
    initializer = He()

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Return log(1 + exp(x))."""
        return stable.softplus(ctx.xp, x, out)

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Return dy (1 - exp(-y)): the derivative is sigmoid(x)."""
        xp = ctx.xp
        slope = xp.negative(y)
        xp.expm1(slope, out=slope)
        xp.negative(slope, out=slope)
        return xp.multiply(dy, slope, out=out)

    def curvature(self, x: Array, y: Array, ctx: Context) -> Array | None:
        """Return s (1 - s), s = 1 - exp(-y) being the sigmoid of x."""
        rest = ctx.xp.exp(-y)
        return (1 - rest) * rest


class Softmax(Activation):
    """y_j = exp(x_j) / Σ_k exp(x_k) along the features: each row is a distribution."""

    from_output = True

    def function(self, x: Array, out: Array, ctx: Context) -> Array:
        """Return the distributions."""
        return stable.softmax(ctx.xp, x, out)

    def gradient(self, dy: Array, x: Array, y: Array, out: Array, ctx: Context) -> Array:
        """Return y (dy - Σ_k dy_k y_k)."""
        xp = ctx.xp
        inner = (dy * y).sum(axis=1, keepdims=True)
        xp.subtract(dy, inner, out=out)
        return xp.multiply(out, y, out=out)
