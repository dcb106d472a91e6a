"""Dropout."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.backend.operations.layout import channels_last
from salamandre.checks import real
from salamandre.layer import Linear, Shape
from salamandre.layers.shape import require_images
from salamandre.passes import Context


class Dropout(Linear):
    """While training, y = x m / (1 - rate), where each m is 0 with probability ``rate``, else 1.

    The division keeps the expected value, so that without training y = x (Srivastava et al. 2014,
    section 10, in its "inverted" form). Any shape (N, ...).

    Args:
        rate: the share of elements set to 0, in [0, 1). Default 0.5.
        channels: one m for each channel (N, C, H, W): neighbouring pixels say much the same, so
            that single ones are not missed (Tompson et al. 2015, section 3.2). Default False.
        always: drop without training too, as the noise of a generator that has no other (Isola et
            al. 2017, section 3.2). ``predict`` draws it from its seed. Default False.
    """

    renamed = {"maps": "channels"}

    def __init__(self, rate: float = 0.5, channels: bool = False, always: bool = False) -> None:
        super().__init__()
        self.rate = real("Dropout rate", rate, 0, 1, below=True)
        self.channels, self.always = bool(channels), bool(always)

    def build(self, input_shape: Shape) -> Shape:
        """Keep the shape."""
        if self.channels:
            require_images("Dropout of channels", input_shape)
        return input_shape

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return x m / (1 - rate), or x when it does not drop."""
        ctx.mask = None
        if (ctx.training or self.always) and self.rate:
            if self.channels:
                ctx.mask = drawn = ctx.buffer("mask", (*x.shape[:2], 1, 1))
            else:
                ctx.mask = ctx.buffer_like("mask", x)
                drawn = _in_memory_order(ctx.mask)
            drawn[...] = ctx.random.uniform(drawn.shape, ctx.dtype) >= self.rate
            ctx.mask *= 1 / (1 - self.rate)
        return self.apply(x, ctx)

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return x m / (1 - rate)."""
        if ctx.mask is None:
            return x
        return ctx.xp.multiply(x, ctx.mask, out=ctx.buffer_like(name, x))

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return dy m / (1 - rate)."""
        return self.apply(dy, ctx, name)


def _in_memory_order(x: Array) -> Array:
    """Return x with its axes in the order of memory."""
    if x.flags.c_contiguous:
        return x
    return channels_last(x) if x.ndim == 4 else x.T
