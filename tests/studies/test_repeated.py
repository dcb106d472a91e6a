"""Repeated runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from command import needs_signals

from salamandre import studies


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


class Slow(ProcessPoolExecutor):
    """One that gives out its next run when the one before has failed."""

    before = None

    def submit(self, *given):
        if self.before:
            self.before.exception()
            time.sleep(0.2)
        self.before = super().submit(*given)
        return self.before


def test_a_process_that_ends_while_others_get_their_runs_is_told(monkeypatch):
    monkeypatch.setattr("salamandre.studies.repeated.ProcessPoolExecutor", Slow)
    with pytest.raises(RuntimeError, match=r"ended before its run did \(exit code 3\)"):
        studies.repeat(end, range(3), processes=2)


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


INTERRUPTED = """
import multiprocessing, os, pathlib, signal, threading, time
from salamandre import studies
def root(seed): return seed
def interrupt():
    while not pathlib.Path("importing").exists(): time.sleep(0.01)
    for process in multiprocessing.active_children(): os.kill(process.pid, signal.SIGINT)
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)
if __name__ == "__main__":
    threading.Thread(target=interrupt).start()
    print(studies.repeat(root, range(2), processes=2))
else:
    pathlib.Path("importing").touch()
    time.sleep(60)
"""


@needs_signals
def test_ctrl_c_while_processes_import_the_program_ends_it_without_a_word(tmp_path):
    (tmp_path / "program.py").write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert "Traceback" not in done.stderr
