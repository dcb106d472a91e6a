"""The tables of a run: a row of numbers for each round, epoch or evaluation."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

TAIL = 1 << 15  # bytes at the end of a table that are read for its last rows
TIMES = ("round", "epoch", "step", "seconds", "learning_rate")  # when a row was written


def read_rows(path: Path, count: int | None = None) -> list[dict[str, float]]:
    """Return the last whole rows of a table, or all; none if there is no table.

    Raises:
        ValueError: the table is damaged.
    """
    try:
        with path.open("rb") as file:
            header = file.readline()
            start = file.tell()
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - TAIL) if count else start)
            lines = file.read().splitlines(keepends=True)
            if count and end - TAIL > start:
                lines = lines[1:]  # the middle of a row
    except FileNotFoundError:
        return []
    whole = [line for line in lines if line.endswith(b"\n")][-(count or 0) :]
    if not header.endswith(b"\n"):
        return []
    names, *rows = csv.reader(io.StringIO((header + b"".join(whole)).decode(errors="replace")))
    try:
        read = [dict(zip(names, map(float, row), strict=True)) for row in rows]
    except ValueError:
        read = []
    if not {"round", "epoch"} & set(names) or len(read) < len(rows):
        raise ValueError(f"{path} is damaged: it must be a table of numbers, a row a round")
    return read
