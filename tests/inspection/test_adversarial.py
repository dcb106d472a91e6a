"""Attacks take the steps that transcriptions of their papers take in PyTorch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from small_classifier import CLASSES, F, torch

import salamandre as sal
from salamandre import inspection, models
from salamandre.inspection.adversarial import unit

GOAL = torch.tensor(CLASSES)


def loss_gradient(module, x, classes=GOAL):
    x = x.clone().requires_grad_(True)
    F.cross_entropy(module(x), classes, reduction="sum").backward()
    return x.grad


def test_fgsm_and_targeted_fgsm(twins, images, host):
    network, module = twins
    x = torch.tensor(images)
    wanted = (x + 0.03 * loss_gradient(module, x).sign()).clamp(0, 1)
    found = host(inspection.fgsm(network, images, CLASSES, 0.03))
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-12)
    wanted = (x - 0.03 * loss_gradient(module, x, GOAL * 0).sign()).clamp(0, 1)
    found = host(inspection.fgsm(network, images, CLASSES, 0.03, targets=0))
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-12)


def test_a_size_may_differ_from_channel_to_channel(twins, images, host):
    network, _ = twins
    sizes = np.array([0.01, 0.02, 0.03])[:, None, None]
    bounds = (np.zeros((3, 1, 1)), np.ones((3, 1, 1)))
    change = host(inspection.fgsm(network, images, CLASSES, sizes, bounds=bounds)) - images
    np.testing.assert_allclose(abs(change).max(axis=(0, 2, 3)), sizes.ravel(), atol=1e-12)


def test_pgd_in_the_largest_change(twins, images, host):
    network, module = twins
    x0 = x = torch.tensor(images)
    for _ in range(7):
        x = x + 0.02 * loss_gradient(module, x).sign()
        x = (x0 + (x - x0).clamp(-0.05, 0.05)).clamp(0, 1)
    found = inspection.pgd(network, images, CLASSES, 0.05, steps=7, step=0.02, random_start=False)
    np.testing.assert_allclose(host(found), x.numpy(), atol=1e-12)


def test_the_euclidean_ball_of_several_sizes_is_an_ellipsoid(twins, images, host):
    """It is the ball of one size for the network that takes images in other units."""
    network, _ = twins
    sizes = np.array([0.5, 1.0, 2.0])[:, None, None]
    attack = partial(inspection.pgd, network, images, CLASSES, norm="2", steps=3)
    found = host(attack(0.2 * sizes, bounds=(-9, 9))) - images
    lengths = np.sqrt(((found / sizes) ** 2).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(lengths, 0.2, rtol=0.05)
    assert (lengths <= 0.2 + 1e-9).all()


def test_directions_of_tiny_gradients_have_length_1():
    x = np.array([[3e-30, 4e-30], [0, 0], [6, 8]], np.float32)
    np.testing.assert_allclose(unit(np, x), [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-6)


def test_pgd_in_the_euclidean_norm(twins, images, host):
    network, module = twins
    x0 = x = torch.tensor(images)
    for _ in range(7):
        slope = loss_gradient(module, x)
        change = x + 0.2 * slope / slope.flatten(1).norm(dim=1)[:, None, None, None] - x0
        length = change.flatten(1).norm(dim=1)[:, None, None, None]
        x = (x0 + change * (0.5 / length).clamp(max=1)).clamp(0, 1)
    found = inspection.pgd(
        network, images, CLASSES, 0.5, steps=7, step=0.2, norm="2", random_start=False
    )
    np.testing.assert_allclose(host(found), x.numpy(), atol=1e-10)


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_random_starts_stay_in_the_ball_and_depend_on_the_seed(twins, images, host, norm):
    network, _ = twins
    images = 0.3 + 0.4 * images  # away from the bounds
    attack = partial(inspection.pgd, network, images, CLASSES, 0.1, steps=1, step=1e-12, norm=norm)
    first, again, other = (host(attack(seed=seed)) for seed in (1, 1, [1, 2]))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    change = (first - images).reshape(6, -1)
    sizes = abs(change).max(axis=1) if norm == "inf" else np.linalg.norm(change, axis=1)
    assert (sizes <= 0.1 + 1e-9).all() and (sizes > 0.09).all()  # 360 dimensions: near the border


def test_random_starts_in_the_euclidean_ball_are_uniform():
    """In the plane r² is uniform from 0 to ε², and so is the angle."""
    network = sal.Network([sal.NeuronLayer(2)], 2, dtype="float64")
    images = np.zeros((2000, 2))
    options = {"norm": "2", "steps": 1, "step": 1e-12, "bounds": (-1, 1), "batch_size": 2000}
    x, y = inspection.pgd(network, images, 0, 0.5, **options).T
    for shares in ((x**2 + y**2) / 0.25, np.arctan2(y, x) / (2 * np.pi) + 0.5):
        furthest = abs(np.sort(shares) - np.arange(2000) / 2000).max()
        assert furthest < 1.95 / 2000**0.5  # Kolmogorov and Smirnov, one in 1,000


def test_one_step_from_a_random_start_stays_random_at_the_bounds():
    """A black pixel, made brighter by 1.25 ε from [-ε, ε], is ε of five times in eight."""
    network = sal.Network([sal.NeuronLayer(2)], 1, dtype="float64")
    network.parameters[...] = [1, -1, 0, 0]
    black = np.zeros((4000, 1))
    attack = partial(inspection.fgsm, network, black, epsilon=0.2, step=0.25, random_start=True)
    brighter = attack(1)
    assert brighter.min() >= 0.05 and brighter.max() == 0.2
    assert np.mean(brighter == 0.2) == pytest.approx(5 / 8, abs=0.03)
    assert np.median(brighter[brighter < 0.2]) == pytest.approx(0.125, abs=0.01)
    assert (attack(0) == 0).all()


def test_deepfool(twins, images, host):
    """The authors' program, for all five classes."""
    network, module = twins
    wanted = []
    for image in torch.tensor(images):
        x, way = image, torch.zeros_like(image)
        own = None
        for _ in range(50):
            leaf = x[None].clone().requires_grad_(True)
            scores = module(leaf)[0]
            own = int(scores.argmax()) if own is None else own
            if int(scores.argmax()) != own:
                break
            slopes = [
                torch.autograd.grad(scores[k], leaf, retain_graph=True)[0][0] for k in range(5)
            ]
            best = None
            for k in range(5):
                if k != own:
                    w, f = slopes[k] - slopes[own], abs((scores[k] - scores[own]).item())
                    if best is None or f / w.norm() < best[0]:
                        best = f / w.norm(), f * w / w.norm() ** 2
            way = way + best[1]
            x = image + 1.02 * way
        wanted.append(x.detach().numpy())
    found = host(inspection.deepfool(network, images, batch_size=4))
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    before, after = (host(network.predict(x)).argmax(1) for x in (images, found))
    assert (before != after).all()


def test_deepfool_goes_to_the_nearest_of_the_most_likely_classes():
    """The second class is likelier and further away, by 0.1 / 0.2, than the third, by 1 / 10."""
    network = sal.Network([sal.NeuronLayer(3)], 2, dtype="float64")
    weights = np.array([[0.0, 0], [0.2, 0], [0, 10]])
    network.load_tensors({"0.weights": weights, "0.bias": np.array([0, -0.1, -1])})
    for candidates, wanted in ((2, [0.51, 0]), (3, [0, 0.102])):
        found = inspection.deepfool(network, np.zeros((1, 2)), candidates=candidates)
        np.testing.assert_allclose(found, [wanted], atol=1e-9)


def test_deepfool_finds_the_nearest_point_of_a_linear_border():
    network = sal.Network([sal.NeuronLayer(2)], 2, dtype="float64")
    network.load_tensors({"0.weights": np.array([[3.0, 4.0], [0, 0]]), "0.bias": np.zeros(2)})
    found = inspection.deepfool(network, np.array([[3.0, 4.0]]), overshoot=0.01)
    np.testing.assert_allclose(found, [[-0.03, -0.04]], atol=1e-12)


def test_deepfool_leaves_images_without_a_gradient():
    """The second image is where the rectifier is 0."""
    network = sal.Network([sal.NeuronLayer(1, sal.ReLU()), sal.NeuronLayer(2)], 1, dtype="float64")
    tensors = {"0.weights": [[1.0]], "0.bias": [0.0], "1.weights": [[1.0], [0]], "1.bias": [-1, 9]}
    network.load_tensors({name: np.array(values, float) for name, values in tensors.items()})
    found = inspection.deepfool(network, np.array([[12.0], [-1]]))
    np.testing.assert_allclose(found, [[12 - 1.02 * 2], [-1]], atol=1e-12)
    network.load_tensors(network.tensors() | {"1.bias": np.array([1.0, 0])})
    found = inspection.deepfool(network, np.array([[2.0], [-1]]), steps=5)
    assert np.isfinite(found).all() and found[1] == -1


def test_attacks_on_a_network_of_one_score_are_refused():
    network = sal.Network([sal.NeuronLayer(1, sal.Sigmoid())], 4)
    x = np.full((2, 4), 0.5)
    for attack in (
        lambda: inspection.fgsm(network, x, 0, 0.1),
        lambda: inspection.pgd(network, x, 0, 0.1),
        lambda: inspection.targeted_ascent(network, x, 0),
        lambda: inspection.deepfool(network, x),
        lambda: inspection.robustness(network, x, 0, lambda n, x, c: x),
    ):
        with pytest.raises(ValueError, match="needs a classifier with two outputs or more"):
            attack()


def test_an_attack_that_returns_fewer_images_is_refused():
    network = sal.Network([sal.NeuronLayer(3)], 4)
    with pytest.raises(ValueError, match=r"of the shape that it is given, \(2, 4\), got \(1, 4\)"):
        inspection.robustness(network, np.zeros((2, 4)), 0, lambda n, x, c: x[:1])


@pytest.mark.parametrize("bounds", [None, (0, 1)])
def test_targeted_ascent_stops_when_the_class_changes(bounds, twins, images, host):
    network, module = twins
    low, high = bounds or (-torch.inf, torch.inf)
    wanted = []
    for image in torch.tensor(images):
        x = image
        for _ in range(200):
            leaf = x[None].clone().requires_grad_(True)
            scores = module(leaf)[0]
            if int(scores.argmax()) == 3:
                break
            (slope,) = torch.autograd.grad(scores[3], leaf)
            x = (x + 0.05 * slope[0] / slope.norm()).clamp(low, high)
        wanted.append(x.detach().numpy())
    found = inspection.targeted_ascent(network, images, 3, rate=0.05, steps=200, bounds=bounds)
    found = host(found)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert (host(network.predict(found)).argmax(1) == 3).any()


def test_square_images_row_by_row_take_sizes_and_bounds_of_images(random):
    """Also those of a model's preprocessing, (1, 1, 1), as the network of images does."""
    images = sal.Network([sal.Flatten(), sal.NeuronLayer(3)], (1, 6, 6), dtype="float64")
    rows = sal.Network([sal.NeuronLayer(3)], 36, dtype="float64")
    rows.parameters[...] = images.parameters
    x, preprocessing = random.uniform(size=(2, 1, 6, 6)), models.of_network(rows).preprocessing
    for size in (9 * preprocessing.level, random.uniform(0.1, 0.2, (1, 6, 6))):
        wanted = inspection.fgsm(images, x, 1, size, bounds=preprocessing.bounds)
        found = inspection.fgsm(rows, x.reshape(2, 36), 1, size, bounds=preprocessing.bounds)
        np.testing.assert_array_equal(found, wanted.reshape(2, 36))
        assert 0 < abs(wanted - x).max() <= size.max() + 1e-9


def test_robustness_counts_what_an_attack_does():
    network = sal.Network([sal.NeuronLayer(2)], 1, dtype="float64")
    network.load_tensors({"0.weights": np.array([[-1.0], [1.0]]), "0.bias": np.zeros(2)})
    images = np.array([[0.2], [-0.2], [0.5], [0.3]])
    labels = np.array([1, 0, 1, 0])  # the last one is missed already
    attack = partial(inspection.fgsm, epsilon=0.4, bounds=(-1, 1))
    found = inspection.robustness(network, images, labels, attack, batch_size=3)
    wanted = {"accuracy": 0.75, "accuracy_attacked": 0.25, "success": 2 / 3, "l2": 0.4, "linf": 0.4}
    assert found == pytest.approx(wanted)


def test_robustness_measures_the_changes_of_the_fooled_alone():
    network = sal.Network([sal.NeuronLayer(2)], 2, dtype="float64")
    network.load_tensors({"0.weights": np.array([[-1.0, 0], [1, 0]]), "0.bias": np.zeros(2)})
    images, labels = np.array([[0.2, 0], [-0.3, 0], [0.9, 0.0]]), np.array([1, 0, 1])
    changes = np.array([[-0.3, 0.4], [0.5, 0], [-0.8, 0.6]])  # the last one stays right

    def attack(network, x, goal):
        return x + changes[[int(np.argmin(abs(images - row).sum(axis=1))) for row in x]]

    found = inspection.robustness(network, images, labels, attack)
    wanted = {"accuracy": 1, "accuracy_attacked": 1 / 3, "success": 2 / 3, "l2": 0.5, "linf": 0.45}
    assert found == pytest.approx(wanted)


def test_bad_input_is_refused(twins, images):
    network, _ = twins
    for wrong, message in (
        (lambda: inspection.fgsm(network, 255 * images, CLASSES, 0.1), "beyond the bounds: give"),
        (lambda: inspection.fgsm(network, images, CLASSES, 0), "epsilon must be positive"),
        (lambda: inspection.fgsm(network, images, CLASSES, "a"), "an array that fits .*, got 'a'"),
        (lambda: inspection.fgsm(network, images, CLASSES, [1, 2]), r"fits .*, got \(2,\)"),
        (lambda: inspection.fgsm(network, images, CLASSES, 0.1, bounds=1), "smallest, largest"),
        (lambda: inspection.fgsm(network, images, CLASSES, 0.1, bounds=(1, 1)), "below the second"),
        (lambda: inspection.pgd(network, images, CLASSES, 0.1, norm="l2"), "unknown norm"),
        (lambda: inspection.pgd(network, images, CLASSES, 0.1, steps=0), "steps"),
        (lambda: inspection.targeted_ascent(network, images, 9), "0 to 4, got 9"),
        (lambda: inspection.deepfool(network, images, candidates=1), "candidates"),
        (lambda: inspection.robustness(network, images, 0, None, batch_size=0), "batch_size"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    with pytest.raises(ValueError, match="two outputs or more"):
        inspection.deepfool(sal.Network([sal.NeuronLayer(1)], 4), np.ones((1, 4)))


def test_adversarial_training_learns_what_the_attack_makes():
    """A step with an attack is a step on the changed batch."""
    network, other = (
        sal.Network(
            [sal.NeuronLayer(8, sal.ReLU()), sal.NeuronLayer(3, sal.Softmax())],
            4,
            sal.CrossEntropy(),
            sal.SGD(0.1),
        )
        for _ in range(2)
    )
    random = np.random.default_rng(0)
    x, labels = random.uniform(size=(40, 4)).astype(np.float32), random.integers(0, 3, 40)
    attack = partial(inspection.fgsm, epsilon=0.1, step=0.125, random_start=True)
    engine = sal.Engine(network, (x, labels), batch_size=8, seed=5, attack=attack)
    engine.run(1)
    plain = sal.Engine(other, (x, labels), batch_size=8, seed=5)
    for step in range(5):
        batch, targets = next(plain.batches)
        other.learn(attack(other, batch, targets, seed=(5, step)), targets)
    np.testing.assert_array_equal(network.parameters, other.parameters)
