"""Games that know labels."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, games

CENTRES = np.array([[2.0, 0], [-2, 0], [0, 2]], dtype=np.float32)


def clusters(count=600):
    labels = np.arange(count) % 3
    noise = 0.1 * np.random.default_rng(11).normal(size=(count, 2))
    return CENTRES[labels] + noise.astype(np.float32), labels


def players(unconditional=False, **options):
    adam = {"beta1": 0.5}
    generator = sal.Network(
        [sal.Embedding(3), sal.NeuronLayer(32, sal.Tanh()), sal.NeuronLayer(2)],
        2,
        optimizer=sal.Adam(0.005, **adam),
        seed=1,
        **options,
    )
    first = [] if unconditional else [sal.Embedding(3)]
    discriminator = sal.Network(
        [*first, sal.NeuronLayer(32, sal.LeakyReLU(0.2)), sal.NeuronLayer(1)],
        2,
        optimizer=sal.Adam(0.005, **adam),
        seed=2,
        **options,
    )
    return generator, discriminator


def test_each_class_is_drawn_where_it_is_asked_for():
    points, labels = clusters()
    game = sal.WGanGame(
        *players(),
        points,
        labels=labels,
        latent=sal.Gaussian(2),
        critic_steps=2,
        lipschitz=sal.GradientPenalty(1),
    )
    game.play(600)
    asked = np.repeat([0, 1, 2], 50)
    drawn = game.generate(labels=asked)
    nearest = np.linalg.norm(drawn[:, None] - CENTRES, axis=2).argmin(axis=1)
    assert (nearest == asked).mean() > 0.95
    in_turn = game.generate(9)  # without labels: one class after the other
    assert np.array_equal(in_turn, game.generate(labels=np.arange(9) % 3))


def test_classes_that_no_example_has_are_not_asked_for():
    """Players may know more of them than the data."""
    points, labels = clusters(60)
    layers = [sal.Embedding(5), sal.NeuronLayer(2)]
    play = sal.GanGame(
        sal.Network(layers, 2, optimizer=sal.Adam()),
        sal.Network([sal.Embedding(5), sal.NeuronLayer(1)], 2, optimizer=sal.Adam()),
        points,
        labels=labels,
        latent=sal.Gaussian(2),
        batch_size=16,
    )
    assert play.classes == 3 and play.generator.classes == 5
    play.play(2)
    assert np.array_equal(play.generate(9), play.generate(labels=np.arange(9) % 3))
    assert play.generate(labels=[4]).shape == (1, 2)


@pytest.mark.parametrize("kind", ["penalty", "matching", "batch-norm", "unconditional"])
def test_a_resumed_conditional_game_is_the_same(kind, backend, tmp_path):
    points, labels = clusters()

    def make():
        generator, discriminator = players(kind == "unconditional", backend=backend)
        if kind == "batch-norm":
            layers = [sal.Embedding(3), sal.NeuronLayer(8), sal.BatchNorm(), sal.Projection(3)]
            discriminator = sal.Network(layers, 2, optimizer=sal.RMSProp(), backend=backend)
        options = {"labels": labels, "latent": sal.Gaussian(2), "batch_size": 16}
        if kind == "penalty":
            options["lipschitz"] = sal.GradientPenalty()
        if kind == "matching":
            options |= {"remedies": [sal.FeatureMatching(0.5)], "generator_steps": 2}
        return sal.GanGame(generator, discriminator, points, **options)

    whole, first, second = make(), make(), make()
    whole.play(20)
    first.play(9)
    first.save(tmp_path / "game")
    second.resume(tmp_path / "game")
    second.play(20)
    for a, b in ((whole.generator, second.generator), (whole.discriminator, second.discriminator)):
        ours, theirs = a.tensors(), b.tensors()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_wrong_conditional_games_get_one_sentence():
    points, labels = clusters()
    plain = sal.Network([sal.NeuronLayer(2)], 2, optimizer=sal.Adam())
    for generator, options, message in (
        (players()[0], {}, "needs labels=True"),
        (plain, {"labels": labels}, "no layer that takes them"),
        (players()[0], {"labels": True}, "an array for an array"),
        (players()[0], {"labels": labels + 1}, "knows 3 classes, the images have 4"),
        (players()[0], {"labels": labels[:5]}, r"each of the 600 examples needs a label.*\(5,\)"),
        (players()[0], {"labels": labels - 1}, "a whole number from 0 on: got .* with -1"),
        (players()[0], {"labels": labels + np.nan}, "a whole number from 0 on: got float64"),
    ):
        with pytest.raises(ValueError, match=message):
            sal.GanGame(generator, players(True)[1], points, latent=sal.Gaussian(2), **options)


def test_columns_of_a_picture_are_classes(tmp_path):
    from PIL import Image

    train, _ = data.load("digits")
    generator = sal.Network(
        [sal.Embedding(10), sal.NeuronLayer(64, sal.Tanh())], 5, optimizer=sal.Adam()
    )
    critic = sal.Network([sal.Embedding(10), sal.NeuronLayer(1)], 64, optimizer=sal.Adam())
    game = sal.GanGame(generator, critic, train, labels=True, latent=sal.Gaussian(5))
    game.play(2, [games.SampleGrids(tmp_path, every=sal.Steps(2), count=30)])
    with Image.open(tmp_path / "samples" / "00000002.png") as picture:
        width, height = picture.size  # ten columns of 8 + 2 pixels, and words above the rows
    assert width == 4 * 10 * 10 and 4 * 3 * 10 <= height < 4 * 4 * 10 + 8


def test_classes_are_asked_for_by_name(tmp_path):
    points, labels = clusters(90)
    words = np.array(["east", "west", "north"])[labels]
    game = sal.GanGame(*players(), points, labels=words, latent=sal.Gaussian(2), seed=3)
    names = ("east", "north", "west")
    assert game.generator.class_names == game.discriminator.class_names == names
    game.play(3)
    wanted = game.generate(labels=np.array([2, 0]))
    assert np.array_equal(game.generate(labels=["west", "east"]), wanted)
    with pytest.raises(ValueError, match=r"hold 'south'.* 'east', 'north', 'west'"):
        game.generate(labels=["south"])
    game.save_generator(tmp_path / "g")
    assert sal.Network.load(tmp_path / "g").class_names == names


def test_a_game_with_players_of_other_classes():
    points, labels = clusters(90)
    generator, discriminator = players()
    generator.class_names = ("a", "b", "c")
    with pytest.raises(ValueError, match="a class 'x' that the network lacks"):
        sal.GanGame(
            generator,
            discriminator,
            points,
            labels=np.array(["x", "b", "c"])[labels],
            latent=sal.Gaussian(2),
        )
    discriminator.class_names = ("c", "b", "a")
    with pytest.raises(ValueError, match="generator's classes are 'a', 'b', 'c', the discrim"):
        sal.GanGame(generator, discriminator, points, labels=labels, latent=sal.Gaussian(2))
