"""Finding runs by their names."""

from __future__ import annotations

import difflib
import os
import re
from contextlib import suppress
from datetime import datetime

from salamandre.runs.run import Run, UnknownRun
from salamandre.runs.settings import FILE
from salamandre.texts import path_of

LATEST = "latest"
STAMP = re.compile(r"(\d{8}-\d{6})(-\d+)?$")  # at the end of the names of folders


def find_runs(root: str | os.PathLike[str], *, parts: bool = False) -> list[Run]:
    """Return the runs below a folder, the one that was started last first.

    Their folders are ``NAME/DATE-TIME``; those of examples of version 0.1 ``NAME-DATE-TIME``.

    Args:
        root: the folder of all runs.
        parts: whether to return the single runs of studies, ``NAME/DATE-TIME/PART``, instead.
    """
    base = path_of(root)
    places = [f"*/*/*/{FILE}"] if parts else [f"*/{FILE}", f"*/*/{FILE}"]
    folders = [file.parent for place in places for file in base.glob(place)]
    runs = [Run(folder, folder.relative_to(base).as_posix()) for folder in folders]
    return sorted(runs, key=_started, reverse=True)


def _started(run: Run) -> tuple[float, float]:
    """Return when a run was started, and when its settings were last changed, in seconds.

    Runs of examples of version 0.1 do not say when they were started, but their folders do.
    """
    changed = 0.0
    with suppress(OSError):  # removed meanwhile
        changed = (run.folder / FILE).stat().st_mtime
    with suppress(ValueError, OSError):
        return datetime.fromisoformat(run.settings.started).timestamp(), changed
    if stamp := STAMP.search(run.folder.name):
        with suppress(ValueError):
            return datetime.strptime(stamp[1], "%Y%m%d-%H%M%S").timestamp(), changed
    return changed, changed


def run_in(folder: str | os.PathLike[str]) -> Run:
    """Return the run in a folder, whose settings can be read."""
    place = path_of(folder)
    whole = place.resolve()
    run = Run(place, f"{whole.parent.name}/{whole.name}")
    _ = run.settings
    return run


def find_run(name: str, root: str | os.PathLike[str], program: str | None = None) -> Run:
    """Return the run in a folder, or the one below ``root`` whose name contains ``name``.

    Args:
        name: a path, a part of the name of one run only, or ``"latest"``. If no run has it, it may
            be that of a single run of a study.
        root: the folder of the runs.
        program: whose latest run is meant. Default: that of any program.

    Raises:
        UnknownRun: no such run, or several; they, or the nearest names, are listed.
        ValueError: damaged settings, or those of a newer version.
    """
    if (path_of(name, "a run") / FILE).is_file():
        return run_in(name)
    runs = {run.name: run for run in find_runs(root)}
    if name == LATEST and runs:
        return _latest(list(runs.values()), root, program)
    if name in runs:
        return runs[name]
    found = [run for run in runs if name in run]
    if not found:
        parts = {run.name: run for run in find_runs(root, parts=True)}
        found = [name] if name in parts else [run for run in parts if name in run]
        runs |= parts
    if len(found) == 1:
        return runs[found[0]]
    if found:
        raise UnknownRun(
            f"{len(found)} runs have {name!r} in their names ({_listed(found)}): give more of it"
        )
    if not runs:
        raise UnknownRun(f"there is no run {name!r}: {root} holds no runs")
    near = difflib.get_close_matches(name, runs, cutoff=0)
    raise UnknownRun(f"there is no run {name!r} in {root}; the nearest: {_listed(near)}")


def _latest(runs: list[Run], root: str | os.PathLike[str], program: str | None) -> Run:
    """Return the first run, or the first of a program; those that cannot be read are passed over.

    Raises:
        UnknownRun: the program has none.
    """
    for run in runs if program else ():
        with suppress(ValueError, OSError):
            if run.settings.program == program:
                return run
    if program:
        raise UnknownRun(f"there is no run of {program} in {root}")
    return runs[0]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
