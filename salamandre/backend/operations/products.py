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

Array = Any
Pair = tuple[int, int]
Shape = tuple[int, ...]

# Bytes that the columns or tiles of one block of images take at most, if one image's or those that
# wide layers need do not take more: enough for efficient products, few enough to stay in the cache
# until they are used.
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

    def _blocks(self, ctx: Any, count: int, numbers: int, least: int = 0) -> list[slice]:
        """Cut a batch evenly so that blocks of images of so many numbers stay within BLOCK.

        But for rounding, a block has at least ``least`` images, if that makes it larger.
        """
        most = max(1, least, BLOCK // (numbers * ctx.dtype.itemsize))
        size = -(-count // -(-count // most))
        return [slice(start, min(start + size, count)) for start in range(0, count, size)]

    def _rows(self, outputs: Array) -> Array:
        return outputs.reshape(-1, self.outputs)


def finish(ctx: Any, block: Array, bias: Array | None, slope: float) -> None:
    """Add the bias to a block of results (..., C), then rectify it."""
    if bias is not None:
        add_bias(ctx.backend, block.reshape(-1, len(bias)), bias, slope)
