"""Random changes of training images that leave their meaning alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from salamandre.checks import whole


@dataclass(frozen=True)
class Shift:
    """Move each image by up to ``pixels`` along both axes; what comes in is zero.

    Args:
        pixels: the largest shift; each whole number from -pixels to pixels is as likely.
    """

    pixels: int

    def __post_init__(self) -> None:
        whole("Shift pixels", self.pixels)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return shifted copies of images (N, C, H, W)."""
        p = self.pixels
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, x.shape[2:], axis=(2, 3))  # (N, C, 2p+1, 2p+1, H, W)
        down, right = random.integers(0, 2 * p + 1, (2, len(x)))
        return windows[np.arange(len(x)), :, down, right]
