"""The three products of images, windows and weights that a convolution and its transpose share.

The image (N, H, W, C) is seen through a window at places (N, Ho, Wo, P); the weights are
(P, kh, kw, C). ``shrink`` finds the places from the image, ``spread`` the image from the places
(its adjoint), ``write_d_weights`` the gradient of the weights from both. All arrays are contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from salamandre.backend import Array
from salamandre.backend.operations.tiles import contract, expand, image_to_tiles, tiles_to_image
from salamandre.backend.operations.windows import col2im, im2col
from salamandre.layer import Layer, Shape
from salamandre.layers.window import Window

Finish = Callable[[Array], Any]  # what is done to a block of results while they are in the cache

# Bytes that the columns or tiles of one block of images take at most, if one image's do not take
# more: enough for efficient products, few enough to stay in the cache until they are used.
BLOCK = 8 * 2**20


class Products:
    """Base: of one window over one size of image, with the memory of ``layer``."""

    def __init__(self, layer: Layer, window: Window, image: Shape, places: Shape) -> None:
        self.layer, self.window = layer, window
        self.maps, self.places = image[0], places[0]
        self.size, self.outputs = image[1:], places[1:]
        self.inputs = math.prod(window.kernel) * self.maps  # that a place sees

    def prepare(self, weights: Array) -> None:
        """Take the weights that the next products are made with."""
        self.weights = weights.reshape(self.places, self.inputs)

    def shrink(self, image: Array, places: Array, finish: Finish) -> None:
        """Write the product of what each place sees and the weights."""
        raise NotImplementedError

    def spread(self, places: Array, image: Array, finish: Finish) -> None:
        """Write the sum of what each place adds to the pixels that it sees."""
        raise NotImplementedError

    def write_d_weights(self, image: Array, places: Array, out: Array, add: bool) -> None:
        """Write the gradient of the weights, or add it to what is there."""
        raise NotImplementedError

    def blocks(self, count: int, numbers: int) -> list[slice]:
        """Cut a batch evenly so that blocks of images of so many numbers stay within BLOCK."""
        most = max(1, BLOCK // (numbers * self.layer.dtype.itemsize))
        size = -(-count // -(-count // most))
        return [slice(start, min(start + size, count)) for start in range(0, count, size)]


class WholeProducts(Products):
    """For windows of one pixel or of the whole image: the image's memory is the matrix."""

    def shrink(self, image: Array, places: Array, finish: Finish) -> None:
        """Places = image weightsᵀ."""
        rows = places.reshape(-1, self.places)
        self.layer.xp.dot(image.reshape(-1, self.inputs), self.weights.T, out=rows)
        finish(places)

    def spread(self, places: Array, image: Array, finish: Finish) -> None:
        """Image = places weights."""
        rows = places.reshape(-1, self.places)
        self.layer.xp.dot(rows, self.weights, out=image.reshape(-1, self.inputs))
        finish(image)

    def write_d_weights(self, image: Array, places: Array, out: Array, add: bool) -> None:
        """Out = placesᵀ image."""
        found = self.layer.workspace("d_weights", self.weights.shape) if add else out
        matrix = found.reshape(self.places, self.inputs)
        rows = places.reshape(-1, self.places)
        self.layer.xp.dot(rows.T, image.reshape(-1, self.inputs), out=matrix)
        if add:
            out += found.reshape(out.shape)


class ColumnProducts(Products):
    """For all windows: the matrix of columns holds what each place sees (im2col)."""

    _seen: Array = None  # the image whose columns are kept

    def prepare(self, weights: Array) -> None:
        """Take the weights, and forget the columns of the batch before."""
        super().prepare(weights)
        self._seen = None

    def shrink(self, image: Array, places: Array, finish: Finish) -> None:
        """Places = columns weightsᵀ."""
        for block in self._blocks(image):
            rows = places[block].reshape(-1, self.places)
            self.layer.xp.dot(self._columns(image, block), self.weights.T, out=rows)
            finish(places[block])

    def spread(self, places: Array, image: Array, finish: Finish) -> None:
        """Columns = places weights; each pixel sums its own."""
        for block in self._blocks(image):
            rows, part = places[block].reshape(-1, self.places), image[block]
            columns = self._space(len(part))
            self.layer.xp.dot(rows, self.weights, out=columns.reshape(-1, self.inputs))
            col2im(self.layer.backend, columns, part, self.window.stride, self.window.corner)
            finish(part)

    def write_d_weights(self, image: Array, places: Array, out: Array, add: bool) -> None:
        """Out = placesᵀ columns, summed over the blocks."""
        for block in self._blocks(image):
            rows, columns = places[block].reshape(-1, self.places), self._columns(image, block)
            found = self.layer.workspace("d_weights", out.shape) if add else out
            self.layer.xp.dot(rows.T, columns, out=found.reshape(self.places, self.inputs))
            if add:
                out += found
            add = True

    def _blocks(self, image: Array) -> list[slice]:
        return self.blocks(len(image), math.prod(self.outputs) * self.inputs)

    def _space(self, count: int) -> Array:
        shape = (count, *self.outputs, *self.window.kernel, self.maps)
        return self.layer.workspace("columns", shape)

    def _columns(self, image: Array, block: slice) -> Array:
        """Return the columns of a block; those of a small image are kept for the next product."""
        if image is not self._seen:
            part = image[block]
            columns = self._space(len(part))
            if self.inputs <= 2 * self.places and len(part) == len(image):
                self._seen = image
                columns = self._kept = self.layer.buffer("columns", columns.shape)
            im2col(self.layer.backend, part, columns, self.window.stride, self.window.corner)
        else:
            columns = self._kept
        return columns.reshape(-1, self.inputs)


class TileProducts(Products):
    """For windows of twice the stride: 9 products of tiles in place of 16 (Winograd 1980).

    The kernel :meth:`image_to_tiles` has the formula. DCGAN's 4 x 4 windows with stride 2 are such.
    """

    def __init__(self, layer: Layer, window: Window, image: Shape, places: Shape) -> None:
        super().__init__(layer, window, image, places)
        self.grid = ((places[1] + 1) // 2, (places[2] + 1) // 2)

    @staticmethod
    def pays(window: Window, image: Shape, places: Shape) -> bool:
        """Whether the tiles save more than they cost."""
        twice = window.kernel == (2 * window.stride[0], 2 * window.stride[1])
        tiles = ((places[1] + 1) // 2) * ((places[2] + 1) // 2)
        fewer = 9 * tiles < 0.85 * 4 * places[1] * places[2]
        return twice and fewer and min(image[0], places[0]) >= 16

    def prepare(self, weights: Array) -> None:
        """Expand the weights."""
        sh, sw = self.window.stride
        self._kernel = (self.places, 2, 2 * sh, sw * self.maps)
        shape = (9, self.places, 1, sh, sw * self.maps)
        expanded = self.layer.buffer("tiles of the weights", shape)
        expand(self.layer.backend, weights.reshape(self._kernel), expanded)
        self.weights = expanded.reshape(9, self.places, self.inputs // 4)

    def shrink(self, image: Array, places: Array, finish: Finish) -> None:
        """Contract (tiles of the image · tiles of the weights)."""
        backend, xp = self.layer.backend, self.layer.xp
        for block in self._blocks(image):
            seen, found = self._image_tiles(image[block]), self._space(len(places[block]))
            xp.matmul(seen, self.weights.transpose(0, 2, 1), out=self._matrices(found))
            contract(backend, found, places[block])
            finish(places[block])

    def spread(self, places: Array, image: Array, finish: Finish) -> None:
        """Do the adjoint: expand the places, multiply, sum the tiles of the image."""
        backend, xp, window = self.layer.backend, self.layer.xp, self.window
        for block in self._blocks(image):
            part = image[block]
            tiles = self._image_space(len(part))
            given = self._expanded(places[block])
            xp.matmul(given, self.weights, out=self._matrices(tiles))
            tiles_to_image(backend, tiles, part, window.stride, window.corner)
            finish(part)

    def write_d_weights(self, image: Array, places: Array, out: Array, add: bool) -> None:
        """Contract (tiles of the placesᵀ · tiles of the image), summed over the blocks."""
        layer = self.layer
        total = layer.workspace("d_weights", self.weights.shape)
        for block in self._blocks(image):
            given, seen = self._expanded(places[block]), self._image_tiles(image[block])
            if block.start == 0:
                layer.xp.matmul(given.transpose(0, 2, 1), seen, out=total)
            else:
                more = layer.workspace("more d_weights", total.shape)
                total += layer.xp.matmul(given.transpose(0, 2, 1), seen, out=more)
        sh, sw = self.window.stride
        found = total.reshape(9, self.places, 1, sh, sw * self.maps)
        if add:
            more = layer.workspace("more d_weights", self._kernel)
            contract(layer.backend, found, more)
            out += more.reshape(out.shape)
        else:
            contract(layer.backend, found, out.reshape(self._kernel))

    def _blocks(self, image: Array) -> list[slice]:
        numbers = 9 * math.prod(self.grid) * max(self.inputs // 4, self.places)
        return self.blocks(len(image), numbers)

    def _space(self, count: int) -> Array:
        return self.layer.workspace("tiles", (9, count, *self.grid, self.places))

    def _image_space(self, count: int) -> Array:
        sh, sw = self.window.stride
        return self.layer.workspace("columns", (9, count, *self.grid, sh, sw * self.maps))

    def _expanded(self, places: Array) -> Array:
        tiles = self._space(len(places))
        expand(self.layer.backend, places, tiles)
        return self._matrices(tiles)

    def _image_tiles(self, image: Array) -> Array:
        tiles = self._image_space(len(image))
        image_to_tiles(self.layer.backend, image, tiles, self.window.stride, self.window.corner)
        return self._matrices(tiles)

    def _matrices(self, tiles: Array) -> Array:
        """Return tiles (9, N, Th, Tw, ...) as 9 matrices."""
        rows = math.prod(tiles.shape[1:4])
        return tiles.reshape(9, rows, -1)


def products(layer: Layer, window: Window, image: Shape, places: Shape) -> Products:
    """Return the fastest kind for a window over images (C, H, W) with places (P, Ho, Wo)."""
    if window.is_whole(image[1:]):
        return WholeProducts(layer, window, image, places)
    if TileProducts.pays(window, image, places):
        return TileProducts(layer, window, image, places)
    return ColumnProducts(layer, window, image, places)
