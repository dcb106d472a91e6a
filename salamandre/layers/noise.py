"""Gaussian noise on the outputs of a layer."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.checks import real
from salamandre.layer import Linear, Shape
from salamandre.passes import Context


class GaussianNoise(Linear):
    """y = x + std n, or y = x (1 + std n), with n of N(0, 1) for each element.

    The noise of a generator may be concatenated with the inputs of a layer
    (``NeuronLayer(noise=32)``), added to its outputs, or multiplied with them (Goodfellow et al.
    2014, section 3, let z be an input of any layer). While training only, the multiplied one is
    Gaussian dropout (Srivastava et al. 2014, section 10). Any shape (N, ...).

    Args:
        std: the standard deviation of the noise. Default 0.1.
        multiplied: multiply with 1 + noise instead of adding noise. Default False.
        always: also without training, as a generator needs it; ``predict`` draws it from its
            seed. Default True.
    """

    def __init__(self, std: float = 0.1, multiplied: bool = False, always: bool = True) -> None:
        super().__init__()
        self.std = real("GaussianNoise std", std, 0)
        self.multiplied, self.always = bool(multiplied), bool(always)

    def build(self, input_shape: Shape) -> Shape:
        """Keep the shape."""
        return input_shape

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return x with noise, or x when there is none."""
        ctx.factor = None
        if not (ctx.training or self.always):
            return x
        noise = self.std * ctx.random.normal(x.shape, ctx.dtype)
        if not self.multiplied:
            return x + noise
        ctx.factor = 1 + noise
        return self.apply(x, ctx)

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return x times its factors; added noise stays where it is."""
        if ctx.factor is None:
            return x
        return ctx.xp.multiply(x, ctx.factor, out=ctx.buffer_like(name, x))

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return dy times the factors."""
        return self.apply(dy, ctx, name)
