"""Players and images that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from players import POINTS, players

import salamandre as sal


def wrong_games():
    g, d = players()
    net = sal.Network
    two = net([sal.NeuronLayer(2)], 3, optimizer=sal.SGD())
    wide = net([sal.NeuronLayer(1)], 4, optimizer=sal.SGD())
    sigmoid = net([sal.NeuronLayer(1, sal.Sigmoid())], 3, optimizer=sal.SGD())
    lazy = net([sal.NeuronLayer(1)], 3)
    double = net([sal.NeuronLayer(1)], 3, optimizer=sal.SGD(), dtype="float64")
    strict = net([sal.NeuronLayer(1)], 3, optimizer=sal.SGD(), backend="strict")
    latent = {"latent": sal.Gaussian(5)}
    return [
        ((g, two, POINTS), latent, r"must give one score, or .*, got outputs \(2,\)"),
        ((g, wide, POINTS), latent, r"generator makes \(3,\), the discriminator takes \(4,\)"),
        ((g, sigmoid, POINTS), latent, "must end in a linear neuron"),
        ((g, lazy, POINTS), latent, "discriminator needs an optimizer"),
        ((g, double, POINTS), latent, "one dtype"),
        ((g, strict, POINTS), latent, "one backend"),
        ((g, d, POINTS), {"latent": sal.Gaussian(4)}, r"takes \(5,\), the latent space has 4"),
        ((g, d, POINTS[:10]), latent, "at least as many images, got 10"),
        ((g, d, POINTS[:, :2]), latent, r"takes examples of shape \(3,\), the data set has \(2,\)"),
        ((g, d, POINTS * np.nan), latent, "NaN or infinity"),
        ((g, d, (POINTS, POINTS[:, 0])), latent, r"one array, got a tuple of 2: give labels by"),
        ((g, d, (POINTS, 1)), {**latent, "labels": POINTS}, "got a tuple of 2: give labels by"),
        ((g, d, POINTS), {**latent, "batch_size": 0}, "batch_size must be"),
    ]


@pytest.mark.parametrize("number", range(13))
def test_wrong_games_get_one_sentence(number):
    arguments, options, message = wrong_games()[number]
    with pytest.raises(ValueError, match=message) as caught:
        sal.GanGame(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_images_out_of_reach_are_a_warning():
    with pytest.warns(
        UserWarning, match=r"values in \[.*\], the generator can only reach \[-4, 4\]"
    ):
        sal.GanGame(*players(), 3 * POINTS, latent=sal.Gaussian(5))


def test_the_range_of_a_generator_that_ends_in_a_reshape(random):
    layers = [sal.NeuronLayer(16, sal.Sigmoid()), sal.Reshape((1, 4, 4))]
    generator = sal.Network(layers, 5, optimizer=sal.SGD())
    linear = sal.ConvolutionalLayer(1, 4)
    discriminator = sal.Network([linear, sal.Flatten()], (1, 4, 4), optimizer=sal.SGD())
    images = random.uniform(size=(9, 1, 4, 4))
    play = sal.GanGame(generator, discriminator, images, latent=sal.Gaussian(5), batch_size=4)
    assert play.value_range == (0, 1)
    squashed = [sal.ConvolutionalLayer(1, 4, activation=sal.Sigmoid()), sal.Flatten()]
    squashed = sal.Network(squashed, (1, 4, 4), optimizer=sal.SGD())
    with pytest.raises(ValueError, match="must end in a linear neuron, got Sigmoid"):
        sal.GanGame(generator, squashed, images, latent=sal.Gaussian(5), batch_size=4)


def test_images_in_half_of_the_range_are_a_warning(random):
    with pytest.warns(UserWarning, match=r"in \[-4, 4\]: give 2 \* images - 1"):
        sal.GanGame(*players(), random.uniform(size=(80, 3)), latent=sal.Gaussian(5))


def test_arrays_of_bytes_are_scaled_to_the_generator_s_range(random):
    images = random.integers(0, 256, (9, 4, 4)).astype(np.uint8)
    generator = sal.Network([sal.NeuronLayer(16, sal.Tanh())], 5, optimizer=sal.SGD())
    discriminator = sal.Network([sal.NeuronLayer(1)], 16, optimizer=sal.SGD())
    play = sal.GanGame(generator, discriminator, images, latent=sal.Gaussian(5), batch_size=9)
    real, _ = next(play.batches)
    wanted = images.reshape(9, 16) / np.float32(127.5) - 1
    np.testing.assert_allclose(np.sort(real, axis=0), np.sort(wanted, axis=0), atol=1e-6)


def refused_games():
    """Games that are refused by the last of their parts, whose players were good."""
    normal = sal.Network([sal.BatchNorm(), sal.NeuronLayer(1)], 16, optimizer=sal.SGD())
    single = sal.Network([sal.NeuronLayer(1)], 16, optimizer=sal.SGD())
    return [
        (single, {"lipschitz": sal.WeightClipping(0.01), "remedies": [sal.FeatureMatching()]}),
        (single, {"lipschitz": sal.SpectralNorm(), "remedies": [sal.FeatureMatching()]}),
        (normal, {"lipschitz": sal.GradientPenalty()}),
    ]


@pytest.mark.parametrize("number", range(3))
def test_a_game_that_is_refused_leaves_its_players_as_they_were(number, random):
    critic, parts = refused_games()[number]
    pictures = random.integers(0, 256, (9, 1, 4, 4)).astype(np.uint8)
    images = sal.data.Images(pictures, np.zeros(9, np.uint8), ("0",), "noise", "train")
    generator = sal.Network([sal.NeuronLayer(16, sal.Tanh())], 5, optimizer=sal.SGD())
    before = [(p.parameters.copy(), p.class_names, p.pixels) for p in (generator, critic)]
    with pytest.raises(ValueError):
        sal.WGanGame(generator, critic, images, latent=sal.Gaussian(5), batch_size=4, **parts)
    for player, (parameters, names, pixels) in zip((generator, critic), before, strict=True):
        assert np.array_equal(player.parameters, parameters)
        assert (player.class_names, player.pixels) == (names, pixels)
