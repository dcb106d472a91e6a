"""Centred differences of a whole network's parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest

import salamandre as sal


def gradient_error(network: sal.Network, energy: Callable[[], float], h: float = 1e-6) -> float:
    """Return how far the gradients that ``energy()`` leaves in a network are from its slopes."""
    energy()
    analytic = np.array(network.backend.to_numpy(network.gradients))
    numerical = np.empty_like(analytic)
    for i in range(len(numerical)):
        network.parameters[i] += h
        high = energy()
        network.parameters[i] -= 2 * h
        numerical[i] = (high - energy()) / (2 * h)
        network.parameters[i] += h
    return float(np.linalg.norm(analytic - numerical) / np.linalg.norm(analytic + numerical))


def penalty_agrees(penalty, critic, real, fake, labels, random, ways: int = 5) -> None:
    """Compare an attached penalty's gradient with differences along random directions."""
    state, host = copy.deepcopy(critic.random.state), critic.backend.to_numpy

    def energy() -> float:
        critic.random.state, critic.gradients[...] = copy.deepcopy(state), 0
        return float(penalty.penalty(real, fake, labels))

    energy()
    analytic, h = np.array(host(critic.gradients)), 1e-5
    for _ in range(ways):
        way = random.normal(size=analytic.shape)
        way /= np.linalg.norm(way)
        step = critic.backend.asarray(h * way)
        critic.parameters += step
        high = energy()
        critic.parameters -= 2 * step
        numerical = (high - energy()) / (2 * h)
        critic.parameters += step
        assert numerical == pytest.approx(analytic @ way, rel=1e-6, abs=1e-7)
