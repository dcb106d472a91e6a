"""The Fréchet distance against scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre import evaluation


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
    with pytest.raises(ValueError, match="equally many features, got 3 and 4"):
        evaluation.frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
