"""What layers hold and compute: activations, filters, weights as images."""

from __future__ import annotations

import math
from typing import Any

from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.inspection.probes import LayerView, convolutions, full_name, layer_names
from salamandre.inspection.scores import BATCH, blocks, checked_images
from salamandre.layers.convolution import ConvolutionalLayer
from salamandre.layers.neuron import NeuronLayer
from salamandre.models.model import image_shape
from salamandre.network import Network


def activations(
    network: Network, images: Any, layer: str | int, *, batch_size: int = BATCH
) -> Array:
    """Return the outputs of a layer, (N, ...), computed as without training.

    Args:
        network: which has the layer, and is not changed.
        images: (N, *input_shape).
        layer: its name, such as ``"features.5"``; the last part is enough if it is the only one.
        batch_size: images at a time. Default 32.

    Raises:
        ValueError: no such layer; the nearest name is given.
    """
    view, x = LayerView(network, layer), checked_images(network, images)
    parts = blocks(len(x), batch_size, str(layer))
    return network.backend.xp.concatenate([view.compute(x[part]) for part in parts])


def filters(network: Network, layer: str | int | None = None) -> Array:
    """Return a copy of the weights (channels, C, kh, kw) of a convolution.

    Args:
        network: which has it.
        layer: its name. Default: the first convolution.

    Raises:
        ValueError: the layer is no convolution, or there is none.
    """
    layers = layer_names(network)
    chosen: Any = layers[full_name(network, convolutions(network)[0] if layer is None else layer)]
    if not isinstance(chosen, ConvolutionalLayer):
        raise ValueError(f"layer {layer!r} is a {type(chosen).__name__}, not a convolution")
    return chosen.weights + 0


def neuron_image(network: Network, layer: str | int, neuron: int) -> Array:
    """Return the weights (not the bias) of a neuron as an image.

    Args:
        network: which has the layer.
        layer: the name of a :class:`NeuronLayer`.
        neuron: its number.

    Returns:
        (C, H, W), if the neuron sees as many numbers as the network's input has, or (1, H, H) if
        that is a square row by row; otherwise a vector.

    Raises:
        ValueError: another kind of layer, or no such neuron.
    """
    name = full_name(network, layer)
    chosen: Any = layer_names(network)[name]
    if not isinstance(chosen, NeuronLayer):
        raise ValueError(f"layer {name!r} is a {type(chosen).__name__}, not a NeuronLayer")
    if whole("neuron", neuron, least=0) >= chosen.outputs:
        raise ValueError(f"layer {name!r} has {chosen.outputs} neurons, got number {neuron}")
    weights, shape = chosen.weights[neuron] + 0, image_shape(network)
    return weights.reshape(shape) if weights.size == math.prod(shape) else weights
