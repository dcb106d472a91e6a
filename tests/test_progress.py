"""Progress bars on terminals of any width, in files and without any output."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from contextlib import suppress

import pytest
from tqdm.utils import disp_len

from salamandre import progress as module
from salamandre.progress import progress, silent

VALUES = "d_loss 0.6931, g_loss 0.6931, d_real 0.5123, d_fake 0.4567, distance 12.34, {odd} 1"


def drawn(monkeypatch, width, count=8600, total=20000, values=VALUES, **options):
    """Return the states of a bar on a terminal of some width."""
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 25, width, 0, 0))
    with open(end, "w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with progress(total, **options) as bar:
            bar.set_postfix_str(values, refresh=False)
            bar.update(count)
            bar.refresh()
    text = b""
    with suppress(OSError):  # how its end is told on Linux
        while part := os.read(terminal, 10_000):
            text += part
    os.close(terminal)
    return [line.rstrip() for line in text.decode().split("\r")]


@pytest.mark.parametrize("width", [0, 40, 80, 200])
@pytest.mark.parametrize("name", ["", "train-images-idx3-ubyte.gz", "学习"])
def test_a_bar_fits_its_terminal_and_no_number_is_cut(monkeypatch, width, name):
    lines = drawn(monkeypatch, width, description=name, unit="round")
    *_, line = (line for line in lines if "8600/20000" in line)
    assert all(disp_len(line) <= (width or 80) for line in lines)
    head, *parts = line.split(", ")
    assert " 43%|" in head and head.endswith("| 8600/20000") and parts[0].endswith(" left")
    shown, rate = parts[1:], ""
    if len(shown) > len(VALUES.split(", ")):
        *shown, rate = shown
    assert shown == VALUES.split(", ")[: len(shown)]
    if width == 200:
        assert rate.endswith("round/s") and line.startswith(name)
    if width == 80 and not name:
        assert shown[:3] == VALUES.split(", ")[:3]


def test_in_a_file_a_bar_is_a_line_at_the_start_and_the_end_and_now_and_then(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with progress(1000, "Digits", "image") as bar:
        for _ in range(1000):
            bar.update()
    first, last = file.getvalue().splitlines()
    assert "\r" not in file.getvalue() and file.getvalue().endswith("\n")
    assert first.startswith("Digits:   0% 0/1000") and last.startswith("Digits: 100% 1000/1000")
    file.truncate(0)
    monkeypatch.setattr(module, "LINES", 0)
    with progress(3) as outer, progress(2, "inner") as inner:  # one below the other
        inner.update(2)
        outer.update()
    lines = file.getvalue().strip("\0").splitlines()
    assert all(line.startswith(("0%", "33%", "inner: ")) for line in lines)
    assert len(lines) == 6 and module.UP not in file.getvalue()


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError("nobody reads it")

    def flush(self):
        raise BrokenPipeError("nobody reads it")


def closed():
    file = io.StringIO()
    file.close()
    return file


@pytest.mark.parametrize("stream", [None, closed(), Broken()], ids=["none", "closed", "broken"])
def test_without_an_output_the_work_goes_on(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with progress(3) as bar:
        bar.set_postfix_str("loss 1", refresh=False)
        bar.update(3)
        bar.refresh()


def test_an_output_that_is_closed_during_the_work_is_no_error(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with progress(3) as bar:
        file.close()
        bar.update(3)
        bar.refresh()


def test_a_silent_block_shows_no_bars(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with silent(), progress(3, "unseen") as bar:
        bar.update(3)
    with progress(3, "seen") as bar:
        bar.update(3)
    assert "unseen" not in file.getvalue() and "seen: 100% 3/3" in file.getvalue()


PROGRAM = """
from salamandre.progress import progress
with progress(2, "Zürich") as bar:
    bar.update(2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("streams", ["", "<&-", "<&- >&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_with_any_streams_and_ascii(streams):
    done = subprocess.run(
        f'"{sys.executable}" -W error -c "$PROGRAM" {streams}',
        shell=True,
        env={**os.environ, "PROGRAM": PROGRAM, "PYTHONIOENCODING": "ascii"},
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr
    if "2>" not in streams:
        assert done.stderr.splitlines()[-1].startswith(rb"Z\xfcrich: 100% 2/2")
