"""Minibatch discrimination and deviation, written out example by example."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal

X = np.random.default_rng(1).normal(size=(6, 4))


def built(layer, shape=(4,)):
    return sal.Network([layer], shape, dtype="float64", seed=3)


def test_minibatch_discrimination_is_the_paper_s_formula():
    network = built(sal.MinibatchDiscrimination(3, 2, sal.initializers.Gaussian(0.5)))
    tensor = network.named_parameters()["0.weights"].reshape(4, 3, 2)  # A x B x C in the paper
    expected = np.zeros((6, 3))
    for i in range(6):
        for j in range(6):
            for b in range(3):
                if i != j:
                    l1 = np.abs(X[i] @ tensor[:, b] - X[j] @ tensor[:, b]).sum()
                    expected[i, b] += np.exp(-l1)
    y = network.compute(X)
    assert np.array_equal(y[:, :4], X)
    assert np.allclose(y[:, 4:], expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (2, 1, 2)])
def test_minibatch_deviation_is_the_mean_of_deviations(shape):
    x = X.reshape(6, *shape)
    y = built(sal.MinibatchDeviation(eps=1e-12), shape).compute(x)
    expected = np.mean([np.std(x.reshape(6, -1)[:, k]) for k in range(4)])
    assert np.array_equal(y[:, :-1], x)
    assert np.allclose(y[:, -1], expected)
    assert y.shape == (6, shape[0] + 1, *shape[1:])


def test_a_collapsed_batch_is_told_from_a_varied_one():
    same = np.repeat(X[:1], 6, axis=0)
    discrimination = built(sal.MinibatchDiscrimination(3, 2))
    assert np.allclose(discrimination.compute(same)[:, 4:], 5)  # exp(0) with each of the others
    assert np.all(discrimination.compute(X)[:, 4:] < 5)
    assert built(sal.MinibatchDeviation()).compute(same)[0, -1] < 1e-3


@pytest.mark.parametrize("layer", [sal.MinibatchDiscrimination(2, 3), sal.MinibatchDeviation()])
def test_a_gradient_penalty_refuses_them(layer):
    generator = sal.Network([sal.NeuronLayer(4)], 2, optimizer=sal.Adam())
    critic = sal.Network([layer, sal.NeuronLayer(1)], 4, optimizer=sal.Adam())
    with pytest.raises(ValueError, match=f"{type(layer).__name__} cannot be part of a critic"):
        sal.WGanGame(
            generator,
            critic,
            X,
            latent=sal.Gaussian(2),
            batch_size=2,
            lipschitz=sal.GradientPenalty(),
        )


def test_saved_and_loaded(tmp_path):
    layers = [sal.MinibatchDiscrimination(2, 3), sal.MinibatchDeviation(0.1), sal.NeuronLayer(1)]
    network = sal.Network(layers, 4)
    network.save(tmp_path / "n.safetensors")
    again = sal.Network.load(tmp_path / "n.safetensors")
    assert np.array_equal(again.compute(X), network.compute(X))


def test_images_must_be_flattened_before_discrimination():
    with pytest.raises(ValueError, match=r"put a Flatten\(\) before it"):
        sal.Network([sal.MinibatchDiscrimination()], (1, 2, 2))
