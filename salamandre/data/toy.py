"""Data whose modes can be counted: mixtures of Gaussians in the plane, and stacks of digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from salamandre.checks import whole
from salamandre.data.images import MOST, Images

CHANNELS = 3  # of a stack


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

    def sample(self, count: int, seed: int | Sequence[int] = 0) -> np.ndarray:
        """Return ``count`` points (count, dimensions) in float32, by one seed or several."""
        random = np.random.default_rng(seed)
        centres = self.modes[random.integers(0, len(self.modes), whole("count", count, 0))]
        return (centres + self.std * random.normal(size=centres.shape)).astype(np.float32)


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.01) -> GaussianMixture:
    """Gaussians on a circle (Srivastava et al. 2017, section 4.1: 8, radius 1, std 0.01)."""
    angles = 2 * math.pi * np.arange(whole("modes of a ring", modes)) / modes
    return GaussianMixture("ring", radius * np.stack([np.cos(angles), np.sin(angles)], 1), std)


def grid(side: int = 5, step: float = 2.0, std: float = 0.05) -> GaussianMixture:
    """Gaussians on a square grid (Srivastava et al. 2017, section 4.1: 5 × 5, step 2, std 0.05)."""
    line = step * (np.arange(whole("side of a grid", side)) - (side - 1) / 2)
    return GaussianMixture("grid", np.stack(np.meshgrid(line, line), -1).reshape(-1, 2), std)


def stacked(images: Images, count: int = 128_000, seed: int = 0) -> Images:
    """Three grey images, drawn at random, as the channels of each image.

    Of ten digits 1,000 modes (Metz et al. 2017, "Unrolled generative adversarial networks", section
    3.3.1); Lin et al. 2018, section 4.2, draw 128,000.

    Args:
        images: grey ones (N, 1, H, W) of 2 to 40 classes.
        count: of the stacks. Default 128,000.
        seed: of the choice. Default 0.

    Returns:
        Images (count, 3, H, W). The label of a stack of the classes a, b and c among k is
        (a k + b) k + c, its name that of the three.

    Raises:
        ValueError: colour images, a single class, or more than 40.
    """
    classes = len(images.classes)
    if images.shape[0] != 1:
        raise ValueError(
            f"stacked takes grey images, got images of shape {images.shape}: open them with "
            f"channels=1 (--grey)"
        )
    if classes < 2 or classes**CHANNELS > MOST:
        most = int(MOST ** (1 / CHANNELS))
        raise ValueError(f"stacked takes images of 2 to {most} classes, got {classes}")
    random = np.random.default_rng(whole("seed", seed, 0))
    chosen = random.integers(0, len(images), (whole("count", count), CHANNELS))
    labels = images.labels[chosen] @ (classes ** np.arange(CHANNELS)[::-1])
    return replace(
        images,
        images=images.images[:, 0][chosen],
        labels=labels.astype(np.uint16),
        classes=tuple(map(" ".join, product(images.classes, repeat=CHANNELS))),
        name=f"{images.name}-stacked",
    )
