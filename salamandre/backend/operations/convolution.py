"""The products of a convolution by columns, by tiles, or in place; which of them is the fastest."""

from __future__ import annotations

import functools
from typing import Any

from salamandre.backend.operations.products import Array, Pair, Products, Shape, finish
from salamandre.backend.operations.tile_products import TileProducts, WinogradProducts
from salamandre.backend.operations.windows import col2im, im2col


class WholeProducts(Products):
    """For windows of one pixel or of the whole image: the image's memory is the matrix."""

    @staticmethod
    def fits(kernel: Pair, stride: Pair, image: Shape, outputs: Shape) -> bool:
        """Whether every output position sees pixels that follow each other in memory."""
        one_pixel = kernel == stride == (1, 1) and outputs[1:] == image[1:]
        return one_pixel or (kernel == tuple(image[1:]) and outputs[1:] == (1, 1))

    def correlate(
        self, ctx: Any, image: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """out = image weightsᵀ."""
        for block in self._image_blocks(ctx, image):
            seen, found = image[block].reshape(-1, self.inputs), out[block]
            ctx.xp.dot(seen, ctx.matrix.T, out=self._rows(found))
            finish(ctx, found, bias, slope)

    def transpose(
        self, ctx: Any, outputs: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """out = outputs weights."""
        ctx.xp.dot(self._rows(outputs), ctx.matrix, out=out.reshape(-1, self.inputs))
        finish(ctx, out, bias, slope)

    def weight_gradient(
        self, ctx: Any, image: Array, outputs: Array, out: Array, add: bool = False
    ) -> None:
        """out = outputsᵀ image."""
        out = out.transpose(0, 2, 3, 1)
        found = ctx.backend.workspace("d_weights", out.shape, ctx.dtype) if add else out
        matrix = found.reshape(self.outputs, self.inputs)
        ctx.xp.dot(self._rows(outputs).T, image.reshape(-1, self.inputs), out=matrix)
        if add:
            out += found


class ColumnProducts(Products):
    """For all windows: the matrix of columns holds what each output position sees (im2col)."""

    def prepare(self, ctx: Any, weights: Array) -> None:
        """Take the weights, and forget the columns of the batch before."""
        super().prepare(ctx, weights)
        ctx.seen = None  # the image whose columns are kept

    def correlate(
        self, ctx: Any, image: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """out = columns weightsᵀ."""
        for block in self._image_blocks(ctx, image):
            ctx.xp.dot(self._columns(ctx, image, block), ctx.matrix.T, out=self._rows(out[block]))
            finish(ctx, out[block], bias, slope)

    def transpose(
        self, ctx: Any, outputs: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Columns = outputs weights; each pixel sums its own."""
        for block in self._image_blocks(ctx, out):
            part = out[block]
            columns = ctx.backend.workspace("columns", self._shape(len(part)), ctx.dtype)
            matrix = columns.reshape(-1, self.inputs)
            ctx.xp.dot(self._rows(outputs[block]), ctx.matrix, out=matrix)
            col2im(ctx.backend, columns, part, self.stride, self.padding)
            finish(ctx, part, bias, slope)

    def weight_gradient(
        self, ctx: Any, image: Array, outputs: Array, out: Array, add: bool = False
    ) -> None:
        """out = outputsᵀ columns, summed over the blocks."""
        out = out.transpose(0, 2, 3, 1)
        for block in self._image_blocks(ctx, image):
            columns = self._columns(ctx, image, block)
            found = ctx.backend.workspace("d_weights", out.shape, ctx.dtype) if add else out
            matrix = found.reshape(self.outputs, self.inputs)
            ctx.xp.dot(self._rows(outputs[block]).T, columns, out=matrix)
            if add:
                out += found
            add = True

    def _shape(self, count: int) -> Shape:
        return (count, *self.positions, *self.kernel, self.channels)

    def _columns(self, ctx: Any, image: Array, block: slice) -> Array:
        """Return the columns of a block; those of a small image are kept for the next product."""
        if image is not ctx.seen:
            part = image[block]
            shape = self._shape(len(part))
            if self.inputs <= 2 * self.outputs and len(part) == len(image):
                ctx.seen, ctx.columns = image, ctx.buffer("columns", shape)
                columns = ctx.columns
            else:
                columns = ctx.backend.workspace("columns", shape, ctx.dtype)
            im2col(ctx.backend, part, columns, self.stride, self.padding)
        else:
            columns = ctx.columns
        return columns.reshape(-1, self.inputs)


class TurnedProducts(ColumnProducts):
    """For stride 1 and few outputs: the same products seen from the outputs.

    What each output position sees is what each pixel adds to the outputs through turned windows:
    image and outputs change places, and the columns have the few channels of the outputs.
    """

    def __init__(
        self, kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape
    ) -> None:
        turned = (kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1])
        super().__init__(kernel, stride, turned, outputs, image)

    @staticmethod
    def pays(kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape) -> bool:
        """Whether the columns become smaller by half or more."""
        fits = stride == (1, 1) and padding[0] < kernel[0] and padding[1] < kernel[1]
        return fits and 2 * outputs[0] <= image[0]

    def prepare(self, ctx: Any, weights: Array) -> None:
        """Turn the weights."""
        super().prepare(ctx, _turned(weights))

    def correlate(
        self, ctx: Any, image: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Sum what the pixels add to the outputs."""
        super().transpose(ctx, image, out, bias, slope)

    def transpose(
        self, ctx: Any, outputs: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Find what the pixels see of the outputs."""
        super().correlate(ctx, outputs, out, bias, slope)

    def weight_gradient(
        self, ctx: Any, image: Array, outputs: Array, out: Array, add: bool = False
    ) -> None:
        """Turn the gradient of the turned weights."""
        shape = (self.outputs, *self.kernel, self.channels)
        found = ctx.backend.workspace("turned", shape, ctx.dtype).transpose(0, 3, 1, 2)
        super().weight_gradient(ctx, outputs, image, found)
        if add:
            out += _turned(found)
        else:
            out[...] = _turned(found)


def _turned(weights: Array) -> Array:
    """Return weights (P, C, kh, kw) turned by 180 degrees, (C, P, kh, kw)."""
    return weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)


def products(
    ctx: Any, count: int, kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape
) -> Products:
    """Return the fastest kind for a batch of ``count`` images; see :class:`Products`."""
    fast = ctx.backend.compiled and ctx.dtype.itemsize == 4
    positions = count * outputs[1] * outputs[2]
    tiled = tuple(kind for kind in (WinogradProducts, TileProducts) if positions >= kind.least)
    return _made(fast, tiled, kernel, stride, padding, image, outputs)


@functools.cache
def _made(
    fast: bool,
    tiled: tuple[type[Products], ...],
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    image: Shape,
    outputs: Shape,
) -> Products:
    """Return the same; compiled float32 code is ``fast``, ``tiled`` are worth the batch's size."""
    place = kernel, stride, padding, image, outputs
    kind: type[Products] = ColumnProducts
    if padding == (0, 0) and WholeProducts.fits(kernel, stride, image, outputs):
        kind = WholeProducts
    elif fast and WinogradProducts in tiled and WinogradProducts.pays(*place):
        kind = WinogradProducts
    elif fast and TurnedProducts.pays(*place):
        kind = TurnedProducts
    elif TileProducts in tiled and TileProducts.pays(kernel, stride, image, outputs):
        kind = TileProducts
    return kind(*place)
