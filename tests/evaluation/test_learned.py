"""What classifiers and critics say of a game."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from players import POINTS, game

import salamandre as sal
from salamandre import data, evaluation, games


class Drawing:
    """A game whose generator draws real digits, or all of one class."""

    def __init__(self, images, wrong=False):
        self.images, self.wrong = images, wrong
        self.backend, self.value_range = sal.get_backend("numpy"), (-1.0, 1.0)
        self.classes, self.generator = 10, sal.Network([sal.NeuronLayer(64)], 2)

    def generate(self, count, seed):
        rows = [np.flatnonzero(self.images.labels == k) for k in range(10)]
        asked = np.arange(count) % 10
        shown = (asked + 1) % 10 if self.wrong else asked
        chosen = [rows[k][i // 10 % len(rows[k])] for i, k in enumerate(shown)]
        return (self.images.images[chosen] / 8 - 1).astype(np.float32).reshape(count, 64)


def test_the_classification_accuracy_score_of_real_digits_and_of_wrong_ones():
    train, test = data.load("digits")
    score = evaluation.classification_accuracy_score(Drawing(train), test, count=1400, epochs=12)
    assert score > 0.88
    wrong = evaluation.classification_accuracy_score(
        Drawing(train, True), test, count=1400, epochs=4
    )
    assert wrong < 0.05


def test_a_score_that_is_interrupted_is_none(monkeypatch):
    train, test = data.load("digits")

    def interrupt(engine, epochs):
        engine.interrupted = True

    monkeypatch.setattr("salamandre.training.engine.Engine.run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluation.classification_accuracy_score(Drawing(train), test, count=100, epochs=1)
    with pytest.raises(ValueError, match="epochs must be a whole number"):
        evaluation.classification_accuracy_score(Drawing(train), test, epochs=0)


def test_the_score_needs_labels_and_images_of_the_same_size():
    train, test = data.load("digits")
    play = games.new_game("cgan", train, batch_size=8)
    with pytest.raises(ValueError, match="needs Images, which have labels, got ndarray"):
        evaluation.classification_accuracy_score(play, test.images)
    small = replace(test, images=test.images[..., 1:, 1:])
    with pytest.raises(ValueError, match=r"\(64,\), the test images are of \(1, 7, 7\)"):
        evaluation.classification_accuracy_score(play, small)
    with pytest.raises(ValueError, match="the game must be conditional"):
        evaluation.classification_accuracy_score(game(), test)


def test_a_critic_that_has_learned_its_images_by_heart_is_told():
    """The same critic, shown the images that it has learned, and others."""
    points = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    others = np.random.default_rng(1).normal(size=(2000, 3)).astype(np.float32)
    play = game()
    play = sal.GanGame(
        play.generator, play.discriminator, points, latent=sal.Gaussian(5), batch_size=16
    )
    assert abs(evaluation.critic_gap(play, others)) < 0.5
    layers = [sal.NeuronLayer(256, sal.ReLU()), sal.NeuronLayer(1)]
    critic = sal.Network(layers, 3, sal.MeanSquaredError(), sal.Adam(0.01), seed=3)
    for _ in range(300):
        critic.learn(
            np.concatenate([points, others[1000:1060]]), np.repeat([[1.0], [0]], 60, axis=0)
        )
    play = sal.GanGame(play.generator, critic, points, latent=sal.Gaussian(5), batch_size=16)
    gap = evaluation.critic_gap(play, others[:1000])
    known, new = critic.predict(points), critic.predict(others[:1000])
    assert gap == pytest.approx((known.mean() - new.mean()) / new.std(), rel=1e-4) and gap > 0.5


def test_the_gap_is_small_between_sets_in_the_order_of_classes():
    train, test = data.load("digits")
    train, test = (s[np.argsort(s.labels, kind="stable")] for s in (train, test))
    generator = sal.Network([sal.NeuronLayer(64, sal.Tanh())], 2, optimizer=sal.Adam())
    critic = sal.Network([sal.NeuronLayer(1)], 64, optimizer=sal.Adam(), seed=1)
    play = sal.GanGame(generator, critic, train, latent=sal.Gaussian(2), batch_size=8)
    scores = [critic.predict((s.images / 8.0 - 1).reshape(-1, 64)) for s in (train, test)]
    known, new = (s[np.arange(100) * len(s) // 100] for s in scores)
    gap = evaluation.critic_gap(play, test, count=100)
    assert gap == pytest.approx((known.mean() - new.mean()) / new.std(), rel=1e-3, abs=1e-4)


def test_the_gap_is_recorded_in_a_game():
    play = game()
    for few in ({"held_out": POINTS[:1]}, {"held_out": POINTS[:50], "count": 1}):
        with pytest.raises(ValueError, match="critic_gap"):  # a single score has no spread
            evaluation.critic_gap(play, **few)
    metrics = {"gap": evaluation.critic_gap_of(POINTS[:50])}
    play.play(4, [games.Evaluation(metrics, sal.Steps(2))])
    recorded = play.history.column("critic_gap")
    assert len(recorded) == 2
    assert recorded[-1] == pytest.approx(evaluation.critic_gap(play, POINTS[:50]))
    few = evaluation.critic_gap_of(POINTS[:50], 20)(play)
    assert few == {"critic_gap": pytest.approx(evaluation.critic_gap(play, POINTS[:50], 20))}
    assert few["critic_gap"] != pytest.approx(recorded[-1])


def test_conditional_games_record_distances_within_classes(tmp_path):
    train, test = data.load("digits")
    judge = evaluation.Judge.trained(train, test, epochs=2, cache_dir=tmp_path, quiet=True)
    play = games.new_game("cgan", train, batch_size=8)
    play.play(1)
    found = judge.of_game(200)(play)
    assert found["intra"] > 0 and found["kid"] > 0 and 0 <= found["coverage"] <= 1
    assert found["density"] >= 0
    assert "intra" not in judge.of_game(10)(play)  # one example of each class has no covariance
    assert np.isfinite(evaluation.critic_gap(play, test))


@pytest.mark.parametrize("layer", [sal.MinibatchDiscrimination(4, 2), sal.Packing(2)])
def test_the_gap_of_a_critic_that_compares_images_is_that_of_a_step(layer, random):
    """Those that the critic has not learned are like its own, however few they are."""
    points = random.uniform(-1, 1, (1000, 3)).astype(np.float32)
    play = game()
    critic = sal.Network([layer, sal.NeuronLayer(1)], 3, optimizer=sal.Adam(), seed=1)
    play = sal.GanGame(play.generator, critic, points, latent=sal.Gaussian(5), batch_size=16)
    for count in (1000, 300, 50):
        others = random.uniform(-1, 1, (count, 3)).astype(np.float32)
        assert abs(evaluation.critic_gap(play, others)) < 0.7
    assert abs(evaluation.critic_gap(play, points[:300])) < 0.3
    with pytest.raises(ValueError, match="compares the images of a batch: critic_gap needs 16 of"):
        evaluation.critic_gap(play, points[:15])


def test_the_gap_of_batch_norm_is_by_its_running_statistics():
    train, test = data.load("digits")
    generator = [sal.Embedding(10), sal.NeuronLayer(64, sal.Tanh()), sal.Reshape((1, 8, 8))]
    critic = [sal.Flatten(), sal.ConditionalBatchNorm(10), sal.NeuronLayer(1)]
    play = sal.GanGame(
        sal.Network(generator, 5, optimizer=sal.Adam()),
        sal.Network(critic, (1, 8, 8), optimizer=sal.Adam(), seed=1),
        train,
        latent=sal.Gaussian(5),
        batch_size=64,
        labels=True,
    )
    scores = [
        play.discriminator.predict(s.images / 8.0 - 1, labels=s.labels)
        for s in (train.spread(20), test.spread(20))
    ]
    known, new = scores
    gap = evaluation.critic_gap(play, test, count=20)  # fewer than a batch
    assert gap == pytest.approx((known.mean() - new.mean()) / new.std(), rel=1e-3, abs=1e-4)


def test_a_critic_of_one_score_has_no_gap(random):
    points = random.uniform(-1, 1, (1000, 3)).astype(np.float32)
    play = game()
    critic = sal.Network([sal.NeuronLayer(1)], 3, optimizer=sal.Adam())
    critic.parameters[...] = [0, 0, 0, 0.1]
    play = sal.GanGame(play.generator, critic, points, latent=sal.Gaussian(5), batch_size=16)
    gaps = [evaluation.critic_gap(play, points[:count]) for count in (1000, 300, 77)]
    assert np.allclose(gaps, 0, atol=1e-6)
