"""The matrix products that a step cannot do without, in NumPy."""

from __future__ import annotations

import itertools

import numpy as np

from peers import BATCH, Step


def perceptron(sizes: list[int], batch: int, optimizer: str) -> Step:
    """Return the products of a step of a perceptron; no optimizer is run."""
    random = np.random.default_rng(0)
    weights = [random.random((m, n), dtype=np.float32) for n, m in itertools.pairwise(sizes)]
    gradients = [np.empty_like(w) for w in weights]
    values = [random.random((batch, size), dtype=np.float32) for size in sizes]
    deltas = [np.empty_like(v) for v in values]

    def step() -> float:
        for i, w in enumerate(weights):
            np.dot(values[i], w.T, out=deltas[i + 1])
        for i in reversed(range(len(weights))):
            np.dot(values[i + 1].T, values[i], out=gradients[i])
            if i:
                np.dot(values[i + 1], weights[i], out=deltas[i])
        return 0.0

    return step


def layer(transposed: bool, inputs: int, outputs: int, size: int) -> Step:
    """Return the three products of a convolution by columns, without the columns."""
    image, other = (outputs, inputs) if transposed else (inputs, outputs)
    rows = BATCH * (size if transposed else size // 2) ** 2
    random = np.random.default_rng(0)
    shapes = ((rows, 16 * image), (other, 16 * image), (rows, other))
    columns, weights, y = (random.standard_normal(shape, dtype=np.float32) for shape in shapes)
    written = [np.empty_like(array) for array in (y, weights, columns)]

    def step() -> float:
        np.dot(columns, weights.T, out=written[0])
        np.dot(y.T, columns, out=written[1])
        np.dot(y, weights, out=written[2])
        return 0.0

    return step
