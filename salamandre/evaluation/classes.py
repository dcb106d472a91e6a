"""Metrics of classes: which are confused, and how evenly and clearly they are generated."""

from __future__ import annotations

import numpy as np


def confusion(labels: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """Return counts (classes, classes): row the true label, column the guessed one."""
    for what, values in (("labels", labels), ("guesses", guesses)):
        if len(values) and not 0 <= np.min(values) <= np.max(values) < classes:
            raise ValueError(f"{what} must lie in 0..{classes - 1}")
    pairs = np.asarray(labels).astype(np.int64) * classes + np.asarray(guesses)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_shares(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the share (classes,) of each class among labels (N,)."""
    labels = np.asarray(labels)
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"class_shares needs at least one label, all of them in 0..{classes - 1}")
    return np.bincount(labels, minlength=classes) / len(labels)


def class_divergence(shares: np.ndarray, reference: np.ndarray) -> float:
    """Return KL(shares ‖ reference) = Σ s ln(s / r) in nats; 0 if both agree.

    The measure of how evenly modes are drawn in Srivastava et al. 2017, section 4.1, and Lin et
    al. 2018, section 4.1. It is infinite if a class appears that the reference lacks.

    Args:
        shares: (classes,) of the generated examples.
        reference: (classes,) of the data.
    """
    seen = shares > 0
    with np.errstate(divide="ignore"):
        return float((shares[seen] * np.log(shares[seen] / reference[seen])).sum())


def classifier_score(probabilities: np.ndarray) -> float:
    """Return exp(mean KL(p(y | x) ‖ p(y))), from 1 to the number of classes.

    The formula of the Inception score (Salimans et al. 2016, section 4), for any classifier: large
    if each example clearly belongs to one class and all classes are equally frequent.

    Args:
        probabilities: p(y | x), (N, classes); rows sum to 1.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or not len(p) or not np.allclose(p.sum(axis=1), 1, atol=1e-4):
        raise ValueError("classifier_score needs rows of probabilities (N, classes) that sum to 1")
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(p.mean(axis=0))), 0)
    return float(np.exp(terms.sum(axis=1).mean()))
