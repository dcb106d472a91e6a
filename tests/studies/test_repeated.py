"""Repeated runs, and the band of their mean."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

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


def end(seed: int) -> None:
    os._exit(3)


def test_a_process_that_ends_is_told(capsys):
    with pytest.raises(RuntimeError, match=r"ended before its run did \(exit code 3\)"):
        studies.repeat(end, range(2), processes=2)
    for experiment in (lambda seed: seed, partial(square, (n for n in "abc"))):
        with pytest.raises(ValueError, match="must be a function at the top level of a module"):
            studies.repeat(experiment, range(2), processes=2)
    with pytest.raises(ValueError, match="processes must be a whole number"):
        studies.repeat(square, range(2), processes=0)


PROGRAM = """
import math
from salamandre import studies
def root(seed): return math.sqrt(seed)
print("results", studies.repeat(root, range(3), processes=2))
"""


def test_a_program_that_calls_it_while_it_is_imported_gets_the_cure(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    options = {"capture_output": True, "text": True, "cwd": Path(__file__).parents[2]}
    options["env"] = {**os.environ, "PYTHONPATH": str(options["cwd"])}
    done = subprocess.run([sys.executable, path], **options)
    assert done.stderr.count("Traceback") == 1 and "results" not in done.stdout
    assert 'put the call under if __name__ == "__main__":' in done.stderr.splitlines()[-1]
    session = subprocess.run([sys.executable, "-"], input=PROGRAM, **options)
    assert "write the program into a file, or give processes=1" in session.stderr.splitlines()[-1]
