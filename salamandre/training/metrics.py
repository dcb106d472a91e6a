"""Metrics of a network's outputs, and whether smaller or larger values are better."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.checks import one_of
from salamandre.recorded import LARGER, RECORDED, SMALLER

MODES = (SMALLER, LARGER)
#: Whether smaller (``"min"``) or larger (``"max"``) values of a metric are better.
DIRECTIONS = {name: value.better for name, value in RECORDED.items() if value.better}


def direction(metric: str, mode: str | None = None) -> str:
    """Return ``"min"`` or ``"max"``: whether smaller or larger values of a metric are better.

    Args:
        metric: its name, such as ``"accuracy"``.
        mode: the answer, if given. Default: that of :data:`DIRECTIONS`.

    Raises:
        ValueError: no mode, and a metric that :data:`DIRECTIONS` lacks.
    """
    if mode is not None:
        return str(one_of("mode", mode, MODES))
    if metric not in DIRECTIONS:
        raise ValueError(
            f"whether a smaller or a larger {metric!r} is better is not known: "
            f"give mode='min' or mode='max'"
        )
    return DIRECTIONS[metric]


def accuracy(y: Array, targets: Array) -> float:
    """Return the share of rows of y (N, classes) whose largest output is that of the label.

    Args:
        y: (N, classes).
        targets: labels (N,), or rows of numbers (N, classes), of which the largest counts.
    """
    guesses, labels = y.argmax(axis=1), targets
    if targets.shape == y.shape:
        labels = targets.argmax(axis=1)
    elif targets.shape == (len(y), 1):
        labels = targets.reshape(-1)
    if guesses.shape != labels.shape:
        raise ValueError(f"accuracy needs labels of shape {guesses.shape}, got {targets.shape}")
    return float((guesses == labels).mean())
