"""The runs that ``salamandre train`` keeps, each in a folder ``runs/DATASET/DATE-TIME``."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from salamandre.atomic import write_atomically
from salamandre.runs.folder import read_settings, run_folder
from salamandre.runs.lock import in_use

FORMAT = 1  # of a run folder; a program refuses those of a higher one
LATEST = "latest"
TAIL = 1 << 15  # bytes at the end of a table that are read for its last rows
MEAN = 50  # rounds


def _count(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and value >= 0


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


def _sizes(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_count, value))


def _kept(value: object) -> bool:
    return value == "all" or (isinstance(value, str) and value.isdigit() and int(value) > 0)


# What settings hold, and what each is.
CONTENTS: dict[str, dict[str, Callable[[object], bool]]] = {
    "images": {
        **{"name": _text, "count": _count, "shape": _sizes},
        **{"classes": _texts, "rounds_per_epoch": _count},
    },
    "versions": {"salamandre": _text},
    "options": {
        **dict.fromkeys(("dataset", "architecture", "backend"), _text),
        **dict.fromkeys(("image_size", "batch_size", "epochs", "sample_every", "latent"), _count),
        **dict.fromkeys(("evaluate", "seed", "checkpoint_every"), _number),
        **dict.fromkeys(("unconditional_discriminator", "grey"), _flag),
        **{"keep": _kept, "data_dir": _text_or_none},
    },
}
SETTINGS, TABLE, METRICS = "settings.json", "curves.csv", "metrics.csv"


class UnknownRun(ValueError):
    """No run, or several, go by that name."""


@dataclass(frozen=True)
class Run:
    """A run's folder.

    Attributes:
        folder: where it is.
        name: how it is called, such as ``"digits/20261121-090000"``.
    """

    folder: Path
    name: str

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the run was started with.

        Raises:
            FileNotFoundError: the folder holds no run.
            ValueError: damaged settings, those of another program or of a newer version.
        """
        settings = read_settings(self.folder)
        number, versions = settings.get("format"), settings.get("versions")
        if not isinstance(number, int):
            raise ValueError(f"{self.folder} holds no run of salamandre train")
        if number > FORMAT:
            name = versions.get("salamandre") if isinstance(versions, dict) else None
            raise ValueError(
                f"{self.folder} was written by a newer Salamandre ({name or 'unnamed'}, run "
                f"folders of format {number}; this one reads up to {FORMAT}): install that version"
            )
        for part, wanted in CONTENTS.items():
            held = settings.get(part)
            if not isinstance(held, dict) or any(
                name not in held or not fits(held[name]) for name, fits in wanted.items()
            ):
                raise ValueError(
                    f"{self.folder / SETTINGS} is damaged: its {part} are not what a run has"
                )
        return settings

    def change_options(self, **options: Any) -> None:
        """Note other values of options, such as more epochs."""
        self.settings["options"].update(options)
        text = json.dumps(self.settings, indent=2)
        write_atomically(self.folder / SETTINGS, text.encode())

    @property
    def options(self) -> dict[str, Any]:
        """The options of the command, by their Python names."""
        options: dict[str, Any] = self.settings["options"]
        return options

    @property
    def classes(self) -> list[str]:
        """The names of the classes that the networks know."""
        classes: list[str] = self.settings["images"]["classes"]
        return classes

    @property
    def rounds_per_epoch(self) -> int:
        """How many rounds take about as many real images as there are."""
        return int(self.settings["images"]["rounds_per_epoch"])

    @property
    def checkpoints(self) -> list[int]:
        """The epochs whose networks are kept."""
        files = (self.folder / "networks").glob("generator-*.safetensors")
        return sorted(int(file.stem.partition("-")[2]) for file in files)

    def generator(self, epoch: int | None = None) -> Path:
        """Return the file of the generator after an epoch. Default: the latest one.

        Raises:
            UnknownRun: it is not kept; those that are are named.
        """
        if epoch is None:
            path = self.folder / "generator.safetensors"
            if not path.is_file():
                raise UnknownRun(f"{self.name} has no generator yet: its first epoch is not over")
            return path
        kept = self.checkpoints
        if epoch not in kept:
            shown = ", ".join(map(str, kept)) or "none"
            raise UnknownRun(f"{self.name} keeps no networks of epoch {epoch} (kept: {shown})")
        return self.folder / "networks" / f"generator-{epoch:04d}.safetensors"

    @property
    def samples(self) -> list[Path]:
        """The pictures of samples, the earliest first."""
        return sorted((self.folder / "samples").glob("*.png"))

    def rounds(self) -> int:
        """Return how many rounds are in the table."""
        rows = read_rows(self.folder / TABLE, 1)
        return int(rows[-1]["round"]) if rows else 0

    def epochs(self) -> float:
        """Return how many epochs have been played."""
        return self.rounds() / self.rounds_per_epoch

    def figures(self) -> dict[str, float]:
        """Return the means of the losses and scores over the last rounds."""
        rows = read_rows(self.folder / TABLE, MEAN)
        names = [name for name in (rows[-1] if rows else ()) if name != "round"]
        return {name: sum(row[name] for row in rows) / len(rows) for name in names}

    def metrics(self) -> dict[str, float]:
        """Return the latest metrics; empty if there are none."""
        rows = read_rows(self.folder / METRICS, 1)
        named = rows[-1].items() if rows else ()
        return {name: value for name, value in named if name not in ("round", "seconds")}

    def state(self) -> str:
        """Return ``"playing"``, ``"complete"`` or ``"stopped"``."""
        if in_use(self.folder):
            return "playing"
        return "complete" if self.epochs() >= self.options["epochs"] else "stopped"


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
    if "round" not in names or len(read) < len(rows):
        raise ValueError(f"{path} is damaged: it must be a table of numbers, a row a round")
    return read


def new_run(root: str | os.PathLike[str], dataset: str, settings: dict[str, Any]) -> Run:
    """Make the folder of a new run of a data set."""
    folder = run_folder(Path(root) / dataset, "", {"format": FORMAT, **settings})
    return Run(folder, f"{dataset}/{folder.name}")


def find_runs(root: str | os.PathLike[str]) -> list[Run]:
    """Return the runs below a folder, the newest first."""
    files = Path(root).glob(f"*/*/{SETTINGS}")
    newest_first = sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [Run(file.parent, "/".join(file.parts[-3:-1])) for file in newest_first]


def find_run(name: str, root: str | os.PathLike[str]) -> Run:
    """Return the run in a folder, or the one below ``root`` whose name has ``name`` in it.

    Args:
        name: a path, a part of a name that no other run has, or ``"latest"``.
        root: the folder of the runs.

    Raises:
        UnknownRun: none, or several; the nearest or all are named.
    """
    if (Path(name) / SETTINGS).is_file():
        folder = Path(name)
        return Run(folder, f"{folder.resolve().parent.name}/{folder.resolve().name}")
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
    near = _nearest(name, list(runs))
    raise UnknownRun(f"there is no run {name!r} in {root}; the nearest: {_listed(near)}")


def _nearest(name: str, names: list[str]) -> list[str]:
    """Return the names most like a name, or like it in their last part."""
    import difflib

    def likeness(known: str) -> float:
        parts = (known, known.partition("/")[2], known.partition("/")[0])
        return max(difflib.SequenceMatcher(None, name, part).ratio() for part in parts)

    return sorted(names, key=likeness, reverse=True)[:3]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
