"""What is said of a game that diverged is true: who follows the advice has a game that does not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from players import POINTS

import salamandre as sal


def play(rate=0.01, optimizer=sal.SGD, kind=sal.WGanGame, rounds=150, **options):
    make = sal.NeuronLayer
    g = sal.Network([make(8, sal.ReLU()), make(3)], 4, optimizer=optimizer(rate), seed=1)
    d = sal.Network([make(16, sal.ReLU()), make(1)], 3, optimizer=optimizer(rate), seed=2)
    game = kind(g, d, POINTS, latent=sal.Gaussian(4), batch_size=16, seed=3, **options)
    with np.errstate(all="ignore"):
        game.play(rounds)
    return game


def said(**options):
    with pytest.raises(sal.Diverged) as caught:
        play(**options)
    return str(caught.value)


def test_the_weight_of_a_penalty():
    text = said(lipschitz=sal.GradientPenalty(1e5))  # five steps of the critic are too many
    assert "in round 1: nothing was learned before" in text
    assert text.endswith("; or lower the weight of the GradientPenalty (100000; 10 is usual)")
    text = said(lipschitz=sal.GradientPenalty(1e3), critic_steps=1)
    assert re.search(
        r"_loss became .* in round \d+: in the rounds before, .*penalty from .* had grown", text
    )
    assert text.endswith("above all, lower the weight of the GradientPenalty (1000; 10 is usual)")
    game = play(lipschitz=sal.GradientPenalty(10))
    penalty = np.array(game.history.steps["penalty"])
    assert (penalty >= 0).all() and penalty.max() < 100


def test_the_rate_of_a_penalised_game():
    text = said(rate=5.0, lipschitz=sal.GradientPenalty(10))
    assert "lower the learning rate (generator 5, discriminator 5) or clip the gradient" in text
    assert "weight" not in text
    play(rate=0.01, lipschitz=sal.GradientPenalty(10))


def test_a_critic_that_nothing_bounds():
    text = said(rate=0.5, lipschitz=sal.games.Lipschitz(), rounds=2000)
    assert "had grown" in text and text.endswith("lipschitz=GradientPenalty()")
    play(rate=0.01, lipschitz=sal.GradientPenalty())


def test_the_limit_of_weight_clipping():
    text = said(rate=1e15, lipschitz=sal.WeightClipping(1e20))
    assert text.endswith("; or lower the limit of the WeightClipping (1e+20; 0.01 is usual)")
    text = said(rate=1e39, lipschitz=sal.WeightClipping(0.05))
    assert "lower the learning rate" in text and "limit" not in text
    play(rate=0.01, lipschitz=sal.WeightClipping(0.01))


def test_another_objective_has_no_word_of_constraints():
    text = said(rate=1e4, kind=sal.GanGame, objective=sal.games.LeastSquares())
    assert "lower the learning rate (generator 10000, discriminator 10000)" in text
    assert "lipschitz" not in text and "weight" not in text
    play(rate=0.01, kind=sal.GanGame, objective=sal.games.LeastSquares())


class Steep(sal.games.Objective):
    """exp(20 s), which overflows float32 for scores above 4.4."""

    def loss(self, scores, target, xp):
        value = xp.exp(20 * scores) if target else scores**2
        return value.mean(), 0 * scores

    def generator(self, scores, xp):
        return scores.mean(), 0 * scores


def test_an_objective_that_overflows(monkeypatch):
    outlier = POINTS.copy()
    outlier[7] = 100
    monkeypatch.setitem(globals(), "POINTS", outlier)
    text = said(rate=1e-3, kind=sal.GanGame, objective=Steep())
    assert "nothing had grown in the rounds before (d_loss" in text
    assert text.endswith("; or check Steep, whose formula may overflow")


def test_the_penalty_is_in_the_history_of_those_that_have_one():
    values = play(rounds=3, lipschitz=sal.GradientPenalty()).history.steps
    assert list(values) == ["d_loss", "g_loss", "d_real", "d_fake", "penalty", "distance"]
    d_loss = np.subtract(values["penalty"], values["distance"])
    assert np.allclose(values["d_loss"], d_loss, atol=1e-5)
    assert "penalty" not in play(rounds=3).history.steps
