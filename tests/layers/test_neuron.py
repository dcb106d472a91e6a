"""Neurons with noise."""

from __future__ import annotations

import numpy as np

import salamandre as sal


def test_noise_is_fresh_gaussian_and_part_of_the_weights(backend, host):
    layer = sal.NeuronLayer(20_000, noise=3, initializer=sal.initializers.Constant(1))
    network = sal.Network([layer], 1, backend=backend)
    zero = np.zeros((1, 1))
    assert host(layer.weights).shape == (20_000, 4)
    first, second = host(network.compute(zero)), host(network.compute(zero, training=False))
    assert (first == first[0, 0]).all()  # one draw serves all neurons of an example
    assert first[0, 0] != second[0, 0]  # but each compute has its own, in use too
    wide = sal.Network([sal.NeuronLayer(1, noise=20_000)], 1, backend=backend, dtype="float64")
    run = wide.new_pass()
    wide.compute(np.zeros((2, 1)), run)
    wide.backprop(np.eye(2)[:, :1], run)  # dW is the first example's inputs
    first = host(wide.named_gradients()["0.weights"])[0, 1:] + 0
    wide.backprop(np.eye(2)[:, 1:], run)
    draws = np.stack([first, host(wide.named_gradients()["0.weights"])[0, 1:]])
    assert abs(draws.mean()) < 0.02 and abs(draws.std() - 1) < 0.02
    assert abs((draws[0] * draws[1]).mean()) < 0.03
    assert host(wide.backprop(np.ones((2, 1)), run)).shape == (2, 1)
