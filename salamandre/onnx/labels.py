"""Layers that know the labels, from nodes: rows of arrays that a second input chooses."""

from __future__ import annotations

import numpy as np

from salamandre.layer import Layer, Shape
from salamandre.layers.conditional import ConditionalBatchNorm, Embedding, LabelMap, Projection
from salamandre.layers.normalization import BatchNorm
from salamandre.onnx.reading import Arrays, Found, Node


def appended(node: Node, shape: Shape) -> Found:
    """Return what a Concat of an example and its class's numbers says."""
    table = node.by_class()
    if table is None:
        raise node.refuse("joins an example with a constant, as no layer does")
    if node.attributes.get("axis") != 1 or node.inputs[:-1] != node.data:
        raise node.refuse("puts a class's numbers elsewhere than after the features")
    rows = table.reshape(len(table), -1)
    layer = Embedding(*rows.shape) if len(shape) == 1 else LabelMap(len(rows))
    return Found(layer, {"weights": rows})


def scaled_by_class(node: Node, shape: Shape, gamma: np.ndarray, beta: np.ndarray) -> Found:
    """Return y = gamma[label] x + beta[label], which must become a part of a batch-norm."""
    if gamma.shape[1:] != (shape[0], *[1] * (len(shape) - 1)):
        raise node.refuse("scales or shifts other numbers than features by class")
    rows = {"gamma": gamma.reshape(len(gamma), -1), "beta": beta.reshape(len(beta), -1)}
    return Found(ConditionalBatchNorm(len(gamma)), rows)


def normalised_by_class(last: Layer | None, arrays: Arrays, after: Arrays) -> Found:
    """Return a batch-norm and what :func:`scaled_by_class` found after it as one layer.

    Raises:
        ValueError: ``last`` is no batch-norm.
    """
    norm = last.children[0] if isinstance(last, ConditionalBatchNorm) else last
    if not (isinstance(norm, BatchNorm) and norm.trainable):
        raise ValueError("it scales by class what no batch-norm has normalised, as no layer does")
    gamma, beta = after["gamma"], after["beta"]
    layer = ConditionalBatchNorm(len(gamma), norm.momentum, norm.eps)
    scaled = {"gamma": gamma * arrays["gamma"], "beta": gamma * arrays["beta"] + beta}
    return Found(layer, {**arrays, **scaled})


def projected(node: Node) -> Found | None:
    """Return the layer of a product with w + E[label] whose features are summed; None if none."""
    producers, labels = node.graph.producers, node.graph.of_labels
    sums = [producers[name] for name in node.inputs if name in labels and name in producers]
    if len(sums) != 1 or sums[0].kind != "Add":
        return None
    (rows,) = sums
    after = [other for other in node.graph.nodes if node.outputs[0] in other.inputs]
    if [other.kind for other in after] != ["ReduceSum"] or node.outputs[0] in node.graph.outputs:
        raise node.refuse("makes products with a class's numbers, of which no sum alone is taken")
    names = [name for name in rows.inputs if name in labels]
    table = node.graph.table(names[0])
    weights = np.reshape(rows.constant(1 - rows.inputs.index(names[0])), (1, -1))
    arrays = {"weights": weights, "embedding": table, "bias": np.zeros(1)}
    return Found(Projection(len(table)), arrays)


def summed(node: Node, shape: Shape) -> Found:
    """Return nothing for the sum that is part of a projection."""
    product = node.producer(0, "Mul")
    axes = np.ravel(node.constant(1, node.attributes.get("axes", [])))
    whole = [*axes] == [1] and node.attributes.get("keepdims", 1) == 1
    if product is None or projected(product) is None or not whole:
        raise node.refuse("sums features, as no layer but a Projection does")
    return Found()
