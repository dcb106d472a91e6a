"""Variational autoencoders: the layer that draws, the bound, and both in a network."""

from __future__ import annotations

import numpy as np
import pytest
from pytorch_twins import F, as_torch, close, torch

import salamandre as sal

RANDOM = np.random.default_rng(3)
LATENT, FEATURES, COUNT = 3, 7, 5
PIXELS = (RANDOM.random((COUNT, FEATURES)) < 0.5).astype(float)
STATISTICS = RANDOM.normal(size=(COUNT, 2 * LATENT))
SHOWN = RANDOM.uniform(0.1, 0.9, (COUNT, FEATURES))
OUTPUTS = np.concatenate([STATISTICS, SHOWN], axis=1)
BOUNDS = [
    sal.VariationalBound(LATENT),
    sal.VariationalBound(LATENT, sal.BinaryCrossEntropy(from_logits=True)),
    sal.VariationalBound(LATENT, sal.MeanSquaredError()),
]


def autoencoder(**options) -> sal.Network:
    hidden = [sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(2 * LATENT)]
    shown = [sal.NeuronLayer(6, sal.Tanh()), sal.NeuronLayer(FEATURES, sal.Sigmoid())]
    latent = {"sample": sal.GaussianSample(), "decoder": sal.Sequential(shown)}
    layers = {"encoder": sal.Sequential(hidden), "latent": sal.Skip(latent)}
    return sal.Network(layers, FEATURES, sal.VariationalBound(LATENT), sal.Adam(0.01), **options)


@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_reaches_means_and_variances_through_the_sample(training, backend):
    report = sal.gradient_check(
        sal.GaussianSample(), STATISTICS, training=training, backend=backend
    )
    assert report and report.worst < 1e-6, str(report)


@pytest.mark.parametrize("loss", BOUNDS, ids=repr)
def test_the_gradient_of_the_bound(loss, backend):
    assert sal.gradient_check(loss, OUTPUTS, PIXELS, backend=backend).worst < 1e-6


def test_the_gradient_of_a_whole_autoencoder(backend):
    network = autoencoder(dtype="float64", backend=backend)
    report = sal.gradient_check(network, PIXELS + 0.1)
    assert report and report.worst < 1e-6, str(report)


def test_samples_have_the_means_and_variances_that_they_are_given():
    network = sal.Network([sal.GaussianSample()], 2)
    x = np.tile(np.array([[1.5, np.log(0.25)]]), (20_000, 1))
    z = network.predict(x)
    assert z.shape == (20_000, 1)
    assert z.mean() == pytest.approx(1.5, abs=0.02) and z.std() == pytest.approx(0.5, rel=0.02)
    assert np.array_equal(z, network.predict(x))  # drawn by the seed of predict
    assert not np.array_equal(z, network.predict(x, seed=1))
    assert not np.array_equal(network.compute(x), network.compute(x))  # by the network's stream


@pytest.mark.parametrize("weights", [None, [1, 0.5, 2, 0, 1]])
def test_the_bound_is_that_of_pytorch(weights):
    y = as_torch(OUTPUTS).requires_grad_()
    mean, log_variance, shown = y.split((LATENT, LATENT, FEATURES), dim=1)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    divergence = torch.distributions.kl_divergence(q, p).sum(dim=1)
    error = F.binary_cross_entropy(shown, as_torch(PIXELS), reduction="none").sum(dim=1)
    factors = np.ones(COUNT) if weights is None else np.array(weights) / np.mean(weights)
    wanted = ((error + divergence) * as_torch(factors)).mean()
    wanted.backward()
    loss = sal.VariationalBound(LATENT)
    given = None if weights is None else factors
    value, dy = loss.compute(OUTPUTS, PIXELS, np, given)
    assert close(value, wanted) and close(dy, y.grad)
    assert close(loss.divergence(OUTPUTS, np), divergence)


def test_the_bound_of_logits_is_that_of_their_probabilities():
    logits = np.concatenate([STATISTICS, np.log(SHOWN / (1 - SHOWN))], axis=1)
    values = [
        float(loss.compute(y, PIXELS, np)[0])
        for loss, y in zip(BOUNDS[:2], (OUTPUTS, logits), strict=True)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_a_latent_vector_that_is_the_prior_costs_nothing():
    y = np.concatenate([np.zeros((2, 2 * LATENT)), np.full((2, FEATURES), 0.5)], axis=1)
    value, _ = sal.VariationalBound(LATENT).compute(y, np.ones((2, FEATURES)), np)
    assert value == pytest.approx(FEATURES * np.log(2))


def test_an_autoencoder_learns_and_is_saved(tmp_path):
    network = autoencoder()
    images = PIXELS.reshape(COUNT, 1, 1, FEATURES)  # as images, targets of vectors
    first = np.mean([network.learn(PIXELS, images) for _ in range(20)])
    for _ in range(200):
        network.learn(PIXELS, images)
    assert np.mean([network.learn(PIXELS, images) for _ in range(20)]) < first - 0.5
    network.save(tmp_path / "net")
    again = sal.Network.load(tmp_path / "net")
    assert np.array_equal(again.predict(PIXELS), network.predict(PIXELS))
    assert again.loss.latent == LATENT


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sal.Network([sal.GaussianSample()], 3), "got 3 features: give it an even number"),
        (lambda: sal.Network([sal.GaussianSample()], (2, 4, 4)), "takes vectors"),
        (lambda: sal.VariationalBound(0), "at least 1"),
        (lambda: sal.VariationalBound(3, sal.CrossEntropy()), "a mean over the features"),
        (lambda: sal.VariationalBound(3, BOUNDS[0]), "a mean over the features"),
        (
            lambda: sal.Network([sal.NeuronLayer(6)], 7, sal.VariationalBound(3), sal.Adam()).learn(
                PIXELS, PIXELS
            ),
            r"expects outputs \(N, 6 \+ features\), got \(5, 6\)",
        ),
        (lambda: autoencoder().learn(PIXELS, PIXELS[:, :4]), "targets of the outputs' shape"),
        (lambda: autoencoder().learn(PIXELS, 2 * PIXELS), r"targets in \[0, 1\]"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_another_part_than_a_loss_is_refused():
    with pytest.raises(TypeError, match=r"reconstruction must be a salamandre\.Loss"):
        sal.VariationalBound(3, sal.Sigmoid())
