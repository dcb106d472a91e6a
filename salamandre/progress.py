"""Progress bars: redrawn on a terminal or in a notebook, elsewhere a line now and then."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import RLock
from typing import Any

from tqdm import tqdm
from tqdm.auto import notebook_tqdm
from tqdm.utils import disp_len

LINES = 30.0  # seconds between two lines where the output is no terminal
USUAL_WIDTH = 80  # columns, of a terminal that does not know its width
UP = "\x1b[A"  # by which tqdm moves from one bar to another
_is_silent = ContextVar("is_silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Show no bars that are opened within a block."""
    before = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(before)


def progress(
    total: int,
    description: str = "",
    unit: str = "it",
    initial: int = 0,
    scale: bool = False,
    leave: bool = True,
) -> Any:
    """Open a progress bar on standard error, a ``tqdm``, which a ``with`` closes.

    Its methods are ``update(count)``, ``set_postfix_str(text, refresh=False)`` and ``close()``.
    Without a standard error it shows nothing. Import this function where it is used: the import
    takes a while.

    Args:
        total: the number of units at the end.
        description: shown before the bar. Default none.
        unit: what is counted, such as ``"image"``. Default ``"it"``.
        initial: units that are done already. Default 0.
        scale: write 12.3M for 12,300,000. Default False.
        leave: whether it stays on the terminal after its end; one that does not is no line
            elsewhere. Default True.
    """
    options = {
        "total": total,
        "desc": description,
        "unit": unit,
        "initial": initial,
        "unit_scale": scale,
        "leave": leave,
        "smoothing": 0.05,
        "miniters": 1,  # seconds alone decide when it is redrawn
    }
    if _is_silent.get():
        return _Bar(disable=True, **options)
    if notebook_tqdm is not tqdm:
        return notebook_tqdm(**options)
    if sys.stderr is None or getattr(sys.stderr, "closed", False):
        return _Bar(disable=True, **options)
    if getattr(sys.stderr, "isatty", bool)():
        return _Bar(**_size(), **options)
    if not leave:
        return _Bar(disable=True, **options)
    return _Bar(file=_Lines(sys.stderr), mininterval=LINES, **options)


def _size() -> dict[str, Any]:
    """Return the options for the terminal's size, which changes; some say that they have none."""
    with suppress(OSError, ValueError, AttributeError):
        if os.get_terminal_size(sys.stderr.fileno()).columns:
            return {"dynamic_ncols": True}
    return {"ncols": USUAL_WIDTH, "nrows": 24}


class _Bar(tqdm):
    """A bar that leaves out what a narrow terminal has no room for, whole words at a time."""

    # tqdm's own is shared by all forks of a process: one that is killed may hold it for ever.
    _lock = RLock()

    @staticmethod
    def format_meter(
        n: float,
        total: float,
        elapsed: float,
        ncols: int | None = None,
        prefix: str = "",
        postfix: str | None = None,
        bar_format: None = None,
        **others: Any,
    ) -> str:
        """Return the line; ``ncols`` is the width of the terminal, ``None`` without one."""
        escaped = (postfix or "").replace("{", "{{").replace("}", "}}")
        values = [f", {value}" for value in escaped.split(", ") if value]
        parts = [", {remaining} left", *values, ", {rate_fmt}"]  # the most important ones first

        def line(form: str, columns: int | None = None) -> str:
            whole = form + "".join(parts)
            meter = tqdm.format_meter
            return str(meter(n, total, elapsed, columns, prefix, bar_format=whole, **others))

        if ncols is None:
            return line("{desc}: {percentage:3.0f}% {n_fmt}/{total_fmt}")
        form = "{desc}: {percentage:3.0f}%|{bar:1}| {n_fmt}/{total_fmt}"
        while disp_len(line(form)) > ncols and len(parts) > 1:
            parts.pop()
        if disp_len(line(form)) > ncols:
            prefix = ""
        return line(form.replace(":1}", "}"), ncols)


class _Lines:
    """A file that is written a line for each state of a bar, without what moves a cursor.

    That it is full or closed is no reason to stop the work that a bar shows.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.encoding = getattr(file, "encoding", None)

    def write(self, text: str) -> None:
        """Write a line, if there is something in the text."""
        line = text.replace(UP, "").strip()
        if line:
            with suppress(OSError, ValueError):
                self.file.write(f"{line}\n")

    def flush(self) -> None:
        """Flush the file."""
        with suppress(OSError, ValueError):
            self.file.flush()
