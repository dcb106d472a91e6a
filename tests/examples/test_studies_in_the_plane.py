"""The studies in the plane: circles of known radius, and critics beside the exact distance."""

from __future__ import annotations

import re

import pytest
from command import table
from small_runs import only_folder, run


def distances(*options, cwd):
    text = run("simultaneous_descent.py", *options, cwd=cwd).stdout
    return {name: float(d) for name, d in re.findall(r"(\w+): distance (\S+) after", text)}


def test_ways_in_a_field_that_turns_round(tmp_path):
    """A step multiplies w = x + i y by a complex number."""
    found = distances("--rate", "0.1", "--steps", "150", cwd=tmp_path)
    assert found["simultaneous"] == pytest.approx(abs(1 + 0.1j) ** 150, rel=0.01)
    assert found["extragradient"] == pytest.approx(abs(1 + 0.1j - 0.01) ** 150, rel=0.01)
    assert found["consensus"] == pytest.approx(abs(1 + 0.1j - 0.05) ** 150, rel=0.01)
    assert found["alternating"] == pytest.approx(1, abs=0.1)
    assert found["optimism"] == pytest.approx(found["extragradient"], rel=0.1)
    assert (only_folder(tmp_path) / "circles.png").stat().st_size > 10_000


def test_players_with_losses_of_their_own_converge(tmp_path):
    found = distances("--curvature", "0.2", "--steps", "150", cwd=tmp_path)
    assert found["simultaneous"] == pytest.approx(abs(1 - 0.02 + 0.1j) ** 150, rel=0.01)


def test_a_critic_s_estimates_are_laid_beside_the_exact_distance(tmp_path):
    options = ("--steps", "600", "--moves", "1")
    done = run("wasserstein_estimate.py", *options, cwd=tmp_path)
    (row,) = table(only_folder(tmp_path) / "estimates.csv")
    assert float(row["exact"]) == pytest.approx(1, abs=0.1)  # the length of the move
    assert 0.5 < float(row["sliced"]) < 0.8  # on average 2/π of it
    for name in ("clipping", "penalty", "spectral"):
        assert float(row[name]) <= 1.1 * float(row[f"{name} slope"])  # by their largest slope
    assert float(row["spectral slope"]) < 1.01 and float(row["spectral"]) > 0.3
    assert float(row["penalty"]) > 0.8  # a critic that has learned nothing says 0
    assert "estimates.png" in done.stdout
