"""Wasserstein distances against closed forms and SciPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from salamandre import evaluation

stats = pytest.importorskip("scipy.stats")
exact, sliced = evaluation.wasserstein_distance, evaluation.sliced_wasserstein_distance


@pytest.mark.parametrize("order", [1, 2, 3.5])
def test_the_exact_distance_is_that_of_the_best_of_all_pairings(order, random):
    a, b = random.normal(size=(2, 6, 2))
    costs = [
        (np.linalg.norm(a - b[list(way)], axis=1) ** order).mean()
        for way in itertools.permutations(range(6))
    ]
    assert exact(a, b, order) == pytest.approx(min(costs) ** (1 / order))


def test_on_a_line_both_are_scipy_s(random):
    a, b = random.normal(size=300), random.exponential(size=300)
    expected = stats.wasserstein_distance(a, b)
    assert exact(a[:, None], b[:, None]) == pytest.approx(expected)
    assert sliced(a[:, None], b[:, None], directions=1) == pytest.approx(expected)


def test_points_that_are_all_moved_are_as_far_as_the_move(random):
    a, move = random.normal(size=(200, 3)), np.array([1.0, -2, 2])
    for order in (1, 2):
        assert exact(a + move, a, order) == pytest.approx(3)
        shadows = np.abs(move @ (w := random.normal(size=(3, 4000))) / np.linalg.norm(w, axis=0))
        expected = (shadows**order).mean() ** (1 / order)
        assert sliced(a + move, a, order, directions=2000) == pytest.approx(expected, rel=0.05)


def test_images_are_points(random):
    a, b = random.normal(size=(2, 20, 1, 4, 4))
    assert exact(a, b) == pytest.approx(exact(a.reshape(20, 16), b.reshape(20, 16)))


@pytest.mark.parametrize("distance", [exact, sliced])
def test_sets_of_other_sizes_are_refused(distance):
    with pytest.raises(ValueError, match="two sets of equally many points, got shapes"):
        distance(np.zeros((4, 2)), np.zeros((5, 2)))
    with pytest.raises(ValueError, match="order of a Wasserstein distance must be"):
        distance(np.zeros((4, 2)), np.zeros((4, 2)), 0.5)


def test_too_many_points_are_refused():
    with pytest.raises(ValueError, match="at most 5000 points, got 5001"):
        exact(np.zeros((5001, 1)), np.zeros((5001, 1)))


def test_large_powers_of_large_and_small_distances_are_numbers(random):
    a, b = random.normal(size=(2, 20, 3))
    for size in (1e10, 1e-10):
        for distance in (exact, sliced):
            assert distance(size * a, size * b, 50) == pytest.approx(size * distance(a, b, 50))


def test_points_that_coincide_and_far_ones(random):
    far = evaluation.wasserstein_distance([0, 0, 1e12], [0, 1e12, 1e12], order=30)
    assert far == pytest.approx(1e12 * (1 / 3) ** (1 / 30))
    high = evaluation.wasserstein_distance([0, 0, 0, 10], [0, 10, 10, 10], order=308)
    assert high == pytest.approx(10 * (2 / 4) ** (1 / 308))


def test_far_groups_do_not_make_near_distances_vanish(random):
    near = random.normal(size=(5, 2))
    a = np.concatenate([near, near + 1e6])
    b = a + np.array([1.0, 0])
    for order in (1, 60, 300):
        assert exact(a, b, order) == pytest.approx(1, rel=1e-6)
