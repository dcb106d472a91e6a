"""Players of games that make pictures from pictures (Isola et al. 2017, "pix2pix")."""

from __future__ import annotations

import math
from typing import Any

from salamandre.activations import LeakyReLU, ReLU, Tanh
from salamandre.initializers import Gaussian
from salamandre.layer import Layer, Shape
from salamandre.layers.containers import Parallel, Sequential, Skip
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.pooling import Upsample
from salamandre.layers.shape import Flatten, Reshape
from salamandre.texts import counted

START = Gaussian(0.02)  # of all weights (section 6.2)
FIELDS = {1: 0, 16: 1, 34: 2, 70: 3}  # receptive fields, and how often they halve the picture


def unet(size: Shape, outputs: int, channels: int = 64, skips: bool = True) -> list[Layer]:
    """Return the paper's generator, as deep as the size allows (section 6.1.1).

    Convolutions halve the picture as often as both sides are even, at most eight times, with
    ``channels`` channels, then twice, four and eight times as many; transposed ones double it
    again, at the two outermost levels enlarged pixels and windows of 3×3 (``twice_as_large``).
    Dropout in the three innermost of those, but not in the last two, is the generator's
    noise, also when pictures are generated; these are then normalised by running statistics, where
    the paper takes those of the test batch. Each level has a way past all that is inside it.

    Args:
        size: (H, W) of conditions and pictures.
        outputs: channels of the pictures, whose values are in -1..1.
        channels: of the outermost level. Default 64, the paper's.
        skips: False leaves the ways past out: the paper's encoder-decoder. Default True.

    Raises:
        ValueError: a size that cannot be halved until a side has at most four pixels.
    """
    require_halvings("the U-Net", size, max(1, math.ceil(math.log2(min(size) / 4))))
    depth = math.gcd(*size, 2**8).bit_length() - 1
    widths = [channels * min(8, 2**level) for level in range(depth)]
    inner: list[Layer] = []
    for level in range(depth - 1, 0, -1):
        down = ConvolutionalLayer(widths[level], 4, 2, 1, bias=False, initializer=START)
        norm = [BatchNorm()] if inner else []  # one pixel of each channel has nothing to normalise
        up = twice_as_large(widths[level - 1], level, bias=False)
        noise = [Dropout(0.5, always=True)] if depth - 4 <= level - 1 and level > 1 else []
        layers = [LeakyReLU(0.2), down, *norm, *inner, ReLU(), *up, BatchNorm(), *noise]
        inner = [Skip(layers) if skips else Sequential(layers)]
    first = ConvolutionalLayer(widths[0], 4, 2, 1, initializer=START)
    last = twice_as_large(outputs, 0, activation=Tanh())
    return [first, *inner, ReLU(), *last]


def twice_as_large(channels: int, level: int, **options: Any) -> list[Layer]:
    """Return layers that double a picture, without a grid of two or four pixels in the result.

    Neighbouring pixels come from different weights of a transposed convolution, which shows in wide
    areas; the two outermost levels therefore enlarge first (Odena, Dumoulin, Olah 2016).
    """
    if level > 1:
        return [TransposedConvolutionalLayer(channels, 4, 2, 1, initializer=START, **options)]
    return [Upsample(), ConvolutionalLayer(channels, 3, padding=1, initializer=START, **options)]


def encoder_decoder(size: Shape, outputs: int, channels: tuple[int, ...]) -> list[Layer]:
    """Return a small generator: windows of 3×3 that halve the picture, then double it again.

    Args:
        size: (H, W) of conditions and pictures.
        outputs: channels of the pictures, whose values are in -1..1.
        channels: of each halving; dropout after the last is the generator's noise.

    Raises:
        ValueError: a size that cannot be halved so often.
    """
    require_halvings("the encoder-decoder", size, len(channels))
    down = [ConvolutionalLayer(count, 3, 2, 1, activation=ReLU()) for count in channels]
    up = [
        TransposedConvolutionalLayer(count, 3, 2, 1, activation=ReLU(), output_padding=1)
        for count in reversed(channels[:-1])
    ]
    last = TransposedConvolutionalLayer(outputs, 3, 2, 1, activation=Tanh(), output_padding=1)
    return [*down, Dropout(0.5, always=True), *up, last]


def with_latent(layers: list[Layer], size: Shape) -> list[Layer]:
    """Return a generator of tuples (latent vector, condition), from one of conditions.

    A neuron layer makes one more channel of the condition, the first, from the latent vector.

    Args:
        layers: of the generator of conditions.
        size: (H, W) of these.
    """
    channel = Sequential([NeuronLayer(math.prod(size)), Reshape((1, *size))])
    return [Parallel([channel, Sequential([])]), *layers]


def patch_gan(field: int, channels: int = 64) -> list[Layer]:
    """Return the paper's discriminator: one score for each patch of a picture (section 6.1.2).

    Args:
        field: height and width of a patch: 1, 16, 34 or 70.
        channels: of the first layer. Default 64, the paper's.
    """
    if field not in FIELDS:
        raise ValueError(f"the receptive field must be 1, 16, 34 or 70, got {field!r}")
    halvings = FIELDS[field]
    window, padding = (1, 0) if field == 1 else (4, 1)

    def convolution(times: int, stride: int) -> list[Layer]:
        layer = ConvolutionalLayer(
            times * channels, window, stride, padding, bias=False, initializer=START
        )
        return [layer, BatchNorm(), LeakyReLU(0.2)]

    stride = 2 if halvings else 1
    leaky = LeakyReLU(0.2)
    layers: list[Layer] = [
        ConvolutionalLayer(channels, window, stride, padding, activation=leaky, initializer=START)
    ]
    for level in range(1, halvings):
        layers += convolution(2**level, 2)
    layers += convolution(2 ** max(1, halvings), 1)
    return [*layers, ConvolutionalLayer(1, window, 1, padding, initializer=START)]


def whole_picture(channels: tuple[int, ...]) -> list[Layer]:
    """Return a small discriminator: windows of 3×3 that halve the picture, then one score."""
    leaky = LeakyReLU(0.2)
    layers = [ConvolutionalLayer(count, 3, 2, 1, activation=leaky) for count in channels]
    return [*layers, Flatten(), NeuronLayer(1)]


def require_halvings(who: str, size: Shape, times: int) -> None:
    """Raise ValueError if a picture cannot be halved so often, with the nearest size that can."""
    step = 2**times
    if any(side % step for side in size):
        given = "×".join(map(str, size))
        near = "×".join(str(max(1, round(side / step)) * step) for side in size)
        raise ValueError(
            f"{who} halves pictures {counted(times, 'time')}, which {given} does not allow: resize "
            f"them to {near}"
        )
