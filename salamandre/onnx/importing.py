"""Networks from ONNX files: chains of layers, branches and ways past them, found in the graph."""

from __future__ import annotations

import os
from typing import Any

from salamandre.activations import ActivatedLayer, Activation
from salamandre.backend import get_backend
from salamandre.checks import shortened
from salamandre.class_names import checked_names
from salamandre.component import decode, encode
from salamandre.inputs import checked_pixels
from salamandre.layer import Layer, Shape
from salamandre.layers.checks import checked_output_shape
from salamandre.layers.conditional import ConditionalBatchNorm
from salamandre.layers.containers import Parallel, Sequential, Skip
from salamandre.layers.normalization import BatchNorm
from salamandre.network import Network
from salamandre.onnx.exporting import INSTALL
from salamandre.onnx.labels import normalised_by_class
from salamandre.onnx.layers import layer_of, with_bias
from salamandre.onnx.reading import Arrays, Found, FoundGraph, Node, dominators
from salamandre.texts import path_of


def import_onnx(path: str | os.PathLike[str], output: str | None = None, **options: Any) -> Network:
    """Return the network in an ONNX file of PyTorch, of scikit-learn or of :func:`export_onnx`.

    Its layers are ours, so that it can learn on: an activation becomes that of the layer before it,
    what is added or concatenated becomes ``Skip`` or ``Parallel``, and scaling by constants a
    ``BatchNorm`` that does not learn. A second input of whole numbers (N,) is the labels. Weights
    that stand in two places become two layers'. What works only while training, such as dropout, is
    not in such files.

    Args:
        path: the file; large arrays may be in others in its folder.
        output: which output of the file, if it has several of numbers that are not whole.
        options: of the :class:`Network`: loss, optimizer, seed, backend, dtype, frozen.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a damaged file, or a network of other layers; the file and the node are named.
        RuntimeError: the package onnx is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise RuntimeError(INSTALL) from None
    get_backend(options.get("backend"))  # what is missing here is no fault of the file
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        graph = FoundGraph(path)
        chains = _Chains(graph)
        start = graph.input()
        shape = graph.example_shape(start)
        layers, _ = chains.between(start, graph.output(output), shape)
        network = _network(layers, shape, chains.arrays, options)
        network.class_names = checked_names(chains.class_names or graph.described("class_names"))
        network.pixels = checked_pixels(graph.described("pixels") or graph.pixels(start))
    except Exception as error:  # of protocol buffers, of ONNX's checks, of layers that do not fit
        text = shortened(error) or type(error).__name__
        raise ValueError(f"{path} cannot be imported: {text}") from error
    return network


class _Chains:
    """Layers between values of a graph.

    Attributes:
        arrays: of each layer.
        class_names: those of the probabilities, if the file has some.
    """

    def __init__(self, graph: FoundGraph) -> None:
        self._graph, self._before = graph, dict(dominators(graph))
        self._used: set[str] = set()
        self.arrays: dict[Layer, Arrays] = {}
        self.class_names: list[str] = []

    def between(self, start: str, end: str, shape: Shape) -> tuple[list[Layer], Shape]:
        """Return the layers that make the value ``end`` of ``start``, and the shape of an example.

        ``shape`` is that of an example of ``start``.
        """
        nodes = []
        while end != start:
            node = self._graph.producers.get(end)
            if node is None or end not in self._before:
                raise ValueError(f"{end!r} is not computed from {start!r}")
            if end != node.outputs[0]:  # such as where the largest numbers of a MaxPool are
                raise node.refuse(f"computes {end!r} as another output than its first")
            if end in self._used:
                raise node.refuse("is used in two places, as no chain of branches can be")
            self._used.add(end)
            nodes.append(node)
            end = self._before[end]
        layers: list[Layer] = []
        for node in reversed(nodes):
            joins = len(node.data) > 1
            found = Found(self._join(node, shape)) if joins else layer_of(node, shape)
            if node.kind == "ZipMap":
                self.class_names = [*map(str, next(iter(node.attributes.values())))]
            if found.layer is not None:
                shape = _built(found, shape)
                self._append(layers, found)
        return layers, shape

    def _join(self, node: Node, shape: Shape) -> Layer:
        """Return the branches that a node joins."""
        if node.kind == "Concat" and node.attributes.get("axis") != 1:
            raise node.refuse("concatenates along another axis than 1")
        if len(node.data) < len(node.inputs):
            raise node.refuse("joins branches with a constant")
        join = "concatenate" if node.kind == "Concat" else "add"
        start = self._before[node.outputs[0]]
        branches = [self.between(start, name, shape)[0] for name in node.data]
        if len(branches) == 2 and [] in branches and (join == "add" or not branches[0]):
            return Skip(branches[0] or branches[1], join)
        return Parallel([b[0] if len(b) == 1 else Sequential(b) for b in branches], join)

    def _append(self, layers: list[Layer], found: Found) -> None:
        """Append a layer, or make it a part of the last one: its bias, or its activation."""
        layer, last = found.layer, layers[-1] if layers else None
        assert layer is not None
        if isinstance(layer, Activation) and isinstance(last, ActivatedLayer) and last.is_linear:
            config = {**last.config(), "activation": layer}
            found = Found(type(last)(**config), self.arrays[layers.pop()])
        elif isinstance(layer, BatchNorm) and not layer.trainable and last is not None:
            biased = with_bias(last, self.arrays.get(last, {}), found.arrays)
            if biased is not None:
                found = biased
                layers.pop()
        elif isinstance(layer, ConditionalBatchNorm):
            normalised = self.arrays[layers.pop()] if layers else {}
            found = normalised_by_class(last, normalised, found.arrays)
        assert found.layer is not None
        layers.append(found.layer)
        self.arrays[found.layer] = found.arrays
        if isinstance(found.layer, ConditionalBatchNorm):
            self.arrays[found.layer.children[0]] = found.arrays  # the running statistics


def _built(found: Found, shape: Shape) -> Shape:
    """Return the shape of an output of a layer, whose arrays must have the shapes that it needs."""
    sketch = decode(encode(found.layer))
    after = checked_output_shape(sketch.build(shape))
    for declared in (*sketch.declared, *sketch.declared_state):
        array = found.arrays[declared.name]
        if array.shape != declared.shape:
            raise ValueError(
                f"{found.layer!r} needs {declared.name} of the shape {declared.shape}, the file "
                f"has {array.shape}"
            )
    return after


def _network(
    layers: list[Layer], shape: Shape, arrays: dict[Layer, Arrays], options: dict[str, Any]
) -> Network:
    if not layers:
        raise ValueError("it has no layers")
    network = Network(layers, shape, **options)
    values = {
        prefix + declared.name: arrays[layer][declared.name]
        for prefix, layer in network.walk()
        for declared in (*layer.declared, *layer.declared_state)
    }
    network.load_tensors(values)
    return network
