"""The examples, run as a user runs them, on small settings."""

from __future__ import annotations

import runpy
import subprocess
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
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
    """Run an example in this process, which has imported everything."""
    out, err, ended = StringIO(), StringIO(), 0
    patching = pytest.MonkeyPatch.context()
    with patching as patch, redirect_stdout(out), redirect_stderr(err), ExitStack() as end:
        patch.setattr("salamandre.runs.arguments.atexit", SimpleNamespace(register=end.callback))
        patch.chdir(cwd)
        patch.syspath_prepend(EXAMPLES)
        patch.setattr(sys, "argv", [example, *map(str, arguments)])
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            runpy.run_path(str(EXAMPLES / example), run_name="__main__")
        except SystemExit as stop:
            ended = stop.code or 0
    return _checked(ended, out.getvalue(), err.getvalue(), code)


def run_alone(example, *arguments, cwd, code=0):
    """Run an example in a process of its own, as a user does."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return _checked(done.returncode, done.stdout, done.stderr, code)


def _checked(ended, out, err, code):
    assert ended == code, err
    assert "Traceback" not in err
    return SimpleNamespace(stdout=out, stderr=err)


def only_folder(tmp_path: Path) -> Path:
    """Return the folder of the only run, in the place of its kind."""
    (folder,) = (tmp_path / "runs").glob("*/*")
    return folder


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"run.lock", "run.pid"}
