"""Studies that are killed, interrupted, joined, or played on a cluster: the table is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import needs_signals
from small_study import played, study, table

from salamandre.studies.results import read_result

HERE = Path(__file__).parent
GIVEN = {"axes": {"rate": [1, 2, 3, 13]}, "options": {"wait": 0.1}, "seeds": 4}
PROGRAM = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from salamandre import studies
if __name__ == "__main__":
    studies.Study({{"base": "small_study:BASE", **{GIVEN!r}}}, "it").run(2)
"""


@pytest.fixture
def start(tmp_path):
    """Return how to start a process that plays the study in the folder ``it``."""
    (tmp_path / "program.py").write_text(PROGRAM)
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE)])

    def begin() -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return begin


def after_runs(folder, count):
    """Wait until so many runs have ended."""
    while len(list(folder.glob("*/result.json"))) < count:
        time.sleep(0.01)


@needs_signals
def test_a_study_that_is_killed_at_random_moments_ends_as_one_that_is_not(tmp_path, start):
    draw, expected = random.Random(0), tmp_path / "expected"
    study(expected, **GIVEN).run(1)
    for kill in (1, 2):
        process = start()
        after_runs(tmp_path / "it", 4 * kill)
        time.sleep(draw.uniform(0, 0.3))
        whole = kill == 2  # with its workers, as when a machine loses power
        (os.killpg if whole else os.kill)(process.pid, signal.SIGKILL)
        process.communicate()
        for file in (tmp_path / "it").glob("*/result.json"):
            assert read_result(file.parent)  # whole
    process = start()
    _, text = process.communicate()
    assert process.returncode == 0, text
    assert table(tmp_path / "it") == table(expected)
    counts = played(tmp_path / "it")
    assert len(counts) == 16 and sum(counts.values()) <= 16 + 2 * 2  # those that were running


@needs_signals
def test_ctrl_c_ends_it_at_once_and_the_rest_is_played_later(tmp_path, start):
    process = start()
    after_runs(tmp_path / "it", 3)
    os.killpg(process.pid, signal.SIGINT)
    _, text = process.communicate(timeout=20)
    assert process.returncode != 0 and text.count("Traceback") == 1  # that of the program
    states = [row["state"] for row in table(tmp_path / "it")]
    assert 3 <= 16 - states.count("planned") < 16
    rows = study(tmp_path / "it", **GIVEN).run(1)
    assert [row.state for row in rows].count("finished") == 12


@needs_signals
def test_two_processes_play_one_study(tmp_path, start):
    first = start()
    after_runs(tmp_path / "it", 1)
    second = start()
    for process in (first, second):
        _, text = process.communicate()
        assert process.returncode == 0, text
    assert set(played(tmp_path / "it").values()) == {1}
    study(tmp_path / "expected", **GIVEN).run(1)
    assert table(tmp_path / "it") == table(tmp_path / "expected")


DASK = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from distributed import LocalCluster
from salamandre import studies
if __name__ == "__main__":
    plan = {{"base": "small_study:BASE", **{GIVEN!r}}}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        studies.Study(plan, "it").run(cluster=f"dask://{{address}}")
"""


def test_a_dask_cluster_gives_the_same_table(tmp_path, start):
    pytest.importorskip("distributed")
    (tmp_path / "program.py").write_text(DASK)
    process = start()
    _, text = process.communicate(timeout=100)
    assert process.returncode == 0, text
    study(tmp_path / "expected", **GIVEN).run(1)
    assert table(tmp_path / "it") == table(tmp_path / "expected")


RAY = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import ray
from salamandre import studies
if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    plan = {{"base": "small_study:BASE", "axes": {{"rate": [1, 2, 13, 15]}}}}
    studies.Study(plan, "it").run(cluster="ray")
"""


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_table(tmp_path, start):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'salamandre[ray]'")
    (tmp_path / "program.py").write_text(RAY)
    process = start()
    _, text = process.communicate(timeout=300)
    assert process.returncode == 0, text
    study(tmp_path / "expected", axes={"rate": [1, 2, 13]}).run(1)
    *rows, died = table(tmp_path / "it")
    assert rows == table(tmp_path / "expected")
    assert died["state"] == "failed" and "was killed" in died["message"]


def test_a_cluster_that_does_not_answer_is_told(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("salamandre.studies.execution.PATIENCE", 0.2)
    with pytest.raises(RuntimeError, match=r"the cluster dask://127.0.0.1:9 does not answer in"):
        study(tmp_path).run(cluster="dask://127.0.0.1:9")
