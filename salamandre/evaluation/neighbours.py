"""Figures that rest on nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from salamandre.checks import whole

BLOCK = 1024  # rows whose distances are held at a time


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of ‖a_i - b_j‖², (rows, len(b)), by ‖a‖² - 2 a·b + ‖b‖²."""
    b_squares = np.einsum("ij,ij->i", b, b)
    for start in range(0, len(a), BLOCK):
        rows = slice(start, start + BLOCK)
        part = a[rows]
        distances = part @ b.T
        distances *= -2
        distances += np.einsum("ij,ij->i", part, part)[:, None]
        distances += b_squares
        yield rows, np.maximum(distances, 0, out=distances)


def nearest(examples: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each example which image is nearest to it, and how far it is.

    Shows that a generator has not copied its training images.

    Args:
        examples: (N, ...).
        images: (M, ...), elements as many and of the same scale.

    Returns:
        indexes (N,) and Euclidean distances (N,).
    """
    a = np.asarray(examples, dtype=np.float32).reshape(len(examples), -1)
    b = np.asarray(images, dtype=np.float32).reshape(len(images), -1)
    index = np.empty(len(a), dtype=np.int64)
    for rows, distances in _squared_distances(a, b):
        index[rows] = distances.argmin(axis=1)
    return index, np.linalg.norm(a - b[index], axis=1)


def precision_recall(
    features: np.ndarray, reference: np.ndarray, k: int = 3
) -> tuple[float, float]:
    """Return how much of what is generated is realistic, and how much of the real is generated.

    Each set's manifold is estimated as the union of balls around its points that reach as far as
    their k-th nearest neighbour. Precision is the share of generated points in the real manifold,
    recall that of real points in the generated one (Kynkäänniemi et al. 2019, section 3).

    Args:
        features: (N, features) of generated examples.
        reference: (M, features) of real examples, best M = N.
        k: the neighbour. Default 3, the paper's.
    """
    whole("precision_recall k", k)
    a = np.asarray(features, dtype=np.float64)
    b = np.asarray(reference, dtype=np.float64)
    if min(len(a), len(b)) <= k:
        raise ValueError(
            f"precision_recall with k={k} needs more than {k} rows in both sets, "
            f"got {len(a)} and {len(b)}"
        )
    return _covered(a, b, k), _covered(b, a, k)


def _covered(points: np.ndarray, manifold: np.ndarray, k: int) -> float:
    """Return the share of points in one of the balls around the rows of ``manifold``."""
    radii = np.empty(len(manifold))
    for rows, distances in _squared_distances(manifold, manifold):
        radii[rows] = np.partition(distances, k, axis=1)[:, k]  # column 0 is the row itself
    inside = 0
    for _, distances in _squared_distances(points, manifold):
        inside += int((distances <= radii).any(axis=1).sum())
    return inside / len(points)
