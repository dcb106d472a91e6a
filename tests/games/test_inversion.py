"""Latent vectors that a picture would be made from."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import data
from salamandre.games import inversion, invert


def linear(backend="numpy"):
    """A generator whose inverse is known: least squares."""
    layers = [sal.NeuronLayer(20, sal.Tanh()), sal.Reshape((1, 4, 5))]
    return sal.Network(layers, 3, backend=backend, dtype="float64", seed=2)


def test_a_picture_that_the_generator_has_made_is_found_again(backend, host, random):
    generator = linear(backend)
    z = random.normal(size=(4, 3))
    pictures = generator.predict(z)
    before = generator.tensors()
    found = invert(generator, pictures, steps=200, tries=2)
    assert np.allclose(host(found.latent), z, atol=0.01)
    assert np.allclose(host(found.examples), host(pictures), atol=0.01)
    assert host(found.losses).shape == (4,) and host(found.losses).max() < 1e-4
    after = generator.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_the_best_of_an_unreachable_picture_is_that_of_least_squares(random):
    generator = sal.Network([sal.NeuronLayer(20)], 3, dtype="float64")
    x = random.normal(size=(5, 20))
    weights = generator.named_parameters()["0.weights"]
    expected = np.linalg.lstsq(weights, x.T, rcond=None)[0].T
    found = invert(generator, x, steps=600, tries=1)
    assert np.allclose(found.latent, expected, atol=0.01)
    assert np.allclose(found.losses, ((expected @ weights.T - x) ** 2).mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("shape", [20, (1, 4, 5)])
def test_the_gradient_with_features(shape, random):
    generator = linear()
    first = [sal.ConvolutionalLayer(2, 2), sal.Flatten()] if shape != 20 else []
    layers = [*first, sal.NeuronLayer(6, sal.Tanh()), sal.NeuronLayer(4, sal.Softmax())]
    judge = sal.Network(layers, shape, dtype="float64", seed=3)
    x, y = random.normal(size=(2, 2, 1, 4, 5))
    measure = inversion._Likeness(generator, x, judge, 0.7)
    values, dy = measure(y)
    learned = [(v.reshape(2, *judge.input_shape) + 1) / 2 for v in (x, y)]  # 0..1, not -1..1
    inner = [judge.compute(v, stop=len(layers) - 1) for v in learned]
    expected = ((x - y) ** 2).mean(axis=(1, 2, 3)) + 0.7 * ((inner[0] - inner[1]) ** 2).mean(axis=1)
    assert np.allclose(values, expected)
    dy = dy.copy()
    for _ in range(5):
        way = 1e-5 * random.normal(size=y.shape)
        slope = (measure(y + way)[0] - measure(y - way)[0]).sum() / 2
        assert slope == pytest.approx((dy * way).sum(), rel=1e-6)


def test_features_and_classes_are_used():
    layers = [sal.Embedding(3), sal.NeuronLayer(12, sal.Tanh())]
    generator = sal.Network(layers, 3, dtype="float64", seed=2)
    judge = sal.Network(
        [sal.NeuronLayer(6), sal.NeuronLayer(3, sal.Softmax())], 12, dtype="float64"
    )
    x = generator.predict(np.array([[0.5, -1, 1]]), labels=[2])
    found = invert(generator, x, [2], features=judge, tries=2)
    assert np.allclose(found.latent, [[0.5, -1, 1]], atol=0.02)
    assert invert(generator, x, [0], features=judge, tries=1, steps=100).losses[0] > found.losses[0]


def test_pictures_of_another_size_are_refused_in_one_sentence():
    with pytest.raises(
        ValueError, match=r"makes pictures of shape \(1, 4, 5\), got .* resize them"
    ) as caught:
        invert(linear(), np.zeros((2, 1, 5, 5)))
    assert "\n" not in str(caught.value)


def test_features_of_another_size_are_refused_in_one_sentence():
    judge = sal.Network([sal.NeuronLayer(6), sal.NeuronLayer(3)], 12)
    with pytest.raises(ValueError, match=r"network of pictures \(1, 4, 5\), got one of \(12,\)"):
        invert(linear(), np.zeros((2, 1, 4, 5)), features=judge)


def test_pictures_are_real_finite_numbers_or_bytes():
    network = sal.Network([sal.NeuronLayer(4, sal.Tanh())], 2, dtype="float64", seed=1)
    x = network.predict(np.array([[0.3, -0.6]]))
    pixels = np.rint((x + 1) * 127.5).astype(np.uint8)
    found = invert(network, pixels, tries=2)
    assert np.allclose(found.examples, x, atol=0.02)
    for bad, message in (
        (x * np.nan, "hold NaN or infinity"),
        (x * 1j, "must be real numbers"),
        (np.ma.masked_array(x, x > 0), "masked array"),
    ):
        with pytest.raises(ValueError, match=message):
            invert(network, bad)


@pytest.mark.parametrize("shape", [(1, 8, 8), 64])
def test_images_of_a_data_set_have_their_own_white(shape):
    digits = data.load("digits")[0][:3]
    layers = [sal.NeuronLayer(64, sal.Tanh()), *([sal.Reshape(shape)] if shape != 64 else [])]
    generator = sal.Network(layers, 5, dtype="float64")
    scaled = 2 * (digits.images / digits.white) - 1
    found, expected = (invert(generator, x, steps=3, tries=1) for x in (digits, scaled))
    assert digits.white == 16 and np.allclose(found.losses, expected.losses)


def test_an_inversion_that_diverges_is_an_error():
    with (
        pytest.raises(ValueError, match=r"diverged with a rate of 1e\+308: lower it"),
        np.errstate(all="ignore"),
    ):
        invert(linear(), np.zeros((2, 1, 4, 5)), rate=1e308, steps=3)
