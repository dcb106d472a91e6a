"""Centred differences of a whole network's parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
