"""Arrays and a network for the tests of what newcomers write."""

from __future__ import annotations

import numpy as np

import salamandre as sal

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int)
PICTURES = np.random.default_rng(1).random((20, 1, 6, 6)).astype(np.float32)
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (80, 8, 8), dtype=np.uint8)
DIGITS = RANDOM.integers(0, 10, 80)
ROWS = RANDOM.normal(size=(100, 3))
LINE = ROWS @ [1.0, -2.0, 0.5] + 3


def classifier(inputs=4, outputs=2, **options):
    layers = [sal.NeuronLayer(8, "relu"), sal.NeuronLayer(outputs, "softmax")]
    options = {"loss": "cross_entropy", "optimizer": sal.Adam(0.05), **options}
    return sal.Network(layers, inputs, **options)
