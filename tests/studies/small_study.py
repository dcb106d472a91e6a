"""A study whose runs take no time: what it returns is known."""

from __future__ import annotations

import csv
import errno
import os
import time
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from salamandre.studies import Base, Study

Positive = Annotated[float, Meta(gt=0)]


def learn(
    folder: Path, seed: int, rate: Positive = 1.0, kind: str = "plain", wait: float = 0.0
) -> Any:
    """Return rate + seed / 10; fail, diverge or die for some rates."""
    time.sleep(wait)
    with (folder / "played.txt").open("a") as file:
        file.write("once\n")
    if rate == 13:
        raise ValueError("thirteen is refused")
    if rate == 14:
        print("words of the run")
        return {"score": float("inf"), "other": 1}
    if rate == 15:
        os._exit(9)
    if rate == 17:
        raise OSError(errno.ENOSPC, "No space left on device")
    if rate == 16:
        return 16
    if kind == "stepped":
        return {"curve": [3, 2], "step": [50, 100]}
    bonus = {"plain": 0, "better": 100}[kind]
    return {"score": rate + seed / 10 + bonus, "curve": [0, rate / 2, rate]}


def no_twelve(rate: float, **others: Any) -> None:
    if rate == 12:
        raise ValueError("rate must not be 12")


BASE = Base.of(learn, no_twelve, "small")


def study(folder, extend=False, **given):
    return Study({"base": "small_study:BASE", **given}, folder, extend=extend)


def table(folder) -> list[dict[str, str]]:
    """Return the table without what differs from time to time."""
    with (Path(folder) / "runs.csv").open() as file:
        return [{n: v for n, v in row.items() if n != "duration"} for row in csv.DictReader(file)]


def played(folder) -> dict[str, int]:
    """Return how often each run was begun."""
    files = Path(folder).glob("*/played.txt")
    return {file.parent.name: len(file.read_text().splitlines()) for file in files}
