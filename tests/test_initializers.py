"""Initial values against the moments that their papers state."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import initializers as init

SHAPE = (400, 300)


def draw(initializer, shape=SHAPE):
    return initializer.draw(np.random.default_rng(0), shape)


@pytest.mark.parametrize(
    "initializer, variance",
    [
        (init.Gaussian(), 1),
        (init.Gaussian(0.02), 0.0004),
        (init.Uniform(), 1 / 3),
        (init.Xavier(), 2 / 700),
        (init.Xavier("normal", gain=2), 8 / 700),
        (init.He(), 2 / 300),
        (init.He("normal"), 2 / 300),
        (init.LeCun(), 1 / 300),
    ],
    ids=repr,
)
def test_mean_and_variance(initializer, variance):
    values = draw(initializer)
    assert values.shape == SHAPE
    assert values.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / values.size))
    assert values.var() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize(
    ("initializer", "mean", "std", "kurtosis"),
    [
        (init.Gaussian(0.5, mean=2), 2, 0.5, 3),
        (init.Uniform(2, 5), 3.5, 3 / np.sqrt(12), 1.8),
        (init.He("normal"), 0, np.sqrt(2 / 300), 3),
        (init.He(), 0, np.sqrt(2 / 300), 1.8),
        (init.Xavier("normal"), 0, np.sqrt(2 / 700), 3),
    ],
    ids=repr,
)
def test_the_shape_of_distributions(initializer, mean, std, kurtosis):
    """The fourth moment of a normal distribution is 3, of a uniform one 1.8."""
    values = (draw(initializer) - mean) / std
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, rel=0.01)
    assert (values**4).mean() == pytest.approx(kurtosis, rel=0.05)


def test_convolutions_count_their_receptive_field():
    assert draw(init.He(), (64, 32, 5, 5)).var() == pytest.approx(2 / 800, rel=0.02)


def test_uniform_values_have_sharp_ends():
    assert np.abs(draw(init.Xavier())).max() == pytest.approx(np.sqrt(6 / 700), rel=1e-3)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6)])
def test_orthogonal_rows_or_columns(shape):
    q = draw(init.Orthogonal(gain=3), shape) / 3
    product = q @ q.T if shape[0] <= shape[1] else q.T @ q
    assert np.allclose(product, np.eye(min(shape)))


def test_constants():
    assert np.array_equal(draw(init.Identity(3), (2, 3)), [[3, 0, 0], [0, 3, 0]])
    assert (draw(init.Zeros()) == 0).all() and (draw(init.Constant(7)) == 7).all()


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (4, 6, 3, 5), (5, 5, 1, 1)])
def test_dirac_is_that_of_pytorch_and_the_rest_is_drawn(shape):
    torch = pytest.importorskip("torch")
    expected = torch.nn.init.dirac_(torch.empty(shape)).numpy()
    weights = draw(init.Dirac(), shape)
    assert np.array_equal(weights[: shape[1]], expected[: shape[1]])
    rest = weights[shape[1] :]
    assert not rest.size or (rest.std() > 0.1 and (rest != 0).all())
    assert np.array_equal(draw(init.Dirac(3), shape)[:4], 3 * expected[:4])


def test_mistakes():
    for call, message in (
        (lambda: init.Xavier("unifrom"), "did you mean 'uniform'"),
        (lambda: init.He(gain=0), "above 0"),
        (lambda: init.Uniform(1, 0), "at least 1"),
        (lambda: init.Gaussian(-1), "at least 0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (2, 5)])
def test_dirac_passes_images_on_whatever_the_window(kernel):
    network = sal.Network(
        [sal.ConvolutionalLayer(2, kernel, padding="same", initializer=init.Dirac())], (2, 6, 6)
    )
    x = np.random.default_rng(0).normal(size=(3, 2, 6, 6)).astype(np.float32)
    assert np.allclose(network.predict(x), x, atol=1e-6)


def test_a_layer_whose_values_cannot_be_drawn_can_be_used_again():
    layer = sal.NeuronLayer(3, bias_initializer=init.He())
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"two axes or more .* got the shape \(3,\): use Zeros"
        ):
            sal.Network([layer], 4)
