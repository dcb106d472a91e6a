"""Minibatch discrimination and deviation, written out example by example."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal

MINIBATCH = [sal.MinibatchDiscrimination(2, 3), sal.MinibatchDeviation(), sal.Packing()]
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


@pytest.mark.parametrize("layer", MINIBATCH)
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


@pytest.mark.parametrize("shape", [(4,), (2, 1, 2)])
def test_packs_are_of_neighbours_in_the_batch(shape):
    y = built(sal.Packing(3), shape).compute(X.reshape(6, *shape))
    assert y.shape == (6, 3 * shape[0], *shape[1:])
    for i, pack in enumerate(y.reshape(6, 3, 4)):
        assert np.array_equal(pack, X[[i, (i + 1) % 6, (i + 2) % 6]])


def test_a_discriminator_of_packs_tells_equal_examples_from_varied_ones(random):
    """Each example alone looks the same: both kinds are drawn from the same two points."""
    points = np.array([[-1.0, 1], [1, -1]], np.float32)
    layers = [sal.Packing(2), sal.NeuronLayer(16, sal.Tanh()), sal.NeuronLayer(1, sal.Sigmoid())]
    network = sal.Network(layers, 2, sal.BinaryCrossEntropy(), sal.Adam(0.02))
    for _ in range(200):
        varied, same = random.integers(0, 2, 64), np.full(64, random.integers(2))
        network.learn(points[varied], np.ones((64, 1)))
        network.learn(points[same], np.zeros((64, 1)))
    varied, same = (network.predict(points[i]) for i in (np.arange(64) % 2, np.zeros(64, int)))
    assert varied.min() > 0.85 and same.max() < 0.6  # 1/3 at best: half of the first are equal too


def test_packs_larger_than_the_batch_are_refused():
    with pytest.raises(ValueError, match=r"packs of 7 different examples, and a batch has 6"):
        built(sal.Packing(7)).compute(X)
    generator = sal.Network([sal.NeuronLayer(4)], 2, optimizer=sal.Adam())
    layers = [sal.Packing(3), sal.NeuronLayer(1)]
    critic = sal.Network(layers, 4, optimizer=sal.Adam())
    with pytest.raises(ValueError, match="packs of 3 different examples, and a batch has 2"):
        sal.GanGame(generator, critic, X, latent=sal.Gaussian(2), batch_size=2)
    sal.GanGame(generator, critic, X, latent=sal.Gaussian(2), batch_size=4).play(2)


@pytest.mark.parametrize("size", [2, 4])
def test_packs_of_any_size_cannot_have_a_gradient_penalty(size):
    generator = sal.Network([sal.NeuronLayer(4)], 2, optimizer=sal.Adam())
    critic = sal.Network([sal.Packing(size), sal.NeuronLayer(1)], 4, optimizer=sal.Adam())
    options = {"latent": sal.Gaussian(2), "lipschitz": sal.GradientPenalty(), "batch_size": 6}
    with pytest.raises(ValueError, match="Packing cannot be part of a critic with a gradient pen"):
        sal.GanGame(generator, critic, X, **options)


def test_saved_and_loaded(tmp_path):
    layers = [sal.MinibatchDiscrimination(2, 3), sal.MinibatchDeviation(0.1), sal.NeuronLayer(1)]
    network = sal.Network(layers, 4)
    network.save(tmp_path / "n.safetensors")
    again = sal.Network.load(tmp_path / "n.safetensors")
    assert np.array_equal(again.compute(X), network.compute(X))


def test_images_must_be_flattened_before_discrimination():
    with pytest.raises(ValueError, match=r"put a Flatten\(\) before it"):
        sal.Network([sal.MinibatchDiscrimination()], (1, 2, 2))
