"""Metrics of a network's outputs, and whether smaller or larger values are better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.checks import one_of
from salamandre.recorded import LARGER, RECORDED, SMALLER

Metric = Callable[[Array, Array], float]

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
    refuse_val(metric)
    if metric not in DIRECTIONS:
        raise ValueError(
            f"whether a smaller or a larger {metric!r} is better is not known: "
            f"give mode='min' or mode='max'"
        )
    return DIRECTIONS[metric]


def refuse_val(metric: str) -> None:
    """Raise ValueError for Keras' name of a metric of the test set."""
    if metric.startswith("val_"):
        ours = metric.replace("val_loss", "test_loss").removeprefix("val_")
        raise ValueError(f"the metric {metric!r} of the test set is called {ours!r} here")


def accuracy(y: Array, targets: Array, threshold: float = 0.5) -> float:
    """Return the share of rows of y (N, classes) whose largest output is that of the label.

    Args:
        y: (N, classes); (N, 1) of two classes.
        targets: labels (N,), or rows of numbers (N, classes), of which the largest counts.
        threshold: of one output, above which the guess is class 1. Default 0.5.
    """
    y, targets = (np.asarray(v) if isinstance(v, (list, tuple)) else v for v in (y, targets))
    if y.ndim != 2:
        raise ValueError(
            f"accuracy takes outputs (N, classes), got shape {y.shape}: of guesses it is "
            f"(guesses == labels).mean()"
        )
    guesses, labels = y.argmax(axis=1), targets
    if y.shape[1] == 1:
        guesses = y[:, 0] > threshold
        if not ((targets == 0) | (targets == 1)).all():
            raise ValueError(
                f"accuracy of one output needs targets 0 and 1, got values from "
                f"{float(targets.min()):g} to {float(targets.max()):g}"
            )
    if targets.shape == y.shape and y.shape[1] > 1:
        labels = targets.argmax(axis=1)
    elif targets.shape == (len(y), 1):
        labels = targets.reshape(-1)
    if guesses.shape != labels.shape:
        raise ValueError(f"accuracy needs labels of shape {guesses.shape}, got {targets.shape}")
    return float((guesses == labels).mean())


def mean_absolute_error(y: Array, targets: Array) -> float:
    """Return the mean of |y - t| over examples and outputs, whatever the loss is."""
    return float(abs(_errors("mae", y, targets)).mean())


def mean_squared_error(y: Array, targets: Array) -> float:
    """Return the mean of (y - t)² over examples and outputs, whatever the loss is."""
    return float((_errors("mse", y, targets) ** 2).mean())


def _errors(metric: str, y: Array, targets: Array) -> Array:
    if targets.size != y.size:
        wanted, got = (", ".join(["N", *map(str, a.shape[1:])]) for a in (y, targets))
        raise ValueError(f"{metric} needs targets of shape ({wanted}), got ({got})")
    return y - targets.reshape(y.shape)


#: The metrics that an engine takes by name.
METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
}


def named_metrics(metrics: Any, from_logits: bool = False) -> dict[str, Metric]:
    """Return metrics by name.

    Args:
        metrics: functions or names of :data:`METRICS`, one or several; or a mapping of them.
        from_logits: whether one output is a logit, which is 0 where a probability is ½.

    Raises:
        ValueError: an unknown name, or one that a table cannot hold.
        TypeError: no function.
    """
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        metrics = [metrics]
    if not isinstance(metrics, Mapping):
        names = [m if isinstance(m, str) else _name_of(m) for m in metrics]
        if len(set(names)) < len(names):
            raise ValueError(
                f"two metrics have one name, got {', '.join(names)}: give a mapping of names"
            )
        metrics = dict(zip(names, metrics, strict=True))
    found: dict[str, Metric] = {}
    for name, metric in metrics.items():
        if isinstance(metric, str):
            metric = METRICS[one_of("metric", metric, METRICS)]
        if metric is accuracy and from_logits:
            metric = partial(accuracy, threshold=0.0)
        if not callable(metric):
            raise TypeError(
                f"metrics must be functions of (outputs, targets) or names, got {metric!r}"
            )
        if {*',"\r\n'} & {*str(name)}:
            raise ValueError(
                f"a metric's name cannot hold commas, quotes or line breaks, got {name!r}"
            )
        found[name] = metric
    return found


def _name_of(metric: Any) -> str:
    """Return the name of a function, of what a partial one is of, or of an object's class."""
    while isinstance(metric, partial):
        metric = metric.func
    return str(getattr(metric, "__name__", type(metric).__name__))
