"""A network with everything that has a state, and all that it remembers."""

from __future__ import annotations

import numpy as np

import salamandre as sal

X = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)

LABELS = np.array([0, 1, 2, 2, 1, 0])


def everything(backend="numpy", **options) -> sal.Network:
    """A network with noise, dropout, running statistics and an optimizer with memory."""
    layers = [
        sal.NeuronLayer(5, sal.ReLU(), noise=2),
        sal.BatchNorm(),
        sal.Dropout(0.3),
        sal.NeuronLayer(3, sal.Softmax()),
    ]
    options = {"loss": sal.CrossEntropy(), "optimizer": sal.Adam(0.01), **options}
    return sal.Network(layers, 4, backend=backend, **options)


def snapshot(network: sal.Network) -> dict[str, np.ndarray]:
    """All that a network remembers, random numbers excepted."""
    to_numpy = network.backend.to_numpy
    arrays = {**network.tensors(), "gradients": np.array(to_numpy(network.gradients))}
    for name, memory in network.optimizer.memory.items():
        arrays[f"optimizer {name}"] = np.array(to_numpy(memory))
    arrays["steps"] = np.array(network.optimizer.steps)
    return arrays


def unchanged(network: sal.Network, before: dict[str, np.ndarray]) -> bool:
    after = snapshot(network)
    return all(np.array_equal(before[name], after[name]) for name in before)
