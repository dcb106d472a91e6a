"""Layers made of layers."""

from __future__ import annotations

import numpy as np
from networks import LABELS, X

import salamandre as sal


def test_a_network_is_a_layer(backend, host):
    inner = [sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(3, sal.Softmax())]
    outer = [sal.NeuronLayer(5, sal.Tanh()), sal.Network([sal.NeuronLayer(3, sal.Softmax())])]
    options = {"backend": backend, "dtype": "float64"}
    flat = sal.Network(inner, 4, sal.CrossEntropy(), sal.SGD(0.1), **options)
    nested = sal.Network(outer, 4, sal.CrossEntropy(), sal.SGD(0.1), **options)
    assert [*nested.named_parameters()] == ["0.weights", "0.bias", "1.0.weights", "1.0.bias"]
    for _ in range(3):
        assert float(flat.learn(X, LABELS)) == float(nested.learn(X, LABELS))
    assert np.array_equal(host(flat.parameters), host(nested.parameters))
