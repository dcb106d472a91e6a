"""The same training steps written with Salamandre and with its peers.

A module for each library. A function of one name does the same mathematics in each of them: the
same structure, initial distributions, optimizer and order of play, random data of MNIST's sizes. It
returns a step: a function that does one and returns its loss, a number or something that ``float``
reads. On a GPU ``float`` waits for the step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

Step = Callable[[], Any]

BATCH = 64
RATE = {"SGD": 1e-3, "Adam": 1e-3}  # learning rates: no loss becomes 0, no gradient denormal
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


# The convolutions of a DCGAN: transposed, channels in, channels out, size of the image. Windows of
# 4×4, stride 2, padding 1.
LAYERS = [
    (False, 1, 64, 32),
    (False, 64, 128, 16),
    (False, 128, 256, 8),
    (True, 256, 128, 4),
    (True, 128, 64, 8),
    (True, 64, 1, 16),
]


def digits(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random images of shape (batch, ...) in [0, 1), and labels."""
    random = np.random.default_rng(0)
    return random.random(shape, dtype=np.float32), random.integers(0, 10, shape[0])


def pictures(*shape: int) -> np.ndarray:
    """Return random images (40 batches, *shape) in [-1, 1)."""
    random = np.random.default_rng(0)
    return random.random((40 * BATCH, *shape), dtype=np.float32) * 2 - 1


def dense(sizes: Iterable[int], seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each layer weights (outputs, inputs) by He and biases of zero."""
    random = np.random.default_rng(seed)
    return [
        (np.float32((2 / n) ** 0.5) * random.standard_normal((m, n), "f4"), np.zeros(m, "f4"))
        for n, m in itertools.pairwise(sizes)
    ]
