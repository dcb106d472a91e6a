"""The Wasserstein game."""

from __future__ import annotations

import numpy as np
import pytest
from players import game

import salamandre as sal


def test_the_wasserstein_game_counts_its_steps():
    play = game(sal.WGanGame, critic_steps=3, initial_steps=4)
    play.play(2)
    assert play.critic.optimizer.steps == 10 and play.generator.optimizer.steps == 2
    rounds = play.history.arrays()
    assert np.allclose(rounds["distance"], rounds["d_real"] - rounds["d_fake"])


def test_the_critics_estimate_finds_the_distance_of_two_points():
    """Between a point at 0 and one at 2 the distance is 2; a good critic of slope 1 finds it."""
    generator = sal.Network([sal.NeuronLayer(1)], 1, optimizer=sal.SGD(0.0))
    generator.parameters[...] = 0
    critic = sal.Network(
        [sal.NeuronLayer(16, sal.LeakyReLU(0.2)), sal.NeuronLayer(1)], 1, optimizer=sal.Adam(0.01)
    )
    play = sal.WGanGame(
        generator,
        critic,
        np.full((64, 1), 2.0, np.float32),
        latent=sal.Gaussian(1),
        lipschitz=sal.GradientPenalty(10),
    )
    play.play(200)
    # With a penalty of weight w the optimum exceeds slope 1 by 2 / (2 w).
    assert play.history.mean("distance") == pytest.approx(2 * (1 + 2 / 20), abs=0.05)
