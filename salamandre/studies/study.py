"""A study: its plan and its runs in a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from salamandre.atomic import write_atomically
from salamandre.program import WrongUsage
from salamandre.runs.finding import run_in
from salamandre.runs.run import STUDY, Run
from salamandre.runs.settings import FILE, RENAMED, STUDIES, LearnedImages, Settings, read_settings
from salamandre.storage import checked
from salamandre.studies.bases import Base, find_base
from salamandre.studies.execution import Workers, perform_all
from salamandre.studies.optuna_points import suggested
from salamandre.studies.plan import Plan, Planned
from salamandre.studies.pruning import Pruning
from salamandre.studies.results import (
    LOST,
    PLANNED,
    Result,
    Row,
    read_result,
    read_table,
    shown,
    table_of,
)
from salamandre.studies.work import Task
from salamandre.texts import counted, folder_of
from salamandre.training.metrics import direction

SHOWN = 4  # changes of a plan in a message


class Study:
    """The runs of a plan, each in a folder of its own; it goes on where it was stopped.

    The folder holds ``settings.json`` with the plan, ``runs.csv`` with a row for each run, and
    a folder for each: ``settings.json``, ``result.json``, ``log.txt`` of what it has printed,
    and what its base writes. Its name, the key, is a checksum of the run's options. Several
    processes and machines that share the folder may play the same study at once.

    Args:
        plan: its content as a :class:`Plan`, or as a mapping.
        folder: of the study; made if it does not exist.
        base: the function of a run; see :func:`salamandre.studies.find_base`. Default: the one
            that the plan names.
        place: where modules of the plan's base are found. Default: the current folder.
        extend: whether the plan may have more runs than the one that the folder holds.

    Raises:
        ValueError: an option is unknown, or a value does not fit; the run is named.
        WrongUsage: the folder holds another plan; nothing has changed.
    """

    def __init__(
        self,
        plan: Plan | Mapping[str, Any],
        folder: str | os.PathLike[str],
        *,
        base: Base | Callable[..., Any] | None = None,
        place: str = "",
        extend: bool = False,
    ) -> None:
        self.folder = folder_of(folder, "the folder of a study")
        if not isinstance(plan, Plan):
            given = {} if base is None else {"base": find_base(base, place).name}
            plan = msgspec.convert({**given, **plan}, Plan)
        self.plan, self.place = plan, str(Path(place or ".").resolve())
        self._reference = plan.base if base is None else base
        self._base = find_base(self._reference, self.place)
        #: The runs known so far: all, but those that Optuna has not suggested yet.
        self.planned: list[Planned] = []
        self._earlier: list[Row] = []  # of Optuna's runs, until they are suggested again
        if plan.sampler == "optuna":
            direction(plan.metrics[0], plan.mode)  # checked before the first run, as its options
            plan.runs([plan.at([0.0] * len(plan.axes))], self._base)
        else:
            self.planned = plan.runs(plan.sample(), self._base)
        self._begin(extend)

    def _begin(self, extend: bool) -> None:
        """Write the plan, unless the folder holds it."""
        options = msgspec.to_builtins(self.plan)
        if not (self.folder / FILE).is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            Settings.new(STUDIES, options, LearnedImages()).write(self.folder)
            self.write_table()
            return
        earlier = plan_in(self.folder)
        since = max(since for _, since in RENAMED.values())
        if earlier.base == "train" and read_settings(self.folder).format < since:
            raise WrongUsage(
                f"{self.folder} was begun by an earlier Salamandre, whose "
                f"{' and '.join(RENAMED)} were other games: give another --folder"
            )
        if changes := earlier.changes(self.plan):
            more = f" and {len(changes) - SHOWN} others" if len(changes) > SHOWN else ""
            told = f"{', '.join(changes[:SHOWN])}{more}"
            if not extend:
                raise WrongUsage(
                    f"the plan of {self.folder} has changed: {told}: add runs with --extend, or "
                    f"give another --folder"
                )
            self._require_more(earlier, told)
        if self.plan.sampler == "optuna" and (self.folder / STUDY).is_file():
            self._earlier = read_rows(self.folder, self.plan)
        if msgspec.to_builtins(earlier) != options:
            run = Run(self.folder, self.folder.name)
            run.settings.options = {}
            run.change_options(**options)
            self.write_table()

    def _require_more(self, earlier: Plan, told: str) -> None:
        """Raise WrongUsage if runs of the earlier plan are none of this one."""
        if earlier.base != self.plan.base:  # keys know options alone
            raise WrongUsage(
                f"{self.folder} holds runs of {earlier.base}, not of {self.plan.base}: give "
                f"another --folder"
            )
        if "optuna" in (self.plan.sampler, earlier.sampler):
            grown = (earlier.points or 0) <= (self.plan.points or 0)
            if not grown or any(not text.startswith("points was") for text in told.split(", ")):
                raise WrongUsage(
                    f"--extend only adds points to a study of Optuna, but in that of "
                    f"{self.folder} {told}: give another --folder"
                )
            return
        before = {run.key for run in earlier.runs(earlier.sample(), self._base)}
        if count := len(before - {run.key for run in self.planned}):
            raise WrongUsage(
                f"--extend only adds runs, and {counted(count, 'run')} of {self.folder} would be "
                f"none of the new plan ({told}): give another --folder"
            )

    def task(self, run: Planned, again: bool = False, pruning: Pruning | None = None) -> Task:
        """Return the task of a run."""
        return Task(self._reference, self.place, self.folder / run.key, run, again, pruning)

    def results(self) -> dict[str, Result]:
        """Return the results there are, by the keys of their runs."""
        read = ((run.key, read_result(self.folder / run.key)) for run in self.planned)
        return {key: result for key, result in read if result is not None}

    def rows(self) -> list[Row]:
        """Return the rows of the table, in the order of the plan."""
        found = self.results()
        points = [{name: shown(v) for name, v in run.point.items()} for run in self.planned]
        rows = [
            Row(run.key, point, run.seed, found.get(run.key))
            for run, point in zip(self.planned, points, strict=True)
        ]
        known = {row.run for row in rows}
        return rows + [row for row in self._earlier if row.run not in known]

    def write_table(self) -> None:
        """Write ``runs.csv``, unless another process has changed the plan since."""
        plans = plan_in(self.folder), self.plan
        if len({msgspec.json.encode(plan) for plan in plans}) == 1:  # tuples are lists there
            text = table_of(self.rows(), list(self.plan.axes))
            write_atomically(self.folder / STUDY, text.encode())

    def run(
        self,
        processes: int | None = None,
        *,
        cluster: str | None = None,
        retry: bool = False,
    ) -> list[Row]:
        """Play the runs that have no result yet, and return all rows.

        A run that fails or diverges is recorded, and the others go on. After Ctrl-C, or if this
        process is killed, another call plays only what is missing. A run that another process
        is playing is waited for.

        Args:
            processes: runs at a time. Default: the number of cores. 1: in this process.
            cluster: ``"dask://HOST:PORT"``, ``"ray"`` or ``"ray://HOST:PORT"``, whose machines
                share the folder. Default: this machine.
            retry: whether runs that have failed or diverged are played again. Default False.

        Raises:
            RuntimeError: joblib, or the cluster's library, is missing; a cluster does not answer.
            OSError: the disk is full.
            KeyboardInterrupt: after Ctrl-C; the table is written.
        """
        from salamandre.progress import progress

        workers = Workers(processes, cluster)
        total = len(self.planned)
        if self.plan.sampler == "optuna":
            self.planned, total = [], (self.plan.points or 0) * len(self.plan.seed_list)
        try:
            with progress(total, run_in(self.folder).name, "run") as bar:
                if self.planned:
                    self._play(self.planned, workers, retry, bar)
                else:
                    self._play_suggested(workers, retry, bar)
        finally:
            with contextlib.suppress(OSError):  # a full disk is told by the run that met it
                self.write_table()
        return self.rows()

    def _play_suggested(self, workers: Workers, retry: bool, bar: Any) -> None:
        for points, tell in suggested(self.plan):
            batch = self.plan.runs(points, self._base)
            pruning = self._pruning()
            known = {run.key for run in self.planned}
            self.planned += [run for run in batch if run.key not in known]
            self._play(batch, workers, retry, bar, pruning)
            tell(batch, self.results())
        self._earlier = []

    def _pruning(self) -> Pruning | None:
        """Return by what the next runs may end early: what those so far have reported."""
        if self.plan.pruner == "none":
            return None
        ended = [result for result in self.results().values() if result.state == "finished"]
        metric = self.plan.metrics[0]
        goal = direction(metric, self.plan.mode)
        return Pruning(metric, goal, [result.reported for result in ended])

    def _play(
        self,
        runs: Sequence[Planned],
        workers: Workers,
        retry: bool,
        bar: Any,
        pruning: Pruning | None = None,
    ) -> None:
        done = self.results()
        missing = [
            run for run in runs if run.key not in done or (retry and done[run.key].state in LOST)
        ]
        tasks = [self.task(run, retry, pruning) for run in missing]
        bar.update(len(runs) - len(missing))
        bar.initial = bar.n  # of which no pace is told
        perform_all(tasks, workers, bar, self.write_table)


def plan_in(folder: Path) -> Plan:
    """Return the plan of the study in a folder.

    Raises:
        WrongUsage: the folder holds no study.
        ValueError: its settings are damaged.
    """
    settings = read_settings(folder)
    if settings.program != STUDIES:
        program = settings.program or "an example"
        raise WrongUsage(f"{folder} holds no study, but a run of {program}")
    return checked(settings.options, Plan, folder / FILE, "options")


def read_rows(folder: Path, plan: Plan) -> list[Row]:
    """Return the rows of a study's table, with the results of runs that have ended since.

    Raises:
        ValueError: the table, or a result, is damaged.
        FileNotFoundError: there is no table.
    """
    rows = read_table(folder / STUDY, len(plan.axes))
    for row in rows:
        if row.state == PLANNED:
            row.result = read_result(folder / row.run)
    return rows
