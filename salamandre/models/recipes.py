"""Recipes that let classifiers learn in few epochs: layers, whitening, averaged predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from salamandre.activations import ReLU, Softmax
from salamandre.backend import Array
from salamandre.checks import array, real, whole
from salamandre.initializers import Dirac, Initializer
from salamandre.inputs import are_images
from salamandre.layer import Layer
from salamandre.layers.convolution import ConvolutionalLayer
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.pooling import MaxPool
from salamandre.layers.shape import Flatten
from salamandre.network import Network

PATCHES = 200_000


def quick_classifier(
    classes: int,
    channels: int,
    widths: Sequence[int],
    window: int = 2,
    stride: int = 1,
    padding: int = 0,
    shift_rate: float = 1.0,
) -> list[Layer]:
    """Return the layers of a classifier of small pictures that learns in few epochs.

    A first layer for :func:`whiten`, then for each width a block: a 3×3 convolution, max-pooling,
    and a 3×3 convolution on the smaller image, both with batch-norm and a rectifier (Jordan 2024,
    section 3.1, whose widths are 64, 256, 256). All features go to the last layer, where his are
    pooled again. Convolutions begin by passing on their inputs (section 3.3), but for the first
    3×3 one: whitening may leave channels of zeros, which batch-norm should not be given.

    Args:
        classes: the outputs, which have Softmax.
        channels: of the pictures: 3 of coloured, 1 of grey ones.
        widths: channels of each block. Products of 3×3 windows are quick from 16 on.
        window: side of the first layer's windows, which makes 2 · channels · window² channels.
            Default 2.
        stride: of the first layer. Default 1.
        padding: of the first layer. Default 0.
        shift_rate: of batch-norm, see :class:`BatchNorm`. Default 1.
    """
    patches = 2 * whole("channels", channels) * whole("window", window) ** 2
    layers: list[Layer] = [ConvolutionalLayer(patches, window, stride, padding), ReLU()]
    start: Initializer | None = None
    for width in widths:
        for pooled in (True, False):
            layers += [
                ConvolutionalLayer(width, 3, padding=1, bias=False, initializer=start),
                *([MaxPool(2)] if pooled else []),
                BatchNorm(momentum=0.2, shift_rate=shift_rate),
                ReLU(),
            ]
            start = Dirac()
    return [*layers, Flatten(), NeuronLayer(classes, Softmax())]


def whiten(
    network: Network, images: Any, eps: float = 5e-4, seed: int = 0, least: float = 0.0
) -> None:
    """Let the first layer make uncorrelated channels of equal variance, and freeze it.

    Its weights become the eigenvectors of the covariance of the images' patches, each divided by
    the root of its eigenvalue + eps · variance, and then their negatives, so that a rectifier
    loses nothing (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.2).
    Its bias, if it has one, makes the mean of each channel 0; without one, the channel of
    brightness is above 0 nearly everywhere, and its negative is lost in the rectifier. With
    V Λ Vᵀ the covariance, σ² its mean eigenvalue and μ the mean of the patches (size,):
    W = (Λ + eps · σ²)^(-1/2) Vᵀ, b = -W μ.

    Args:
        network: whose first layer is a ``ConvolutionalLayer`` with twice as many channels as a
            patch has numbers: 24 for coloured 2×2.
        images: training images: :class:`Images`, which are scaled as the network scales them, or
            numbers as the network takes them (N, C, H, W).
        eps: of the pixels' variance is added to the eigenvalues, so that noise is not made large.
            Default 5e-4.
        seed: of the 200,000 patches that are taken. Default 0.
        least: eigenvalues below this multiple of the pixels' variance make channels of 0. JPEG
            stores colours at half the size: the differences of colour between neighbours are hardly
            there, and a network that has seen them enlarged errs on pictures that were not
            compressed, which have more of them. Default 0: none.

    Raises:
        ValueError: a first layer that does not fit, or images without differences.
    """
    first = network.layers[0]
    if not isinstance(first, ConvolutionalLayer):
        raise ValueError(f"whiten needs a ConvolutionalLayer as the first layer, got {first!r}")
    outputs, channels, height, width = first.weights.shape
    size = channels * height * width
    if outputs != 2 * size:
        raise ValueError(
            f"whitening patches of {channels}×{height}×{width} numbers makes {2 * size} channels, "
            f"the first layer has {outputs}: make it ConvolutionalLayer({2 * size}, ...)"
        )
    real("whiten eps", eps, 0, above=True)
    real("whiten least", least, 0)
    random = np.random.default_rng(whole("seed", seed, least=0))
    images = images if are_images(images) else array("the images", images)
    few = random.permutation(len(images))[: max(1, PATCHES // 64)]
    x = network.backend.to_numpy(network.as_inputs(images[np.sort(few)]))
    windows = sliding_window_view(x, (height, width), axis=(2, 3))
    places = len(x), *windows.shape[2:4]
    count = min(PATCHES, math.prod(places))
    chosen = random.choice(math.prod(places), count, replace=False)
    example, row, column = np.unravel_index(chosen, places)
    patches = windows[example, :, row, column].reshape(count, size).astype(np.float64)
    mean = patches.mean(axis=0)
    patches -= mean
    covariance = patches.T @ patches / max(1, count - 1)
    variance = np.trace(covariance) / size
    if not variance > 0:
        raise ValueError("whiten needs images whose pixels differ, got ones that are all the same")
    values, vectors = np.linalg.eigh(covariance)
    scales = (values >= least * variance) / np.sqrt(values + eps * variance)
    whitening = (vectors * scales).T[::-1]
    shifts = -(whitening @ mean)
    both = np.concatenate([whitening, -whitening]).reshape(first.weights.shape)
    asarray = network.backend.asarray
    with network.changing():
        first.weights[...] = asarray(both, dtype=network.dtype)
        if first.biased:
            first.bias[...] = asarray(np.concatenate([shifts, -shifts]), dtype=network.dtype)
    network.freeze(network.child_names[0])


def averaged_predictions(
    network: Network, images: Any, mirror: bool = True, shift: int = 1, batch_size: int = 256
) -> Array:
    """Return the mean outputs (N, ...) for images, their mirror images, and shifted ones.

    Half of the weight have the images as they are, half those shifted by ``shift`` pixels to the
    upper left and to the lower right, whose edges are reflected (Jordan 2024, section 3.5).

    Args:
        network: a classifier of images (C, H, W).
        images: see :meth:`salamandre.Network.predict`.
        mirror: whether mirror images count as much as the images. Default True; not for digits.
        shift: pixels; 0: none. Default 1.
        batch_size: images at a time. Default 256.
    """
    if len(network.input_shape) != 3:
        raise ValueError(
            f"averaged predictions are of a network of images (C, H, W), got one of "
            f"{network.input_shape}"
        )
    whole("shift", shift, least=0)
    if not len(images):
        raise ValueError("averaged predictions need at least one image")
    parts = []
    for start in range(0, len(images), whole("batch_size", batch_size)):
        block = images[start : start + batch_size]
        x = network.backend.to_numpy(network.as_inputs(block))
        views = [(x, 0.5 if shift else 1.0)]
        if shift:
            side = (shift, shift)
            wide = np.pad(x, ((0, 0), (0, 0), side, side), mode="reflect")
            for corner in (0, 2 * shift):
                rows, columns = (slice(corner, corner + n) for n in x.shape[2:])
                views.append((wide[:, :, rows, columns], 0.25))
        total: Any = 0
        for view, weight in views:
            y = network.predict(view)
            if mirror:
                y = (y + network.predict(np.ascontiguousarray(view[..., ::-1]))) / 2
            total = total + weight * y
        parts.append(total)
    return network.backend.xp.concatenate(parts)
