"""The three products of images, windows and weights that a convolution and its transpose share.

An image (N, H, W, C) is seen through a window from output positions (N, Ho, Wo, P), with weights
(P, kh, kw, C). ``correlate`` finds the outputs from the image, ``transpose`` the image from the
outputs (its adjoint), ``weight_gradient`` the gradient of the weights from both. All arrays are
contiguous; what a product keeps for the next one is in the context of the pass.
"""

from __future__ import annotations

import math
from typing import Any

from salamandre.backend.operations.rectifier import add_bias
from salamandre.backend.operations.tiles import contract, expand, image_to_tiles, tiles_to_image
from salamandre.backend.operations.windows import col2im, im2col

Array = Any
Pair = tuple[int, int]
Shape = tuple[int, ...]

# Bytes that the columns or tiles of one block of images take at most, if one image's do not take
# more: enough for efficient products, few enough to stay in the cache until they are used.
BLOCK = 8 * 2**20


class Products:
    """Base: of a window of ``kernel`` pixels, moved by ``stride``, over images in zero padding.

    Args:
        kernel, stride, padding: pairs (vertical, horizontal); the padding is (top, left).
        image: shape (C, H, W).
        outputs: shape (P, Ho, Wo).
    """

    def __init__(
        self, kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape
    ) -> None:
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.channels, self.size = image[0], image[1:]
        self.outputs, self.positions = outputs[0], outputs[1:]
        self.inputs = math.prod(kernel) * self.channels  # that an output position sees

    def prepare(self, ctx: Any, weights: Array) -> None:
        """Take the weights (P, C, kh, kw) that the next products of the pass are made with."""
        ctx.matrix = weights.transpose(0, 2, 3, 1).reshape(self.outputs, self.inputs)

    def correlate(
        self, ctx: Any, image: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Write the products of what each output position sees and the weights.

        The bias is added, and what is below zero multiplied by ``slope``, while a block of them
        is in the cache.
        """
        raise NotImplementedError

    def transpose(
        self, ctx: Any, outputs: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Write the sum of what each output position adds to the pixels that it sees."""
        raise NotImplementedError

    def weight_gradient(
        self, ctx: Any, image: Array, outputs: Array, out: Array, add: bool = False
    ) -> None:
        """Write the gradient of the weights (P, C, kh, kw), or add it to what is there."""
        raise NotImplementedError

    def _image_blocks(self, ctx: Any, image: Array) -> list[slice]:
        """Cut a batch so that what the output positions see, and what they become, stay small."""
        numbers = math.prod(self.positions) * max(self.inputs, self.outputs)
        return self._blocks(ctx, len(image), numbers)

    def _blocks(self, ctx: Any, count: int, numbers: int) -> list[slice]:
        """Cut a batch evenly so that blocks of images of so many numbers stay within BLOCK."""
        most = max(1, BLOCK // (numbers * ctx.dtype.itemsize))
        size = -(-count // -(-count // most))
        return [slice(start, min(start + size, count)) for start in range(0, count, size)]

    def _rows(self, outputs: Array) -> Array:
        return outputs.reshape(-1, self.outputs)


def finish(ctx: Any, block: Array, bias: Array | None, slope: float) -> None:
    """Add the bias to a block of results (..., C), then rectify it."""
    if bias is not None:
        add_bias(ctx.backend, block.reshape(-1, len(bias)), bias, slope)


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


class TileProducts(Products):
    """For windows of twice the stride: 9 products of tiles in place of 16 (Winograd 1980).

    The operation :func:`image_to_tiles` has the formula. DCGAN's 4 x 4 windows with stride 2 are
    such.
    """

    def __init__(
        self, kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape
    ) -> None:
        super().__init__(kernel, stride, padding, image, outputs)
        self.grid = _grid(outputs)
        self._run = stride[1] * image[0]

    @staticmethod
    def pays(kernel: Pair, stride: Pair, image: Shape, outputs: Shape) -> bool:
        """Whether the tiles save more than they cost."""
        twice = kernel == (2 * stride[0], 2 * stride[1])
        fewer = 9 * math.prod(_grid(outputs)) < 0.85 * 4 * outputs[1] * outputs[2]
        return twice and fewer and min(image[0], outputs[0]) >= 16

    def prepare(self, ctx: Any, weights: Array) -> None:
        """Expand the weights."""
        expanded = ctx.buffer("expanded", (9, self.outputs, 1, self.stride[0], self._run))
        expand(ctx.backend, weights.transpose(0, 2, 3, 1).reshape(self._kernel()), expanded)
        ctx.matrix = expanded.reshape(9, self.outputs, self.inputs // 4)

    def correlate(
        self, ctx: Any, image: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Contract (tiles of the image · tiles of the weights)."""
        for block in self._image_blocks(ctx, image):
            seen, found = self._image_tiles(ctx, image[block]), self._space(ctx, image[block])
            ctx.xp.matmul(seen, ctx.matrix.transpose(0, 2, 1), out=_matrices(found))
            contract(ctx.backend, found, out[block])
            finish(ctx, out[block], bias, slope)

    def transpose(
        self, ctx: Any, outputs: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Do the adjoint: expand the outputs, multiply, sum the tiles of the image."""
        for block in self._image_blocks(ctx, out):
            part = out[block]
            tiles = self._image_space(ctx, part)
            given = self._expanded(ctx, outputs[block])
            ctx.xp.matmul(given, ctx.matrix, out=_matrices(tiles))
            tiles_to_image(ctx.backend, tiles, part, self.stride, self.padding)
            finish(ctx, part, bias, slope)

    def weight_gradient(
        self, ctx: Any, image: Array, outputs: Array, out: Array, add: bool = False
    ) -> None:
        """Contract (tiles of the outputsᵀ · tiles of the image), summed over the blocks."""
        space, xp = ctx.backend.workspace, ctx.xp
        out = out.transpose(0, 2, 3, 1)
        total = space("d_weights", (9, self.outputs, self.inputs // 4), ctx.dtype)
        for block in self._image_blocks(ctx, image):
            given = self._expanded(ctx, outputs[block]).transpose(0, 2, 1)
            seen = self._image_tiles(ctx, image[block])
            if block.start == 0:
                xp.matmul(given, seen, out=total)
            else:
                total += xp.matmul(given, seen, out=space("more", total.shape, ctx.dtype))
        tiles = total.reshape(9, self.outputs, 1, self.stride[0], self._run)
        if add:
            more = space("more", self._kernel(), ctx.dtype)
            contract(ctx.backend, tiles, more)
            out += more.reshape(out.shape)
        else:
            contract(ctx.backend, tiles, out.reshape(self._kernel()))

    def _kernel(self) -> Shape:
        """Return the shape of the weights as images of 2 x 2 pixels that are windows of strides."""
        return (self.outputs, 2, 2 * self.stride[0], self._run)

    def _image_blocks(self, ctx: Any, image: Array) -> list[slice]:
        numbers = 9 * math.prod(self.grid) * max(self.inputs // 4, self.outputs)
        return self._blocks(ctx, len(image), numbers)

    def _space(self, ctx: Any, like: Array) -> Array:
        return ctx.backend.workspace("tiles", (9, len(like), *self.grid, self.outputs), ctx.dtype)

    def _image_space(self, ctx: Any, like: Array) -> Array:
        shape = (9, len(like), *self.grid, self.stride[0], self._run)
        return ctx.backend.workspace("columns", shape, ctx.dtype)

    def _expanded(self, ctx: Any, outputs: Array) -> Array:
        tiles = self._space(ctx, outputs)
        expand(ctx.backend, outputs, tiles)
        return _matrices(tiles)

    def _image_tiles(self, ctx: Any, image: Array) -> Array:
        tiles = self._image_space(ctx, image)
        image_to_tiles(ctx.backend, image, tiles, self.stride, self.padding)
        return _matrices(tiles)


def _grid(outputs: Shape) -> Pair:
    """Return how many tiles of 2 x 2 output positions there are."""
    return (outputs[1] + 1) // 2, (outputs[2] + 1) // 2


def _matrices(tiles: Array) -> Array:
    """Return tiles (9, N, Th, Tw, ...) as 9 matrices."""
    return tiles.reshape(9, math.prod(tiles.shape[1:4]), -1)


def products(kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape) -> Products:
    """Return the fastest kind for a window over images (C, H, W) and outputs (P, Ho, Wo)."""
    kind: type[Products] = ColumnProducts
    if padding == (0, 0) and WholeProducts.fits(kernel, stride, image, outputs):
        kind = WholeProducts
    elif TileProducts.pays(kernel, stride, image, outputs):
        kind = TileProducts
    return kind(kernel, stride, padding, image, outputs)
