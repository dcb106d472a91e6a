"""Metrics of images against the true image of each: L1, PSNR and SSIM."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from salamandre.checks import real
from salamandre.data import Pairs
from salamandre.evaluation.distances import finite
from salamandre.games import GanGame

WINDOW, STD = 11, 1.5  # of the Gaussian in which SSIM compares, section III-C
K1, K2 = 0.01, 0.03
BLOCK = 1 << 22  # pixels at a time

Range = tuple[float, float]


def l1(images: Any, truth: Any, value_range: Range | None = None) -> float:
    """Return the mean of |x - y| as a share of the value range, from 0 to 1.

    Args:
        images: (N, C, H, W).
        truth: (N, C, H, W), of the same value range.
        value_range: smallest and largest possible value. Default 0 and 255, for bytes.

    Raises:
        ValueError: different shapes, values that are not in the range, or no range for floats.
    """
    x, y, (low, high) = _checked(images, truth, value_range)
    total = sum(float(abs(a - b).sum()) for a, b in _blocks(x, y, low))
    return total / x.size / (high - low)


def psnr(images: Any, truth: Any, value_range: Range | None = None) -> float:
    """Return the peak signal-to-noise ratio 10 log10(L² / mean (x - y)²) in dB, L being the range.

    The mean is over all images together, since the ratio of a single one that equals its truth is
    infinite.

    Args:
        images: (N, C, H, W).
        truth: (N, C, H, W), of the same value range.
        value_range: smallest and largest possible value. Default 0 and 255, for bytes.

    Raises:
        ValueError: as of :func:`l1`.
    """
    x, y, (low, high) = _checked(images, truth, value_range)
    error = sum(float(((a - b) ** 2).sum()) for a, b in _blocks(x, y, low)) / x.size
    return 10 * math.log10((high - low) ** 2 / error) if error else math.inf


def ssim(images: Any, truth: Any, value_range: Range | None = None) -> float:
    """Return the structural similarity, 1 for equal images (Wang et al. 2004, section III-B).

    (2 μx μy + c1) (2 σxy + c2) / ((μx² + μy² + c1) (σx² + σy² + c2)), with c1 = (0.01 L)² and
    c2 = (0.03 L)², L being the range, whose smallest value counts as 0. Means, variances and
    covariance are those in a Gaussian window of 11×11 with standard deviation 1.5 (section III-C).
    The result is the mean over all windows inside the image, channels and images.

    Args:
        images: (N, C, H, W), at least 11×11.
        truth: (N, C, H, W), of the same value range.
        value_range: smallest and largest possible value. Default 0 and 255, for bytes.

    Raises:
        ValueError: as of :func:`l1`; images that are smaller than a window.
    """
    x, y, (low, high) = _checked(images, truth, value_range)
    if min(x.shape[2:]) < WINDOW:
        raise ValueError(
            f"SSIM compares in windows of {WINDOW}×{WINDOW}, and images of {x.shape[2]}×"
            f"{x.shape[3]} are smaller: enlarge them, or take psnr"
        )
    rows, columns = (_windows(length) for length in x.shape[2:])
    c1, c2 = (K1 * (high - low)) ** 2, (K2 * (high - low)) ** 2
    total = 0.0
    for a, b in _blocks(x, y, low):
        mean_a, mean_b = rows @ a @ columns.T, rows @ b @ columns.T
        variance_a = rows @ a**2 @ columns.T - mean_a**2
        variance_b = rows @ b**2 @ columns.T - mean_b**2
        covariance = rows @ (a * b) @ columns.T - mean_a * mean_b
        above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
        below = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
        total += float((above / below).mean(axis=(1, 2, 3)).sum())
    return total / len(x)


def similarity(images: Any, truth: Any, value_range: Range | None = None) -> dict[str, float]:
    """Return L1, PSNR and SSIM by name; without SSIM, if the images are smaller than its window.

    Args:
        images: (N, C, H, W).
        truth: (N, C, H, W), of the same value range.
        value_range: smallest and largest possible value. Default 0 and 255, for bytes.

    Raises:
        ValueError: as of :func:`l1`.
    """
    metrics = (l1, psnr, ssim) if min(np.shape(truth)[2:], default=0) >= WINDOW else (l1, psnr)
    return {metric.__name__: metric(images, truth, value_range) for metric in metrics}


def of_pairs(pairs: Pairs, count: int = 1000) -> Callable[[GanGame], dict[str, float]]:
    """Return a metric of games, for :class:`salamandre.games.Evaluation`: their similarity.

    Args:
        pairs: whose conditions the generator is given, and whose images are the truth.
        count: the number of pairs, which are chosen in equal steps. Default 1000.

    Raises:
        TypeError: something else than pairs.
    """
    if not isinstance(pairs, Pairs):
        raise TypeError(f"of_pairs takes Pairs, such as those of data.pairs(...), got {pairs!r}")
    few = pairs.spread(count)

    def metric(game: GanGame) -> dict[str, float]:
        made = game.backend.to_numpy(game.generate(conditions=few.conditions))
        made = np.clip(made, *game.value_range)
        truth = game.generator.pixels.scaled(few.images, np.float64, np)
        return similarity(made, truth, game.value_range)

    return metric


@lru_cache(maxsize=8)
def _windows(length: int) -> np.ndarray:
    """Return the Gaussian window at each position in a row of pixels, (positions, length)."""
    distance = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(distance**2) / (2 * STD**2))
    matrix = np.zeros((length - WINDOW + 1, length))
    for position, row in enumerate(matrix):
        row[position : position + WINDOW] = weights / weights.sum()
    return matrix


def _checked(images: Any, truth: Any, given: Range | None) -> tuple[np.ndarray, np.ndarray, Range]:
    """Return both as arrays of one shape, and their value range."""
    x, y = finite("images", images), finite("true images", truth)
    if x.shape != y.shape or x.ndim != 4 or 0 in x.shape:
        raise ValueError(
            f"images and their truth must have one shape (N, C, H, W), got {x.shape} and {y.shape}"
        )
    if given is None and not x.dtype == y.dtype == np.uint8:
        raise ValueError(
            f"the value range must be given for other images than bytes, such as "
            f"value_range=(-1, 1), got {x.dtype} and {y.dtype}"
        )
    try:
        low, high = (0, 255) if given is None else given
    except (TypeError, ValueError):
        raise ValueError(
            f"the value range must be two numbers, such as (-1, 1), got {given!r}"
        ) from None
    low = real("the smallest value", low)
    high = real("the largest value", high, low, above=True)
    least, most = min(x.min(), y.min()), max(x.max(), y.max())
    slack = 1e-6 * (high - low)
    if least < low - slack or most > high + slack:
        raise ValueError(
            f"the values of images and truth must be in the range {low:g}..{high:g}, got "
            f"{least:g}..{most:g}"
        )
    return x, y, (low, high)


def _blocks(x: np.ndarray, y: np.ndarray, low: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield some images after the other, in float64, with 0 as the smallest possible value."""
    step = max(1, BLOCK // math.prod(x.shape[1:]))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        yield x[part].astype(np.float64) - low, y[part].astype(np.float64) - low
