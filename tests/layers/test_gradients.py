"""Layers over vectors against centred differences, in float64, below 1e-6."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.gradient_checking import gradient_check

X = np.random.default_rng(7).normal(size=(5, 4))

LAYERS = {
    "neurons": [sal.NeuronLayer(3)],
    "neurons without bias": [sal.NeuronLayer(3, sal.Tanh(), bias=False)],
    "neurons with noise": [sal.NeuronLayer(3, sal.Sigmoid(), noise=2), sal.NeuronLayer(2, noise=1)],
    "dropout": [sal.Dropout(0.4)],
    "batch-norm": [sal.BatchNorm()],
    "batch-norm between": [sal.NeuronLayer(3), sal.BatchNorm(eps=0.01), sal.Tanh()],
    "flatten": [sal.Reshape((2, 2)), sal.Flatten(), sal.NeuronLayer(2)],
    "maps": [sal.Reshape((2, 1, 2)), sal.BatchNorm(), sal.Tanh(), sal.Flatten()],
    "minibatch discrimination": [sal.NeuronLayer(3), sal.MinibatchDiscrimination(2, 3)],
    "packing": [sal.NeuronLayer(3), sal.Packing(3), sal.NeuronLayer(2)],
    "packing of maps": [sal.Reshape((2, 1, 2)), sal.Packing(2), sal.Flatten()],
    "minibatch deviation": [sal.MinibatchDeviation(eps=0.01), sal.NeuronLayer(2)],
    "minibatch deviation of maps": [
        sal.Reshape((2, 1, 2)),
        sal.MinibatchDeviation(),
        sal.Flatten(),
    ],
    "sequential": [sal.Sequential([sal.NeuronLayer(3, sal.ELU()), sal.Dropout(0.2)])],
    "nested": [sal.Network([sal.NeuronLayer(3, sal.ELU()), sal.Dropout(0.2)]), sal.NeuronLayer(2)],
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, backend):
    assert gradient_check(LAYERS[name], X, backend=backend).worst < 1e-6


@pytest.mark.parametrize("name", ["dropout", "batch-norm between", "maps", "nested"])
def test_layers_when_not_training(name, backend):
    report = gradient_check(LAYERS[name], X, training=False, backend=backend)
    assert report.worst < 1e-6
