"""Networks and games that know labels."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from differences import gradient_error

import salamandre as sal
from salamandre import data, games
from salamandre.gradient_checking import gradient_check

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(6, 4))
LABELS = np.array([2, 0, 1, 2, 2, 0])
LAYERS = {
    "embedding": [sal.Embedding(3, 2), sal.NeuronLayer(3, sal.Tanh()), sal.Embedding(3)],
    "label map": [sal.Reshape((1, 2, 2)), sal.LabelMap(3), sal.Flatten(), sal.NeuronLayer(2)],
    "conditional batch-norm": [sal.NeuronLayer(3), sal.ConditionalBatchNorm(3), sal.Tanh()],
    "of maps": [sal.Reshape((2, 1, 2)), sal.ConditionalBatchNorm(3, eps=0.01), sal.Tanh()],
    "projection": [sal.NeuronLayer(5, sal.Tanh()), sal.Projection(3)],
    "nested": [sal.Network([sal.Embedding(3)]), sal.NeuronLayer(2)],
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_gradients(name, training, backend):
    report = gradient_check(LAYERS[name], X, labels=LABELS, training=training, backend=backend)
    assert report.worst < 1e-6
    assert len(report.errors) > 1


def parts(layers, shape=(4,), dtype="float64"):
    network = sal.Network(copy.deepcopy(layers), shape, dtype=dtype, seed=1)
    return network, network.named_parameters()


def test_embedding_and_label_map_stand_beside_the_example():
    network, named = parts([sal.Embedding(3, 2)])
    y = network.compute(X, labels=LABELS)
    assert np.array_equal(y, np.concatenate([X, named["0.weights"][LABELS]], axis=1))
    network, named = parts([sal.LabelMap(3)], (1, 2, 2))
    y = network.compute(X.reshape(6, 1, 2, 2), labels=LABELS)
    assert np.array_equal(y[:, 1].reshape(6, 4), named["0.weights"][LABELS])
    assert np.array_equal(y[:, 0].reshape(6, 4), X)


def test_conditional_batch_norm_is_batch_norm_with_the_class_s_scale():
    network, named = parts([sal.ConditionalBatchNorm(3)])
    named["0.gamma"][...] = RANDOM.normal(size=(3, 4))
    named["0.beta"][...] = RANDOM.normal(size=(3, 4))
    x_hat = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 1e-5)
    expected = named["0.gamma"][LABELS] * x_hat + named["0.beta"][LABELS]
    assert np.allclose(network.compute(X, labels=LABELS), expected)


def test_projection_is_equation_3():
    network, named = parts([sal.Projection(3)])
    y = network.compute(X, labels=LABELS)
    agreement = (named["0.embedding"][LABELS] * X).sum(axis=1)
    assert np.allclose(y[:, 0], X @ named["0.weights"][0] + named["0.bias"][0] + agreement)


CRITICS = {
    "embedding": [sal.Embedding(3, 2), sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(1)],
    "projection": [sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(4), sal.Projection(3)],
    "label map": [
        *(sal.Reshape((1, 2, 2)), sal.LabelMap(3), sal.Flatten()),
        *(sal.NeuronLayer(5, sal.SoftPlus()), sal.NeuronLayer(1)),
    ],
}


@pytest.mark.parametrize("name", CRITICS)
def test_the_gradient_penalty_of_conditional_critics(name, backend, host):
    layers = copy.deepcopy(CRITICS[name])
    critic = sal.Network(layers, 4, optimizer=sal.SGD(0.1), backend=backend, dtype="float64")
    penalty = sal.GradientPenalty(10)
    penalty.attach(critic)
    real, fake = (critic.backend.asarray(RANDOM.normal(size=(6, 4))) for _ in range(2))
    labels, state = critic.backend.asarray(LABELS), copy.deepcopy(critic.random.state)

    def energy():
        critic.random.state = copy.deepcopy(state)
        return float(penalty.penalty(real, fake, labels))

    assert gradient_error(critic, energy) < 1e-7


FIRST = {
    "a vector": ([sal.Embedding(3, 2), sal.NeuronLayer(5, sal.Tanh(), noise=2)], 4),
    "a network behind": (
        [sal.Embedding(3), sal.Network([sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(4)])],
        4,
    ),
    "a map": (
        [sal.LabelMap(3), sal.ConvolutionalLayer(4, 3, padding=1), sal.GlobalAveragePool()],
        (2, 3, 3),
    ),
}


@pytest.mark.parametrize("name", FIRST)
def test_what_is_learned_for_a_class_while_the_example_s_gradient_is_left_out(name, backend, host):
    layers, shape = copy.deepcopy(FIRST[name])
    network = sal.Network([*layers, sal.NeuronLayer(1)], shape, backend=backend, dtype="float64")
    examples = RANDOM.normal(size=(6, *network.input_shape))
    x, labels = (network.backend.asarray(array) for array in (examples, LABELS))
    state = copy.deepcopy(network.random.state)

    def energy():
        network.random.state = copy.deepcopy(state)
        network.condition(labels, len(labels))
        y = network.forward(x)
        network.input_gradient = False
        network.backward(2 * y)
        return float((y * y).sum())

    assert gradient_error(network, energy) < 1e-7


# -- networks --------------------------------------------------------------------------------------


def test_labels_are_checked_before_anything_happens():
    network, _ = parts([sal.Embedding(3)])
    for labels, message in (
        (None, "needs a label for each of 6 examples"),
        (LABELS[:5], r"shape \(6,\)"),
        (LABELS + 1, r"must lie in 0\.\.2"),
        (LABELS - 1, r"must lie in 0\.\.2"),
        (LABELS / 1, "whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            network.compute(X, labels=labels)
    plain, _ = parts([sal.NeuronLayer(2)])
    with pytest.raises(ValueError, match="takes no labels"):
        plain.compute(X, labels=LABELS)
    with pytest.raises(ValueError, match="use a LabelMap"):
        parts([sal.Embedding(3)], (1, 2, 2))
    with pytest.raises(ValueError, match="use an Embedding"):
        parts([sal.LabelMap(3)])


def test_prediction_in_blocks_and_files(tmp_path):
    network, _ = parts([sal.Embedding(3), sal.NeuronLayer(3), sal.ConditionalBatchNorm(3)])
    network.compute(X, labels=LABELS)
    expected = network.compute(X, training=False, labels=LABELS)
    assert np.allclose(network.predict(X, batch_size=4, labels=LABELS), expected)
    network.save(tmp_path / "n.safetensors")
    again = sal.Network.load(tmp_path / "n.safetensors")
    assert again.classes == 3
    assert np.array_equal(again.predict(X, labels=LABELS), network.predict(X, labels=LABELS))


# -- games -----------------------------------------------------------------------------------------

CENTRES = np.array([[2.0, 0], [-2, 0], [0, 2]], dtype=np.float32)


def clusters(count=600):
    labels = np.arange(count) % 3
    return CENTRES[labels] + 0.1 * RANDOM.normal(size=(count, 2)).astype(np.float32), labels


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
            options |= {"feature_matching": 0.5, "generator_steps": 2}
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
        assert picture.size == (2 * 10 * 10, 2 * 3 * 10)  # ten columns of 8 + 2 pixels, twice


# -- architectures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("unconditional", [False, True])
@pytest.mark.parametrize("name", games.ARCHITECTURES)
def test_architectures_play_on_every_shape(name, unconditional):
    digits, _ = data.load("digits")
    random = np.random.default_rng(0)
    colour = data.Images(
        random.integers(0, 255, (20, 3, 32, 32), dtype=np.uint8),
        (np.arange(20) % 4).astype(np.uint8),
        ("a", "b", "c", "d"),
        "colours",
        "train",
    )
    for images in (digits, colour):
        options = {"latent": 7, "batch_size": 10, "unconditional_discriminator": unconditional}
        game = games.new_game(name, images, **options)
        assert game.generator.classes == len(images.classes)
        assert (game.discriminator.classes is None) == unconditional
        game.play(2)
        drawn = game.generate(labels=[3, 1])
        assert drawn.reshape(2, -1).shape == (2, np.prod(images.shape))


def test_architectures_refuse_in_one_sentence():
    digits, _ = data.load("digits")
    with pytest.raises(ValueError, match="did you mean 'cgan'"):
        games.new_game("cgam", digits)
    odd = data.Images(np.zeros((9, 1, 25, 25), np.uint8), np.zeros(9, np.uint8), ("a",), "x", "t")
    with pytest.raises(ValueError, match="25×25 does not allow: resize them"):
        games.new_game("cdcgan", odd)
