"""Callbacks of engines and games: progress, curves, checkpoints, early stopping."""

from __future__ import annotations

import math
import os
import time
import warnings
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from salamandre.atomic import write_atomically
from salamandre.checks import whole
from salamandre.texts import path_of
from salamandre.training.callback import Callback
from salamandre.training.loop import Loop
from salamandre.training.metrics import direction
from salamandre.training.triggers import Epochs, Seconds, Steps, Trigger, trigger

REDRAWN = 60.0  # seconds between two pictures of curves during a run


def _described(run: Loop, last: int) -> str:
    """Return the means of the values of the last steps and the latest metrics, as a text."""
    history = run.history
    values = {name: history.mean(name, last) for name in history.steps} | history.metrics()
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


class ProgressBar(Callback):
    """A bar with the time left, losses and the latest metrics, see :mod:`salamandre.progress`.

    Args:
        every: how often it is brought up to date. Default ``Seconds(0.1)``.
    """

    recorded = ()

    def __init__(self, every: Trigger = Seconds(0.1)) -> None:
        self.every = trigger("ProgressBar every", every)
        self._bar: Any = None

    def on_start(self, run: Loop) -> None:
        """Open the bar at the current step."""
        from salamandre.progress import progress

        self._bar = progress(run.planned, unit=run.unit, initial=run.step)

    def on_step(self, run: Loop) -> None:
        """Advance."""
        self._bar.set_postfix_str(_described(run, 50), refresh=False)
        self._bar.update(run.step - self._bar.n)

    def on_end(self, run: Loop) -> None:
        """Advance to the end, and close the bar."""
        self.on_step(run)
        self._bar.close()
        self._bar = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bar": None}  # a copy has no bar on the terminal


class EpochLines(Callback):
    """Prints a line after each epoch, for outputs that are no terminal."""

    every = Epochs(1)
    recorded = ()

    def on_step(self, run: Loop) -> None:
        """Print the means over the epoch, the latest metrics and the time left."""
        per_epoch = run.steps_per_epoch
        line = (
            f"epoch {run.step // per_epoch} of {run.epochs}, {run.seconds:.0f} s, "
            f"{run.seconds_left:.0f} s left: {_described(run, per_epoch)}"
        )
        with suppress(OSError, ValueError):  # an output that is closed or full ends no run
            print(line, flush=True)


class Curves(Callback):
    """Writes tables of a run and a picture of its curves to a folder.

    ``curves.csv`` has a row for each step, ``metrics.csv`` one for each record, ``curves.png`` the
    curves of both, drawn each minute and at the end. Rows are appended; those that a killed process
    wrote after its last checkpoint are replaced.

    Args:
        folder: made if it does not exist.
        every: how often the tables are written. Default ``Steps(100)``.
    """

    recorded = ()

    def __init__(self, folder: str | os.PathLike[str], every: Trigger = Steps(100)) -> None:
        self.folder = path_of(folder)
        self.every = trigger("Curves every", every)

    def on_start(self, run: Loop) -> None:
        """Write the history so far."""
        self._rows, self._records = 0, -1
        self._drawn = time.monotonic()
        self.on_step(run)

    def on_step(self, run: Loop) -> None:
        """Append the new rows."""
        history, table = run.history, self.folder / "curves.csv"
        rows, self._rows = self._rows, 0  # after a failure the whole table is written
        if rows == 0 or not table.exists():
            write_atomically(table, history.to_csv().encode())
        else:
            with table.open("a", encoding="utf-8", newline="") as file:
                file.write(history.to_csv(rows))
        self._rows = len(history)
        if len(history.records) != self._records:
            records = self.folder / "metrics.csv"
            if history.records:
                write_atomically(records, history.records_csv().encode())
            else:
                records.unlink(missing_ok=True)  # of a run before this one
            self._records = len(history.records)
        if time.monotonic() - self._drawn > REDRAWN:
            self._draw(run)
            self._drawn = time.monotonic()

    def on_end(self, run: Loop) -> None:
        """Append the rest, and draw the curves."""
        self.on_step(run)
        self._draw(run)

    def _draw(self, run: Loop) -> None:
        if len(run.history):
            run.history.plot(self.folder / "curves.png")


class Checkpoint(Callback):
    """Saves the run so that ``resume`` can continue it.

    It is also saved when the run ends or is interrupted, but not after a failure: the file of a
    diverged run is its last good state. With ``best`` it is saved at the best record alone, beside
    another checkpoint that continues the run. What counts are the records of the history: one that
    a game made at an end between two evaluations is not among them once the game goes on.

    Args:
        path: the file, replaced each time.
        every: how often; a killed process loses at most so much. Default ``Seconds(30)``.
        best: a metric of the records, such as ``"frechet"``. Default ``None``.
        mode: ``"min"`` or ``"max"``: which of its values is better. Default as for
            :class:`EarlyStopping`.
    """

    recorded = ()

    def __init__(
        self,
        path: str | os.PathLike[str],
        every: Trigger = Seconds(30),
        best: str | None = None,
        mode: str | None = None,
    ) -> None:
        self.path = path_of(path)
        self.every = trigger("Checkpoint every", every)
        self.best, self.mode = best, None if best is None else direction(best, mode)

    def on_start(self, run: Loop) -> None:
        """Refuse a metric that the run does not record."""
        if self.best is not None and run.recorded is not None and self.best not in run.recorded:
            raise ValueError(_missing("Checkpoint", self.best, run.recorded))

    def on_step(self, run: Loop) -> None:
        """Save."""
        if self.best is None:
            run.save(self.path)

    def on_record(self, run: Loop) -> None:
        """Save the best record."""
        if self.best is None:
            return
        latest = run.history.records[-1]
        known = not math.isnan(latest.get(self.best, math.nan))
        if known and run.history.best(self.best, self.mode) is latest:
            run.save(self.path)

    def on_end(self, run: Loop) -> None:
        """Save the final state, unless the run failed; warn of a metric that no record has."""
        if run.error is not None:
            return
        if self.best is None:
            run.save(self.path)
        elif not run.history.column(self.best):
            records = run.history.records
            if records or (run.step and not run.interrupted):
                latest = records[-1] if records else ()
                warnings.warn(_missing("Checkpoint", self.best, latest), stacklevel=2)
        elif not self.path.exists():
            warnings.warn(
                f"{self.path} was not written: no record that this Checkpoint saw had a better "
                f"{self.best} than those before, and NaN is never better",
                stacklevel=2,
            )


class EarlyStopping(Callback):
    """Ends the run when a metric has not become better for ``patience`` records.

    An equal value is not better, and NaN never is.

    Args:
        metric: of the records, such as ``"accuracy"`` or ``"test_loss"`` (the default).
        patience: records to wait for a better one. Default 5.
        mode: ``"min"`` or ``"max"``: which value is better. Default: that of a known metric, see
            :data:`salamandre.training.metrics.DIRECTIONS`.
        best: whether the networks of the best record are put back at the end of the run, unless
            Ctrl-C ended it; the history stays. A path is a file for them, a checkpoint, so that
            they outlive the program; otherwise they are kept in memory. With False the last
            networks stay. Default True.

    Raises:
        ValueError: a metric whose direction is neither known nor given; and in a run, a metric
            that nothing records (a callback of unknown metrics makes that a warning).
    """

    recorded = ()

    def __init__(
        self,
        metric: str = "test_loss",
        patience: int = 5,
        mode: str | None = None,
        best: bool | str | os.PathLike[str] = True,
    ) -> None:
        self.metric = metric
        self.patience = whole("EarlyStopping patience", patience)
        self.mode = direction(metric, mode)
        self.best = bool(best) if best is None or isinstance(best, bool) else path_of(best)
        self._saved: Any = None  # a snapshot, or the file
        self._owner: weakref.ref[Loop] | None = None  # the run that it was taken of
        self._doubted = False

    def on_start(self, run: Loop) -> None:
        """Refuse a metric that the run does not record, and networks of several processes."""
        self._require_metric(run)
        if self.best is not False and run.group.size > 1:
            raise ValueError(
                "an EarlyStopping puts the best networks back in this process alone, not in its "
                "group: give it best=False, and keep them with Checkpoint(FILE, best=METRIC)"
            )
        self._doubted = False
        if run.step == 0 or self._owner is None or self._owner() is not run:
            self._saved = None  # networks of another run are not this one's best
        self._owner = weakref.ref(run)
        if run.step > 0 and not isinstance(self.best, bool) and self.best.exists():
            self._saved = self.best

    def on_record(self, run: Loop) -> None:
        """Count the records since the best one, which is saved."""
        records = [record for record in run.history.records if self.metric in record]
        latest = run.history.records[-1]
        if self.metric not in latest:
            self._require_metric(run)
            if (
                not records and run.recorded is None and run.unit == "step"
            ):  # of a game, a later evaluation may have it
                self._doubt(latest)
            return
        best = -1
        if not all(map(math.isnan, run.history.column(self.metric))):
            best = records.index(run.history.best(self.metric, self.mode))
        if records[best] is latest and best >= 0:
            self._save(run)
        if len(records) - 1 - best >= self.patience:
            run.stop()

    def on_end(self, run: Loop) -> None:
        """Put the best networks back; warn of a metric that no record has."""
        if run.error is not None:
            return
        if run.history.records and not run.history.column(self.metric):
            self._doubt(run.history.records[-1])
        elif self.best and run.history.records and not run.interrupted:
            if self._saved is not None:
                run.restore(self._saved)
            else:
                why = f"are not in {self.best}: EarlyStopping had no better record since it was "
                why += "given that file"
                if self.best is True:
                    why = "were of a program before, or of another run that this one goes on "
                    why += "from: EarlyStopping keeps them in a file, best=..."
                warnings.warn(
                    f"the best networks {why}; the last networks stay",
                    stacklevel=2,
                )

    def __getstate__(self) -> dict[str, Any]:
        # A weak reference cannot be pickled, and without it the snapshot is of no known run.
        return {**self.__dict__, "_saved": None, "_owner": None}

    def _save(self, run: Loop) -> None:
        """Keep the networks as they are now."""
        if isinstance(self.best, bool):
            self._saved = run.snapshot() if self.best else None
        else:
            run.save(self.best)
            self._saved = self.best

    def _require_metric(self, run: Loop) -> None:
        if run.recorded is not None and self.metric not in run.recorded:
            raise ValueError(_missing("EarlyStopping", self.metric, run.recorded))

    def _doubt(self, record: Iterable[str]) -> None:
        """Warn once of a metric that the records lack, though a callback may record it yet."""
        if not self._doubted:
            self._doubted = True
            warnings.warn(
                f"{_missing('EarlyStopping', self.metric, record)}; a callback of your own that "
                f"records it says so by recorded = ({self.metric!r},)",
                stacklevel=2,
            )


def _missing(who: str, metric: str, names: Iterable[str]) -> str:
    """Return a sentence about a metric that records lack, which hold these names."""
    held = ", ".join(name for name in names if name not in ("step", "round", "seconds"))
    return (
        f"{who} watches {metric!r}, which the records lack (they hold {held or 'no metrics'}): an "
        f"Engine needs a test set and the metric, a game an Evaluation with it, and the run to "
        f"last until its first test"
    )
