"""An ONNX graph under construction: its nodes and its arrays, by names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from salamandre.layer import Layer
from salamandre.network import Network

X, LABELS, Y = "x", "labels", "y"  # inputs and output of the graph
# What makes y of x: a layer whose class has another one of these says something else.
COMPUTING = ("compute", "function", "apply")

Writer = Callable[[Any, Any, "Graph"], str]


class Graph:
    """Nodes that compute what a network computes. A value is known by its name.

    Args:
        network: whose layers become nodes.
        table: what says a layer, by its class.
    """

    def __init__(self, network: Network, table: dict[type[Layer], Writer]) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self._table, self._tensors = table, network.tensors()
        self._paths: dict[int, str] = {}
        for path, layer in network.walk():
            self._paths.setdefault(id(layer), path)  # a shared network has one for all its places
        self._path = ""
        self._names: dict[str, int] = {}

    def node(self, operation: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; return the name of its output, or a list of several.

        Args:
            operation: its name in the standard.
            inputs: names of values; ``""`` leaves one out. What is no text becomes a constant:
                whole numbers int64, others float32.
            outputs: how many there are.
            attributes: of the node.
        """
        import onnx

        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        made = [self._unique(f"{self._path}{operation}") for _ in range(outputs)]
        self.nodes.append(onnx.helper.make_node(operation, names, made, made[0], **attributes))
        return made[0] if outputs == 1 else made

    def say(self, layer: Layer, x: Any) -> str:
        """Add the nodes of a layer; return the name of its output."""
        outer, self._path = self._path, self._paths[id(layer)]
        write = writer_of(layer, self._table)
        assert write is not None
        y = write(layer, x, self)
        self._path = outer
        return y

    def arrays(self, layer: Layer) -> list[str]:
        """Return the names of a layer's arrays in the order in which it declares them."""
        path = self._paths[id(layer)]
        names = [path + declared.name for declared in (*layer.declared, *layer.declared_state)]
        for name in names:
            self.constants[name] = self._tensors[name].astype(np.float32)
        return names

    def chosen(self, array: str, shape: Sequence[int]) -> str:
        """Return the rows (N, ...) of an array that the labels choose, of the shape (-1, ...)."""
        rows: str = self.node("Gather", array, LABELS)
        return rows if len(shape) == 2 else self.node("Reshape", rows, list(shape))

    def noise(self, x: str, *shape: int) -> str:
        """Return numbers of N(0, 1) as many as x has, or (N, ...) of a shape."""
        if shape:
            sizes = self.node("Concat", self.node("Shape", x, start=0, end=1), [*shape], axis=0)
            x = self.node("ConstantOfShape", sizes)
        noise: str = self.node("RandomNormalLike", x)
        return noise

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        name = self._unique(f"{self._path}constant")
        self.constants[name] = array
        return name

    def _unique(self, name: str) -> str:
        self._names[name] = count = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"


def writer_of(layer: Layer, table: dict[type[Layer], Writer]) -> Writer | None:
    """Return what says a layer: of its class, or of one that it is derived from and computes as."""
    kind = type(layer)
    for known in kind.__mro__:
        if known in table:
            same = all(getattr(kind, m, None) is getattr(known, m, None) for m in COMPUTING)
            return table[known] if same else None
    return None
