"""Tests of a network on a data set: its loss and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.data.arrays import Data
from salamandre.data.batches import Source
from salamandre.network import Network
from salamandre.training.history import NOT_METRICS, require_free
from salamandre.training.metrics import METRICS, Metric, accuracy, named_metrics

#: What an engine takes as metrics: functions by name, or a list of names and functions.
Metrics = Mapping[str, Metric | str] | Sequence[Metric | str] | Metric | str


def checked_metrics(metrics: Metrics | None, network: Network, labelled: bool) -> dict[str, Metric]:
    """Return metrics by name; the default is the accuracy, where the targets are labels.

    Args:
        metrics: see :class:`salamandre.Engine`.
        network: whose outputs they get.
        labelled: whether the targets are labels or one-hot.
    """
    if metrics is None:
        return {"accuracy": accuracy} if labelled and network.output_shape[-1] > 1 else {}
    found = named_metrics(metrics, bool(getattr(network.loss, "from_logits", False)))
    require_free(found, (*NOT_METRICS, "test_loss"))
    return found


def check_targets(network: Network, source: Source) -> None:
    """Refuse targets that the network's loss does not take."""
    for targets in source.targets_in_order(8192):
        as_targets(network, targets, (len(targets), *network.output_shape))


def check_metrics(metrics: Mapping[str, Metric], network: Network, source: Source) -> None:
    """Refuse a metric of this package that does not take a data set's targets."""
    (_, targets), y = next(source.in_order(1)), np.zeros((1, *network.output_shape))
    assert network.loss is not None
    answers = targets if network.loss.takes_labels else as_targets(network, targets, y.shape)
    for metric in metrics.values():
        if getattr(metric, "func", metric) in METRICS.values():  # others may do anything
            metric(network.backend.asarray(y), network.backend.asarray(answers))


def as_targets(network: Network, targets: Any, shape: tuple[int, ...]) -> Array:
    """Return targets as the network's loss takes them for outputs of a shape."""
    assert network.loss is not None
    return network.loss.check(targets, shape, network.dtype, network.backend)


def tested(
    network: Network, source: Source, metrics: Mapping[str, Metric], batch_size: int
) -> dict[str, float]:
    """Return ``test_loss`` and the metrics on a data set, which is read block by block."""
    total, outputs, answers = 0.0, [], []
    assert network.loss is not None
    xp = network.backend.xp
    for x, targets in source.in_order(batch_size):
        y = network.predict(x)
        wanted = as_targets(network, targets, y.shape)
        loss, _ = network.loss.evaluate(y, wanted, network.backend)
        total += float(loss) * len(y)
        if metrics:
            outputs.append(y)
            # Values (N,) for outputs (N, 1) would be compared each with each.
            answers.append(targets if network.loss.takes_labels else wanted)
    values = {"test_loss": total / len(source)}
    for name, metric in metrics.items():  # each has arrays of its own to work on
        values[name] = metric(xp.concatenate(outputs), xp.concatenate(answers))
    return values


def evaluate(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    metrics: Metrics | None = None,
    batch_size: int = 1000,
) -> dict[str, float]:
    """Return ``test_loss`` and metrics of a network on a data set.

    Args:
        network: has a loss. It stays as it is.
        x: inputs, or a data set as an engine takes it.
        y: targets. Default: x has them.
        metrics: see :class:`salamandre.Engine`. Default accuracy, where the targets are labels.
        batch_size: examples computed at once. Default 1000.
    """
    if network.loss is None:
        raise ValueError("evaluate needs a Network with a loss")
    source = Source(as_data(x, y), network)
    check_targets(network, source)
    chosen = checked_metrics(metrics, network, source.has_labels)
    check_metrics(chosen, network, source)
    return tested(network, source, chosen, batch_size)


def as_data(x: Any, y: Any) -> Data:
    """Return inputs and targets as a data set; x may be one."""
    if y is not None:
        return x, y
    if isinstance(x, (tuple, list)) or hasattr(x, "images"):
        return x
    if hasattr(x, "shape"):
        raise ValueError("there are inputs without targets: give both, x and y")
    raise ValueError(
        f"x must be all inputs as an array, with targets y, or a data set such as data.load(...) "
        f"returns, got a {type(x).__name__}: batches are made of them here"
    )
