"""Numbers at the edge: NaN stays NaN, minus infinity is a probability of 0."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import stable

IMAGES = np.random.default_rng(0).normal(size=(2, 1, 4, 4))
ROWS = np.random.default_rng(0).normal(size=(3, 4))
ACTIVATIONS = [
    sal.Identity(),
    sal.Sigmoid(),
    sal.Tanh(),
    sal.CenteredSigmoid(),
    sal.ReLU(),
    sal.LeakyReLU(0.2),
    sal.ELU(),
    sal.SoftPlus(),
    sal.Softmax(),
]
LAYERS = [
    *((activation, ROWS) for activation in ACTIVATIONS),
    *((sal.NeuronLayer(3, activation), ROWS) for activation in ACTIVATIONS),
    (sal.ConvolutionalLayer(2, 3, padding=1, activation=sal.ReLU()), IMAGES),
    (sal.ConvolutionalLayer(2, 3, padding=1, activation=sal.LeakyReLU(0.1)), IMAGES),
    (sal.TransposedConvolutionalLayer(2, 2, activation=sal.ReLU()), IMAGES),
    (sal.MaxPool(2), IMAGES),
    (sal.MaxPool(3, stride=1, padding=1), IMAGES),
    (sal.AveragePool(2), IMAGES),
    (sal.GlobalAveragePool(), IMAGES),
    (sal.BatchNorm(), ROWS),
    (sal.BatchNorm(), IMAGES),
    (sal.LayerNorm(), ROWS),
    (sal.InstanceNorm(), IMAGES),
    (sal.MinibatchDeviation(), ROWS),
]


@pytest.mark.parametrize("layer, x", LAYERS, ids=[repr(layer) for layer, _ in LAYERS])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_no_layer_hides_that_its_input_was_nan(layer, x, backend, host):
    """A rectifier or a pool that makes a number of NaN hides a diverged run."""
    layer = type(layer)(**layer.config())
    network = sal.Network([layer], x.shape[1:], backend=backend)
    for place in np.ndindex(*x.shape[1:]):
        broken = x.astype(np.float32)
        broken[(0, *place)] = np.nan
        y = host(network.compute(network.backend.asarray(broken), network.new_pass()))
        assert np.isnan(y[0]).any()
        if len(place) == 3 and place > (0, 1, 1):
            break


def test_minus_infinity_is_a_probability_of_zero(backend, host):
    side = sal.get_backend(backend)
    z = side.asarray(np.array([[-np.inf, 0, np.log(3)]]))
    assert np.allclose(host(stable.softmax(side.xp, z)), [[0, 0.25, 0.75]])
    value, dz = sal.CrossEntropy(from_logits=True).compute(z, side.asarray(np.array([2])), side.xp)
    assert float(value) == pytest.approx(-np.log(0.75))
    assert np.allclose(host(dz), [[0, 0.25, -0.25]])


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_cross_entropy_of_logits_keeps_its_digits_for_both_kinds(slope, backend, host):
    z = np.array([[20.0], [-20.0], [35.0], [-35.0]])
    loss = sal.BinaryCrossEntropy(from_logits=True, slope=slope)
    network = sal.Network([sal.Identity()], 1, backend=backend)
    side, exact = network.backend, np.log1p(np.exp(-slope * np.abs(z)))
    checked = loss.check(np.array([[1.0], [0], [1], [0]]), z.shape, network.dtype, side)
    value, dz = loss.compute(side.asarray(z.astype(np.float32)), checked, side.xp)
    assert float(value) == pytest.approx(exact.mean(), rel=1e-5, abs=0)
    expected = -np.sign(z) * slope * np.exp(-slope * np.abs(z)) / 4  # 1 - p = exp(-|z|) out there
    np.testing.assert_allclose(host(dz), expected, rtol=1e-5)
