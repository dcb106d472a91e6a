"""Constraints on a critic."""

from __future__ import annotations

import numpy as np
import pytest
from players import POINTS, game, players

import salamandre as sal
from salamandre.games import Lipschitz


def test_clipping_holds_every_parameter(backend, host):
    play = game(sal.WGanGame, backend, lipschitz=sal.WeightClipping(0.05))
    assert np.abs(host(play.critic.parameters)).max() <= 0.05
    for _ in range(3):
        play.play_and_learn()
    assert np.abs(host(play.critic.parameters)).max() == pytest.approx(0.05)


def test_spectral_norm_holds_the_largest_singular_value_at_1(backend, host):
    play = game(backend=backend, lipschitz=sal.SpectralNorm(5), objective=sal.Hinge())
    for _ in range(10):
        play.play_and_learn()
        for name, weights in play.discriminator.named_parameters().items():
            if name.endswith("weights"):
                assert np.linalg.svd(host(weights))[1][0] == pytest.approx(1, abs=2e-3)


def test_the_gradient_of_spectral_norm(random):
    """Against finite differences of the loss by the free weights."""
    critic = sal.Network(
        [sal.NeuronLayer(4, sal.Tanh()), sal.NeuronLayer(1)],
        3,
        optimizer=sal.SGD(1.0),
        dtype="float64",
    )
    norm = sal.SpectralNorm(200)
    norm.attach(critic)
    x, free = random.normal(size=(5, 3)), norm._free.copy()

    def energy(parameters):
        norm._free[...] = parameters
        norm._normalise(200)
        return float((critic.compute(x) ** 2).sum())

    energy(free)
    critic.backprop(2 * critic.compute(x))
    norm.step()  # SGD with rate 1: the change is minus the gradient
    analytic = free - norm._free
    for i in range(len(free)):
        h = np.zeros_like(free)
        h[i] = 1e-6
        numerical = (energy(free + h) - energy(free - h)) / 2e-6
        assert analytic[i] == pytest.approx(numerical, abs=1e-6)


def test_spectral_norm_of_a_matrix_of_zeros_recovers():
    generator, _ = players()
    zeros = sal.NeuronLayer(1, initializer=sal.initializers.Zeros())
    critic = sal.Network([sal.NeuronLayer(8, sal.Tanh()), zeros], 3, optimizer=sal.SGD(0.1))
    options = {"lipschitz": sal.SpectralNorm(), "objective": sal.Hinge(), "batch_size": 16}
    play = sal.GanGame(generator, critic, POINTS, latent=sal.Gaussian(5), **options)
    play.play(30)
    last = critic.named_parameters()["1.weights"]
    assert np.linalg.norm(last, 2) == pytest.approx(1, abs=1e-3)
    assert max(play.history.steps["d_loss"]) < 10


def test_no_constraint_is_the_default():
    play = game()
    assert type(play.lipschitz) is Lipschitz and play.lipschitz.state() == {}


@pytest.mark.parametrize("constraint", [sal.WeightClipping(0.01), sal.SpectralNorm()])
def test_constraints_leave_frozen_parts_alone(constraint):
    generator, _ = players()
    layers = [sal.NeuronLayer(8, sal.LeakyReLU(0.2)), sal.NeuronLayer(5), sal.NeuronLayer(1)]
    critic = sal.Network(layers, 3, optimizer=sal.Adam(0.01), frozen=["0"])
    before = critic.tensors()
    play = sal.GanGame(
        generator, critic, POINTS, latent=sal.Gaussian(5), batch_size=16, lipschitz=constraint
    )
    play.play(3)
    after = critic.tensors()
    for name in before:
        assert np.array_equal(before[name], after[name]) == name.startswith("0."), name
