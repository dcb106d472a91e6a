"""Runs of a study that end early."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import needs_signals
from small_study import table

from salamandre import studies
from salamandre.cli import train_base
from salamandre.runs.settings import LearnedImages, Settings
from salamandre.studies.pruning import Pruned, Pruning, Reports

pytest.importorskip("optuna")
HERE = Path(__file__).parent
GIVEN = {
    "axes": {"rate": {"low": 0.0, "high": 1.0}},
    "sampler": "optuna",
    "points": 16,
    "metrics": ["score"],
    "mode": "max",
    "pruner": "median",
    "seeds": 2,
}


def rising(seed: int, rate: float, report: Callable) -> dict[str, float]:
    """Report rate · step of ten steps."""
    for step in range(1, 11):
        report({"score": rate * step, "step": step}, last=step == 10)
    return {"score": rate * 10}


def test_a_run_ends_where_it_is_worse_than_the_median_of_finished_ones():
    curves = [[float(k), 2.0 * k, 3.0 * k] for k in range(1, 6)]
    for second in (5.0, 6.0, 7.0):
        reports = Reports(Pruning("score", "max", curves))
        reports({"score": 3.5})  # the median is 3
        reports({"other": 1.0})
        assert (second < statistics.median(curve[1] for curve in curves)) == (second == 5.0)
        if second == 5.0:
            with pytest.raises(Pruned, match="after 2 of its reports score was worse than the"):
                reports({"score": second})
            reports({"score": second}, last=True)  # a whole run is kept
        else:
            reports({"score": second})
        assert reports.values[:2] == [3.5, second]
    for few in (curves[:4], []):
        Reports(Pruning("score", "max", few))({"score": -9.0})
    with pytest.raises(Pruned):
        Reports(Pruning("score", "min", curves))({"score": 3.5})


def test_pruned_runs_are_told_and_left_out_of_means(tmp_path):
    rows = studies.Study(GIVEN, tmp_path, base=rising).run(1)
    states = [row.state for row in rows]
    assert states[:8] == ["finished"] * 8  # the first batch of points has none to compare with
    pruned = [row for row in rows if row.state == "pruned"]
    assert pruned and set(states) == {"finished", "pruned"}
    median = statistics.median(row.point["rate"] for row in rows[:8])
    assert all(row.point["rate"] < 1 and row.result.metrics["step"] < 10 for row in pruned)
    assert min(row.point["rate"] for row in pruned) < median
    summaries = studies.summarize(rows, "score")
    assert sum(one.lost for one in summaries) == len(pruned)
    held = json.loads((tmp_path / pruned[0].run / "result.json").read_text())
    assert held["state"] == "pruned" and len(held["reported"]) == held["metrics"]["step"]
    again = studies.Study(GIVEN, tmp_path, base=rising).run(1, retry=True)
    assert again == rows


PROGRAM = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from salamandre import studies
from test_pruning import GIVEN
if __name__ == "__main__":
    studies.Study({{"base": "test_pruning:rising", **GIVEN}}, "it").run(2)
"""


@needs_signals
def test_the_table_does_not_depend_on_processes_or_kills(tmp_path):
    studies.Study({"base": "test_pruning:rising", **GIVEN}, tmp_path / "one").run(1)
    (tmp_path / "program.py").write_text(PROGRAM)
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE), str(HERE.parent)])
    for kill in (True, False):
        process = subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if kill:
            while len(list((tmp_path / "it").glob("*/result.json"))) < 9:
                assert process.poll() is None, process.communicate()[1]
            os.killpg(process.pid, signal.SIGKILL)
        _, text = process.communicate()
    assert process.returncode == 0, text
    assert table(tmp_path / "it") == table(tmp_path / "one")


@pytest.mark.parametrize(
    ("base", "options", "metric"),
    [
        ("classifier", {"epochs": 3, "examples": 200, "layers": "10"}, "accuracy"),
        ("autoencoder", {"epochs": 3, "examples": 200, "hidden": "8"}, "l1"),
        ("game", {"rounds": 3, "evaluate": 1, "generator": "8", "discriminator": "8"}, "score"),
        (train_base.BASE, {"epochs": 3, "evaluate": 1, "batch_size": 1000}, "right"),
    ],
    ids=["classifier", "autoencoder", "game", "train"],
)
def test_the_bases_with_a_name_report_each_record(tmp_path, base, options, metric):
    base = studies.find_base(base)
    options = base.converted({**options, "seed": 0})
    Settings.new(base.name, options, LearnedImages()).write(tmp_path)
    seen = []

    def report(metrics, last):
        seen.append((metrics[metric], last))
        if len(seen) == 2:
            raise Pruned

    with pytest.raises(Pruned):
        base(tmp_path, options, report)
    assert [last for _, last in seen] == [False, False]
    reports = Reports()
    found = base(tmp_path, options, reports)  # goes on where it was, or starts again
    assert reports.metrics[metric] == pytest.approx(found[metric])


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the pruner median is for the sampler optuna"):
        studies.Plan("train", pruner="median")
    plain = {**GIVEN, "seeds": 1}
    with pytest.raises(ValueError, match="silent reports nothing to be pruned by: give it a"):
        studies.Study(plain, tmp_path, base=silent)


def silent(rate: float) -> dict[str, float]:
    return {"score": rate}


def test_nan_in_reports_ends_no_study(tmp_path):
    def stumbling(seed: int, rate: float, report: Callable) -> dict[str, float]:
        report({"score": float("nan" if seed else "inf")})
        return rising(seed, rate, report)

    rows = studies.Study(GIVEN, tmp_path, base=stumbling).run(1)
    assert {row.state for row in rows} == {"finished", "pruned"}
    again = studies.Study(GIVEN, tmp_path, base=stumbling).run(1)
    assert again == rows
    held = json.loads((tmp_path / rows[0].run / "result.json").read_text())
    assert held["reported"][0] is None and None not in held["reported"][1:]


def test_a_report_of_something_else_fails_that_run_alone(tmp_path):
    def told(seed: int, rate: float, report: Callable) -> dict[str, float]:
        report({"score": "warm" if seed else 1.0, "phase": "any"})
        return {"score": rate}

    rows = studies.Study(GIVEN, tmp_path, base=told).run(1)
    assert {row.state for row in rows if row.seed} == {"failed"}
    assert "must report numbers, got 'warm' as 'score'" in rows[1].result.message
