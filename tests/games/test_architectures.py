"""Players by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, games


@pytest.mark.parametrize("unconditional", [False, True])
@pytest.mark.parametrize("name", ["cgan", "lscgan", "cdcgan", "dcgan", "cwgan"])
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


def test_the_penalty_of_cdcgan_falls_in_15000_rounds():
    """By half a cosine from 1 to 0.1."""
    penalty = games.new_game("cdcgan", data.load("digits")[0], batch_size=8).lipschitz
    for weight in (penalty.real, penalty.fake):
        found = [weight(step) for step in (0, 7500, 15_000, 40_000)]
        assert found == pytest.approx([1, 0.55, 0.1, 0.1])


def test_architectures_refuse_in_one_sentence():
    digits, _ = data.load("digits")
    with pytest.raises(ValueError, match="did you mean 'cgan'"):
        games.new_game("cgam", digits)
    odd = data.Images(np.zeros((9, 1, 25, 25), np.uint8), np.zeros(9, np.uint8), ("a",), "x", "t")
    with pytest.raises(ValueError, match="25×25 does not allow: resize them"):
        games.new_game("cdcgan", odd)
    with pytest.raises(ValueError, match="cgan needs batches of at least 2 images"):
        games.new_game("cgan", digits, batch_size=1)
    games.new_game("cwgan", digits, batch_size=1).play_and_learn()
    with pytest.raises(ValueError, match="did you mean 'relativistic'"):
        games.new_game("cgan", digits, objective="relativist")
    with pytest.raises(ValueError, match="cwgan has the Wasserstein objective"):
        games.new_game("cwgan", digits, objective="hinge")
    with pytest.raises(ValueError, match="BatchNorm cannot be part of a critic"):
        even = dataclasses.replace(odd, images=np.zeros((9, 1, 16, 16), np.uint8))
        games.new_game("dcgan", even, batch_size=4, penalty=1)
    with pytest.raises(ValueError, match="cgan plays with vectors, and augmentation moves"):
        games.new_game("cgan", digits, augment=True)
    pairs, _ = data.pairs("digits", "masked", image_size=16)
    with pytest.raises(ValueError, match="of slides sees conditions, not labels"):
        games.new_game("slides", pairs, unconditional_discriminator=True)


@pytest.mark.parametrize("name", ["cdcgan", "dcgan"])
def test_a_convolutional_discriminator_is_augmented(name):
    digits, _ = data.load("digits")
    game = games.new_game(name, digits, augment=True, batch_size=8)
    game.play(2)
    assert game.discriminator.layers[0].config() == sal.Augmentation().config()
    shifts = sal.Augmentation(colour=False, cutout=0)
    game = games.new_game(name, digits, augment=shifts, batch_size=8)
    assert game.discriminator.layers[0].config() == shifts.config()
    game = games.new_game(name, digits, augment=np.True_, batch_size=8)
    assert isinstance(game.discriminator.layers[0], sal.Augmentation)
    with pytest.raises(TypeError, match=r"augment must be a salamandre\.Augmentation, got 'all'"):
        games.new_game(name, digits, augment="all")


@pytest.mark.parametrize("objective", games.OBJECTIVES)
def test_objectives_by_name_with_zero_centred_penalties(objective):
    digits, _ = data.load("digits")
    game = games.new_game("cgan", digits, objective=objective, penalty=2, batch_size=8)
    game.play(2)
    assert isinstance(game.objective, games.OBJECTIVES[objective])
    assert game.lipschitz.config() == {"real": 2, "fake": 2, "every": 1}
    lazy = sal.ZeroCentredPenalty(0.1, 0.1, every=4)
    game = games.new_game("cgan", digits, objective=objective, penalty=lazy, batch_size=8)
    assert game.lipschitz.config() == lazy.config()
