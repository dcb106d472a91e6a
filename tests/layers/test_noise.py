"""Noise that is added to outputs, or multiplied with them."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.gradient_checking import gradient_check


@pytest.mark.parametrize("multiplied", [False, True])
def test_noise_has_its_standard_deviation(multiplied, backend, host):
    layer = sal.GaussianNoise(0.3, multiplied)
    network = sal.Network([layer], 20_000, backend=backend, dtype="float64")
    y = host(network.compute(np.full((2, 20_000), 2.0)))
    assert y.mean() == pytest.approx(2, abs=0.02)
    assert y.std() == pytest.approx(0.6 if multiplied else 0.3, rel=0.03)
    assert not np.array_equal(y[0], y[1])


@pytest.mark.parametrize("multiplied", [False, True])
def test_gradients_of_noise(multiplied, backend, random):
    layers = [sal.NeuronLayer(3), sal.GaussianNoise(0.4, multiplied), sal.NeuronLayer(2)]
    assert gradient_check(layers, random.normal(size=(5, 4)), backend=backend).worst < 1e-6
    images = [sal.ConvolutionalLayer(2, 2), sal.GaussianNoise(0.4, multiplied)]
    assert gradient_check(images, random.normal(size=(2, 2, 3, 4)), backend=backend).worst < 1e-6


@pytest.mark.parametrize("multiplied", [False, True])
def test_noise_is_drawn_from_the_seed_of_predict(multiplied):
    network = sal.Network([sal.GaussianNoise(0.5, multiplied)], 100)
    one, same, other = (network.predict(np.ones((2, 100)), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_noise_of_training_alone_is_off_in_use():
    network = sal.Network([sal.GaussianNoise(0.5, always=False)], 100)
    assert np.array_equal(network.predict(np.ones((2, 100))), np.ones((2, 100)))
    assert network.compute(np.ones((2, 100))).std() > 0.3
