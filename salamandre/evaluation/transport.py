"""Wasserstein distances of two sets of points: exact for few, sliced for many."""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.checks import real, whole
from salamandre.evaluation.distances import finite

MOST = 5000  # points of an exact distance, whose time grows with their third power


def wasserstein_distance(points: Any, reference: Any, order: float = 1.0) -> float:
    """Return the exact distance W_p = (min over pairings of the mean of ‖x_i - y_j‖^p)^(1/p).

    Each point is paired with one of the other set, by SciPy's linear sum assignment. W_1 is what a
    critic with slopes of at most 1 estimates (Arjovsky et al. 2017, equation 2). Of samples it is
    larger than of the distributions they are from, the more so the fewer they are: compare only
    distances of equally many.

    Args:
        points: (N, ...), at most 5,000: that takes half a minute and 400 MB.
        reference: (N, ...), as many.
        order: p, at least 1. Default 1.

    Raises:
        ValueError: other numbers of points.
        ImportError: SciPy is not installed.
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise ImportError(
            "an exact Wasserstein distance needs SciPy: pip install 'salamandre[evaluation]'"
        ) from None
    a, b = _pair(points, reference)
    p = real("the order of a Wasserstein distance", order, 1)
    if len(a) > MOST:
        raise ValueError(
            f"an exact Wasserstein distance takes at most {MOST} points, got {len(a)}: take a "
            f"sample of them, or sliced_wasserstein_distance"
        )
    costs = np.empty((len(a), len(b)))
    for row, point in zip(costs, a, strict=True):
        row[:] = np.linalg.norm(b - point, axis=1)
    # In this unit powers of the distances that count are neither too large nor too small.
    most = float(max(costs.min(axis=0).max(), costs.min(axis=1).max())) or 1.0
    powers = costs / most
    with np.errstate(over="ignore"):
        powers **= p
    try:
        chosen = linear_sum_assignment(powers)
    except ValueError:  # of each pairing one power is infinite
        chosen = linear_sum_assignment((costs / costs.max()) ** p)
    paired = costs[chosen]
    most = float(paired.max()) or 1.0
    return float(most * ((paired / most) ** p).mean() ** (1 / p))


def sliced_wasserstein_distance(
    points: Any, reference: Any, order: float = 1.0, directions: int = 256, seed: int = 0
) -> float:
    """Return the mean over random directions of W_p along them: (mean of W_p^p)^(1/p).

    On a line the best pairing is that of the sorted points (Rabin et al. 2012, "Wasserstein
    barycenter and its application to texture mixing", section 2.3). It is at most W_p.

    Args:
        points: (N, ...).
        reference: (N, ...), as many.
        order: p, at least 1. Default 1.
        directions: how many. Default 256.
        seed: of the directions. Default 0.
    """
    a, b = _pair(points, reference)
    p = real("the order of a Wasserstein distance", order, 1)
    random = np.random.default_rng(whole("seed", seed, least=0))
    most, total = 0.0, 0.0  # the largest distance so far, and the sum in its power
    for _ in range(whole("directions", directions)):
        way = random.normal(size=(a.shape[1], 1))
        way = way / np.linalg.norm(way)
        x, y = np.sort(a @ way, axis=0), np.sort(b @ way, axis=0)
        gaps = np.abs(x - y)
        if (largest := float(gaps.max())) > most:
            total, most = total * (most / largest) ** p, largest
        total += float(((gaps / (most or 1.0)) ** p).mean())
    return float(most * (total / directions) ** (1 / p))


def _pair(points: Any, reference: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return both sets as equally many rows of equally many numbers, in float64."""
    a, b = finite("points", points), finite("points", reference)
    if a.ndim < 1 or a.shape != b.shape or not len(a):
        raise ValueError(
            f"a Wasserstein distance needs two sets of equally many points, got shapes {a.shape} "
            f"and {b.shape}"
        )
    return tuple(x.astype(np.float64).reshape(len(x), -1) for x in (a, b))  # type: ignore[return-value]
