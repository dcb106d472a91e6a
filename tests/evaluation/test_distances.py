"""Distances between sets of examples: against scipy, scikit-learn and the papers' definitions."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre import evaluation
from salamandre.data import toy


def test_samples_of_the_mixture_itself_cover_it():
    """A Gaussian in the plane lies within 3 deviations with probability 1 - exp(-9/2)."""
    for mixture in (toy.ring(), toy.grid()):
        found = evaluation.mode_coverage(mixture.sample(20_000), mixture.modes, mixture.std)
        assert found["modes"] == len(mixture.modes)
        assert found["quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.003)
        assert found["balance"] == pytest.approx(1, abs=0.001)
        assert found["divergence"] == pytest.approx(0, abs=0.002)


def test_modes_that_are_missing_or_uneven_are_told():
    modes = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    samples = np.array([[0.0, 0], [0, 0.2], [0, 0.1], [10, 0], [5, 5], [10, 10.4]])
    found = evaluation.mode_coverage(samples, modes, std=0.1)
    assert found["modes"] == 2  # the last is four deviations away from its mode
    assert found["quality"] == pytest.approx(4 / 6)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found["balance"] == pytest.approx(entropy / np.log(4))
    shares = np.array([4, 1, 1]) / 6  # (5, 5) is as near to the first as to the others
    assert found["divergence"] == pytest.approx((shares * np.log(4 * shares)).sum())
    nothing = evaluation.mode_coverage(np.full((5, 2), 99.0), modes, std=0.1)
    assert nothing == {
        "modes": 0,
        "quality": 0,
        "balance": 0,
        "divergence": pytest.approx(np.log(4)),
    }


@pytest.mark.parametrize("rows", [400, 20], ids=["full rank", "fewer rows than features"])
def test_frechet_distance_agrees_with_scipy(rows, random):
    linalg = pytest.importorskip("scipy.linalg")
    a = random.normal(size=(rows, 30)) @ random.normal(size=(30, 30))
    b = random.normal(size=(300, 30)) @ random.normal(size=(30, 30)) + 1
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    tolerance = 1e-8 if rows > 30 else 1e-4  # scipy's own root is rough for singular matrices
    assert evaluation.frechet_distance(a, b) == pytest.approx(expected, rel=tolerance)
    assert evaluation.frechet_distance(b, a) == pytest.approx(expected, rel=tolerance)


def test_frechet_distance_in_closed_form(random):
    """In one dimension it is (difference of means)² + (difference of deviations)²."""
    x = random.normal(size=(1000, 1))
    x = (x - x.mean()) / x.std(ddof=1)
    assert evaluation.frechet_distance(2 * x + 3, x) == pytest.approx(9 + 1)
    assert evaluation.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_moments_of_float32_features_far_from_zero_are_stable(random):
    x = (1e4 + random.normal(size=(5000, 3))).astype(np.float32)
    shifted = x + np.float32(1)
    assert evaluation.frechet_distance(shifted, x) == pytest.approx(3, rel=0.01)


def test_frechet_distance_refuses_what_has_no_moments():
    with pytest.raises(ValueError, match="two rows of features or more"):
        evaluation.frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"equally many features, got 3 and 4"):
        evaluation.frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))


def test_nearest_agrees_with_scikit_learn(random):
    neighbors = pytest.importorskip("sklearn.neighbors")
    images = random.uniform(size=(3000, 1, 6, 6)).astype(np.float32)
    examples = random.uniform(size=(1500, 36)).astype(np.float32)
    found = neighbors.NearestNeighbors(n_neighbors=1).fit(images.reshape(3000, -1))
    distances, index = found.kneighbors(examples)
    ours, how_far = evaluation.nearest(examples, images)
    assert np.array_equal(ours, index[:, 0])
    assert np.allclose(how_far, distances[:, 0], rtol=1e-5)
    copies, how_far = evaluation.nearest(images[5:8], images)
    assert copies.tolist() == [5, 6, 7] and np.all(how_far == 0)


def test_precision_and_recall_by_the_paper_s_definition(random):
    a, b, k = random.normal(size=(60, 3)), random.normal(size=(80, 3)) + 0.7, 3

    def share(points, manifold):
        inside = 0
        for point in points:
            for centre in manifold:
                radius = np.sort(np.linalg.norm(manifold - centre, axis=1))[k]
                if np.linalg.norm(point - centre) <= radius:
                    inside += 1
                    break
        return inside / len(points)

    assert evaluation.precision_recall(a, b, k) == (share(a, b), share(b, a))
    half = np.concatenate([b[:40], b[:40] + 100])  # half of it is nowhere near
    precision, _ = evaluation.precision_recall(half, b)
    assert precision == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least 4 rows of the first and 4"):
        evaluation.precision_recall(a[:3], b)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e200, None])
def test_features_that_are_no_numbers(bad, random):
    good = random.normal(size=(8, 3))
    broken = np.ma.masked_array(good, good > 0) if bad is None else good.copy()
    if bad is not None:
        broken[2, 1] = bad
    for measure in (
        evaluation.frechet_distance,
        evaluation.precision_recall,
        evaluation.nearest,
        lambda a, b: evaluation.mode_coverage(a, b, 1.0),
    ):
        for pair in ((broken, good), (good, broken)):
            with pytest.raises(ValueError, match=r"must be finite numbers|are a masked array"):
                measure(*pair)


def test_sets_that_do_not_fit_are_refused_in_one_sentence(random):
    a, b = random.normal(size=(20, 3)), random.normal(size=(20, 4))
    for measure in (
        evaluation.precision_recall,
        evaluation.density_coverage,
        evaluation.kernel_distance,
        evaluation.nearest,
        lambda a, b: evaluation.mode_coverage(a, b, 1.0),
    ):
        for one, two in ((a, b), (a, a[:0]), (a[:0], a)):
            with pytest.raises(ValueError, match=r"needs two sets of rows .*, got shapes \("):
                measure(one, two)
    with pytest.raises(ValueError, match="std must be a finite number above 0, got -1"):
        evaluation.mode_coverage(a, a, -1)


def test_distances_of_points_far_from_zero_lose_no_digits(random):
    a, b = random.normal(size=(40, 3)), random.normal(size=(50, 3))
    far = 2.0**26  # the points lose few of their own digits
    moved = a + far, b + far
    assert evaluation.precision_recall(*moved) == evaluation.precision_recall(a, b)
    assert evaluation.density_coverage(*moved) == evaluation.density_coverage(a, b)
    one = np.array([[10_000.0, 1]], np.float32)
    index, distance = evaluation.nearest(one, np.array([[10_001.0, 1], [10_000, 1]], np.float32))
    assert (index[0], distance[0]) == (1, 0)


def test_a_copy_is_found_among_neighbours_that_hardly_differ(random):
    images = np.tile(random.integers(0, 255, 784).astype(np.uint8), (60, 1))
    images[np.arange(60), np.arange(60)] ^= 1
    index, distance = evaluation.nearest(images[::-1], images)
    assert np.array_equal(index, np.arange(60)[::-1]) and not distance.any()
    far = np.array([[1e4, 0], [1e4 + 1, 0], [-1e4, 0], [-1e4, 0]], np.float32)
    assert evaluation.nearest(far, far)[0].tolist() == [0, 1, 2, 2]
    index, distance = evaluation.nearest([[100_000_001]], [[100_000_000], [100_000_001]])
    assert (index[0], distance[0]) == (1, 0)
    with pytest.raises(ValueError, match=r"compares examples .* got one number"):
        evaluation.nearest(5.0, images)
    with pytest.raises(ValueError, match=r"equally many features.*got shapes \(60, 0\)"):
        evaluation.kernel_distance(images[:, :0], images[:, :0])


def test_modes_of_bytes_are_those_of_floats():
    samples, modes = np.array([[0, 0], [10, 10]]), np.array([[1, 1], [11, 11]])
    found = evaluation.mode_coverage(samples.astype(np.uint8), modes.astype(np.uint8), 1)
    assert found == evaluation.mode_coverage(samples.astype(float), modes.astype(float), 1)
    assert found["modes"] == 2 and found["quality"] == 1
    assert str(evaluation.mode_coverage(samples[:1], modes[:1], 1)["balance"]) == "0.0"
