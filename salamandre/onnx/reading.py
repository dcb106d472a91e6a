"""ONNX files as graphs, checked. Nothing in them is executed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from salamandre.checks import one_of
from salamandre.inputs import BYTES, Pixels
from salamandre.layer import Layer

Arrays = Mapping[str, np.ndarray]
SMALL = 1024  # numbers; larger arrays are not shown to ONNX's own checks
JOINS = ("Add", "Sum", "Concat")


class Found(NamedTuple):
    """What a node says.

    Attributes:
        layer: None if y = x.
        arrays: of the layer, by name.
    """

    layer: Layer | None = None
    arrays: Arrays = {}


class Node:
    """A node of a graph.

    Attributes:
        kind: of the operation, such as ``"Conv"``.
        inputs: names of values; ``""`` is one that is left out.
        name: its own, or that of its output.
        graph: that it is of.
    """

    def __init__(self, node: Any, graph: FoundGraph) -> None:
        from onnx import helper

        self.kind, self.inputs, self.outputs = node.op_type, list(node.input), list(node.output)
        self.name, self.graph = node.name or node.output[0], graph
        self.attributes = {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute}

    @property
    def data(self) -> list[str]:
        """The inputs that are computed from the network's input, in which no shape is meant."""
        known = self.graph.constants.keys() | self.graph.of_labels
        computed = [name for name in self.inputs if name not in known]
        if self.kind == "Where":  # log(1 + exp(x)), the last, where it is not x anyway
            return computed[-1:]
        return computed if self.kind in JOINS else computed[:1]

    def constant(self, index: int, default: Any = None) -> Any:
        """Return an input that is an array of the file, or the default if it is left out."""
        if index >= len(self.inputs) or not self.inputs[index]:
            return default
        name = self.inputs[index]
        if name not in self.graph.constants:
            raise self.refuse(f"takes {name!r}, which is computed: it must be an array of the file")
        return self.graph.constants[name]

    def other_constant(self) -> Any:
        """Return the input of a sum or product that is an array of the file."""
        first = self.data[0]  # x times x has no other input: the second is refused
        return self.constant(next((n for n, name in enumerate(self.inputs) if name != first), 1))

    def by_class(self) -> np.ndarray | None:
        """Return its input that the labels choose, for each class; None if there is none."""
        chosen = [name for name in self.inputs if name in self.graph.of_labels]
        return self.graph.table(chosen[0]) if chosen else None

    def producer(self, index: int, kind: str) -> Node | None:
        """Return the node that computes an input, or None if it is of another kind."""
        node = self.graph.producers.get(self.inputs[index])
        return node if node is not None and node.kind == kind else None

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an example of its output, of one of its input."""
        sizes = self.graph.constants.get(self.inputs[1]) if self.kind == "Reshape" else None
        if sizes is not None and math.prod(shape) == 1 and list(sizes) == [-1]:
            return shape  # numbers (N,) are (N, 1) here
        if sizes is None or len(sizes) < 2 or sizes[0] > 0:
            return self.graph.example_shape(self.outputs[0])
        kept = [shape[axis] if not size else int(size) for axis, size in enumerate(sizes[1:])]
        rest = math.prod(shape) // max(1, math.prod(size for size in kept if size > 0))
        return tuple(size if size > 0 else rest for size in kept)

    def refuse(self, why: str) -> ValueError:
        """Return the error that names it."""
        return ValueError(f"its node {self.name!r} ({self.kind}) {why}")


class FoundGraph:
    """The graph of a file.

    Args:
        path: of the file; arrays beside it must be in its folder.

    Attributes:
        constants: arrays by name.
        of_labels: values that are computed from labels (N,) alone.
        producers: the node that computes a value, by its name.
        metadata: texts by name.

    Raises:
        ValueError: a damaged file.
    """

    def __init__(self, path: Path) -> None:
        import onnx

        model = onnx.ModelProto.FromString(path.read_bytes())
        graph = model.graph
        self.opset = next((o.version for o in model.opset_import if not o.domain), 1)
        self.constants = {t.name: _array(t, path.parent) for t in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants |= _constant(node, path.parent)
            elif node.op_type == "Identity" and node.input[0] in self.constants:
                self.constants[node.output[0]] = self.constants[node.input[0]]
        found = _sketch(model)
        onnx.checker.check_model(found)
        inferred = onnx.shape_inference.infer_shapes(found, strict_mode=True, data_prop=True).graph
        self._types = {
            v.name: v.type for v in (*inferred.input, *inferred.value_info, *inferred.output)
        }
        given = [v for v in graph.input if v.name not in self.constants]
        self.of_labels = {v.name for v in given if _holds_labels(v)}
        self.inputs = [v.name for v in given if v.name not in self.of_labels]
        self.outputs = [v.name for v in graph.output]
        self.metadata = {entry.key: entry.value for entry in model.metadata_props}
        nodes = [Node(n, self) for n in graph.node if n.output[0] not in self.constants]
        self.nodes = nodes
        self.producers = {name: node for node in nodes for name in node.outputs}
        for node in nodes:
            if not node.data and not self.of_labels.isdisjoint(node.inputs):
                self.of_labels |= {*node.outputs}

    def example_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an example of a value."""
        sizes = self._types[name].tensor_type.shape.dim[1:] if name in self._types else []
        if not sizes or any(size.dim_value < 1 for size in sizes):
            raise ValueError(f"it does not say the shape of {name!r}: export it with fixed shapes")
        return tuple(size.dim_value for size in sizes)

    def pixels(self, name: str) -> Pixels:
        """Return how images of bytes are scaled for a value: bytes stay as they are."""
        import onnx

        takes_bytes = self._types[name].tensor_type.elem_type == onnx.TensorProto.UINT8
        return Pixels(255, 0.0, 255.0) if takes_bytes else BYTES

    def table(self, name: str) -> np.ndarray:
        """Return the array (classes, ...) of which a value is the rows that the labels choose."""
        node = self.producers.get(name)
        if node is not None and node.kind in ("Reshape", "Unsqueeze"):
            rows = self.table(node.inputs[0])
            return rows.reshape(len(rows), *self.example_shape(name))
        if node is None or node.kind != "Gather" or node.attributes.get("axis"):
            raise ValueError(f"{name!r} is computed from labels, but is no row of an array")
        rows = np.asarray(node.constant(0))
        if node.inputs[1] in self.producers or rows.ndim < 2:  # which are not the labels themselves
            raise node.refuse("chooses no rows by labels")
        return rows

    def input(self) -> str:
        """Return the input of the network, beside its labels."""
        if len(self.inputs) != 1:
            raise ValueError(
                f"a network has one input, the file has {len(self.inputs)}: "
                f"{', '.join(self.inputs)}"
            )
        return self.inputs[0]

    def output(self, name: str | None) -> str:
        """Return the value of an output: the only one of numbers that are not whole, or named."""
        import onnx

        floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
        known = [
            output
            for output in self.outputs
            if self._types[output].HasField("sequence_type")  # probabilities by names of classes
            or self._types[output].tensor_type.elem_type in floats
        ]
        if name is not None:
            return str(one_of("output", name, known))
        if len(known) != 1:
            raise ValueError(f"it has the outputs {', '.join(known)}: choose one, output=...")
        return known[0]

    def described(self, name: str) -> Any:
        """Return an entry of the metadata that is JSON, or None."""
        return json.loads(self.metadata.get(name, "null"))


def _holds_labels(value: Any) -> bool:
    """Return whether an input is one whole number for each example."""
    from onnx import TensorProto

    said = value.type.tensor_type
    return said.elem_type in (TensorProto.INT64, TensorProto.INT32) and len(said.shape.dim) == 1


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def _array(tensor: Any, folder: Path) -> np.ndarray:
    """Return an array of the file, or of one beside it."""
    from onnx import TensorProto, helper, numpy_helper

    if tensor.data_location != TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    place = {entry.key: entry.value for entry in tensor.external_data}
    path = (folder / place.get("location", "")).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ValueError(
            f"its array {tensor.name!r} is said to be in {place.get('location')!r}, which is no "
            f"file in its folder"
        )
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    count, offset = math.prod(tensor.dims), int(place.get("offset", 0))
    if offset < 0 or offset + count * dtype.itemsize > path.stat().st_size:
        raise ValueError(f"its array {tensor.name!r} reaches beyond the end of {path.name}")
    return np.fromfile(path, dtype, count, offset=offset).reshape(tuple(tensor.dims))


def _constant(node: Any, folder: Path) -> dict[str, np.ndarray]:
    """Return the array of a node without inputs, by its name."""
    from onnx import helper

    (attribute,) = node.attribute
    value = helper.get_attribute_value(attribute)
    array = _array(value, folder) if attribute.name == "value" else np.asarray(value)
    return {node.output[0]: array}


def _sketch(model: Any) -> Any:
    """Return a copy for ONNX's own checks, in which large arrays are inputs: their shapes alone.

    A batch has two examples, so that shapes which the graph computes are numbers.
    """
    import onnx

    sketch = onnx.ModelProto()
    sketch.CopyFrom(model)
    del sketch.graph.initializer[:]
    declared = {value.name for value in model.graph.input}
    for value in sketch.graph.input:
        for size in value.type.tensor_type.shape.dim[:1]:
            size.dim_value = size.dim_value or 2
    for value in (*sketch.graph.output, *sketch.graph.value_info):  # where it is a letter or 0
        for size in value.type.tensor_type.shape.dim[:1]:
            size.Clear()
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= SMALL and not tensor.external_data:
            sketch.graph.initializer.append(tensor)
        elif tensor.name not in declared:
            made = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            sketch.graph.input.append(made)
    return sketch


def dominators(graph: FoundGraph) -> Iterator[tuple[str, str]]:
    """Yield, for each value that depends on the input, the last value before it that all ways pass.

    Cooper, Harvey, Kennedy 2001, "A simple, fast dominance algorithm", for graphs without circles.
    """
    above: dict[str, str] = {}
    depth = {graph.input(): 0}
    for node in graph.nodes:
        ways = [name for name in node.data if name in depth]
        if not ways:
            continue
        last, *others = ways
        for other in others:
            while last != other:
                if depth[last] < depth[other]:
                    other = above[other]
                elif depth[last] > depth[other]:
                    last = above[last]
                else:
                    last, other = above[last], above[other]
        for name in node.outputs:
            above[name], depth[name] = last, depth[last] + 1
            yield name, last
