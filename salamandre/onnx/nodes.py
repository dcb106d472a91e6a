"""What says each layer in ONNX, in evaluation mode: the table from classes to nodes.

An entry gets a layer, the name of x and the graph; it adds nodes and returns the name of y. The
operations are those of https://onnx.ai/onnx/operators, of opset 17.
"""

from __future__ import annotations

from typing import Any

from salamandre import activations
from salamandre.layer import Layer
from salamandre.layers.augmentation import Augmentation
from salamandre.layers.conditional import ConditionalBatchNorm, Embedding, LabelMap, Projection
from salamandre.layers.containers import Parallel, Sequential, Skip
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.minibatch import MinibatchDeviation, MinibatchDiscrimination, Packing
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.noise import GaussianNoise
from salamandre.layers.normalization import BatchNorm, InstanceNorm, LayerNorm
from salamandre.layers.pooling import (
    AdaptiveAveragePool,
    AveragePool,
    GlobalAveragePool,
    MaxPool,
    Upsample,
)
from salamandre.layers.shape import Flatten, Reshape
from salamandre.layers.window import Window
from salamandre.network import Network
from salamandre.onnx.graph import Graph, Writer
from salamandre.variational import GaussianSample


def _same(layer: Layer, x: str, graph: Graph) -> str:
    return x


def _sigmoid(layer: activations.Sigmoid, x: str, graph: Graph) -> Any:
    return graph.node("Sigmoid", _times(x, layer.mu, graph))


def _tanh(layer: activations.Tanh, x: str, graph: Graph) -> str:
    return _times(graph.node("Tanh", _times(x, layer.alpha, graph)), layer.k, graph)


def _times(x: str, factor: float, graph: Graph) -> Any:
    return x if factor == 1 else graph.node("Mul", x, factor)


def _neurons(layer: NeuronLayer, x: str, graph: Graph) -> str:
    if layer.noise:
        x = graph.node("Concat", x, graph.noise(x, layer.noise), axis=1)
    return graph.say(layer.activation, graph.node("Gemm", x, *graph.arrays(layer), transB=1))


def _convolution(layer: ConvolutionalLayer, x: str, graph: Graph) -> str:
    z = graph.node("Conv", x, *graph.arrays(layer), **_geometry(layer.window))
    return graph.say(layer.activation, z)


def _transposed(layer: TransposedConvolutionalLayer, x: str, graph: Graph) -> str:
    more = {"output_padding": layer.output_padding, **_geometry(layer.window)}
    return graph.say(layer.activation, graph.node("ConvTranspose", x, *graph.arrays(layer), **more))


def _geometry(window: Window) -> dict[str, Any]:
    ends = [window.around[d] - window.corner[d] for d in (0, 1)]
    pads = [*window.corner, *ends]
    return {"kernel_shape": window.kernel, "strides": window.stride, "pads": pads}


def _max_pool(layer: MaxPool, x: str, graph: Graph) -> Any:
    return graph.node("MaxPool", x, **_geometry(layer.window))


def _average_pool(layer: AveragePool, x: str, graph: Graph) -> Any:
    return graph.node("AveragePool", x, count_include_pad=1, **_geometry(layer.window))


def _means(layer: AdaptiveAveragePool, x: str, graph: Graph) -> Any:
    """Parts of one size are windows, which other programs read too."""
    size, image = zip(layer.rows.shape, layer.columns.shape, strict=True)
    if size == image:
        return x
    if image[0] % size[0] == image[1] % size[1] == 0:
        window = [image[0] // size[0], image[1] // size[1]]
        return graph.node("AveragePool", x, kernel_shape=window, strides=window)
    return graph.node("MatMul", graph.node("MatMul", layer.rows, x), layer.columns.T)


def _upsample(layer: Upsample, x: str, graph: Graph) -> Any:
    how: Any = {"mode": "nearest", "nearest_mode": "floor"}
    scales = [1.0, 1.0, *map(float, layer.factor)]
    way = "asymmetric"
    return graph.node("Resize", x, "", scales, coordinate_transformation_mode=way, **how)


def _batch_norm(layer: BatchNorm, x: str, graph: Graph) -> Any:
    arrays: list[Any] = [*graph.arrays(layer)]
    if not layer.affine:
        count = layer.declared_state[0].size
        arrays = [[1.0] * count, [0.0] * count, *arrays]
    return graph.node("BatchNormalization", x, *arrays, epsilon=layer.eps)


def _conditional_norm(layer: ConditionalBatchNorm, x: str, graph: Graph) -> Any:
    x_hat = graph.say(layer.children[0], x)
    gamma, beta = (graph.chosen(array, layer.row) for array in graph.arrays(layer))
    return graph.node("Add", graph.node("Mul", x_hat, gamma), beta)


def _append(layer: Embedding | LabelMap, x: str, graph: Graph) -> Any:
    (weights,) = graph.arrays(layer)
    return graph.node("Concat", x, graph.chosen(weights, (-1, *layer.extra)), axis=1)


def _projection(layer: Projection, x: str, graph: Graph) -> Any:
    weights, bias, embedding = graph.arrays(layer)
    rows = graph.node("Add", graph.node("Gather", embedding, "labels"), weights)
    scores = graph.node("ReduceSum", graph.node("Mul", x, rows), [1], keepdims=1)
    return graph.node("Add", scores, bias)


def _discrimination(layer: MinibatchDiscrimination, x: str, graph: Graph) -> Any:
    product = graph.node("MatMul", x, *graph.arrays(layer))
    m = graph.node("Reshape", product, [-1, layer.features, layer.depth])
    pair = (graph.node("Unsqueeze", m, [axis]) for axis in (1, 0))
    distance = graph.node("ReduceSum", graph.node("Abs", graph.node("Sub", *pair)), [3], keepdims=0)
    closeness = graph.node("Exp", graph.node("Neg", distance))
    others = graph.node("Sub", graph.node("ReduceSum", closeness, [1], keepdims=0), 1.0)
    return graph.node("Concat", x, others, axis=1)


def _deviation(layer: MinibatchDeviation, x: str, graph: Graph) -> Any:
    centred = graph.node("Sub", x, graph.node("ReduceMean", x, axes=[0]))
    variance = graph.node("ReduceMean", graph.node("Mul", centred, centred), axes=[0])
    std = graph.node("Sqrt", graph.node("Add", variance, layer.eps))
    count, pixels = graph.node("Shape", x, start=0, end=1), graph.node("Shape", x, start=2)
    shape = graph.node("Concat", count, [1], pixels, axis=0)
    extra = graph.node("Expand", graph.node("ReduceMean", std), shape)
    return graph.node("Concat", x, extra, axis=1)


def _packing(layer: Packing, x: str, graph: Graph) -> Any:
    packed = [x]
    for _ in range(layer.size - 1):  # the first example goes behind the last one
        first = graph.node("Slice", packed[-1], [0], [1], [0])
        rest = graph.node("Slice", packed[-1], [1], [2**62], [0])
        packed.append(graph.node("Concat", rest, first, axis=0))
    return graph.node("Concat", *packed, axis=1)


def _dropout(layer: Dropout, x: str, graph: Graph) -> Any:
    if not (layer.always and layer.rate):
        return x
    like = graph.node("ReduceMean", x, axes=[2, 3]) if layer.channels else x
    kept = graph.node("GreaterOrEqual", graph.node("RandomUniformLike", like), layer.rate)
    mask = graph.node("Mul", graph.node("Cast", kept, to=1), 1 / (1 - layer.rate))
    return graph.node("Mul", x, mask)


def _noise(layer: GaussianNoise, x: str, graph: Graph) -> Any:
    if not layer.always:
        return x
    noise = graph.node("Mul", graph.noise(x), layer.std)
    return graph.node("Add", x, graph.node("Mul", x, noise) if layer.multiplied else noise)


def _sample(layer: GaussianSample, x: str, graph: Graph) -> Any:
    mean, log_variance = graph.node("Split", x, outputs=2, axis=1)
    std = graph.node("Exp", graph.node("Mul", log_variance, 0.5))
    return graph.node("Add", mean, graph.node("Mul", std, graph.noise(mean)))


def _in_a_row(layer: Sequential, x: Any, graph: Graph) -> Any:
    for child in layer.children:
        x = graph.say(child, x)
    return x


def _side_by_side(layer: Parallel, x: Any, graph: Graph) -> Any:
    inputs = x if isinstance(x, tuple) else (x,) * len(layer.children)
    outputs = [graph.say(child, x) for child, x in zip(layer.children, inputs, strict=True)]
    return _joined(layer, outputs, graph)


def _skip(layer: Skip, x: str, graph: Graph) -> Any:
    return _joined(layer, [x, _in_a_row(layer, x, graph)], graph)


def _joined(layer: Parallel | Skip, values: list[str], graph: Graph) -> Any:
    if layer.join.kind == "add":
        return graph.node("Sum", *values)
    return graph.node("Concat", *values, axis=1)


NODES: dict[type[Layer], Writer] = {
    # activations
    activations.Identity: _same,
    activations.Sigmoid: _sigmoid,
    activations.Tanh: _tanh,
    activations.ReLU: lambda layer, x, graph: graph.node("Relu", x),
    activations.LeakyReLU: lambda layer, x, graph: graph.node("LeakyRelu", x, alpha=layer.slope),
    activations.ELU: lambda layer, x, graph: graph.node("Elu", x, alpha=layer.alpha),
    activations.SoftPlus: lambda layer, x, graph: graph.node("Softplus", x),
    activations.Softmax: lambda layer, x, graph: graph.node("Softmax", x, axis=1),
    # products
    NeuronLayer: _neurons,
    ConvolutionalLayer: _convolution,
    TransposedConvolutionalLayer: _transposed,
    # windows and shapes
    MaxPool: _max_pool,
    AveragePool: _average_pool,
    AdaptiveAveragePool: _means,
    GlobalAveragePool: lambda layer, x, graph: graph.node("ReduceMean", x, axes=[2, 3], keepdims=0),
    Upsample: _upsample,
    Flatten: lambda layer, x, graph: graph.node("Flatten", x, axis=1),
    Reshape: lambda layer, x, graph: graph.node("Reshape", x, [-1, *layer.shape]),
    # normalisation
    BatchNorm: _batch_norm,
    ConditionalBatchNorm: _conditional_norm,
    InstanceNorm: lambda layer, x, graph: graph.node(
        "InstanceNormalization", x, *graph.arrays(layer), epsilon=layer.eps
    ),
    LayerNorm: lambda layer, x, graph: graph.node(
        "LayerNormalization", x, *graph.arrays(layer), axis=1, epsilon=layer.eps
    ),
    # labels
    Embedding: _append,
    LabelMap: _append,
    Projection: _projection,
    # the whole batch
    MinibatchDiscrimination: _discrimination,
    MinibatchDeviation: _deviation,
    Packing: _packing,
    # noise, of which the runtime draws its own
    Dropout: _dropout,
    GaussianNoise: _noise,
    GaussianSample: _sample,
    Augmentation: _same,
    # containers
    Sequential: _in_a_row,
    Network: _in_a_row,
    Parallel: _side_by_side,
    Skip: _skip,
}
