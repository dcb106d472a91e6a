"""Walks through latent spaces, truncation, and principal directions."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from players import game

import salamandre as sal
from salamandre import data, games
from salamandre.games import walks


def test_a_great_circle_is_walked_at_an_even_pace(random):
    """In the plane of both vectors the angle grows evenly, and norms lie between both."""
    a, b = random.normal(size=(2, 50))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    whole = np.arccos(a @ b / (a @ a))
    for share in (0, 0.25, 0.8, 1):
        z = walks.between(a, b, share)
        assert np.linalg.norm(z) == pytest.approx(np.linalg.norm(a))
        assert np.arccos(np.clip(z @ a / (a @ a), -1, 1)) == pytest.approx(share * whole, abs=1e-6)
        assert np.allclose(walks.between(a, b, share, False), (1 - share) * a + share * b)
    assert np.allclose(walks.between(a, 2 * a, 0.5), 1.5 * a)  # of one direction: straight


@pytest.mark.parametrize("spherical", [False, True])
def test_a_walk_of_a_game_ends_at_its_examples(spherical, backend, host):
    play = game(backend=backend)
    play.play(2)
    y = host(play.walk([3, 5, 8], steps=4, spherical=spherical))
    assert y.shape == (9, 3)
    layers = [sal.NeuronLayer(3, sal.Tanh(4))]  # without noise of its own
    play.generator = sal.Network(layers, 5, optimizer=sal.Adam(), backend=backend)
    y = host(play.walk([3, 5, 8], steps=4, spherical=spherical))
    for place, seed in ((0, 3), (4, 5), (8, 8)):
        assert np.allclose(y[place], host(play.generate(1, seed=seed))[0], atol=1e-5)
    streams = [play.backend.stream([play.seed, 3, seed]) for seed in (3, 5)]
    start, end = (host(play.latent.draw(stream, 1, "float32"))[0] for stream in streams)
    way = [walks.between(start, end, share, spherical) for share in (0.25, 0.5, 0.75)]
    wanted = host(play.generator.predict(np.array(way, "float32")))
    assert np.allclose(y[1:4], wanted, atol=1e-5)
    usual = host(play.walk([3, 5, 8], steps=4))  # of a Gaussian latent space on great circles
    assert np.allclose(usual, y, atol=1e-5) == spherical
    play.latent = sal.Uniform(5)
    usual, straight = (host(play.walk([3, 5], spherical=s)) for s in (None, False))
    assert np.array_equal(usual, straight)


def test_one_class_becomes_another():
    digits, _ = data.load("digits")
    play = games.new_game("cdcgan", digits, latent=6, batch_size=8)
    play.play(3)
    before = play.best_generator.tensors()
    y = play.walk(labels=[3, 7], steps=4)
    z = play.latent.draw(play.backend.stream([play.seed, 3, 0]), 1, play.generator.dtype)
    ends = play.generate(labels=[3, 7], latent=np.repeat(z, 2, axis=0))
    assert np.allclose(y[[0, 4]], ends, atol=1e-5)
    steps = np.linalg.norm(np.diff(y.reshape(5, -1), axis=0), axis=1)
    assert steps.min() > 0 and steps.max() < np.linalg.norm(y[0] - y[4])
    after = play.best_generator.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_walk_with_a_mixture_of_classes_is_that_of_soft_labels(random):
    """An Embedding of a one-hot row that is half of each class."""
    generator = sal.Network([sal.Embedding(3, 2), sal.NeuronLayer(4)], 5, dtype="float64")
    z = random.normal(size=5)
    middle = walks.walk(generator, [z, z], [2, 0], steps=2)[1]
    named = generator.named_parameters()
    learned = np.array([0.5, 0, 0.5]) @ named["0.weights"]
    expected = np.concatenate([z, learned]) @ named["1.weights"].T + named["1.bias"]
    assert np.allclose(middle, expected)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"seeds": [1]}, "two seeds or labels or more, .* got 1 seeds and 0 labels"),
        ({"seeds": []}, "got 0 seeds"),
        ({"seeds": [1, -2]}, "seed must be a whole number of at least 0"),
        ({"seeds": [1, 2], "labels": [0, 1]}, "it takes no labels"),
        ({"seeds": [1, 2], "steps": 0}, "steps of a walk must be"),
    ],
)
def test_ways_that_lead_nowhere_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        game().walk(**options)


def test_truncated_coordinates_are_those_of_a_truncated_gaussian():
    stats = pytest.importorskip("scipy.stats")
    z = games.truncated(300, 40, 0.8, seed=3)
    assert np.abs(z).max() <= 0.8 and z.shape == (300, 40) and z.dtype == np.float32
    assert stats.kstest(z.ravel(), stats.truncnorm(-0.8, 0.8).cdf).pvalue > 0.01
    assert np.array_equal(z, games.truncated(300, 40, 0.8, seed=3))
    with pytest.raises(ValueError, match="threshold of a truncation must be"):
        games.truncated(3, 4, 0)


@pytest.mark.parametrize("kind", ["neurons", "conditional", "convolutional", "both"])
def test_principal_directions_stretch_most(kind, random):
    layers = {
        "neurons": [sal.NeuronLayer(9, noise=3)],
        "conditional": [sal.Embedding(3), sal.NeuronLayer(9)],
        "convolutional": [
            sal.Reshape((6, 1, 1)),
            sal.TransposedConvolutionalLayer(2, 3),
            sal.BatchNorm(),
        ],
        "both": [
            sal.Embedding(3),
            sal.Reshape((9, 1, 1)),
            sal.TransposedConvolutionalLayer(2, 3),
        ],
    }[kind]
    generator = sal.Network(layers, 6, dtype="float64")
    vectors, strengths = games.principal_directions(generator, 4)
    assert np.allclose(vectors @ vectors.T, np.eye(4)) and (np.diff(strengths) <= 0).all()
    named = generator.named_parameters()
    weights = named[{"neurons": "0.weights", "both": "2.weights"}.get(kind, "1.weights")]
    matrix = weights[:, :6] if weights.ndim == 2 else weights[:6].reshape(6, -1).T
    values, theirs = np.linalg.eigh(matrix.T @ matrix)
    assert np.allclose(strengths**2, values[::-1][:4])
    assert np.allclose(np.abs((vectors * theirs[:, ::-1].T[:4]).sum(axis=1)), 1)


@pytest.mark.parametrize("more", [0, 1])
def test_principal_directions_are_those_of_what_padding_leaves(more, random):
    layers = [
        sal.Reshape((6, 1, 1)),
        sal.TransposedConvolutionalLayer(3, 4, 2, 1, output_padding=more),
    ]
    generator = sal.Network(layers, 6, dtype="float64")
    nothing = generator.predict(np.zeros((1, 6)))
    change = (generator.predict(np.eye(6)) - nothing).reshape(6, -1)  # its Jacobian, transposed
    left, strengths, _ = np.linalg.svd(change)
    found = games.principal_directions(generator, 3)
    assert np.allclose(found.strengths, strengths[:3])
    assert np.allclose(np.abs((found.vectors * left.T[:3]).sum(axis=1)), 1)
    layers = [sal.Reshape((6, 1, 1)), sal.Upsample(), sal.TransposedConvolutionalLayer(3, 4)]
    with pytest.raises(ValueError, match="of a transposed convolution of one pixel"):
        games.principal_directions(sal.Network(layers, 6))


def test_a_way_between_long_vectors_is_that_between_short_ones(random):
    a, b = random.normal(size=(2, 5))
    way = walks.between(1e200 * a, 1e200 * b, 0.3)
    assert np.allclose(way, 1e200 * walks.between(a, b, 0.3), rtol=1e-12)
    assert not walks.between(np.zeros(3), np.zeros(3), 0.5).any()


def test_directions_of_other_generators_are_refused():
    generator = sal.Network([sal.Reshape((1, 2, 3)), sal.ConvolutionalLayer(2, 2)], 6)
    with pytest.raises(ValueError, match="principal directions are those of a NeuronLayer"):
        games.principal_directions(generator)
    layers = [sal.Parallel([sal.NeuronLayer(3), sal.Flatten()]), sal.NeuronLayer(4)]
    with pytest.raises(ValueError, match=r"of latent vectors alone, this generator's inputs have"):
        games.principal_directions(sal.Network(layers, [(5,), (1, 2, 2)]))


def test_principal_directions_are_of_the_first_layer_also_in_a_container():
    inner = sal.Sequential([sal.NeuronLayer(10)])
    generator = sal.Network([inner, sal.NeuronLayer(6, sal.Tanh())], 4)
    with pytest.raises(
        ValueError, match="must be the generator's first layer with weights, got Seq"
    ):
        games.principal_directions(generator)


def test_a_walk_takes_lists():
    with pytest.raises(ValueError, match="a walk needs lists of seeds and labels, got 3"):
        game().walk(seeds=3)


def test_tools_of_a_generator_do_not_take_the_game():
    digits, _ = data.load("digits")
    play = games.new_game("cgan", digits, batch_size=8)
    for tool in (games.principal_directions, partial(walks.walk, latent=np.ones((2, 5)))):
        with pytest.raises(TypeError, match=r"must be .*Network, got <GanGame"):
            tool(play)
    with pytest.raises(TypeError, match=r"must be .*Network, got <GanGame"):
        games.invert(play, digits[:2])


@pytest.mark.parametrize(
    "end, share, message",
    [
        ([1, 2, 3], 0.5, r"shapes \(2,\) and \(3,\)"),
        ([1, np.nan], 0.5, "with NaN or infinity"),
        ([[1, 2]], 0.5, r"vectors \(size,\).* shapes \(2,\) and \(1, 2\)$"),
        ([1, 2], 1.5, "share must be a finite number"),
    ],
)
def test_ways_between_what_is_no_pair_of_vectors(end, share, message):
    with pytest.raises(ValueError, match=message):
        walks.between([0, 1], end, share)
