"""Differentiable augmentation, for discriminators that learn from few images."""

from __future__ import annotations

from typing import NamedTuple

from salamandre.backend import Array
from salamandre.backend.operations.layout import channels_first, channels_last
from salamandre.checks import real
from salamandre.layer import Linear, Shape
from salamandre.layers.shape import require_images
from salamandre.passes import Context


class _Drawn(NamedTuple):
    """What was drawn for a batch of images (N, H, W, C), each number as (N, 1, 1, 1)."""

    brightness: Array  # added to all elements
    saturation: Array  # factor of the distance to the pixel's mean
    contrast: Array  # factor of the distance to the image's mean
    down: Array  # pixels
    right: Array
    hole: Array  # (N, H, W, 1), 0 inside


class Augmentation(Linear):
    """While training, y is x in other colours, shifted, and with a hole; else y = x.

    The first layer of a discriminator, before ``LabelMap`` and ``Packing``, whose channels are not
    the colours of one image: real and fake images are then augmented in its own step, and
    fakes in the generator's, whose gradient goes back through the augmentation. So the
    discriminator cannot learn few training images by heart, and the generator does not learn to
    draw augmented ones (Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN
    training", section 3.3; what is drawn is as in appendix A, and anew for each image).

    Shapes: x and y (N, C, H, W), with values around 0, as in -1..1. Pixels from outside and in the
    hole are 0.

    Args:
        colour: add a brightness in -0.5..0.5, multiply the saturation by 0..2 and the contrast by
            0.5..1.5. Default True; False for examples of condition and picture.
        translation: the largest shift, as a share of height and width. Default 0.125.
        cutout: height and width of the hole, as a share of the image's; part of it may be outside.
            Default 0.5; 0: none.
    """

    def __init__(
        self, colour: bool = True, translation: float = 0.125, cutout: float = 0.5
    ) -> None:
        super().__init__()
        self.colour = bool(colour)
        self.translation = real("Augmentation translation", translation, 0, 1)
        self.cutout = real("Augmentation cutout", cutout, 0, 1)

    def build(self, input_shape: Shape) -> Shape:
        """Keep the shape."""
        require_images("Augmentation", input_shape)
        self._size = input_shape[1:]
        return input_shape

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return x augmented, if the pass is training."""
        ctx.drawn = self._draw(len(x), ctx) if ctx.training else None
        return self.apply(x, ctx, brightness=True)

    def apply(self, x: Array, ctx: Context, name: str = "y", brightness: bool = False) -> Array:
        """Return A x, or A (x + brightness): hole, shift, contrast and saturation."""
        if ctx.drawn is None:
            return x
        images = self._coloured(channels_last(x), ctx.drawn)
        if brightness and self.colour:
            images = images + ctx.drawn.brightness
        images = self._moved(images, ctx.drawn.down, ctx.drawn.right, ctx)
        return channels_first(images * ctx.drawn.hole)

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return Aᵀ dy: the same from last to first, shifted back; colours are symmetric."""
        if ctx.drawn is None:
            return dy
        images = channels_last(dy) * ctx.drawn.hole
        images = self._moved(images, -ctx.drawn.down, -ctx.drawn.right, ctx)
        return channels_first(self._coloured(images, ctx.drawn))

    def _draw(self, count: int, ctx: Context) -> _Drawn:
        """Draw for so many images."""
        xp = ctx.xp

        def uniform() -> Array:
            return ctx.random.uniform((count, 1, 1, 1), ctx.dtype)

        def whole(least: int, most: int) -> Array:
            return (uniform() * (most - least + 1)).astype("int64") + least

        shift, saturation, contrast = uniform() - 0.5, 2 * uniform(), uniform() + 0.5
        most = [int(self.translation * length + 0.5) for length in self._size]
        down, right = (whole(-most[axis], most[axis]) for axis in (0, 1))
        sides = []
        for length in self._size:
            side = int(self.cutout * length + 0.5)
            first = whole(0, length - side % 2) - side // 2
            pixels = xp.arange(length).reshape(1, 1, 1, length)
            sides.append((pixels >= first) & (pixels < first + side))
        hole = sides[0].reshape(count, -1, 1, 1) & sides[1].reshape(count, 1, -1, 1)
        return _Drawn(shift, saturation, contrast, down, right, 1 - hole.astype(ctx.dtype))

    def _coloured(self, images: Array, drawn: _Drawn) -> Array:
        """Return images (N, H, W, C) with another saturation and contrast; linear, symmetric."""
        if not self.colour:
            return images
        grey = images.mean(axis=3, keepdims=True)
        images = grey + drawn.saturation * (images - grey)
        mean = grey.mean(axis=(1, 2), keepdims=True)  # which the saturation leaves alone
        return mean + drawn.contrast * (images - mean)

    def _moved(self, images: Array, down: Array, right: Array, ctx: Context) -> Array:
        """Return images (N, H, W, C) shifted, with zeros from outside."""
        if not self.translation:
            return images
        xp, count, (height, width) = ctx.xp, len(images), self._size
        rows = xp.arange(height).reshape(1, height, 1) - down.reshape(count, 1, 1)
        columns = xp.arange(width).reshape(1, 1, width) - right.reshape(count, 1, 1)
        known = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        number = xp.arange(count).reshape(count, 1, 1)
        moved = images[number, xp.clip(rows, 0, height - 1), xp.clip(columns, 0, width - 1)]
        return moved * known.reshape(count, height, width, 1)
