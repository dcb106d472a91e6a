"""Modes of a mixture, counted."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre import evaluation
from salamandre.data import toy


def test_samples_of_the_mixture_itself_cover_it():
    """A Gaussian in the plane lies within 3 deviations with probability 1 - exp(-9/2)."""
    for mixture in (toy.ring(), toy.grid()):
        found = evaluation.mode_coverage(mixture.sample(20_000), mixture.modes, mixture.std)
        assert found["modes"] == len(mixture.modes)
        assert found["quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.003)
        assert found["balance"] == pytest.approx(1, abs=0.001)


def test_modes_that_are_missing_or_uneven_are_told():
    modes = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    samples = np.array([[0.0, 0], [0, 0.2], [0, 0.1], [10, 0], [5, 5], [10, 10.4]])
    found = evaluation.mode_coverage(samples, modes, std=0.1)
    assert found["modes"] == 2  # the last is four deviations away from its mode
    assert found["quality"] == pytest.approx(4 / 6)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found["balance"] == pytest.approx(entropy / np.log(4))
    nothing = evaluation.mode_coverage(np.full((5, 2), 99.0), modes, std=0.1)
    assert nothing == {"modes": 0, "quality": 0, "balance": 0}
