"""Relativistic objectives against their formulas in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from players import POINTS, game, players
from pytorch_twins import F, close, torch

import salamandre as sal

SCORES = {
    sal.NonSaturating: F.softplus,  # of -d
    sal.Hinge: lambda d: F.relu(1 + d),
    sal.LeastSquares: lambda d: (d + 1) ** 2 / 2,
}


def pairing(f, real, fake):
    return f(fake - real).mean(), f(real - fake).mean()


def average(f, real, fake):
    d_real, d_fake = real - fake.mean(dim=0), fake - real.mean(dim=0)
    return f(-d_real).mean() + f(d_fake).mean(), f(d_real).mean() + f(-d_fake).mean()


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
@pytest.mark.parametrize("kind", [sal.RelativisticPairing, sal.RelativisticAverage])
@pytest.mark.parametrize("patches", [1, 3])
def test_relativistic_objectives_against_pytorch(kind, score, patches, backend, host, random):
    side, objective = sal.get_backend(backend), kind(score())
    values = random.normal(size=(2, 5, patches))
    real, fake = (torch.tensor(v, requires_grad=True) for v in values)
    losses = (pairing if kind is sal.RelativisticPairing else average)(SCORES[score], real, fake)
    d_real, d_fake = torch.autograd.grad(losses[0], (real, fake), retain_graph=True)
    (g_fake,) = torch.autograd.grad(losses[1], fake)
    ours = [side.asarray(v) for v in values]
    found = objective.discriminator(*ours, 1, 0, side.xp)
    assert float(found[0]) == pytest.approx(losses[0].item())
    assert close(host(found[1]), d_real) and close(host(found[2]), d_fake)
    value, gradient = objective.generator_against(*ours, side.xp)
    assert float(value) == pytest.approx(losses[1].item())
    assert close(host(gradient), g_fake)


@pytest.mark.parametrize("kind", [sal.RelativisticPairing, sal.RelativisticAverage])
def test_gradients_with_smoothed_targets(kind, random):
    real, fake = random.normal(size=(2, 4, 1))
    t_real, t_fake = random.uniform(0.7, 1, (4, 1)), random.uniform(0, 0.2, (4, 1))
    _, *gradients = kind().discriminator(real, fake, t_real, t_fake, np)
    for scores, gradient in zip((real, fake), gradients, strict=True):
        for i in range(4):
            kept, found = scores[i, 0], []
            for h in (1e-6, -1e-6):
                scores[i] = kept + h
                found.append(float(kind().discriminator(real, fake, t_real, t_fake, np)[0]))
            scores[i] = kept
            assert gradient[i, 0] == pytest.approx((found[0] - found[1]) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_generator_learns_against_the_real_examples_of_its_batch(normalised):
    """Its loss is that of the scores of both kinds by the discriminator after its step."""
    play = game(objective=sal.RelativisticPairing(), normalised=normalised)
    batch = play.draw()
    play.discriminator_learning(batch)
    given = []
    judge = play.objective.generator_against
    play.objective.generator_against = lambda *a: given.append(a[:2]) or judge(*a)
    before = play.discriminator.tensors()
    loss = play.generator_learning(batch)
    real, fake = given[0]
    assert real.shape == fake.shape == (16, 1) and not np.shares_memory(real, fake)
    assert float(loss) == pytest.approx(np.log1p(np.exp(real - fake)).mean(), rel=1e-5)
    after = play.discriminator.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_game_by_pairs_and_zero_centred_penalties_finds_all_modes():
    """Huang et al. 2024: no other remedy is needed."""
    centres = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
    noise = 0.05 * np.random.default_rng(0).normal(size=(2000, 2))
    points = centres[np.arange(2000) % 4] + noise.astype(np.float32)

    def player(outputs, seed):
        layers = [sal.NeuronLayer(64, sal.LeakyReLU(0.2)), sal.NeuronLayer(64, sal.LeakyReLU(0.2))]
        optimizer = sal.Adam(1e-3, beta1=0.0, beta2=0.99)
        return sal.Network([*layers, sal.NeuronLayer(outputs)], 2, optimizer=optimizer, seed=seed)

    play = sal.GanGame(
        player(2, 1),
        player(1, 2),
        points,
        latent=sal.Gaussian(2),
        objective=sal.RelativisticPairing(),
        lipschitz=sal.ZeroCentredPenalty(0.2, 0.2),
        remedies=[sal.MovingAverage(0.99)],
    )
    play.play(1500)
    distance = np.linalg.norm(play.generate(400)[:, None] - centres, axis=2)
    counts = np.bincount(distance.argmin(axis=1), minlength=4)
    assert counts.min() >= 60 and (distance.min(axis=1) < 0.3).mean() > 0.8


@pytest.mark.parametrize("kind", [sal.RelativisticPairing, sal.RelativisticAverage])
def test_a_wasserstein_score_is_refused_in_one_sentence(kind):
    with pytest.raises(
        ValueError, match="with a Wasserstein score is Wasserstein itself"
    ) as caught:
        kind(sal.Wasserstein())
    assert "\n" not in str(caught.value)


def test_scores_that_have_no_loss_of_their_own_are_refused():
    with pytest.raises(ValueError, match="takes a score that has a loss"):
        sal.RelativisticPairing(sal.RelativisticAverage())
    with pytest.raises(TypeError, match="RelativisticPairing score must be"):
        sal.RelativisticPairing("hinges")


def test_a_wasserstein_game_has_its_own_objective():
    with pytest.raises(TypeError, match="has no objective"):
        sal.WGanGame(
            *players(), POINTS, latent=sal.Gaussian(5), objective=sal.RelativisticPairing()
        )
