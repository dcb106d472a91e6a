"""The work of a study: one run, in a folder of its own, whatever becomes of it."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import math
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from salamandre import __version__
from salamandre.atomic import write_atomically
from salamandre.checks import shortened
from salamandre.learnable import Diverged
from salamandre.program import sentence
from salamandre.runs.lock import RunInUse, locked
from salamandre.runs.run import METRICS
from salamandre.runs.settings import FILE, LearnedImages, Settings
from salamandre.studies.bases import Base, find_base
from salamandre.studies.plan import Planned
from salamandre.studies.pruning import Pruned, Pruning, Reports
from salamandre.studies.results import LOST, RESULT, Result, metrics_of, read_result

LOG = "log.txt"
ALONE = threading.RLock()  # what a run prints is caught from its whole process
FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk is no property of a run


class Task(NamedTuple):
    """A run to be played by some process.

    Attributes:
        base: its name, or the function.
        place: see :func:`salamandre.studies.find_base`.
        folder: of the run.
        planned: the run.
        again: whether a run that has failed is played again.
        pruning: by what it may end early.
        version: of the Salamandre that asks.
    """

    base: str | Base | Callable[..., Any]
    place: str
    folder: Path
    planned: Planned
    again: bool = False
    pruning: Pruning | None = None
    version: str = __version__


def perform(task: Task) -> Result | None:
    """Play a run unless that has been done, and return its result.

    Returns:
        ``None``: another process is playing it.

    Raises:
        RuntimeError: this process has another version of Salamandre.
        OSError: the disk is full, or the folder cannot be written.
        KeyboardInterrupt: after Ctrl-C.
    """
    if task.version != __version__:
        raise RuntimeError(
            f"a worker has Salamandre {__version__}, the study {task.version}: install the same"
        )
    task.folder.mkdir(parents=True, exist_ok=True)
    try:
        with ALONE, locked(task.folder):
            result = read_result(task.folder)
            if result is None or (task.again and result.state in LOST):
                result = _played(task)
                write_atomically(task.folder / RESULT, msgspec.json.encode(result))
            return result
    except RunInUse:
        return None


def _played(task: Task) -> Result:
    base, options = find_base(task.base, task.place), task.planned.options
    if not (task.folder / FILE).is_file():
        Settings.new(base.name, options, LearnedImages()).write(task.folder)
    state, message = "finished", ""
    metrics: dict[str, float] = {}
    log, began, reports = io.StringIO(), time.perf_counter(), Reports(task.pruning)
    try:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            metrics, curves = metrics_of(base(task.folder, options, reports))
        if curves:
            _write_curves(curves, task.folder / METRICS)
    except Pruned as end:
        state, message = "pruned", str(end)
        for name, value in reports.metrics.items():
            with contextlib.suppress(TypeError, ValueError):  # what is no number is no metric
                metrics[name] = float(value)
    except (Diverged, FloatingPointError) as error:
        state, message = "diverged", shortened(error)
    except OSError as error:
        if error.errno in FULL:
            raise
        state, message = "failed", shortened(sentence(error))
        log.write(traceback.format_exc())
    except (Exception, SystemExit) as error:
        state, message = "failed", shortened(_told(error))
        log.write(traceback.format_exc())
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    if len(finite) < len(metrics):
        lost = [f"{name} is {metrics[name]}" for name in metrics if name not in finite]
        state, message = "diverged", ", ".join(lost)
    if text := log.getvalue():
        write_atomically(task.folder / LOG, text.encode(errors="replace"))
    duration = round(time.perf_counter() - began, 3)
    return Result(state, finite, duration, message, reports.values)  # type: ignore[arg-type]


def _told(error: BaseException) -> str:
    """Return a sentence; that of a programming error is better with its kind."""
    text = getattr(error, "message", None) or sentence(error)  # click's errors have a message
    plain = isinstance(error, (ValueError, RuntimeError, MemoryError))
    return text if plain or hasattr(error, "message") else f"{type(error).__name__}: {text}"


def _write_curves(curves: dict[str, list[float]], file: Path) -> None:
    """Write metrics over the steps of a run as a run's table of them; shorter ones end in NaN."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    longest = max(map(len, curves.values()))
    curves = {"step": [float(step) for step in range(1, longest + 1)], **curves}
    writer.writerow(curves)
    for row in range(longest):
        writer.writerow(f"{v[row]:.10g}" if row < len(v) else "nan" for v in curves.values())
    write_atomically(file, text.getvalue().encode())
