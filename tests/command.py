"""The command ``salamandre``, called within this process or as one of its own."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from salamandre.cli import main
from salamandre.runs import find_runs

FAST = ("--architecture", "cdcgan", "--batch-size", "200")  # 7 rounds an epoch
COMMAND = (sys.executable, "-m", "salamandre")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


def call(*arguments, code=0, given=None):
    result = CliRunner().invoke(main, [str(a) for a in arguments], input=given)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def error_of(*arguments, code):
    """Return the one sentence in which a call fails."""
    output = call(*arguments, code=code)
    assert "\nError: " in f"\n{output}"
    message = f"\n{output}".split("\nError: ")[1]
    assert len(message.splitlines()) == 1
    return message


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def only(root) -> Path:
    (run,) = find_runs(root)
    return run.folder


def small_run(*given):
    call("train", *FAST, "--quiet", "--epochs", 1, *given)
    return find_runs("runs")[0]


def started(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def after_epoch(process, epoch):
    """Wait until a process has said that an epoch is over."""
    for line in process.stdout:
        if line.startswith(f"epoch {epoch} "):
            return
    raise AssertionError(process.stderr.read())


def picture(path):
    return np.asarray(Image.open(path))


def letters(folder, names, count=6):
    """Make a folder of pictures with a sub-folder of each class."""
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
