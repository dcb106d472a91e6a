"""Activations of a user's own, derived from rectifiers, inside of layers and beside them."""

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
