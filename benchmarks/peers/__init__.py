"""The same training steps written with Salamandre and with its peers.

A module for each library. A function of one name does the same mathematics in each of them: the
same structure, initial distributions, optimizer and order of play, random data of MNIST's sizes. It
returns a step: a function that does one and returns its loss, a number or something that ``float``
reads. On a GPU ``float`` waits for the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Step = Callable[[], Any]

BATCH = 64
RATE = {"SGD": 0.1, "Adam": 1e-3}  # learning rates
PLAYERS = {"rate": 2e-4, "beta1": 0.5}  # Adam of games
LEAK = 0.2  # slope of the leaky rectifiers of games


class Game(NamedTuple):
    """A game between two perceptrons: ReLU and tanh against leaky ReLU and a score."""

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    penalised: bool = False  # Wasserstein with gradient penalty instead of non-saturating
    discriminator_steps: int = 1


GAN = Game((100, 300, 784), (784, 300, 1))
PENALTY = Game((100, 256, 512, 784), (784, 512, 256, 1), True, 2)


def digits(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random images (batch, 784) in [0, 1) and labels."""
    random = np.random.default_rng(0)
    return random.random((batch, 784), dtype=np.float32), random.integers(0, 10, batch)


def pictures(*shape: int) -> np.ndarray:
    """Return random images (40 batches, *shape) in [-1, 1)."""
    random = np.random.default_rng(0)
    return random.random((40 * BATCH, *shape), dtype=np.float32) * 2 - 1
