"""Stacks of digits: each channel is one of the images, and the label is that of the channels."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre import data
from salamandre.data import toy


def test_a_stack_is_three_of_the_images_and_its_label_their_digits():
    digits, _ = data.load("digits")
    stacks = toy.stacked(digits, 200, seed=3)
    assert stacks.images.shape == (200, 3, 8, 8) and len(stacks.classes) == 1000
    known = {image.tobytes(): int(label) for image, label in zip(*parts(digits), strict=True)}
    for image, label in zip(*parts(stacks), strict=True):
        a, b, c = (known[channel.tobytes()] for channel in image)
        assert label == 100 * a + 10 * b + c
        assert stacks.classes[label] == f"{a} {b} {c}"


def test_stacks_depend_on_the_seed_alone_and_are_drawn_evenly():
    digits, _ = data.load("digits")
    stacks = toy.stacked(digits, 20_000)
    assert (stacks.images == toy.stacked(digits, 20_000).images).all()
    assert (stacks.images != toy.stacked(digits, 20_000, seed=1).images).any()
    shares = np.bincount(stacks.labels, minlength=1000) / len(stacks)
    expected = np.bincount(digits.labels, minlength=10) / len(digits)
    for axis in range(3):
        others = tuple({0, 1, 2} - {axis})
        assert shares.reshape(10, 10, 10).sum(axis=others) == pytest.approx(expected, abs=0.01)


def test_modes_are_on_a_circle_or_a_square_of_the_size_that_is_asked_for():
    ring, grid = toy.ring(6, 3, 0.2).modes, toy.grid(3, 0.5, 0.1).modes
    assert np.linalg.norm(ring, axis=1) == pytest.approx(np.full(6, 3))
    neighbours = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1)
    assert neighbours == pytest.approx(np.full(6, 3))  # a hexagon's sides are its radius
    assert {tuple(row) for row in grid.tolist()} == {
        (x, y) for x in (-0.5, 0, 0.5) for y in (-0.5, 0, 0.5)
    }


@pytest.mark.parametrize("mixture, std", [(toy.ring(4, 3, 0.2), 0.2), (toy.grid(3, 5, 0.1), 0.1)])
def test_samples_are_as_far_from_their_mode_as_is_asked_for(mixture, std):
    samples = mixture.sample(20_000)
    away = samples[:, None] - mixture.modes
    nearest = np.take_along_axis(away, (away**2).sum(-1).argmin(1)[:, None, None], 1)
    assert nearest.std() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize(
    "channels, classes, message",
    [
        (3, 2, r"takes grey images, got images of shape \(3, 5, 5\): open them with channels=1"),
        (1, 41, "takes images of 2 to 40 classes, got 41"),
        (1, 1, "takes images of 2 to 40 classes, got 1"),
    ],
)
def test_stacks_of_colours_or_of_too_many_or_few_classes_are_refused(channels, classes, message):
    names = tuple(map(str, range(classes)))
    images = np.zeros((4, channels, 5, 5), np.uint8)
    given = data.Images(images, np.zeros(4, np.uint8), names, "these", "train")
    with pytest.raises(ValueError, match=message):
        toy.stacked(given, 10)


def parts(images):
    return images.images, images.labels


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: toy.ring(0), "modes of a ring must be a whole number of at least 1, got 0"),
        (lambda: toy.grid(2.5), "side of a grid must be a whole number"),
        (lambda: toy.ring().sample(-1), "count must be a whole number of at least 0, got -1"),
        (lambda: toy.stacked(data.load("digits")[0], 5, -1), "seed must be a whole number"),
    ],
)
def test_wrong_numbers_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
