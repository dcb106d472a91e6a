"""Mixtures of Gaussians in the plane, on which mode collapse can be measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GaussianMixture:
    """Equally likely Gaussians of one standard deviation.

    Attributes:
        name: of the distribution.
        modes: the means (modes, dimensions).
        std: the standard deviation along each axis.
    """

    name: str
    modes: np.ndarray
    std: float

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Return ``count`` points (count, dimensions) in float32."""
        random = np.random.default_rng(seed)
        centres = self.modes[random.integers(0, len(self.modes), count)]
        return (centres + self.std * random.normal(size=centres.shape)).astype(np.float32)


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.01) -> GaussianMixture:
    """Gaussians on a circle (Srivastava et al. 2017, section 4.1: 8, radius 1, std 0.01)."""
    angles = 2 * math.pi * np.arange(modes) / modes
    return GaussianMixture("ring", radius * np.stack([np.cos(angles), np.sin(angles)], 1), std)


def grid(side: int = 5, step: float = 2.0, std: float = 0.05) -> GaussianMixture:
    """Gaussians on a square grid (Srivastava et al. 2017, section 4.1: 5 × 5, step 2, std 0.05)."""
    line = step * (np.arange(side) - (side - 1) / 2)
    return GaussianMixture("grid", np.stack(np.meshgrid(line, line), -1).reshape(-1, 2), std)
