"""The examples, run as a user runs them, on small settings."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
DIGITS = ("--dataset", "digits")
QUICK = (*DIGITS, "--sample-every", "20", "--generator", "32")
FILES = {
    *("settings.json", "checkpoint.safetensors", "generator.safetensors", "samples"),
    *(
        "dashboard.png",
        "discriminator.safetensors",
        "curves.csv",
        "curves.png",
        "animation.gif",
        "nearest.png",
    ),
}


def run(example, *arguments, cwd, code=0, **environment):
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def run_here(example, *arguments, cwd, code=0):
    """The same in this process, which has imported everything."""
    out, err, ended = StringIO(), StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.syspath_prepend(EXAMPLES)
        patch.setattr(sys, "argv", [example, *map(str, arguments)])
        try:
            runpy.run_path(str(EXAMPLES / example), run_name="__main__")
        except SystemExit as end:
            ended = end.code
    done = subprocess.CompletedProcess(arguments, ended, out.getvalue(), err.getvalue())
    assert done.returncode == code, done.stderr
    return done


def only_folder(tmp_path: Path) -> Path:
    """Return the folder of the only run, in the place of its kind."""
    (folder,) = (tmp_path / "runs").glob("*/*")
    return folder


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"run.lock", "run.pid"}
