"""Differentiable augmentation: what it draws, and that the gradient goes back through it."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.gradient_checking import gradient_check

SIZE = (3, 8, 12)


def augmented(x, backend="numpy", **options):
    network = sal.Network([sal.Augmentation(**options)], x.shape[1:], backend=backend)
    return network.backend.to_numpy(network.compute(x.astype(np.float32)))


def test_images_are_shifted_up_to_an_eighth_with_zeros_from_outside(backend, random):
    x = random.uniform(1, 2, (500, *SIZE))
    y = augmented(x, backend, colour=False, cutout=0)
    seen = set()
    for before, after in zip(x.astype(np.float32), y, strict=True):
        shifts = []
        for down in (-1, 0, 1):  # an eighth of 8, and of 12 rounded up
            for right in (-2, -1, 0, 1, 2):
                padded = np.pad(before, ((0, 0), (2, 2), (2, 2)))
                moved = padded[:, 2 - down : 10 - down, 2 - right : 14 - right]
                if np.array_equal(moved, after):
                    shifts.append((down, right))
        assert len(shifts) == 1
        seen.add(shifts[0])
    assert len(seen) == 15


def test_a_hole_of_half_the_size_is_cut_out(backend):
    y = augmented(np.ones((400, *SIZE)), backend, colour=False, translation=0)
    assert set(np.unique(y)) == {0, 1}
    assert (y.min(axis=1) == y.max(axis=1)).all()  # the same in all channels
    holes = set()
    for image in y[:, 0]:
        rows, columns = np.nonzero(image == 0)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width  # a rectangle
        assert 2 <= height <= 4 and 3 <= width <= 6  # half of 8 × 12, parts of it outside
        holes.add((rows[0], columns[0], height, width))
    assert len(holes) > 60 and any(hole[2:] == (4, 6) for hole in holes)


def test_colours_are_those_of_the_paper(backend, random):
    """x + b, then m + s (x - m) with the pixel's mean, then M + c (x - M) with the image's."""
    x = random.normal(size=(300, *SIZE)).astype(np.float32)
    y = augmented(x, backend, translation=0, cutout=0)
    brightness = (y.mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3))).astype(np.float64)
    assert -0.5 < brightness.min() < -0.45 and 0.45 < brightness.max() < 0.5
    grey_x, grey_y = (v.mean(axis=1, keepdims=True) for v in (x, y))
    contrast = grey_y.std(axis=(1, 2, 3)) / grey_x.std(axis=(1, 2, 3))
    assert 0.5 <= contrast.min() < 0.55 and 1.45 < contrast.max() <= 1.5
    both = (y - grey_y).std(axis=(1, 2, 3)) / (x - grey_x).std(axis=(1, 2, 3))
    saturation = both / contrast
    assert saturation.min() < 0.1 and 1.9 < saturation.max() <= 2.0001
    shown = x + brightness[:, None, None, None]
    grey = shown.mean(axis=1, keepdims=True)
    shown = grey + saturation[:, None, None, None] * (shown - grey)
    mean = shown.mean(axis=(1, 2, 3), keepdims=True)
    assert np.allclose(mean + contrast[:, None, None, None] * (shown - mean), y, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"colour": False}, {"translation": 0}, {"cutout": 0}])
def test_gradients(options, backend, random):
    layers = [sal.Augmentation(**options), sal.ConvolutionalLayer(2, 3, activation=sal.Tanh())]
    report = gradient_check(layers, random.normal(size=(2, 3, 4, 6)), backend=backend)
    assert report.worst < 1e-6


def test_it_changes_nothing_in_use(random):
    x = random.normal(size=(4, *SIZE)).astype(np.float32)
    network = sal.Network([sal.Augmentation()], SIZE)
    assert np.array_equal(network.predict(x), x)
    assert not np.array_equal(network.compute(x), network.compute(x))


def test_both_players_of_a_game_see_augmented_images(random):
    """The generator's gradient of a fake image is 0 where its hole is."""
    images = random.uniform(-1, 1, (40, *SIZE)).astype(np.float32)
    layers = [sal.NeuronLayer(288, sal.Tanh()), sal.Reshape(SIZE)]
    generator = sal.Network(layers, 4, optimizer=sal.Adam())
    layers = [sal.Augmentation(colour=False, translation=0), sal.Flatten(), sal.NeuronLayer(1)]
    discriminator = sal.Network(layers, SIZE, optimizer=sal.Adam())
    game = sal.GanGame(generator, discriminator, images, latent=sal.Gaussian(4), batch_size=8)
    batch = game.draw()
    found = []
    back = game.generator.backprop
    game.generator.backprop = lambda dy, run: found.append(np.array(dy)) or back(dy, run)
    game.discriminator_learning(batch)
    hidden = game.discriminator.gradients[:-1] == 0  # of the weights, over 16 holes
    game.generator_learning(batch)
    holes = (found[0] == 0).all(axis=1)
    assert not hidden.any() and all(6 <= hole.sum() <= 24 for hole in holes)


def test_vectors_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"Augmentation takes images, .* put a Reshape") as caught:
        sal.Network([sal.Augmentation(), sal.NeuronLayer(1)], 784)
    assert "\n" not in str(caught.value)
