"""Remedies for games that collapse or do not settle."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from players import game

import salamandre as sal


def test_labels_are_smoothed_on_one_side_and_flipped(backend, host):
    remedies = [sal.LabelSmoothing(0.7, 0.9), sal.LabelFlipping(0.25)]
    play = game(backend=backend, batch_size=200, remedies=remedies)
    given = []
    judge = play.objective.discriminator
    play.objective.discriminator = lambda *a: given.append(a[2:4]) or judge(*a)
    play.discriminator_learning()
    real, fake = map(host, given[0])
    kept = real[real > 0]
    assert kept.min() >= 0.7 and kept.max() < 0.9 and kept.std() > 0.03
    assert np.mean(real == 0) == pytest.approx(0.25, abs=0.12)
    assert set(np.unique(fake)) == {0, 1} and fake.mean() == pytest.approx(0.25, abs=0.12)


def test_the_moving_average_is_what_generates(backend, host, tmp_path):
    play = game(backend=backend, remedies=[sal.MovingAverage(0.5)])
    averages = {name: array.copy() for name, array in play.generator.tensors().items()}
    for step in range(1, 8):
        play.play_and_learn()
        decay = min(0.5, (1 + step) / (10 + step))  # the untrained beginning is forgotten sooner
        for name, array in play.generator.tensors().items():
            averages[name] = decay * averages[name] + (1 - decay) * array
    before = play.generator.tensors()
    play.save_generator(tmp_path / "generator")
    saved = sal.Network.load(tmp_path / "generator", backend=backend).tensors()
    assert all(np.allclose(saved[name], array, atol=1e-6) for name, array in averages.items())
    with_average = host(play.generate(4))
    after = play.generator.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    play.generator.load_tensors(averages)
    play.remedies = ()
    assert np.allclose(host(play.generate(4)), with_average, atol=1e-5)


@pytest.mark.parametrize(
    "remedy, message",
    [
        (lambda: sal.LabelSmoothing(0.3), "LabelSmoothing low .* at least 0.5"),
        (lambda: sal.LabelSmoothing(0.8, 0.7), "LabelSmoothing high .* at least 0.8"),
        (lambda: sal.LabelFlipping(0.5), "below 0.5"),
        (lambda: sal.InstanceNoise(-1), "at least 0"),
        (lambda: sal.FeatureMatching(np.nan), "finite"),
        (lambda: sal.MovingAverage(1), "below 1"),
        (lambda: sal.TopK(0), "TopK least must be a finite number above 0 and at most 1"),
    ],
)
def test_wrong_remedies_get_one_sentence(remedy, message):
    with pytest.raises(ValueError, match=message):
        remedy()


@pytest.mark.parametrize("remedies", [[0.9], 0.9, None])
def test_what_is_no_remedy_is_refused(remedies):
    message = r"each of the remedies must be .*\.Remedy, got (0\.9|None)"
    with pytest.raises(TypeError, match=message):
        game(remedies=remedies)


@pytest.mark.parametrize("flipped_first", [False, True])
def test_the_order_of_remedies_does_not_undo_them(flipped_first):
    remedies = [sal.LabelSmoothing(0.7, 0.9), sal.LabelFlipping(0.25)]
    play = game(batch_size=200, remedies=remedies[::-1] if flipped_first else remedies)
    given = []
    judge = play.objective.discriminator
    play.objective.discriminator = lambda *a: given.append(a[2]) or judge(*a)
    play.discriminator_learning()
    (real,) = given
    assert np.mean(real == 0) == pytest.approx(0.25, abs=0.12)
    assert real[real > 0].max() < 0.9


def test_a_remedy_is_given_once():
    with pytest.raises(ValueError, match="each kind of remedy once"):
        game(remedies=[sal.MovingAverage(0.9), sal.MovingAverage(0.99)])


def test_features_to_match_must_lie_before_the_last_learner():
    layers = [sal.Sequential([sal.NeuronLayer(4), sal.NeuronLayer(1)])]
    generator = sal.Network([sal.NeuronLayer(3)], 5, optimizer=sal.Adam())
    discriminator = sal.Network(layers, 3, optimizer=sal.Adam())
    points = np.zeros((20, 3), np.float32)
    with pytest.raises(ValueError, match="FeatureMatching needs a discriminator of at least two"):
        sal.GanGame(
            generator,
            discriminator,
            points,
            latent=sal.Gaussian(5),
            batch_size=4,
            remedies=[sal.FeatureMatching()],
        )


class InPlace(sal.Remedy):
    """Instance noise that writes into what it is given."""

    def show(self, x, random):
        x += 0.3 * random.normal(x.shape, x.dtype)
        return x


class Adding(sal.Remedy):
    """The same noise in a new array."""

    def show(self, x, random):
        return x + 0.3 * random.normal(x.shape, x.dtype)


def test_a_remedy_may_write_into_the_examples_it_is_shown():
    points = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    losses = []
    for remedy in (InPlace(), Adding()):
        generator = sal.Network([sal.NeuronLayer(3, sal.Tanh(4))], 2, optimizer=sal.Adam())
        discriminator = sal.Network([sal.NeuronLayer(1)], 3, optimizer=sal.Adam())
        game = sal.GanGame(
            generator, discriminator, points, latent=sal.Gaussian(2), remedies=[remedy]
        )
        game.play(5)
        losses.append(game.history.steps)
    assert losses[0] == losses[1]


def test_the_generator_learns_from_its_best_fakes_alone(backend, host):
    play = game(backend=backend, remedies=[sal.TopK(0.25, 0)])
    play.play(play.steps_per_epoch)  # the first epoch uses all
    batch = play.draw()
    seen, back = [], play._duel.fake_gradient
    play._duel.fake_gradient = lambda g: seen.append(np.array(host(g))) or back(g)
    scores, ask = [], play._duel.fake_scores
    play._duel.fake_scores = lambda *a: scores.append(ask(*a)) or scores[-1]
    loss = float(play.generator_learning(batch))
    found = host(scores[0])[:, 0]
    best = np.argsort(found)[-4:]
    assert set(np.nonzero(seen[0][:, 0])[0]) == set(best)
    assert loss == pytest.approx(np.log1p(np.exp(-found[best])).mean(), rel=1e-5)
    expected = -1 / (1 + np.exp(found[best])) / 4
    assert np.allclose(seen[0][best, 0], expected, rtol=1e-5)


def test_the_best_become_fewer_with_each_epoch():
    kept, backend = [], sal.get_backend("numpy")
    for epoch in range(6):
        play = SimpleNamespace(rounds=7 * epoch + 6, steps_per_epoch=7, backend=backend)
        chosen = sal.TopK(0.5, 0.8).chosen(np.arange(20.0)[:, None], play)
        kept.append(20 if chosen is None else len(chosen))
    assert kept == [20, 16, 13, 10, 10, 10]
    patches = np.array([[3.0, -9], [1, 0], [2, 9], [0, 4]])  # of patches the mean counts
    assert set(sal.TopK(0.5, 0).chosen(patches, play)) == {2, 3}
    for epoch, count in ((68, 505), (69, 500)):  # by default, of 1,000
        play.rounds = 7 * epoch
        assert len(sal.TopK(0.5).chosen(np.arange(1000.0)[:, None], play)) == count


def test_the_best_of_pairs_keep_their_partners():
    play = game(remedies=[sal.TopK(0.5, 0)], objective=sal.RelativisticPairing())
    play.play(play.steps_per_epoch)
    given, judge = [], play.objective.generator_against
    play.objective.generator_against = lambda *a: given.append(a[:2]) or judge(*a)
    real, ask = [], play._duel.real_scores
    play._duel.real_scores = lambda *a: real.append(ask(*a)) or real[-1]
    fake, ask_fake = [], play._duel.fake_scores
    play._duel.fake_scores = lambda *a: fake.append(ask_fake(*a)) or fake[-1]
    play.generator_learning(play.draw())
    best = np.argsort(fake[0][:, 0])[-8:]
    assert np.array_equal(given[0][0], real[0][best])
    assert np.array_equal(given[0][1], fake[0][best])


def test_smoothed_labels_need_an_objective_that_has_labels():
    with pytest.raises(ValueError, match="is for objectives with labels, not for Wasserstein"):
        game(sal.WGanGame, lipschitz=sal.GradientPenalty(), remedies=[sal.LabelSmoothing()])
