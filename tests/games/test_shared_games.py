"""Games whose players share their batches among threads play as without."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal

IMAGES = np.random.default_rng(0).normal(size=(40, 3))
CONDITIONS = np.random.default_rng(1).normal(size=(40, 2))
LABELS = np.arange(40) % 3


def game(threads, *middle, kind=sal.GanGame, conditional=False, conditions=None, **options):
    """A game without noise of its networks, so that shares can be compared with the whole."""

    def network(layers, shape, seed):
        where = {"dtype": "float64", "threads": threads}
        return sal.Network(layers, shape, optimizer=sal.Momentum(0.02), seed=seed, **where)

    before = [sal.Embedding(3, 2)] if conditional else []
    start, shape, inputs = [], 5, 3
    if conditions is not None:
        start, shape = [sal.Parallel([sal.NeuronLayer(4), sal.NeuronLayer(4)])], [(5,), (2,)]
        inputs = 5
    hidden = [sal.NeuronLayer(8, sal.LeakyReLU()), sal.BatchNorm()]
    generator = network([*start, *before, *hidden, sal.NeuronLayer(3)], shape, 1)
    last = sal.Projection(3) if conditional else sal.NeuronLayer(1)
    discriminator = network([sal.NeuronLayer(8, sal.Tanh()), *middle, last], inputs, 2)
    options |= {"latent": sal.Gaussian(5), "batch_size": 7, "conditions": conditions}
    return kind(generator, discriminator, IMAGES, labels=LABELS if conditional else None, **options)


@pytest.mark.parametrize("threads", [2, 4, 7])
@pytest.mark.parametrize(
    "middle, options",
    [
        ((), {"objective": sal.games.Minimax()}),
        ((), {"objective": sal.NonSaturating(), "conditional": True}),
        ((), {"objective": sal.LeastSquares(), "conditions": CONDITIONS}),
        ((sal.BatchNorm,), {"objective": sal.Hinge(), "lipschitz": sal.SpectralNorm()}),
        ((sal.MinibatchDiscrimination,), {"remedies": [sal.LabelSmoothing()]}),
        ((sal.MinibatchDeviation,), {"remedies": [sal.MovingAverage(0.9)], "generator_steps": 2}),
        ((), {"remedies": [sal.FeatureMatching(), sal.InstanceNoise()]}),
        (
            (),
            {"conditions": CONDITIONS, "remedies": [sal.Reconstruction(2.0)]},
        ),
        ((), {"objective": sal.RelativisticPairing(), "remedies": [sal.TopK(0.5)]}),
        (
            (sal.LayerNorm,),
            {
                "objective": sal.RelativisticAverage(),
                "lipschitz": sal.ZeroCentredPenalty(1.0, 2.0, every=2),
                "conditional": True,
            },
        ),
        ((), {"objective": sal.NonSaturating(), "lipschitz": sal.Dragan(1.0)}),
        ((), {"kind": sal.WGanGame, "critic_steps": 2}),
        (
            (sal.LayerNorm,),
            {"kind": sal.WGanGame, "critic_steps": 2, "lipschitz": sal.GradientPenalty()},
        ),
        (
            (),
            {"kind": sal.WGanGame, "conditional": True, "lipschitz": sal.GradientPenalty()},
        ),
    ],
)
def test_rounds_are_those_of_the_whole_batch(middle, options, threads):
    one, shared = (game(count, *(layer() for layer in middle), **options) for count in (1, threads))
    for play in (one, shared):
        for _ in range(4):
            play.play_and_learn()
    for name, values in one.history.steps.items():
        np.testing.assert_allclose(shared.history.steps[name], values, rtol=0, atol=1e-12)
    for found, expected in zip(shared.networks.values(), one.networks.values(), strict=True):
        np.testing.assert_allclose(found.parameters, expected.parameters, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.state, expected.state, rtol=0, atol=1e-12)
    assert len(shared._fakes.shares) == threads


def test_the_same_number_of_threads_gives_the_same_bits():
    plays = [game(3, sal.Dropout(0.3), lipschitz=sal.GradientPenalty()) for _ in range(2)]
    for play in plays:
        for _ in range(4):
            play.play_and_learn()
    assert plays[0].history.steps == plays[1].history.steps
    assert np.array_equal(plays[0].discriminator.parameters, plays[1].discriminator.parameters)


def test_a_resumed_game_goes_on_alike(tmp_path):
    whole, parts = (game(3, sal.Dropout(0.3)) for _ in range(2))
    whole.play(6)
    parts.play(3)
    parts.save(tmp_path / "c")
    resumed = game(3, sal.Dropout(0.3))
    resumed.resume(tmp_path / "c")
    resumed.play(6)
    assert np.array_equal(resumed.discriminator.parameters, whole.discriminator.parameters)
    assert np.array_equal(resumed.generator.parameters, whole.generator.parameters)


def test_threads_of_the_critic_may_change_after_the_game_was_made():
    plays = [game(threads, lipschitz=sal.GradientPenalty()) for threads in (1, 3)]
    plays[1].generator.threads = plays[1].discriminator.threads = 1
    for play in plays:
        for _ in range(3):
            play.play_and_learn()
    assert np.array_equal(plays[0].discriminator.parameters, plays[1].discriminator.parameters)
    plays[1].discriminator.threads = 3
    plays[1].play_and_learn()
    assert len(plays[1]._duel._scored.shares) == 3
