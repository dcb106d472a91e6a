"""The range test of learning rates."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.training import lr_find


def problem(curvature=4.0, optimizer=None):
    """Least squares by a linear neuron: steps of more than 2 / curvature diverge."""
    random = np.random.default_rng(0)
    x = random.normal(size=(512, 3)) * np.sqrt(curvature / 2)
    network = sal.Network(
        [sal.NeuronLayer(1)], 3, sal.MeanSquaredError(), optimizer or sal.SGD(0.1)
    )
    return network, (x, x @ np.ones((3, 1)) + random.normal(size=(512, 1)))


def test_the_suggestion_follows_the_curvature():
    found = []
    for curvature in (4.0, 400.0):
        network, data = problem(curvature)
        result = lr_find(network, data, low=1e-6, high=100, steps=120, batch_size=128)
        lowest = result.rates[result.losses.argmin()]
        assert 0.02 < lowest * curvature < 6  # the border is 2, and the mean lags behind
        assert result.suggestion == pytest.approx(lowest / 10)
        assert len(result.rates) == len(result.losses) < 120  # it ended where the loss exploded
        ratios = result.rates[1:] / result.rates[:-1]
        assert np.allclose(ratios, ratios[0])
        found.append(result.suggestion)
    assert found[0] / found[1] == pytest.approx(100, rel=0.9)


def test_the_network_stays_as_it_is_and_the_curve_is_drawn(tmp_path):
    network, data = problem(optimizer=sal.Adam(0.1))
    before = network.tensors()
    lr_find(network, data, steps=20, path=tmp_path / "rates.png")
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert network.optimizer.steps == 0 and network.optimizer.learning_rate == 0.1
    assert (tmp_path / "rates.png").stat().st_size > 5000


def test_what_has_no_range_is_refused():
    network, data = problem()
    with pytest.raises(ValueError, match="high must be a finite number above 1"):
        lr_find(network, data, low=1, high=0.5)
    with pytest.raises(ValueError, match="needs a Network with a loss and an optimizer"):
        lr_find(sal.Network([sal.NeuronLayer(1)], 3), data)


def test_losses_may_be_below_zero():
    """Those of a loss of one's own: the test must not end at its first rate."""

    class Lowered(sal.MeanSquaredError):
        def compute(self, y, t, xp):
            value, gradient = super().compute(y, t, xp)
            return value - 50, gradient

    network, data = problem()
    usual = lr_find(network, data, low=1e-6, high=100, steps=120, batch_size=128)
    network.loss = Lowered()
    lowered = lr_find(network, data, low=1e-6, high=100, steps=120, batch_size=128)
    assert lowered.suggestion == pytest.approx(usual.suggestion)
