"""Finding runs by their names."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from salamandre.runs.run import Run, UnknownRun
from salamandre.runs.settings import FILE

LATEST = "latest"


def find_runs(root: str | os.PathLike[str]) -> list[Run]:
    """Return the runs below a folder, the newest first.

    Their folders are ``NAME/DATE-TIME``; those of examples of version 0.1 ``NAME-DATE-TIME``.
    """
    base = Path(root)
    files = [*base.glob(f"*/{FILE}"), *base.glob(f"*/*/{FILE}")]
    newest_first = sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [Run(file.parent, file.parent.relative_to(base).as_posix()) for file in newest_first]


def run_in(folder: str | os.PathLike[str]) -> Run:
    """Return the run in a folder, whose settings can be read."""
    whole = Path(folder).resolve()
    run = Run(Path(folder), f"{whole.parent.name}/{whole.name}")
    _ = run.settings
    return run


def find_run(name: str, root: str | os.PathLike[str]) -> Run:
    """Return the run in a folder, or the one below ``root`` whose name contains ``name``.

    Args:
        name: a path, a part of the name of one run only, or ``"latest"``.
        root: the folder of the runs.

    Raises:
        UnknownRun: no such run, or several; they, or the nearest names, are listed.
        ValueError: damaged settings, or those of a newer version.
    """
    if (Path(name) / FILE).is_file():
        return run_in(name)
    runs = {run.name: run for run in find_runs(root)}
    if name == LATEST and runs:
        return next(iter(runs.values()))
    if name in runs:
        return runs[name]
    found = [run for run in runs if name in run]
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


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
