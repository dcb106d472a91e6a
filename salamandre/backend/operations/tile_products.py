"""The products of a convolution by tiles: fewer products, of sums of pixels."""

from __future__ import annotations

import math
from typing import Any

from salamandre.backend.operations.products import Array, Pair, Products, Shape, finish
from salamandre.backend.operations.tiles import contract, expand, image_to_tiles, tiles_to_image
from salamandre.backend.operations.winograd import WINDOWS, image_to_winograd, winograd_to_image


class TileProducts(Products):
    """For windows of twice the stride: 9 products of tiles in place of 16 (Winograd 1980).

    The operation :func:`image_to_tiles` has the formula. DCGAN's 4 x 4 windows with stride 2 are
    such.
    """

    #: Output positions of a batch from which on it pays to transform the weights.
    least = 128

    def __init__(
        self, kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape
    ) -> None:
        super().__init__(kernel, stride, padding, image, outputs)
        self.grid = _grid(outputs[1:], 2)
        self._run = stride[1] * image[0]

    @staticmethod
    def pays(kernel: Pair, stride: Pair, image: Shape, outputs: Shape) -> bool:
        """Whether the tiles save more than they cost."""
        twice = kernel == (2 * stride[0], 2 * stride[1])
        fewer = 9 * math.prod(_grid(outputs[1:], 2)) < 0.85 * 4 * outputs[1] * outputs[2]
        return twice and fewer and min(image[0], outputs[0]) >= 16

    def prepare(self, ctx: Any, weights: Array) -> None:
        """Expand the weights."""
        ctx.tiled = {}
        expanded = ctx.buffer("expanded", (9, self.outputs, 1, self.stride[0], self._run))
        expand(ctx.backend, weights.transpose(0, 2, 3, 1).reshape(self._kernel()), expanded)
        ctx.matrix = expanded.reshape(9, self.outputs, self.inputs // 4)

    def correlate(
        self, ctx: Any, image: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Contract (tiles of the image · tiles of the weights)."""
        for block in self._image_blocks(ctx, image):
            seen, found = self._image_tiles(ctx, image, block), self._space(ctx, image[block])
            ctx.xp.matmul(seen, ctx.matrix.transpose(0, 2, 1), out=_rows(found))
            contract(ctx.backend, found, out[block])
            finish(ctx, out[block], bias, slope)

    def transpose(
        self, ctx: Any, outputs: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Do the adjoint: expand the outputs, multiply, sum the tiles of the image."""
        for block in self._image_blocks(ctx, out):
            part = out[block]
            given = self._expanded(ctx, outputs, block)
            shape = self._image_shape(len(part))
            tiles = ctx.backend.workspace("columns", shape, ctx.dtype)
            ctx.xp.matmul(given, ctx.matrix, out=_rows(tiles))
            tiles_to_image(ctx.backend, tiles, part, self.stride, self.padding)
            finish(ctx, part, bias, slope)

    def weight_gradient(
        self, ctx: Any, image: Array, outputs: Array, out: Array, add: bool = False
    ) -> None:
        """Contract (tiles of the outputsᵀ · tiles of the image), summed over the blocks."""
        space, xp = ctx.backend.workspace, ctx.xp
        out = out.transpose(0, 2, 3, 1)
        total = space("d_weights", (9, self.outputs, self.inputs // 4), ctx.dtype)
        # From the last block, of which the tiles may be there, to the first, which is needed next.
        last, *blocks = reversed(self._image_blocks(ctx, image))
        for block in (last, *blocks):
            given = self._expanded(ctx, outputs, block).transpose(0, 2, 1)
            seen = self._image_tiles(ctx, image, block)
            if block is last:
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
        return ctx.backend.workspace("tiles", self._shape(len(like)), ctx.dtype)

    def _shape(self, count: int) -> Shape:
        """Return the shape of the tiles of outputs."""
        return (9, count, *self.grid, self.outputs)

    def _image_shape(self, count: int) -> Shape:
        """Return the shape of the tiles of images."""
        return (9, count, *self.grid, self.stride[0], self._run)

    def _expanded(self, ctx: Any, outputs: Array, block: slice) -> Array:
        def make(tiles: Array) -> None:
            expand(ctx.backend, outputs[block], tiles)

        shape = self._shape(len(outputs[block]))
        return _rows(ctx.backend.made_of(outputs, block, "tiles", shape, make, ctx.tiled))

    def _image_tiles(self, ctx: Any, image: Array, block: slice) -> Array:
        def make(tiles: Array) -> None:
            image_to_tiles(ctx.backend, image[block], tiles, self.stride, self.padding)

        shape = self._image_shape(len(image[block]))
        return _rows(ctx.backend.made_of(image, block, "columns", shape, make, ctx.tiled))


class WinogradProducts(Products):
    """For windows of 3 x 3 or 4 x 4 at stride 1 in compiled code: 36 products of tiles for 144.

    The module :mod:`salamandre.backend.operations.winograd` has the formulas. What ``transpose``
    writes is what the turned windows find in the outputs.
    """

    least = 512  # as above

    def __init__(
        self, kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape
    ) -> None:
        super().__init__(kernel, stride, padding, image, outputs)
        self._size = kernel[0]
        self._step = 7 - kernel[0]  # outputs of a tile, in each direction

    @staticmethod
    def pays(kernel: Pair, stride: Pair, padding: Pair, image: Shape, outputs: Shape) -> bool:
        """Whether the tiles save more than they cost."""
        size = kernel[0]
        if kernel not in ((3, 3), (4, 4)) or stride != (1, 1) or max(padding) >= size:
            return False
        tiles, windows = math.prod(_grid(outputs[1:], 7 - size)), outputs[1] * outputs[2]
        return 36 * tiles < 0.75 * size**2 * windows and min(image[0], outputs[0]) >= 16

    def correlate(
        self, ctx: Any, image: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Transform (transformed weights · transformed image) back."""
        matrix = WINDOWS[self._size]
        self._convolve(ctx, image, matrix, (1, 2, 0), self.padding, out, bias, slope)

    def transpose(
        self, ctx: Any, outputs: Array, out: Array, bias: Array | None = None, slope: float = 1.0
    ) -> None:
        """Do the same with the outputs and the turned weights."""
        last, turned = self._size - 1, WINDOWS[self._size][:, ::-1]
        padding = (last - self.padding[0], last - self.padding[1])
        self._convolve(ctx, outputs, turned, (1, 0, 2), padding, out, bias, slope)

    def weight_gradient(
        self, ctx: Any, image: Array, outputs: Array, out: Array, add: bool = False
    ) -> None:
        """Transform (transformed outputsᵀ · transformed image) back, summed over the blocks."""
        space, xp, step = ctx.backend.workspace, ctx.xp, self._step
        total = space("d_weights", (36, self.outputs, self.channels), ctx.dtype)
        for block in self._cut(ctx, outputs):
            seen = self._tiles(ctx, "columns", image[block], outputs)
            image_to_winograd(ctx.backend, image[block], seen, 6, step, self.padding)
            given = self._tiles(ctx, "tiles", outputs[block], outputs)
            image_to_winograd(ctx.backend, outputs[block], given, step, step, (0, 0))
            rows, columns = _rows(given).transpose(0, 2, 1), _rows(seen)
            if block.start == 0:
                xp.matmul(rows, columns, out=total)
            else:
                total += xp.matmul(rows, columns, out=space("more", total.shape, ctx.dtype))
        matrix = WINDOWS[self._size].T
        found = space("more", (len(matrix), self.outputs, self.channels), ctx.dtype)
        xp.dot(matrix, total.reshape(36, -1), out=found.reshape(len(matrix), -1))
        out = out.transpose(2, 3, 0, 1)
        found = found.reshape(out.shape)
        if add:
            out += found
        else:
            out[...] = found

    def _convolve(
        self,
        ctx: Any,
        x: Array,
        matrix: Array,
        order: tuple[int, int, int],
        padding: Pair,
        out: Array,
        bias: Array | None,
        slope: float,
    ) -> None:
        """Write what windows see in x, the weights transformed by a matrix.

        ``order`` brings the axes of the weights (P, kh kw, C) to (kh kw, channels of x, of out).
        """
        space, pixels = ctx.backend.workspace, matrix.shape[1]
        windows = ctx.matrix.reshape(self.outputs, pixels, self.channels).transpose(order)
        copied = space("windows", windows.shape, ctx.dtype)
        copied[...] = windows
        weights = space("weights", (36, *windows.shape[1:]), ctx.dtype)
        ctx.xp.dot(matrix, copied.reshape(pixels, -1), out=weights.reshape(36, -1))
        for block in self._cut(ctx, out):
            seen = self._tiles(ctx, "columns", x[block], out)
            image_to_winograd(ctx.backend, x[block], seen, 6, self._step, padding)
            found = self._tiles(ctx, "tiles", out[block], out)
            ctx.xp.matmul(_rows(seen), weights, out=_rows(found))
            winograd_to_image(ctx.backend, found, out[block], self._step)
            finish(ctx, out[block], bias, slope)

    def _cut(self, ctx: Any, out: Array) -> list[slice]:
        """Cut a batch so that a block's tiles stay in the second level of the cache, or near.

        Between wide layers the weights do not: a block has so many tiles that reading these, and
        adding to their gradient, is less work than the products.
        """
        tiles, wide = math.prod(_grid(out.shape[1:3], self._step)), max(self.channels, self.outputs)
        return self._blocks(ctx, len(out), 8 * 36 * tiles * wide, min(512, 2 * wide) // tiles)

    def _tiles(self, ctx: Any, name: str, x: Array, out: Array) -> Array:
        """Return memory for the tiles of images x that belong to the pixels of ``out``."""
        shape = (36, len(x), *_grid(out.shape[1:3], self._step), x.shape[3])
        return ctx.backend.workspace(name, shape, ctx.dtype)


def _grid(size: Shape, step: int) -> Pair:
    """Return how many tiles of step x step output positions there are."""
    return -(-size[0] // step), -(-size[1] // step)


def _rows(tiles: Array) -> Array:
    """Return tiles (9 or 36, N, Th, Tw, ...) as so many matrices."""
    return tiles.reshape(len(tiles), math.prod(tiles.shape[1:4]), -1)
