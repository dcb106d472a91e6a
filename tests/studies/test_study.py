"""Studies: their folders, what becomes of their runs, and how they go on."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from small_study import BASE, played, study, table

from salamandre.program import WrongUsage
from salamandre.runs import find_runs
from salamandre.runs.finding import run_in
from salamandre.runs.lock import OWNER, locked
from salamandre.studies import Base, Plan, Study, summarize
from salamandre.studies.optuna_points import suggested
from salamandre.studies.results import Result, metrics_of
from salamandre.studies.study import plan_in, read_rows
from salamandre.studies.work import perform


def test_a_list_called_step_says_when_the_others_were_measured(tmp_path):
    (row,) = study(tmp_path / "study", options={"kind": "stepped"}, seeds=1).run(1)
    assert row.result.metrics == {"curve": 2.0}
    text = (tmp_path / "study" / row.run / "metrics.csv").read_text()
    assert text == "step,curve\n50,3\n100,2\n"


def test_runs_have_folders_and_rows(tmp_path):
    place = tmp_path / "mine" / "study"
    rows = study(place, axes={"rate": [1, 2]}, seeds=2).run(1)
    assert [row.result.metrics["score"] for row in rows] == [1.0, 1.1, 2.0, 2.1]
    assert [row["score"] for row in table(place)] == ["1", "1.1", "2", "2.1"]
    assert list(table(place)[0]) == ["run", "rate", "seed", "state", "message", "score", "curve"]
    folder = place / rows[3].run
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["options"] == {"seed": 1, "rate": 2.0, "kind": "plain", "wait": 0.0}
    assert (folder / "metrics.csv").read_text() == "step,curve\n1,0\n2,1\n3,2\n"
    assert [run.name for run in find_runs(tmp_path)] == ["mine/study"]
    assert find_runs(tmp_path)[0].state() == "finished"
    assert f"mine/study/{rows[3].run}" in {run.name for run in find_runs(tmp_path, parts=True)}
    again = read_rows(place, plan_in(place))
    assert [(row.run, row.point, row.seed) for row in again] == [
        (row.run, row.point, row.seed) for row in rows
    ]
    assert [row.result.metrics for row in again] == [row.result.metrics for row in rows]


def test_values_of_an_axis_may_be_lists(tmp_path):
    def count(sizes: list[int], deep: bool = False) -> dict[str, float]:
        return {"size": sum(sizes)}

    plan = {"axes": {"sizes": [[1], [2, 3]], "deep": [False, True]}}
    rows = Study(plan, tmp_path, base=count).run(1)
    assert [point.mean for point in summarize(rows, "size")] == [1, 1, 5, 5]
    assert [row.point for row in read_rows(tmp_path, plan_in(tmp_path))] == [r.point for r in rows]
    found = summarize(rows, "size", {"sizes": [2, 3], "deep": True})
    assert [point.point for point in found][3] == {"sizes": "[2, 3]", "deep": "true"}


def test_a_run_that_fails_or_diverges_does_not_stop_the_others(tmp_path):
    rows = study(tmp_path, axes={"rate": [13, 14, 16, 1]}).run(1)
    assert [row.state for row in rows] == ["failed", "diverged", "failed", "finished"]
    refused, infinite, wrong, _ = (row.result for row in rows)
    assert refused.message == "thirteen is refused"
    assert (infinite.message, infinite.metrics) == ("score is inf", {"other": 1.0})
    assert "must return a dictionary of numbers by name, got a int" in wrong.message
    log = (tmp_path / rows[1].run / "log.txt").read_text()
    assert log == "words of the run\n"
    assert "Traceback" in (tmp_path / rows[0].run / "log.txt").read_text()
    assert set(played(tmp_path).values()) == {1}
    assert study(tmp_path, axes={"rate": [13, 14, 16, 1]}).run(1) == rows
    assert set(played(tmp_path).values()) == {1}
    study(tmp_path, axes={"rate": [13, 14, 16, 1]}).run(1, retry=True)
    assert [played(tmp_path)[row.run] for row in rows] == [2, 2, 2, 1]


def test_a_run_that_leaves_python_does_not_stop_the_others(tmp_path):
    def leave(seed: int) -> dict[str, float]:
        if seed == 0:
            sys.exit("no data")
        return {"score": seed}

    rows = Study({"seeds": 2}, tmp_path, base=leave).run(1)
    assert [row.state for row in rows] == ["failed", "finished"]
    assert rows[0].result.message == "SystemExit: no data"


def test_processes_give_the_same_table_and_one_that_dies_is_a_failed_run(tmp_path):
    given = {"axes": {"rate": [1, 15, 2, 13]}, "seeds": 2}
    rows = study(tmp_path / "two", **given).run(2)
    dead = [row for row in rows if row.point["rate"] == 15]
    assert {row.state for row in dead} == {"failed"}
    assert all("was killed" in row.result.message for row in dead)
    study(tmp_path / "one", axes={"rate": [1, 2, 13]}, seeds=2).run(1)
    others = [row for row in table(tmp_path / "two") if row["rate"] != "15"]
    assert others == table(tmp_path / "one")


def test_a_last_run_that_dies_does_not_take_the_study_with_it(tmp_path):
    (row,) = study(tmp_path, axes={"rate": [15]}).run(2)
    assert row.state == "failed" and "was killed" in row.result.message


def test_another_plan_is_refused_and_more_of_one_extends(tmp_path):
    study(tmp_path, axes={"rate": [1, 2]}).run(1)
    kept = (tmp_path / "settings.json").read_bytes()
    more = {"axes": {"rate": [1, 2, 3]}, "seeds": 2}
    with pytest.raises(WrongUsage, match=r"has changed: axes.rate was \[1, 2\] and is \[1, 2, 3\]"):
        study(tmp_path, **more)
    with pytest.raises(WrongUsage, match=r"--extend only adds runs, and 1 run of .* would be none"):
        study(tmp_path, axes={"rate": [2, 3]}, extend=True)
    with pytest.raises(WrongUsage, match="holds runs of small_study:BASE, not of other"):
        Study({"base": "other", "axes": {"rate": [1, 2]}}, tmp_path, base=BASE, extend=True)
    assert (tmp_path / "settings.json").read_bytes() == kept
    rows = study(tmp_path, **more, extend=True).run(1)
    assert len(rows) == 6 and set(played(tmp_path).values()) == {1}
    assert len(study(tmp_path, **more).run(1)) == 6
    study(tmp_path, **more, metrics=["score"])  # what is shown may change
    study(tmp_path, axes={"rate": [1, 2, 3], "kind": ["plain", "better"]}, seeds=2, extend=True)
    assert [row["state"] for row in table(tmp_path)].count("planned") == 6
    assert run_in(tmp_path).state() == "unfinished"


def test_a_study_that_has_been_extended_meanwhile_leaves_the_table_alone(tmp_path):
    first = study(tmp_path, axes={"rate": [1, 2]})
    study(tmp_path, axes={"rate": [1, 2], "kind": ["plain", "better"]}, extend=True)
    assert len(first.run(1)) == 2
    assert len(read_rows(tmp_path, plan_in(tmp_path))) == 4
    assert [row["state"] for row in table(tmp_path)].count("finished") == 0  # theirs to tell
    (tmp_path / "runs.csv").write_text((tmp_path / "runs.csv").read_text() + "\n")
    with pytest.raises(ValueError, match=r"is damaged: .* writes it anew when it is started again"):
        read_rows(tmp_path, plan_in(tmp_path))


def test_another_base_of_the_same_options_is_refused(tmp_path):
    def one(seed: int) -> dict[str, float]:
        return {"score": 1}

    def two(seed: int) -> dict[str, float]:
        return {"score": 2}

    Study({}, tmp_path, base=Base.of(one)).run(1)
    with pytest.raises(WrongUsage, match="base was one and is two"):
        Study({}, tmp_path, base=Base.of(two))


def test_plans_of_tuples_have_a_table(tmp_path):
    rows = study(tmp_path, axes={"rate": (1.0, 2.0)}).run(1)
    assert len(rows) == len(table(tmp_path)) == 2


def test_a_run_that_another_process_plays_is_left_to_it(tmp_path):
    one = study(tmp_path, axes={"rate": [1, 2]})
    task = one.task(one.planned[0])
    task.folder.mkdir(parents=True)
    with locked(task.folder):
        assert perform(task) is None and played(tmp_path) == {}
    assert perform(task).state == "finished"


def test_runs_in_threads_of_one_process_have_logs_of_their_own(tmp_path):
    one = study(tmp_path, axes={"rate": [14]}, options={"wait": 0.1}, seeds=2)
    with ThreadPoolExecutor(2) as threads:
        assert len(list(threads.map(perform, map(one.task, one.planned)))) == 2
    logs = [(tmp_path / run.key / "log.txt").read_text() for run in one.planned]
    assert logs == ["words of the run\n"] * 2


def test_a_worker_of_another_version_is_refused(tmp_path):
    one = study(tmp_path)
    with pytest.raises(RuntimeError, match=r"a worker has Salamandre .*, the study 0\.0\.1: inst"):
        perform(one.task(one.planned[0])._replace(version="0.0.1"))


def test_a_folder_of_another_program_is_no_study(tmp_path):
    (tmp_path / "settings.json").write_text('{"format": 2, "program": "xor.py", "options": {}}')
    with pytest.raises(WrongUsage, match=r"holds no study, but a run of xor.py"):
        study(tmp_path)


def test_optuna_looks_where_it_is_better_and_goes_on_with_the_same_points(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    given = {"sampler": "optuna", "metrics": ["score"], "mode": "max", "seeds": 2}
    axes = {"rate": {"low": 1.0, "high": 9.0}, "kind": ["plain", "better"]}
    rows = study(tmp_path / "a", axes=axes, points=24, **given).run(1)
    assert len(rows) == 48
    kinds = [row.point["kind"] for row in rows]
    assert kinds[24:].count("better") > kinds[:24].count("better")
    study(tmp_path / "b", axes=axes, points=9, **given).run(1)
    more = study(tmp_path / "b", axes=axes, points=24, extend=True, **given)
    kept = table(tmp_path / "b")
    assert len(kept) == len(more.rows()) == 18 and {row["state"] for row in kept} == {"finished"}
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "optuna", None)
        with pytest.raises(RuntimeError, match="need Optuna"):
            more.run(1)
    assert table(tmp_path / "b") == kept
    assert more.run(1) == study(tmp_path / "b", axes=axes, points=24, **given).run(1)
    assert len(table(tmp_path / "b")) == len(rows)
    assert set(played(tmp_path / "b").values()) == {1}
    with pytest.raises(WrongUsage, match=r"only adds points to a study of Optuna, but .* mode was"):
        study(tmp_path / "b", axes=axes, points=24, extend=True, **{**given, "mode": "min"})
    with pytest.raises(ValueError, match="whether a smaller or a larger 'curve' is better"):
        study(tmp_path / "c", axes=axes, points=2, sampler="optuna", metrics=["curve"])
    assert not (tmp_path / "c").exists()


def test_optuna_may_look_for_the_shortest_runs(tmp_path):
    pytest.importorskip("optuna")
    axes = {"wait": [0.0, 1.0], "rate": {"low": 1.0, "high": 9.0}}
    plan = Plan("small", {}, axes, 1, "optuna", 24, ["duration"], "min")
    waits = []
    for points, tell in suggested(plan):
        runs = plan.runs(points, BASE)
        waits += [run.options["wait"] for run in runs]
        tell(runs, {run.key: Result("finished", {}, 1 + run.options["wait"]) for run in runs})
    assert waits[12:].count(0.0) > 8  # of twelve; if it is not told the duration about six


def test_a_metric_that_no_run_returns_ends_optunas_search_after_the_first_points(tmp_path):
    pytest.importorskip("optuna")
    given = {"sampler": "optuna", "metrics": ["scor"], "mode": "max", "points": 24}
    with pytest.raises(ValueError, match=r"unknown metric 'scor', did you mean 'score'?"):
        study(tmp_path, axes={"rate": {"low": 1.0, "high": 9.0}}, **given).run(1)
    assert len(table(tmp_path)) == 4


def test_a_cluster_needs_an_address(tmp_path):
    with pytest.raises(ValueError, match=r"a cluster must be dask://HOST:PORT, ray or ray://"):
        study(tmp_path).run(cluster="slurm")


def test_a_full_disk_stops_the_study_and_is_no_failure_of_the_run(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        study(tmp_path, axes={"rate": [1, 17, 2]}).run(1)
    assert [row["state"] for row in table(tmp_path)] == ["finished", "planned", "planned"]


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(RuntimeError, match=r"need joblib: pip install 'salamandre\[studies\]'"):
        study(tmp_path, axes={"rate": [1, 2]}).run(2)
    for library, address in (("ray", "ray"), ("distributed", "dask://127.0.0.1:9")):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(RuntimeError, match=rf"'salamandre\[{address.split(':')[0]}\]'"):
            study(tmp_path, axes={"rate": [1, 2]}).run(cluster=address)


def test_texts_that_look_like_numbers_are_points_of_their_own(tmp_path):
    def length(text: str, seed: int = 0) -> dict[str, float]:
        return {"length": np.float64(len(text)) * np.array(1.0)}

    texts = ["1", "01", "1_0", "1e1", "nan", "2.50"]
    rows = Study({"axes": {"text": texts}, "seeds": 2}, tmp_path, base=length).run(1)
    for found in (rows, read_rows(tmp_path, plan_in(tmp_path))):
        points = {point.point["text"]: point.mean for point in summarize(found, "length")}
        assert points == {1: 1, "01": 2, "1_0": 3, "1e1": 3, "nan": 3, "2.50": 4}


LOST = """
import importlib.util, sys
from salamandre import studies
spec = importlib.util.spec_from_file_location("away", sys.argv[1])
away = importlib.util.module_from_spec(spec)
sys.modules["away"] = away  # of this process alone
spec.loader.exec_module(away)
studies.Study({"axes": {"x": [1, 2]}}, sys.argv[2], base=away.task).run(processes=2)
"""


def test_workers_that_cannot_begin_are_told(tmp_path):
    (tmp_path / "own.py").write_text("def task(x: int): return {'x': x}")
    (tmp_path / "program.py").write_text(LOST)
    command = [sys.executable, "program.py", "own.py", "study"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "worker processes end before they begin a run" in done.stderr.splitlines()[-1]
    assert "processes=1 plays the runs in this one" in done.stderr.splitlines()[-1]


def test_scalars_of_any_library_are_metrics(tmp_path):
    class Scalar:
        """As one of CuPy: it has a length by name, and is not converted without being asked."""

        ndim = 0

        def __len__(self):
            raise TypeError("len() of unsized object")

        def __array__(self, *given, **options):
            raise TypeError("implicit conversion is not allowed")

        def __float__(self):
            return 2.0

    metrics, curves = metrics_of({"loss": [Scalar(), Scalar()], "last": Scalar()})
    assert (metrics, curves) == ({"loss": 2.0, "last": 2.0}, {"loss": [2.0, 2.0]})


def test_runs_of_an_earlier_session_do_not_hide_that_workers_cannot_begin(tmp_path):
    (tmp_path / "own.py").write_text("def task(x: int): return {'x': x}")
    (tmp_path / "program.py").write_text(LOST)
    command = [sys.executable, "program.py", "own.py", "study"]
    options = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 120}
    subprocess.run(command, **options)
    plan = plan_in(tmp_path / "study")
    for row in read_rows(tmp_path / "study", plan):
        (tmp_path / "study" / row.run).mkdir(exist_ok=True)
        (tmp_path / "study" / row.run / OWNER).write_text("1")
    done = subprocess.run(command, **options)
    assert "worker processes end before they begin a run" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("values", [range(1, 4), (1, 2, 3), np.arange(1, 4), iter([1, 2, 3])])
def test_values_of_an_axis_may_be_in_anything(tmp_path, values):
    def double(number: int) -> dict[str, float]:
        return {"double": 2 * number}

    rows = Study({"axes": {"number": values}, "seeds": 1}, tmp_path, base=double).run(1)
    assert [row.result.metrics["double"] for row in rows] == [2, 4, 6]
    assert read_rows(tmp_path, plan_in(tmp_path))[2].point == {"number": 3}
