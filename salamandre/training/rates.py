"""The range of learning rates that suit a network (Smith 2015)."""

from __future__ import annotations

import copy
import math
import os
from typing import NamedTuple

import numpy as np

from salamandre.checks import real, whole
from salamandre.data.arrays import Data
from salamandre.data.batches import EndlessBatches, Source
from salamandre.learnable import Diverged
from salamandre.network import Network

FORGET = 0.95  # of the mean of losses, at each step


class Rates(NamedTuple):
    """What :func:`lr_find` has found.

    Attributes:
        rates: that were tried (steps,).
        losses: the mean loss by each, of the last ones mostly (steps,).
        suggestion: a tenth of the rate of the lowest loss.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def lr_find(
    network: Network,
    train: Data,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int = 64,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
) -> Rates:
    """Try learning rates from low to high, a step with each, and return the losses.

    A copy of the network learns, whose rate grows by the same factor each step (Smith 2015,
    "Cyclical learning rates for training neural networks", section 3.3). It ends early where the
    loss is four times its lowest value, or no number. A good rate is well below that of the lowest
    loss. The others of a :class:`Muon` keep their own rate.

    Args:
        network: with loss and optimizer; it does not change.
        train: the training set, as for :class:`salamandre.Engine`.
        low: first rate. Default 1e-6.
        high: last rate. Default 10.
        steps: how many. Default 100.
        batch_size: examples a step. Default 64.
        seed: of the order of examples. Default 0.
        path: of a picture of the curve. Default none.
    """
    if network.loss is None or network.optimizer is None:
        raise ValueError("lr_find needs a Network with a loss and an optimizer")
    low = real("lr_find low", low, 0, above=True)
    high = real("lr_find high", high, low, above=True)
    factors = np.linspace(0, 1, whole("lr_find steps", steps, 2))
    learner = copy.deepcopy(network)
    assert learner.optimizer is not None
    batches = EndlessBatches(Source(train, learner), whole("batch_size", batch_size), seed)
    rates, losses, mean = [], [], 0.0
    for number, factor in enumerate(factors, 1):
        rate = low * (high / low) ** float(factor)
        learner.optimizer.learning_rate = rate
        try:
            loss = float(learner.learn(*next(batches)))
        except Diverged:
            break
        if not math.isfinite(loss):
            break
        mean = FORGET * mean + (1 - FORGET) * loss
        rates.append(rate)
        losses.append(mean / (1 - FORGET**number))  # the first ones would be too small
        best = min(losses)
        if losses[-1] - best > 3 * abs(best):  # four times the best; losses may be below 0
            break
    if not rates:
        raise ValueError(f"the loss is no number with the learning rate {low:g}: scale the inputs")
    found = Rates(np.array(rates), np.array(losses), rates[int(np.argmin(losses))] / 10)
    if path is not None:
        from salamandre.plots.curves import plot_rates

        plot_rates(*found, path)
    return found
