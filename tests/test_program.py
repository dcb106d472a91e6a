"""What programs owe whoever starts them: any streams, sentences, exit codes."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from command import needs_signals

from salamandre.program import Help

ROOT = Path(__file__).parents[1]
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from salamandre.program import *; "


def run(code, shell="", **options):
    code = f"{START}\ndef main():\n    {code}\nrun_program('p', main)"
    command = ["sh", "-c", f'"$@" {shell}', "sh", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, **options)


@needs_signals
@pytest.mark.parametrize(
    "code, status, errors",
    [
        ("raise ValueError('too small')", 1, b"p: too small\n"),
        ("raise WrongUsage('too small')", 2, b"p: too small\n"),
        ("usage()(int)('x')", 2, b"p: invalid literal for int() with base 10: 'x'\n"),
        ("import nothing", 1, b"p: No module named 'nothing'\n"),
        ("open('nowhere')", 1, b"p: nowhere: No such file or directory\n"),
        ("raise KeyboardInterrupt", 130, b"interrupted\n"),
        ("raise BrokenPipeError", 1, b""),
        ("import warnings; warnings.warn('look')", 0, b"Warning: look\n"),
        ("sys.exit(2)", 2, b""),
    ],
)
def test_the_end_of_a_program(code, status, errors):
    done = run(code)
    assert (done.returncode, done.stderr) == (status, errors)
    closed = run(f"print('x'); sys.stderr.write('y'); sys.stdin.read(); {code}", "<&- >&- 2>&-")
    assert (closed.returncode, closed.stdout, closed.stderr) == (status, b"", b"")


@needs_signals
def test_the_next_file_does_not_take_the_place_of_a_stream(tmp_path):
    code = "import os; f = open('data', 'w'); os.write(1, b'noise'); f.write('good')"
    assert run(code, "<&- >&- 2>&-", cwd=tmp_path).returncode == 0
    assert (tmp_path / "data").read_text() == "good"


@needs_signals
@pytest.mark.parametrize(
    "encoding, wanted", [("ascii", b"8x8 e \\u03b1"), ("latin-1", b"8\xd78 \xe9 ")]
)
def test_any_encoding_can_be_printed_to(encoding, wanted):
    done = run("print('8×8 é α')", env={"PYTHONIOENCODING": encoding, "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0 and done.stdout.startswith(wanted), done


@needs_signals
def test_output_that_nobody_reads_ends_a_program_quietly():
    done = run("[print('x' * 1000) for _ in range(1000)]", "| head -1")
    assert done.stderr == b"" and done.stdout == b"x" * 1000 + b"\n"


def test_help_fits_the_terminal_and_leaves_commands_as_they_are(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = (
        "Games in the plane, where mode collapse can be measured.\n\n    python a.py --b" + 40 * "c"
    )
    parser = argparse.ArgumentParser(
        "p", description=f"{text}\n\nCtrl-C stops.", formatter_class=Help
    )
    lines = parser.format_help().splitlines()
    assert lines[2:6] == [
        "Games in the plane, where mode",
        "collapse can be measured.",
        "",
        f"    python a.py --b{40 * 'c'}",
    ]
    assert "Ctrl-C stops." in lines
