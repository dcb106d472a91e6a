"""How many modes of a mixture a generator has found, and how exactly."""

from __future__ import annotations

import numpy as np


def mode_coverage(
    samples: np.ndarray, modes: np.ndarray, std: float, deviations: float = 3.0
) -> dict[str, float]:
    """Count modes and good samples (Srivastava et al. 2017, section 4.1; Lin et al. 2018, 4.1).

    A sample is of high quality if it lies within ``deviations`` · std of its nearest mode; a mode
    is found if at least one such sample belongs to it.

    Args:
        samples: (N, dimensions).
        modes: (modes, dimensions).
        std: the deviation of each mode.
        deviations: how many. Default 3.

    Returns:
        ``modes``, the number found; ``quality``, the share of good samples; ``balance``, the
        entropy of the good samples' modes over the largest possible, from 0 to 1.
    """
    distances = np.linalg.norm(samples[:, None] - modes[None], axis=2)
    nearest = distances.argmin(axis=1)
    good = distances.min(axis=1) <= deviations * std
    counts = np.bincount(nearest[good], minlength=len(modes))
    shares = counts[counts > 0] / max(1, counts.sum())
    most = np.log(len(modes)) if len(modes) > 1 else 1.0
    entropy = float(-(shares * np.log(shares)).sum() / most)
    return {"modes": int((counts > 0).sum()), "quality": float(good.mean()), "balance": entropy}
