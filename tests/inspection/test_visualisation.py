"""Ascent finds what is known to be there, and takes the steps of its formula."""

from __future__ import annotations

import numpy as np
import pytest
from small_classifier import torch

import salamandre as sal
from salamandre import inspection
from salamandre.inspection.visualisation import blurred

PLAIN = {"jitter": 0, "blur": 0}


def test_steps_are_those_of_the_formula(twins, images, host):
    """With L2, total variation and bounds, in units of the bounds' distance."""
    network, module = twins
    x = torch.tensor(4 * images[:2] - 2)
    for _ in range(3):
        z = x.clone().requires_grad_(True)
        u = z / 5
        variation = (u.diff(dim=2) ** 2).sum() + (u.diff(dim=3) ** 2).sum()
        (module(z)[:, 1].sum() - 0.3 * (u * u).sum() - 0.1 * variation).backward()
        slope = z.grad / z.grad.flatten(1).norm(dim=1)[:, None, None, None]
        x = (x + 0.5 * 5 * slope).clamp(-2, 3)
    found = inspection.visualise_class(
        network,
        1,
        start=4 * images[:2] - 2,
        steps=3,
        rate=0.5,
        l2=0.3,
        variation=0.1,
        bounds=(-2, 3),
        **PLAIN,
    )
    np.testing.assert_allclose(host(found), x.numpy(), atol=1e-9)


def test_shifts_and_blur_are_those_of_the_formula(twins, images, host):
    """Shifted round the border before each step and back after it; blurred before the last."""
    network, module = twins
    x, random = images[:2], np.random.default_rng(5)
    rows, columns = (
        np.array([np.exp(-(((np.arange(n) - i) / 0.9) ** 2) / 2) for i in range(n)])
        for n in x.shape[2:]
    )
    rows, columns = (weights / weights.sum(axis=1, keepdims=True) for weights in (rows, columns))
    for step in range(10):
        shift = tuple(random.integers(-3, 4, 2))
        z = torch.tensor(np.roll(x, shift, axis=(2, 3)), requires_grad=True)
        module(z)[:, 1].sum().backward()
        slope = z.grad / z.grad.flatten(1).norm(dim=1)[:, None, None, None]
        moved = (z.detach() + 0.1 * slope).numpy()
        x = np.clip(np.roll(moved, tuple(-s for s in shift), axis=(2, 3)), 0, 1)
        if step in (1, 3, 5, 7):  # each second one, but those of the last fifth
            x = rows @ x @ columns.T
    options = {"steps": 10, "rate": 0.1, "l2": 0, "jitter": 3, "blur": 0.9, "blur_every": 2}
    found = inspection.visualise_class(network, 1, start=images[:2], seed=5, **options)
    np.testing.assert_allclose(host(found), x, atol=1e-6)


def test_a_class_is_imagined_from_noise(twins, host):
    network, _ = twins
    classes = [4, 1, 4]
    options = {"steps": 30, "rate": 1.0, "jitter": 2, "batch_size": 2, "seed": 3}
    found = inspection.visualise_class(network, classes, **options)
    start = inspection.visualise_class(network, classes, steps=1, rate=1e-9, seed=3)
    before, after = (host(network.predict(x))[range(3), classes] for x in (start, found))
    assert (after > before + 0.04).all()
    asarray = network.backend.asarray  # classes and bounds may be on the device
    options["bounds"] = (asarray(0.0), asarray(np.ones((3, 1, 1))))
    again = inspection.visualise_class(network, asarray(classes), **options)
    np.testing.assert_array_equal(host(found), host(again))
    assert host(found).min() >= 0 and host(found).max() <= 1


def test_dreaming_climbs_half_the_square_of_a_layer(twins, images, host):
    network, module = twins
    x = torch.tensor(images)
    for _ in range(2):
        z = x.clone().requires_grad_(True)
        module(z)
        (module.seen["left"] ** 2).sum().div(2).backward()
        x = (x + 0.2 * z.grad / z.grad.flatten(1).norm(dim=1)[:, None, None, None]).clamp(0, 1)
    found = inspection.dream(network, images, "left", steps=2, rate=0.2, jitter=0)
    np.testing.assert_allclose(host(found), x.numpy(), atol=1e-9)


def test_jitter_moves_nothing_in_the_end(backend, host):
    """A network that does not mind shifts takes the same steps."""
    network = sal.Network(
        [sal.GlobalAveragePool(), sal.NeuronLayer(2)], (1, 6, 7), backend=backend, dtype="float64"
    )
    start = np.random.default_rng(0).uniform(0.3, 0.6, (1, 1, 6, 7))
    options = {"start": start, "steps": 4, "rate": 0.01, "blur": 0}
    still = inspection.visualise_class(network, 1, jitter=0, **options)
    moved = inspection.visualise_class(network, 1, jitter=3, **options)
    np.testing.assert_allclose(host(moved), host(still), atol=1e-12)


def test_squares_row_by_row_are_images_too(random):
    """The perceptron and the network that flattens images itself imagine the same."""
    images = sal.Network([sal.Flatten(), sal.NeuronLayer(3)], (1, 6, 6), dtype="float64")
    rows = sal.Network([sal.NeuronLayer(3)], 36, dtype="float64")
    rows.parameters[...] = images.parameters
    options = {"steps": 4, "jitter": 1, "blur_every": 2}
    wanted = inspection.visualise_class(images, [0, 2], **options)
    found = inspection.visualise_class(rows, [0, 2], **options)
    np.testing.assert_array_equal(found, wanted.reshape(2, 36))
    options["bounds"] = (np.zeros((1, 1, 1)), random.uniform(0.5, 1, (1, 6, 6)))
    wanted = inspection.visualise_class(images, [0, 2], **options)
    found = inspection.visualise_class(rows, [0, 2], **options)
    np.testing.assert_array_equal(found, wanted.reshape(2, 36))
    wanted = inspection.dream(images, wanted, 1, steps=3)
    np.testing.assert_array_equal(inspection.dream(rows, found, 0, steps=3), wanted.reshape(2, 36))


def test_blur_is_gaussian_and_keeps_constant_images(backend, host):
    scipy = pytest.importorskip("scipy.ndimage")
    b = sal.get_backend(backend)
    x = np.zeros((1, 1, 21, 23))
    x[0, 0, 10, 11] = 1
    wanted = scipy.gaussian_filter(x[0, 0], 1.5, truncate=6)
    np.testing.assert_allclose(host(blurred(b, b.asarray(x), 1.5))[0, 0], wanted, atol=1e-6)
    one = host(blurred(b, b.asarray(np.ones((1, 2, 5, 4))), 0.7))
    np.testing.assert_allclose(one, 1, atol=1e-12)


def test_bad_input_is_refused(twins, images):
    network, _ = twins
    for wrong, message in (
        (lambda: inspection.visualise_class(network, 5), "classes 0 to 4, got 5"),
        (lambda: inspection.visualise_class(network, 1, steps=0), "steps"),
        (lambda: inspection.visualise_class(network, 1, rate=-1), "rate"),
        (lambda: inspection.visualise_class(network, 1, bounds=(0,)), r"\(smallest, largest\)"),
        (lambda: inspection.visualise_class(network, 1, bounds=(1, 0)), "below the second"),
        (lambda: inspection.dream(network, images, "block", bounds=(0, np.inf)), "distance of the"),
        (lambda: inspection.dream(network, images, "blok"), "did you mean 'block'"),
        (lambda: inspection.visualise_class(sal.Network([sal.NeuronLayer(2)], 5), 1), "images"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
