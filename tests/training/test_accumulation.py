"""Batches that are learned in parts."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.training.accumulation import Accumulation

X = np.random.default_rng(1).normal(size=(23, 5))
LABELS = np.arange(23) % 3


def network(last=None, loss=None, backend="numpy"):
    layers = [sal.NeuronLayer(7, sal.Tanh()), sal.NeuronLayer(3, last or sal.Softmax())]
    optimizer = sal.Adam(0.01)
    return sal.Network(
        layers, 5, loss or sal.CrossEntropy(), optimizer, backend=backend, dtype="float64"
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 5, 23])
def test_a_step_in_parts_is_the_step(parts, weighted, backend, host):
    whole, divided = network(backend=backend), network(backend=backend)
    learner = Accumulation(divided, parts)
    weights = np.random.default_rng(2).uniform(size=23) if weighted else None
    for _ in range(3):
        loss = whole.learn(X, LABELS, weights=weights)
        assert float(learner.learn(X, LABELS, weights)) == pytest.approx(float(loss))
    assert np.allclose(host(whole.parameters), host(divided.parameters), atol=1e-12)


def test_losses_of_values_too():
    whole, divided = (network(sal.Identity(), sal.MeanSquaredError()) for _ in range(2))
    targets = np.random.default_rng(3).normal(size=(23, 3))
    whole.learn(X, targets)
    Accumulation(divided, 4).learn(X, targets)
    assert np.allclose(whole.parameters, divided.parameters, atol=1e-12)


def test_batch_norm_normalises_each_part():
    def normalised():
        layers = [sal.NeuronLayer(7), sal.BatchNorm(), sal.NeuronLayer(3, sal.Softmax())]
        return sal.Network(layers, 5, sal.CrossEntropy(), sal.SGD(0.1), dtype="float64")

    divided, halves = normalised(), normalised()
    Accumulation(divided, 2).learn(X[:22], LABELS[:22])
    before, changes = halves.parameters.copy(), []
    for part in (slice(0, 11), slice(11, 22)):
        halves.learn(X[part], LABELS[part])
        changes.append(halves.parameters - before)
        halves.parameters[...] = before
    assert np.allclose(divided.parameters - before, np.mean(changes, axis=0), atol=1e-12)


def test_an_engine_accumulates_and_continues(tmp_path):
    def engine(accumulate):
        return sal.Engine(network(), (X, LABELS), batch_size=10, accumulate=accumulate)

    one, four, again = engine(1), engine(4), engine(4)
    one.run(3)
    four.run(2)
    four.save(tmp_path / "run")
    again.resume(tmp_path / "run")
    again.run(3)
    assert np.allclose(one.network.parameters, again.network.parameters, atol=1e-10)
    with pytest.raises(ValueError, match="accumulate is 4, here it is None"):
        engine(1).resume(tmp_path / "run")


def test_a_run_that_diverges_in_parts_is_told():
    run = sal.Engine(network(), (X, LABELS), batch_size=10, accumulate=2)
    run.network.parameters[...] = np.inf
    with pytest.raises(sal.Diverged):
        run.run(1)


def test_more_parts_than_examples_are_refused():
    with pytest.raises(ValueError, match="a batch of 10 cannot be learned in 11 parts"):
        sal.Engine(network(), (X, LABELS), batch_size=10, accumulate=11)
