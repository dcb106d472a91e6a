"""The layer that a node of ONNX says: the table from operations to layers.

An entry gets a node and the shape of an example of x; it returns what it has :class:`Found`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from salamandre import activations
from salamandre.layer import Layer, Shape
from salamandre.layers.conditional import Projection
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm, InstanceNorm, LayerNorm
from salamandre.layers.pooling import (
    AdaptiveAveragePool,
    AveragePool,
    GlobalAveragePool,
    MaxPool,
    Upsample,
)
from salamandre.layers.shape import Flatten, Reshape
from salamandre.onnx.labels import appended, projected, scaled_by_class, summed
from salamandre.onnx.reading import Arrays, Found, Node

MOST = 2**20  # features that one number of a file may scale
FLOATS = (1, 10, 11)  # FLOAT, FLOAT16 and DOUBLE in ONNX's own numbers of types
LINEAR = 15.0  # from here on log(1 + exp(x)) is x, in float32


Reader = Callable[[Node, Shape], Found]


def layer_of(node: Node, shape: Shape) -> Found:
    """Return what a node says.

    Raises:
        ValueError: no layer of ours; the node is named.
    """
    if node.kind not in LAYERS:
        raise node.refuse("is no layer that is known here")
    try:
        return LAYERS[node.kind](node, shape)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        if f"its node {node.name!r}" in str(error):
            raise
        raise node.refuse(f"is no layer: {error}") from error


def _plain(*_: Any) -> Found:
    return Found()


def _cast(node: Node, shape: Shape) -> Found:
    if node.attributes["to"] not in FLOATS:
        raise node.refuse("makes whole numbers or others that are not floats, which no layer does")
    return Found()


def _where(node: Node, shape: Shape) -> Found:
    """PyTorch writes log(1 + exp(b x)) / b so, with x itself where b x is large."""
    if not _is_softplus(node):
        raise node.refuse("chooses between two values, as no layer but a Softplus does")
    return Found()


def _is_softplus(node: Node) -> bool:
    greater, divided = node.producer(0, "Greater"), node.producer(2, "Div")
    softplus = (divided or node).producer(0 if divided else 2, "Softplus")
    if greater is None or softplus is None or greater.inputs[0] != softplus.inputs[0]:
        return False
    limit = np.asarray(greater.constant(1))
    if limit.size != 1 or limit.item() < LINEAR:
        return False
    if divided is None:
        return softplus.inputs[0] == node.inputs[1]
    scaled = softplus.producer(0, "Mul")
    if scaled is None or scaled.data != [node.inputs[1]]:
        return False
    return np.array_equal(scaled.other_constant(), divided.constant(1))


def _activation(kind: type[Layer], attribute: str = "", default: float = 0.0) -> Reader:
    def read(node: Node, shape: Shape) -> Found:
        return Found(kind(*[node.attributes.get(attribute, default)] if attribute else ()))

    return read


def _softmax(node: Node, shape: Shape) -> Found:
    axis, rank = node.attributes.get("axis", -1 if node.graph.opset >= 13 else 1), 1 + len(shape)
    if axis % rank != 1:
        raise node.refuse(f"goes along axis {axis}, a Softmax along axis 1")
    if node.graph.opset < 13 and math.prod(shape[1:]) != 1:
        raise node.refuse("goes over all pixels at once, as before opset 13, a Softmax over none")
    return Found(activations.Softmax())


def _gemm(node: Node, shape: Shape) -> Found:
    said = {"alpha": 1.0, "beta": 1.0, "transA": 0, **node.attributes}
    if (said["alpha"], said["beta"], said["transA"]) != (1, 1, 0):
        raise node.refuse("scales or transposes its input, a NeuronLayer does not")
    weights = node.constant(1)
    weights, bias = weights if said.get("transB") else weights.T, node.constant(2)
    if bias is not None and bias.shape not in (
        (),
        (1,),
        (1, 1),
        (len(weights),),
        (1, len(weights)),
    ):
        raise node.refuse(f"adds numbers {bias.shape}, a NeuronLayer adds one to each output")
    return _neurons(weights, bias)


def _product(node: Node, shape: Shape) -> Found:
    return _neurons(node.constant(1).T, None)


def _neurons(weights: np.ndarray, bias: np.ndarray | None) -> Found:
    outputs, _ = weights.shape
    arrays = {"weights": weights}
    if bias is not None:
        arrays["bias"] = np.broadcast_to(bias.reshape(-1), (outputs,))
    return Found(NeuronLayer(outputs, bias=bias is not None), arrays)


def _convolution(node: Node, shape: Shape) -> Found:
    weights, bias = node.constant(1), node.constant(2)
    layer = ConvolutionalLayer(len(weights), **_window(node, weights), bias=bias is not None)
    return Found(layer, _with_bias(weights, bias))


def _transposed(node: Node, shape: Shape) -> Found:
    weights, bias = node.constant(1), node.constant(2)
    if "output_shape" in node.attributes:
        raise node.refuse("has an output_shape, which pads must say here")
    more = tuple(node.attributes.get("output_padding", (0, 0)))
    geometry = _window(node, weights)
    layer = TransposedConvolutionalLayer(
        weights.shape[1], **geometry, bias=bias is not None, output_padding=more
    )
    return Found(layer, _with_bias(weights, bias))


def _with_bias(weights: np.ndarray, bias: np.ndarray | None) -> Arrays:
    return {"weights": weights} if bias is None else {"weights": weights, "bias": bias}


def _window(node: Node, weights: np.ndarray | None = None) -> dict[str, Any]:
    """Return kernel, stride and padding."""
    said = {"strides": (1, 1), "pads": (0,) * 4, "auto_pad": "NOTSET", **node.attributes}
    kernel = tuple(said.get("kernel_shape") or (() if weights is None else weights.shape[2:]))
    if len(kernel) != 2:
        raise node.refuse("has no window of two dimensions")
    for name, plain in (("group", 1), ("dilations", 1), ("ceil_mode", 0), ("storage_order", 0)):
        values = said.get(name, plain)
        if any(value != plain for value in np.atleast_1d(values)):
            raise node.refuse(f"has {name} {values}, which no layer here has")
    top, left, bottom, right = said["pads"]
    same = [((size - 1) // 2, size // 2) for size in kernel]
    padded = [(top, bottom), (left, right)] == same != [(0, 0)] * 2
    padding: Any = (top, left)
    if tuple(said["strides"]) == (1, 1) and (padded or said["auto_pad"] == "SAME_UPPER"):
        padding = "same"
    elif (top, left) != (bottom, right) or said["auto_pad"] not in ("NOTSET", "VALID"):
        raise node.refuse("pads its sides differently, which no layer here does")
    return {"kernel": kernel, "stride": tuple(said["strides"]), "padding": padding}


def _max_pool(node: Node, shape: Shape) -> Found:
    return Found(MaxPool(**_pool_window(node)))


def _average_pool(node: Node, shape: Shape) -> Found:
    window = _pool_window(node)
    if any(window["padding"]) and not node.attributes.get("count_include_pad"):
        raise node.refuse("leaves its padding out of the mean, an AveragePool counts it")
    return Found(AveragePool(**window))


def _pool_window(node: Node) -> dict[str, Any]:
    """Return a window whose padding is in numbers if that of both sides is the same."""
    window = _window(node)
    if window["padding"] == "same" and all(size % 2 for size in window["kernel"]):
        window["padding"] = tuple((size - 1) // 2 for size in window["kernel"])
    return window


def _mean(node: Node, shape: Shape) -> Found:
    axes = node.constant(1, node.attributes.get("axes"))
    if axes is None or len(shape) != 3 or sorted(int(a) % 4 for a in axes) != [2, 3]:
        raise node.refuse("is no mean over all pixels")
    keeps = node.attributes.get("keepdims", 1)
    return Found(AdaptiveAveragePool(1) if keeps else GlobalAveragePool())


def _resize(node: Node, shape: Shape) -> Found:
    scales, sizes = node.constant(2, np.empty(0)), node.constant(3)
    if not len(scales):
        scales = np.divide(sizes, (sizes[0], *shape))
    way = node.attributes.get("coordinate_transformation_mode", "half_pixel")
    rounded = node.attributes.get("nearest_mode", "round_prefer_floor")
    nearest = rounded in ("round_prefer_floor", "round_prefer_ceil")
    repeats = (way == "half_pixel" and nearest) or (way, rounded) == ("asymmetric", "floor")
    whole = len(scales) == 4 and all(scales[:2] == 1) and all(scales == np.floor(scales))
    if node.attributes.get("mode", "nearest") != "nearest" or not (repeats and whole):
        raise node.refuse("repeats no pixels a whole number of times, as an Upsample does")
    return Found(Upsample([int(scale) for scale in scales[2:]]))


def _flatten(node: Node, shape: Shape) -> Found:
    if node.attributes.get("axis", 1) != 1:
        raise node.refuse("mixes the examples of a batch")
    return Found(Flatten() if len(shape) > 1 else None)


def _reshape(node: Node, shape: Shape) -> Found:
    after = node.output_shape(shape)
    if math.prod(shape) != math.prod(after):
        raise node.refuse("mixes the examples of a batch")
    if shape == after:
        return Found()
    return Found(Flatten() if len(after) == 1 else Reshape(after))


def _batch_norm(node: Node, shape: Shape) -> Found:
    # before opset 14, what says that it trains is that it has more outputs
    if node.attributes.get("training_mode") or any(node.outputs[1:]):
        raise node.refuse("is in training mode: export the network in evaluation mode")
    names = ("gamma", "beta", "running_mean", "running_variance")
    arrays = {name: node.constant(number) for number, name in enumerate(names, start=1)}
    kept = node.attributes.get("momentum", 0.9)
    return Found(BatchNorm(1 - kept, node.attributes.get("epsilon", 1e-5)), arrays)


def _instance_norm(node: Node, shape: Shape) -> Found:
    arrays = {"gamma": node.constant(1), "beta": node.constant(2)}
    return Found(InstanceNorm(node.attributes.get("epsilon", 1e-5)), arrays)


def _layer_norm(node: Node, shape: Shape) -> Found:
    axis = node.attributes.get("axis", -1)
    if axis % (1 + len(shape)) != 1:
        raise node.refuse(f"begins at axis {axis}, a LayerNorm at axis 1")
    gamma = node.constant(1)
    arrays = {"gamma": gamma, "beta": node.constant(2, np.zeros_like(gamma))}
    return Found(LayerNorm(node.attributes.get("epsilon", 1e-5)), arrays)


def _add(node: Node, shape: Shape) -> Found:
    if (beta := node.by_class()) is not None:
        return scaled_by_class(node, shape, np.ones_like(beta), beta)
    return _scaled(node, shape, shift=node.other_constant())


def _subtract(node: Node, shape: Shape) -> Found:
    if node.data[0] == node.inputs[0]:
        return _scaled(node, shape, shift=-node.constant(1))
    return _scaled(node, shape, -np.ones(1), node.constant(0))


def _multiply(node: Node, shape: Shape) -> Found:
    if (found := projected(node)) is not None:
        return found
    if (gamma := node.by_class()) is not None:
        return scaled_by_class(node, shape, gamma, np.zeros_like(gamma))
    return _scaled(node, shape, node.other_constant())


def _divide(node: Node, shape: Shape) -> Found:
    return _scaled(node, shape, 1 / node.constant(1))


def _scaler(node: Node, shape: Shape) -> Found:
    offset, scale = (np.asarray(node.attributes[name]) for name in ("offset", "scale"))
    return _scaled(node, shape, scale, -offset * scale)


def _scaled(node: Node, shape: Shape, scale: Any = 1.0, shift: Any = 0.0) -> Found:
    """Return y = scale x + shift, feature by feature, as a batch-norm that does not learn."""
    features, *pixels = shape
    if features > MOST:
        raise node.refuse(f"scales {features} features, {MOST} are the most")
    column = (features, *[1] * len(pixels))
    norm = BatchNorm()
    norm.trainable = False
    variance = np.full(features, 1 - norm.eps)
    arrays = {"running_mean": np.zeros(features), "running_variance": variance}
    for name, value in (("gamma", scale), ("beta", shift)):
        value = np.asarray(value, np.float64)
        while value.ndim > len(column) and len(value) == 1:  # the axis of the batch
            value = value[0]
        arrays[name] = np.broadcast_to(value, column).reshape(-1)
    return Found(norm, arrays)


def with_bias(layer: Layer, arrays: Arrays, norm: Arrays) -> Found | None:
    """Return a layer with what is added to its output as its bias; None if it cannot have one."""
    if any(norm["gamma"] != 1):
        return None
    if type(layer) is Projection:
        return Found(layer, {**arrays, "bias": arrays["bias"] + norm["beta"]})
    if type(layer) is not NeuronLayer or not layer.is_linear or layer.biased:
        return None
    return Found(type(layer)(**{**layer.config(), "bias": True}), {**arrays, "bias": norm["beta"]})


LAYERS: dict[str, Reader] = {
    # activations
    "Relu": _activation(activations.ReLU),
    "LeakyRelu": _activation(activations.LeakyReLU, "alpha", 0.01),
    "Elu": _activation(activations.ELU, "alpha", 1.0),
    "Sigmoid": _activation(activations.Sigmoid),
    "Tanh": _activation(activations.Tanh),
    "Softplus": _activation(activations.SoftPlus),
    "Softmax": _softmax,
    # products
    "Gemm": _gemm,
    "MatMul": _product,
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    # windows and shapes
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda node, shape: Found(AdaptiveAveragePool(1)),
    "ReduceMean": _mean,
    "Resize": _resize,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    # normalisation and scaling
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Scaler": _scaler,
    # with labels
    "Concat": appended,
    "ReduceSum": summed,
    # what changes nothing without training
    "Cast": _cast,
    "Dropout": _plain,
    "Identity": _plain,
    "Where": _where,
    "ZipMap": _plain,
}
