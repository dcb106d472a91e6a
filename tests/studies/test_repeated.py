"""Repeated runs, and the band of their mean."""

from __future__ import annotations

import os

import numpy as np

from salamandre import studies


def test_mean_band_covers_the_true_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    values = random.exponential(size=(60, 400))  # 400 experiments of 60 runs, true mean 1
    mean, low, high = studies.mean_band(values, confidence=0.9, resamples=1000)
    assert np.allclose(mean, values.mean(axis=0))
    covered = np.mean((low <= 1) & (high >= 1))
    assert 0.84 < covered < 0.94


def test_mean_band_of_equal_runs_is_their_value():
    mean, low, high = studies.mean_band(np.full((7, 3), 0.5))
    assert np.allclose([mean, low, high], 0.5)


def square(seed: int) -> tuple[int, int, str | None]:
    return seed**2, os.getpid(), os.environ.get("OPENBLAS_NUM_THREADS")


def test_repeat_runs_in_other_processes_in_order(capsys):
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    results = studies.repeat(square, range(5), processes=2)
    assert [result[0] for result in results] == [0, 1, 4, 9, 16]
    assert os.getpid() not in {result[1] for result in results}
    assert {result[2] for result in results} == {"1"}
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before
    assert [r[:2] for r in studies.repeat(square, [3], processes=1)] == [(9, os.getpid())]
