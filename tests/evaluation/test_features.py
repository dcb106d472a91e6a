"""Metrics of features by their papers' definitions, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre import evaluation


def test_the_kernel_distance_is_the_unbiased_estimate_pair_by_pair(random):
    a, b = random.normal(size=(7, 3)), random.normal(size=(7, 3)) + 1

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    own = [
        np.mean([kernel(x[i], x[j]) for i in range(7) for j in range(7) if i != j]) for x in (a, b)
    ]
    cross = np.mean([kernel(x, y) for x in a for y in b])
    expected = sum(own) - 2 * cross
    assert evaluation.kernel_distance(a, b) == pytest.approx(expected)


def test_the_kernel_distance_does_not_depend_on_the_number_of_rows(random):
    """Of one distribution it is 0 on average, where the Fréchet distance of few rows is large."""
    a, b = random.normal(size=(2, 4000, 8))
    few = [
        evaluation.kernel_distance(a[i : i + 40], b[i : i + 40], subsets=1)
        for i in range(0, 4000, 40)
    ]
    assert np.mean(few) == pytest.approx(0, abs=4 * np.std(few) / 10)
    assert evaluation.kernel_distance(a + 0.5, b) > 0.3
    assert evaluation.frechet_distance(a[:40], b[:40]) > 10 * evaluation.frechet_distance(a, b)


def test_the_kernel_distance_is_the_mean_over_subsets(random):
    a, b = random.normal(size=(9, 3)), random.normal(size=(12, 3)) + 1
    draws = np.random.default_rng(2)
    each = []
    for _ in range(3):
        parts = [x[draws.choice(len(x), 5, replace=False)] for x in (a, b)]
        each.append(evaluation.kernel_distance(*parts, subsets=1))
    found = evaluation.kernel_distance(a, b, size=5, subsets=3, seed=2)
    assert found == pytest.approx(np.mean(each)) and np.ptp(each) > 0.01


def test_density_and_coverage_ball_by_ball(random):
    a, b, k = random.normal(size=(50, 3)), random.normal(size=(70, 3)) + 0.5, 4
    radii = [np.sort(np.linalg.norm(b - centre, axis=1))[k] for centre in b]
    hits = np.array([[np.linalg.norm(y - x) < r for x, r in zip(b, radii, strict=True)] for y in a])
    density, coverage = evaluation.density_coverage(a, b, k)
    assert density == pytest.approx(hits.sum() / (k * 50))
    assert coverage == pytest.approx(hits.any(axis=0).mean())


def test_density_and_coverage_of_the_same_distribution(random):
    a, b = random.normal(size=(2, 2000, 4))
    density, coverage = evaluation.density_coverage(a, b)
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 1 / 2**5, abs=0.02)
    collapsed = np.repeat(a[:5], 400, axis=0)
    assert evaluation.density_coverage(collapsed, b)[1] < 0.05


def test_distances_within_classes(random):
    labels = np.arange(600) % 3
    a, b = random.normal(size=(2, 600, 2))
    a[labels == 1] += 5
    found = evaluation.intra_class_frechet(a, labels, b, labels, 4)
    for label in range(3):
        expected = evaluation.frechet_distance(a[labels == label], b[labels == label])
        assert found[label] == pytest.approx(expected)
    assert found[1] == pytest.approx(50, rel=0.1) and found[0] < 0.1 and np.isnan(found[3])
    fewer = evaluation.intra_class_frechet(a, labels, b[:36], labels[:36], 3)
    expected = evaluation.frechet_distance(a[labels == 0][:12], b[:36][labels[:36] == 0])
    assert fewer[0] == pytest.approx(expected)  # of as many rows of both


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: evaluation.kernel_distance(x[:1], x), "at least 2 rows of the first and 2 rows"),
        (lambda x: evaluation.kernel_distance(x, x[:, :2]), "equally many features"),
        (
            lambda x: evaluation.density_coverage(x, x[:5]),
            "at least 1 row of the first and 6 rows of",
        ),
        (lambda x: evaluation.intra_class_frechet(x, [0], x, [0] * 9, 1), "each row needs a label"),
        (lambda x: evaluation.density_coverage(x * np.nan, x), "must be finite numbers"),
    ],
)
def test_what_has_no_metric_gets_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(np.arange(27.0).reshape(9, 3))
    assert "\n" not in str(caught.value)
