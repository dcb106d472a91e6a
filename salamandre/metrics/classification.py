"""How well classes are told apart."""

from __future__ import annotations

import numpy as np

from salamandre.backend import Array


def predicted(y: Array) -> Array:
    """Return the label (N,) with the largest output of each row (N, classes)."""
    return y.argmax(axis=1)


def accuracy(y: Array, labels: Array) -> float:
    """Return the share of rows of y (N, classes) whose largest output is that of the label."""
    return float((predicted(y) == labels).mean())


def confusion(labels: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """Return counts (classes, classes): row the true label, column the guessed one."""
    pairs = np.asarray(labels).astype(np.int64) * classes + np.asarray(guesses)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
