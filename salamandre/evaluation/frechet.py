"""The Fréchet distance of two sets of features."""

from __future__ import annotations

import numpy as np


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (features,) and covariance (features, features) of the rows, in float64."""
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"moments need two rows of features or more, got {features.shape}")
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean  # before the product: nothing cancels afterwards
    return mean, centred.T @ centred / (len(features) - 1)


def frechet_distance(features: np.ndarray, reference: np.ndarray) -> float:
    """Return ‖μ - ν‖² + tr(A + B - 2 (A B)^½), the moments of two sets being (μ, A) and (ν, B).

    The squared 2-Wasserstein distance of the two Gaussians with these moments (Dowson and Landau
    1982), which Heusel et al. 2017, section 4, use on a classifier's features. The trace of the
    root is the sum of the roots of the eigenvalues of A^½ B A^½, which is symmetric: no complex
    numbers come in where covariances are singular. It depends on the number of rows: compare only
    distances of equally many.

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
