"""What watches an engine while it learns: progress, curves, checkpoints, early stopping."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salamandre.atomic import write_atomically
from salamandre.checks import real, whole

if TYPE_CHECKING:
    from salamandre.training.engine import Engine


class Callback:
    """Base of callbacks: override what you need. ``engine`` tells everything about the run."""

    def on_start(self, engine: Engine) -> None:
        """Run before the first step of a run."""

    def on_step(self, engine: Engine) -> None:
        """Run after each step."""

    def on_test(self, engine: Engine) -> None:
        """Run after each test; its record is ``engine.history.tests[-1]``."""

    def on_epoch(self, engine: Engine) -> None:
        """Run after each epoch."""

    def on_end(self, engine: Engine) -> None:
        """Run at the end, also of a run that was interrupted or failed (``engine.error``)."""


class ProgressBar(Callback):
    """A bar on the terminal with the loss, the latest test and the time left.

    Args:
        every: seconds between two changes of what it shows. Default 0.1.
    """

    def __init__(self, every: float = 0.1) -> None:
        self.every = real("ProgressBar every", every, 0)

    def on_start(self, engine: Engine) -> None:
        """Open the bar where the run stands."""
        from tqdm import tqdm

        total = engine.epochs * engine.steps_per_epoch
        self._bar = tqdm(
            total=total,
            initial=engine.step,
            unit="step",
            mininterval=self.every,
            dynamic_ncols=True,
            smoothing=0.05,
        )
        self._tested = ""

    def on_step(self, engine: Engine) -> None:
        """Advance; the loss is read only when the bar is drawn anew."""
        if self._bar.update():
            self._bar.set_postfix_str(f"loss {engine.loss:.4f}{self._tested}", refresh=False)

    def on_test(self, engine: Engine) -> None:
        """Show the latest metrics."""
        record = engine.history.tests[-1]
        shown = [f"{name} {record[name]:.4f}" for name in engine.metrics if name in record]
        self._tested = "".join(f", {text}" for text in shown)

    def on_end(self, engine: Engine) -> None:
        """Close the bar."""
        self._bar.close()


class Curves(Callback):
    """Saves the history as ``curves.csv`` and ``curves.png`` in a folder, after each epoch.

    Args:
        folder: made if it does not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def on_epoch(self, engine: Engine) -> None:
        """Save the table."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "curves.csv", engine.history.to_csv().encode())

    def on_end(self, engine: Engine) -> None:
        """Save the table and the picture."""
        from salamandre.plots import plot_history

        if engine.history.losses:
            self.on_epoch(engine)
            plot_history(engine.history, self.folder / "curves.png")


class Checkpoint(Callback):
    """Saves the run so that :meth:`Engine.resume` can continue it.

    It is saved after each epoch (or every so many steps) and when the run is interrupted, not
    after a failure: a diverged run leaves the last good state.

    Args:
        path: the file, replaced each time.
        every: steps between two saves, instead of one an epoch.
    """

    def __init__(self, path: str | os.PathLike[str], every: int | None = None) -> None:
        self.path = Path(path)
        self.every = None if every is None else whole("Checkpoint every", every)

    def on_step(self, engine: Engine) -> None:
        """Save every so many steps."""
        if self.every and engine.step % self.every == 0:
            engine.save(self.path)

    def on_epoch(self, engine: Engine) -> None:
        """Save after an epoch."""
        if not self.every:
            engine.save(self.path)

    def on_end(self, engine: Engine) -> None:
        """Save where the run stands, unless it failed."""
        if engine.error is None:
            engine.save(self.path)


class EarlyStopping(Callback):
    """Ends the run when a figure has not become better for ``patience`` tests.

    Args:
        figure: of the test records, such as ``"accuracy"`` or ``"test_loss"`` (the default).
        patience: tests to wait for a better one. Default 5.
    """

    def __init__(self, figure: str = "test_loss", patience: int = 5) -> None:
        self.figure = figure
        self.patience = whole("EarlyStopping patience", patience)

    def on_test(self, engine: Engine) -> None:
        """Count the tests since the best one."""
        tests: list[Any] = engine.history.tests
        if self.figure not in tests[-1]:
            raise ValueError(
                f"EarlyStopping watches {self.figure!r}, which the tests do not record "
                f"(they record {', '.join(tests[-1])})"
            )
        if len(tests) - 1 - tests.index(engine.history.best(self.figure)) >= self.patience:
            engine.stop()
