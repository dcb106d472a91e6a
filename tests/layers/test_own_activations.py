"""Activations of a user's own, derived from rectifiers, inside of layers and beside them."""

from functools import partial

import numpy as np
import pytest

import salamandre as sal


class ShiftedRectifier(sal.ReLU):
    """A rectifier that computes max(0, x + 1)."""

    def compute(self, x, ctx):
        return super().compute(x + 1, ctx)


@pytest.mark.parametrize("kind", ["neurons", "convolution"])
def test_a_rectifier_with_its_own_compute_is_used_by_layers(kind):
    shape = (3,) if kind == "neurons" else (2, 5, 5)
    layer = sal.NeuronLayer(4) if kind == "neurons" else sal.ConvolutionalLayer(3, 3)
    plain = sal.Network([layer], shape, seed=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(6, *shape))
    own = ShiftedRectifier()
    if kind == "neurons":
        layer = sal.NeuronLayer(4, own, initializer=sal.initializers.Xavier())
    else:
        layer = sal.ConvolutionalLayer(3, 3, activation=own)
    network = sal.Network([layer], shape, seed=0, dtype="float64")
    network.parameters[...] = plain.parameters
    np.testing.assert_allclose(network.compute(x), np.maximum(0, plain.compute(x) + 1), atol=1e-12)


@pytest.mark.parametrize("kind", ["neurons", "convolution"])
def test_a_slope_that_is_set_later_counts_forward_and_back(kind, random):
    shape = (3,) if kind == "neurons" else (2, 3, 3)
    make = sal.NeuronLayer if kind == "neurons" else partial(sal.ConvolutionalLayer, kernel=2)
    layer = make(4, activation=sal.LeakyReLU(0.1))
    net = sal.Network([layer], shape, dtype="float64")
    x, dy = random.normal(size=(5, *shape)), random.normal(size=(5, *net.output_shape))
    net.compute(x)
    layer.activation.slope = 0.7
    way = 1e-6 * random.normal(size=x.shape)
    slope = ((net.compute(x + way) - net.compute(x - way)) * dy).sum() / 2
    net.compute(x)
    assert (net.backprop(dy) * way).sum() == pytest.approx(slope, rel=1e-6)
