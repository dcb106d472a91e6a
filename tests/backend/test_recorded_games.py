"""Recorded rounds of games: they do what the same rounds do one call after another."""

from __future__ import annotations

import numpy as np
import pytest
from tape_backend import recordings
from test_repetition import LABELS, PICTURES, VECTORS, agree, host

import salamandre as sal
from salamandre import games
from salamandre.component import Component


def vectors(backend, *norm, **options):
    generator = sal.Network(
        [sal.NeuronLayer(8, sal.ReLU()), *norm, sal.NeuronLayer(12, sal.Tanh())],
        5,
        optimizer=sal.Adam(0.01, 0.5),
        backend=backend,
    )
    discriminator = sal.Network(
        [sal.NeuronLayer(7, sal.LeakyReLU(0.2)), sal.NeuronLayer(1)],
        12,
        optimizer=sal.Adam(0.01, 0.5),
        seed=1,
        backend=backend,
    )
    return generator, discriminator, np.tanh(VECTORS), {"latent": sal.Gaussian(5), "batch_size": 8}


def wasserstein(backend, lipschitz):
    *given, options = vectors(backend)
    return sal.WGanGame(*given, **options, critic_steps=2, lipschitz=lipschitz)


def with_remedies(backend):
    *given, options = vectors(backend, sal.BatchNorm())
    remedies = [
        games.LabelSmoothing(),
        games.LabelFlipping(),
        games.InstanceNoise(0.1),
        games.MovingAverage(0.9),
    ]
    return sal.GanGame(*given, **options, remedies=remedies, generator_steps=2)


def pictures(backend):
    generator = sal.Network(
        [
            sal.NeuronLayer(64),
            sal.Reshape((16, 2, 2)),
            sal.BatchNorm(),
            sal.ReLU(),
            sal.TransposedConvolutionalLayer(16, 4, 2, 1, sal.ReLU()),
            sal.TransposedConvolutionalLayer(1, 4, 2, 1, sal.Tanh()),
        ],
        5,
        optimizer=sal.Adam(0.01, 0.5),
        backend=backend,
    )
    discriminator = sal.Network(
        [
            sal.ConvolutionalLayer(16, 4, 2, 1, sal.LeakyReLU(0.2)),
            sal.ConvolutionalLayer(16, 4, 2, 1),
            sal.BatchNorm(),
            sal.LeakyReLU(0.2),
            sal.Flatten(),
            sal.NeuronLayer(1),
        ],
        (1, 8, 8),
        optimizer=sal.Adam(0.01, 0.5),
        seed=1,
        backend=backend,
    )
    return sal.GanGame(generator, discriminator, PICTURES, latent=sal.Gaussian(5), batch_size=8)


def with_labels(backend):
    generator = sal.Network(
        [sal.Embedding(3), sal.NeuronLayer(12, sal.Tanh())],
        5,
        optimizer=sal.Adam(0.01),
        backend=backend,
    )
    discriminator = sal.Network(
        [sal.NeuronLayer(7, sal.LeakyReLU(0.2)), sal.Projection(3)],
        12,
        optimizer=sal.Adam(0.01),
        seed=1,
        backend=backend,
    )
    options = {"latent": sal.Gaussian(5), "batch_size": 8, "labels": LABELS}
    return sal.GanGame(generator, discriminator, np.tanh(VECTORS), **options)


GAMES = {
    "penalty": lambda backend: wasserstein(backend, sal.GradientPenalty(10)),
    "zero-centred penalty": lambda backend: wasserstein(backend, sal.ZeroCentredPenalty(10, 1)),
    "clipping": lambda backend: wasserstein(backend, sal.WeightClipping(0.1)),
    "spectral norm": lambda backend: wasserstein(backend, sal.SpectralNorm()),
    "remedies": with_remedies,
    "pictures": pictures,
    "labels": with_labels,
}


def same(one, other):
    assert one.history.steps == other.history.steps
    state, its = one._state(), other._state()
    for name, array in state.all_arrays().items():
        assert np.array_equal(host(array), host(its.all_arrays()[name])), name
    for name, stream in state.all_streams().items():
        assert stream.state == its.all_streams()[name].state


@pytest.mark.parametrize("name", GAMES)
def test_a_game_is_played_alike(sides, name):
    both = [GAMES[name](backend) for backend in sides]
    for rounds in range(1, 7):
        for game in both:
            game.play(rounds)
        agree(*(game.generate(9) for game in both))
    same(*both)
    assert len(recordings(sides[1])) == 1


def test_settings_of_a_game_may_change(sides):
    both = [with_remedies(backend) for backend in sides]
    for rounds, change in (
        (4, lambda game: setattr(game.remedies[2], "std", 0.3)),
        (8, lambda game: setattr(game, "objective", games.LeastSquares())),
        (12, lambda game: setattr(game, "generator_steps", 1)),
        (16, lambda game: game.discriminator.freeze("0")),
        (20, lambda game: setattr(game.generator.optimizer, "learning_rate", 0.001)),
        (24, lambda game: game.generator_learning(game.draw())),
        (28, lambda game: None),
    ):
        for game in both:
            game.play(rounds)
            change(game)
        assert len(recordings(sides[1])) == 1
    same(*both)


def test_a_game_goes_on_from_a_checkpoint_of_recorded_rounds(sides, tmp_path):
    for name in ("penalty", "remedies"):
        at_once, recorded = (GAMES[name](backend) for backend in sides)
        recorded.play(5)
        recorded.save(tmp_path / name)
        recorded.play(9)
        resumed = GAMES[name](sides[1])
        resumed.play(6)  # it has a recording, whose streams and parameters are put back
        resumed.resume(tmp_path / name)
        resumed.play(9)
        same(recorded, resumed)
        at_once.play(9)
        same(recorded, at_once)


def test_a_remedy_that_draws_batches_is_not_recorded(sides):
    *given, options = vectors(sides[1])
    game = sal.GanGame(*given, **options, remedies=[games.FeatureMatching()])
    game.play(5)
    assert not recordings(sides[1]) and game.batches.drawn == 10


@pytest.mark.parametrize("name", GAMES)
def test_steps_set_no_attributes(name):
    """Each attribute that is set gives recordings up."""
    game = GAMES[name](sal.get_backend("plain"))
    game.play(2)
    before = Component.changes
    game.play(4)
    assert Component.changes == before
