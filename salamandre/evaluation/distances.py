"""Metrics that rest on distances between generated and real examples, or their features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from salamandre.checks import array, real, whole
from salamandre.evaluation.classes import class_divergence
from salamandre.texts import counted

LARGEST = 1e15  # whose square float32 can hold, and a sum of many such squares
BLOCK = 1024  # rows whose distances are held at a time
ROUNDING = 1e-6  # of squared distances in float32, as a share of the squares that they are made of


def finite(what: str, values: Any) -> np.ndarray:
    """Return values as an array of real numbers, whose squares are finite too."""
    found = array(what, values)
    numbers = found.dtype.kind in "fiub"
    ends = (-float(found.min()), float(found.max())) if numbers and found.size else (0.0,)
    if not (numbers and max(ends) <= LARGEST):  # NaN is not
        raise ValueError(
            f"{what} must be finite numbers of at most {LARGEST:g}, got "
            + (f"values from {-ends[0]:g} to {ends[-1]:g}" if numbers else f"dtype {found.dtype}")
        )
    return np.asarray(found)


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (features,) and covariance (features, features) of the rows, in float64."""
    features = finite("features", features)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"moments need two rows of features or more, got {features.shape}")
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean  # subtracted before the product, to lose no digits
    return mean, centred.T @ centred / (len(features) - 1)


def frechet_distance(features: np.ndarray, reference: np.ndarray) -> float:
    """Return ‖μ - ν‖² + tr(A + B - 2 (A B)^½), the moments of two sets being (μ, A) and (ν, B).

    The squared 2-Wasserstein distance of the two Gaussians with these moments (Dowson and Landau
    1982), used on a classifier's features by Heusel et al. 2017, section 4. The trace of the
    root is the sum of the roots of the eigenvalues of A^½ B A^½, which is symmetric, so that
    singular covariances lead to no complex numbers. The distance depends on the number of rows:
    compare only distances of equally many.

    Args:
        features: (N, features).
        reference: (M, features).
    """
    (mu, a), (nu, b) = moments(features), moments(reference)
    if len(mu) != len(nu):
        raise ValueError(f"both sets need equally many features, got {len(mu)} and {len(nu)}")
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0))
    distance = ((mu - nu) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * roots.sum()
    return max(0.0, float(distance))


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of ‖a_i - b_j‖², (rows, len(b)), by ‖a‖² - 2 a·b + ‖b‖²."""
    centre = b.mean(axis=0, dtype=np.float64).astype(b.dtype)  # to lose no digits
    b = b - centre
    b_squares = np.einsum("ij,ij->i", b, b)
    for start in range(0, len(a), BLOCK):
        rows = slice(start, start + BLOCK)
        part = a[rows] - centre
        distances = part @ b.T
        distances *= -2
        distances += np.einsum("ij,ij->i", part, part)[:, None]
        distances += b_squares
        yield rows, np.maximum(distances, 0, out=distances)


def two_sets(
    what: str, features: Any, reference: Any, least: tuple[int, int] = (1, 1)
) -> tuple[np.ndarray, np.ndarray]:
    """Return two sets of equally long rows, so many of them or more."""
    a, b = (finite(f"what {what} compares", rows) for rows in (features, reference))
    if (
        a.ndim != 2
        or b.ndim != 2
        or a.shape[1] != b.shape[1]
        or a.shape[1] == 0
        or len(a) < least[0]
        or len(b) < least[1]
    ):
        raise ValueError(
            f"{what} needs two sets of rows with equally many features, at least "
            f"{counted(least[0], 'row')} of the first and {counted(least[1], 'row')} of the "
            f"second, got shapes {a.shape} and {b.shape}"
        )
    return a, b


def nearest(examples: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the image nearest to each example, and its distance.

    It shows whether a generator has copied its training images.

    Args:
        examples: (N, ...).
        images: (M, ...), with as many elements and the same scale.

    Returns:
        indexes (N,) and Euclidean distances (N,).
    """
    sets = finite("examples", examples), finite("images", images)
    if not all(x.ndim for x in sets):
        raise ValueError("nearest compares examples (N, ...) with images (M, ...), got one number")
    a, b = (x.reshape(len(x), math.prod(x.shape[1:])) for x in sets)
    two_sets("nearest", a, b)
    centre = b.mean(axis=0, dtype=np.float64)
    few, many = ((x - centre).astype(np.float32) for x in (a, b))
    index, distances = np.empty(len(a), dtype=np.int64), np.empty(len(a))
    sums, errors = (ROUNDING * np.einsum("ij,ij->i", x, x) for x in (few, many))
    for rows, squares in _squared_distances(few, many):
        # The smallest of float32's squares may be a neighbour's: all that may be it are compared.
        most = (squares + errors).min(axis=1) + 2 * sums[rows]
        near = squares - errors <= most[:, None]
        for row, choice in zip(range(*rows.indices(len(a))), near, strict=True):
            index[row], distances[row] = _nearest(a[row], b, np.flatnonzero(choice))
    return index, distances


def _nearest(example: np.ndarray, images: np.ndarray, found: np.ndarray) -> tuple[int, float]:
    """Return which of the images that were found is the nearest, and its distance, in float64."""
    best, least = int(found[0]), math.inf
    for start in range(0, len(found), BLOCK):
        some = found[start : start + BLOCK]
        exact = np.linalg.norm(images[some].astype(np.float64) - example, axis=1)
        if exact.min() < least:
            best, least = int(some[exact.argmin()]), float(exact.min())
        if least == 0:
            break
    return best, least


def precision_recall(
    features: np.ndarray, reference: np.ndarray, k: int = 3
) -> tuple[float, float]:
    """Return the share of generated examples that is realistic, and of real ones that is covered.

    Each set's manifold is estimated as the union of balls around its points that reach to their
    k-th nearest neighbour. Precision is the share of generated points in the real manifold,
    recall that of real points in the generated one (Kynkäänniemi et al. 2019, section 3).

    Args:
        features: (N, features) of generated examples.
        reference: (M, features) of real examples, best M = N.
        k: the neighbour. Default 3, the paper's.
    """
    least = whole("precision_recall k", k) + 1
    sets = two_sets(f"precision_recall with k={k}", features, reference, (least, least))
    a, b = (one.astype(np.float64) for one in sets)
    return _covered(a, b, k), _covered(b, a, k)


def _radii(manifold: np.ndarray, k: int) -> np.ndarray:
    """Return the squared distance of each row to its k-th nearest neighbour."""
    radii = np.empty(len(manifold))
    for rows, distances in _squared_distances(manifold, manifold):
        radii[rows] = np.partition(distances, k, axis=1)[:, k]  # column 0 is the row itself
    return radii


def _covered(points: np.ndarray, manifold: np.ndarray, k: int) -> float:
    """Return the share of points in one of the balls around the rows of ``manifold``."""
    radii, inside = _radii(manifold, k), 0
    for _, distances in _squared_distances(points, manifold):
        inside += int((distances <= radii).any(axis=1).sum())
    return inside / len(points)


def mode_coverage(samples: np.ndarray, modes: np.ndarray, std: float) -> dict[str, float]:
    """Count modes and good samples (Srivastava et al. 2017, section 4.1; Lin et al. 2018, 4.1).

    A sample is good if its distance to the nearest mode is at most 3 ``std``; a mode is
    found if it is the nearest one of at least one good sample.

    Args:
        samples: (N, dimensions).
        modes: (modes, dimensions).
        std: the standard deviation of each mode.

    Returns:
        ``modes``, the number found; ``quality``, the share of good samples; ``balance``, the
        entropy of the good samples' modes over the largest possible, from 0 to 1;
        ``divergence``, the reverse KL, of the shares of all samples by their nearest mode from
        equal shares, in nats.
    """
    sets = two_sets("mode_coverage", samples, modes)
    samples, modes = (x.astype(np.float64) for x in sets)  # differences of bytes wrap around
    real("mode_coverage std", std, 0, above=True)
    distances = np.linalg.norm(samples[:, None] - modes[None], axis=2)
    nearest = distances.argmin(axis=1)
    good = distances.min(axis=1) <= 3 * std
    counts = np.bincount(nearest[good], minlength=len(modes))
    shares = counts[counts > 0] / max(1, counts.sum())
    most = np.log(len(modes)) if len(modes) > 1 else 1.0
    entropy = float(-(shares * np.log(shares)).sum() / most)
    drawn = np.bincount(nearest, minlength=len(modes)) / len(samples)
    return {
        "modes": int((counts > 0).sum()),
        "quality": float(good.mean()),
        "balance": entropy + 0.0,  # not -0.0
        "divergence": class_divergence(drawn, np.full(len(modes), 1 / len(modes))),
    }
