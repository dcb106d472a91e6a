"""A run's folder: its settings, its progress and its files."""

from __future__ import annotations

import csv
import math
import os
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from salamandre import html
from salamandre.atomic import numbered
from salamandre.program import WrongUsage
from salamandre.runs.lock import LOCK, OWNER, in_use
from salamandre.runs.settings import FILE, LearnedImages, Settings, read_settings
from salamandre.storage import checked
from salamandre.texts import option_name, pasteable, path_of, readable_name

CHECKPOINT, TABLE, METRICS = "checkpoint.safetensors", "curves.csv", "metrics.csv"
STUDY = "runs.csv"  # the table of a study, whose runs have folders or rows of their own
MEAN = 50  # rounds
TIMES = ("round", "epoch", "step", "seconds", "learning_rate")  # when a row was written


class UnknownRun(WrongUsage):
    """No run or several runs of a name, or a run without the file that was asked for."""


@dataclass(frozen=True)
class Run:
    """A run's folder.

    Attributes:
        folder: where it is.
        name: such as ``"digits/20261121-090000"``.
    """

    folder: Path
    name: str

    def _repr_html_(self) -> str:
        options = [(option_name(name), str(value)) for name, value in self.options.items()]
        drawn = [self.folder / name for name in ("dashboard.png", "curves.png")]
        pictures = [path for path in drawn if path.is_file()][:1]
        shown = "".join(html.picture(path.read_bytes(), path.stem) for path in pictures)
        told = html.paragraph(f"run {self.name} of {self.settings.program}")
        return told + html.beside(html.table(("option", "value"), options), shown)

    @cached_property
    def settings(self) -> Settings:
        """The settings of the run; see :func:`read_settings`."""
        return read_settings(self.folder)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the program, by their Python names."""
        return self.settings.options

    @property
    def images(self) -> LearnedImages:
        """The description of its training images."""
        return self.settings.images

    def check_options(self, known: type[Struct]) -> None:
        """Check the options against a struct of the known ones; missing ones get their default.

        Raises:
            ValueError: an option is unknown, or its value is of the wrong type.
        """
        file = self.folder / FILE
        unknown = [name for name in self.options if name not in known.__struct_fields__]
        if unknown:
            raise ValueError(
                f"{file}, written by Salamandre {self.settings.versions.get('salamandre', '0.1')}, "
                f"has an option {unknown[0]!r} that this version does not know"
            )
        self.settings.options = asdict(checked(self.options, known, file, "options"))

    def change_options(self, **options: Any) -> None:
        """Change options in the settings, such as the number of epochs."""
        self.options.update(options)
        self.settings.write(self.folder)

    def part(self, name: str, **options: Any) -> Run:
        """Return a single run of this study, in a folder below, with options of its own."""
        run = Run(self.folder / readable_name(name), f"{self.name}/{readable_name(name)}")
        own = {**self.options, **options}
        if (run.folder / FILE).is_file():
            run.change_options(**own)
        else:
            Settings.new(self.settings.program, own, self.images).write(run.folder)
        return run

    def stays(self, option: str) -> str:
        """Return the sentence that refuses another value of an option."""
        return (
            f"{option_name(option)} is {self.options[option]} in {self.name} and stays so: "
            f"a run goes on with its own settings; start a new one for others"
        )

    @property
    def checkpoints(self) -> list[int]:
        """The epochs whose networks are kept."""
        return list(numbered(self.folder / "networks", "generator-", ".safetensors"))

    def generator(self, epoch: int | None = None) -> Path:
        """Return the file of the generator after an epoch. Default: the latest one.

        Raises:
            UnknownRun: it is not kept; the message lists those that are.
        """
        if epoch is None:
            path = self.folder / "generator.safetensors"
            if not path.is_file():
                raise UnknownRun(
                    f"{self.name} has no generator: a game writes one after its first epoch, a "
                    f"classifier never"
                )
            return path
        kept = self.checkpoints
        if epoch not in kept:
            shown = ", ".join(map(str, kept)) or "none"
            raise UnknownRun(f"{self.name} keeps no networks of epoch {epoch} (kept: {shown})")
        return self.folder / "networks" / f"generator-{epoch:04d}.safetensors"

    def classifier(self) -> Path:
        """Return the file of the classifier.

        Raises:
            UnknownRun: there is none.
        """
        path = self.folder / "model.safetensors"
        if not path.is_file():
            raise UnknownRun(f"{self.name} has no classifier: there is no {path}")
        return path

    @property
    def files(self) -> list[Path]:
        """The files and folders of results and settings."""
        return sorted(path for path in self.folder.iterdir() if path.name not in (LOCK, OWNER))

    @property
    def samples(self) -> list[Path]:
        """The pictures of samples, the earliest first."""
        return list(numbered(self.folder / "samples", "", ".png").values())

    @property
    def unit(self) -> str:
        """The unit of its length: ``"epochs"`` or ``"rounds"``."""
        return "epochs" if "epochs" in self.options else "rounds"

    @property
    def planned(self) -> int | None:
        """The planned number of epochs or rounds, if the settings hold it."""
        planned: int | None = self.options.get(self.unit)
        return planned

    def played(self, row: dict[str, float] | None = None) -> float:
        """Return the epochs or rounds done at a row of a table. Default: the last row."""
        if row is None:
            row, *_ = read_rows(self.folder / TABLE, 1) or [{}]
        if self.unit == "epochs" and "epoch" in row:
            return row["epoch"]
        return row.get("round", row.get("step", 0.0)) / self.images.rounds_per_epoch

    def losses(self) -> dict[str, float]:
        """Return the means of losses and scores over the last rounds."""
        rows = read_rows(self.folder / TABLE, MEAN)
        if rows and "epoch" in rows[0]:  # version 0.1 wrote one row for an epoch of a classifier
            rows = rows[-1:]
        names = [name for name in (rows[-1] if rows else ()) if name not in TIMES]
        return {name: sum(row[name] for row in rows) / len(rows) for name in names}

    def metrics(self) -> dict[str, float]:
        """Return the latest value of each metric, NaN if it has only been that; empty if none."""
        found: dict[str, float] = {}
        for row in read_rows(self.folder / METRICS):
            for name, value in row.items():
                if name not in TIMES and (name not in found or not math.isnan(value)):
                    found[name] = value
        return found

    def state(self) -> str:
        """Return ``"playing"``, ``"complete"`` or ``"stopped"``.

        Of a study ``"finished"``, or ``"unfinished"`` if its table has runs that are planned.
        """
        if in_use(self.folder):
            return "playing"
        if (self.folder / STUDY).exists():
            planned = b",planned," in (self.folder / STUDY).read_bytes()
            return "unfinished" if planned else "finished"
        return "complete" if self.planned and self.played() >= self.planned else "stopped"


def read_rows(path: Path, count: int = 0) -> list[dict[str, float]]:
    """Return the last complete rows of a table, or all; an empty cell is NaN. No table: none.

    Raises:
        ValueError: the table is damaged.
    """
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return []
    header, *rows = text[: text.rfind("\n") + 1].splitlines() or [""]
    names = next(csv.reader([header]), [])
    try:
        cells = [[cell or "nan" for cell in row.split(",")] for row in rows[-count:]]
        read = [dict(zip(names, map(float, row), strict=True)) for row in cells]
    except ValueError:
        read = []
    if (header and not {"round", "step"} & set(names)) or len(read) < len(rows[-count:]):
        raise ValueError(f"{path} is damaged: it must be a table of numbers, a row a round or step")
    return read


def new_run(root: str | os.PathLike[str], name: str, settings: Settings) -> Run:
    """Make a new folder ``root/name/date-time`` with the settings in it.

    The name is changed where a system would not allow it.
    """
    name = readable_name(name)
    stamp, base = datetime.now().strftime("%Y%m%d-%H%M%S"), path_of(root) / name
    for number in range(1, 1000):
        folder = base / (stamp + (f"-{number}" if number > 1 else ""))
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        settings.write(folder)
        return Run(folder, f"{name}/{folder.name}")
    raise FileExistsError(f"{base / stamp} and a thousand like it exist already")


def keep_apart(runs: Path, source: str) -> None:
    """Refuse a folder of runs that would become part of the data that they learn.

    Args:
        runs: the folder.
        source: of the data, as :func:`salamandre.data.opening.located` returns it.

    Raises:
        WrongUsage: it lies in the source; the message gives an ``--output`` outside of it.
    """
    own = Path(source)
    if own.is_absolute() and runs.resolve().is_relative_to(own):
        other = own.parent / ("runs" if own.name != "runs" else "results")
        raise WrongUsage(
            f"{runs} lies in {own}, the folder of the images, and would become part of the data: "
            f"give another folder of runs, such as {pasteable('--output', other)}"
        )
