"""More metrics of generated examples from a classifier's features of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.checks import whole
from salamandre.evaluation.classes import _labels
from salamandre.evaluation.distances import (
    _radii,
    _squared_distances,
    frechet_distance,
    two_sets,
)


def kernel_distance(
    features: Any, reference: Any, size: int = 1000, subsets: int = 100, seed: int = 0
) -> float:
    """Return the kernel distance (KID) of two sets: MMD² with the kernel (x·y / features + 1)³.

    The estimate is unbiased, unlike that of :func:`frechet_distance`: its mean does not depend on
    the number of rows, and it may be below 0 (Binkowski et al. 2018, "Demystifying MMD GANs",
    section 4). It is the mean over subsets of both sets.

    Args:
        features: (N, features) of generated examples.
        reference: (M, features) of real ones.
        size: rows of a subset. Default 1000, or all if there are fewer.
        subsets: how many are drawn, each without replacement. Default 100, the paper's.
        seed: of the subsets. Default 0.
    """
    a, b = two_sets("kernel_distance", features, reference, (2, 2))
    n = min(whole("kernel_distance size", size, 2), len(a), len(b))
    random, total = np.random.default_rng(whole("seed", seed, least=0)), 0.0
    for _ in range(whole("kernel_distance subsets", subsets)):
        x, y = (z[random.choice(len(z), n, replace=False)].astype(np.float64) for z in (a, b))
        own = sum(k.sum() - np.trace(k) for k in (_kernel(x, x), _kernel(y, y)))
        total += own / (n * (n - 1)) - 2 * _kernel(x, y).mean()
    return float(total / subsets)


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    k = x @ y.T
    k /= x.shape[1]
    k += 1
    return k * k * k  # several times faster than a power


def density_coverage(features: Any, reference: Any, k: int = 5) -> tuple[float, float]:
    """Return how densely real examples surround generated ones, and the share of real ones met.

    Each real example has a ball that reaches to its k-th nearest real neighbour. Density is the
    mean number of balls that a generated example is in, divided by k; coverage is the share of
    balls that hold a generated example (Naeem et al. 2020, "Reliable fidelity and diversity metrics
    for generative models", section 3). Unlike precision and recall they are not led by outliers.
    For two sets of one distribution density is near 1, coverage near 1 - 1/2^k.

    Args:
        features: (N, features) of generated examples.
        reference: (M, features) of real examples, best M = N.
        k: the neighbour. Default 5, the paper's.
    """
    least = whole("density_coverage k", k) + 1
    sets = two_sets(f"density_coverage with k={k}", features, reference, (1, least))
    a, b = (one.astype(np.float64) for one in sets)
    radii, inside, met = _radii(b, k), 0, np.zeros(len(b), bool)
    for _, distances in _squared_distances(a, b):
        hits = distances < radii
        inside += int(hits.sum())
        met |= hits.any(axis=0)
    return inside / (k * len(a)), float(met.mean())


def intra_class_frechet(
    features: Any, labels: Any, reference: Any, reference_labels: Any, classes: int
) -> np.ndarray:
    """Return the Fréchet distance of each class (classes,), NaN for those with less than two rows.

    It compares as many rows of both, the first ones; of few rows, fewer than some times the
    features, the distance is large also where there is no difference.

    Of a conditional game: a generator that draws one image of each class has good shares of
    classes, and large distances within them (Miyato and Koyama 2018, section 4, "intra FID").

    Args:
        features: (N, features) of generated examples.
        labels: (N,), the classes that were asked for.
        reference: (M, features) of real examples.
        reference_labels: (M,), theirs.
        classes: how many there are.
    """
    a, b = two_sets("intra_class_frechet", features, reference)
    classes = whole("classes", classes)
    asked, known = _labels("labels", labels, classes), _labels("labels", reference_labels, classes)
    if (len(a), len(b)) != (len(asked), len(known)):
        raise ValueError(
            f"each row needs a label, got {len(a)} and {len(b)} rows, {len(asked)} and "
            f"{len(known)} labels"
        )
    found = np.full(classes, np.nan)
    for label in range(classes):
        mine, real = a[asked == label], b[known == label]
        if min(len(mine), len(real)) > 1:
            few = min(len(mine), len(real))  # the distance depends on their number
            found[label] = frechet_distance(mine[:few], real[:few])
    return found
