"""How well classes are told apart."""

from __future__ import annotations

import numpy as np


def confusion(labels: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """Return counts (classes, classes): row the true label, column the guessed one."""
    for what, values in (("labels", labels), ("guesses", guesses)):
        if len(values) and not 0 <= np.min(values) <= np.max(values) < classes:
            raise ValueError(f"{what} must lie in 0..{classes - 1}")
    pairs = np.asarray(labels).astype(np.int64) * classes + np.asarray(guesses)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
