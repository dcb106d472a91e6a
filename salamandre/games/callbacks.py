"""What watches a game: progress, curves, sample grids, metrics, checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from salamandre.atomic import write_atomically
from salamandre.checks import real, whole

if TYPE_CHECKING:
    from salamandre.games.game import GanGame

Metric = Callable[["GanGame"], float | Mapping[str, float]]
Draw = Callable[[np.ndarray, Path], None]


class GameCallback:
    """Base of callbacks: override what you need. ``game`` tells everything."""

    def on_start(self, game: GanGame) -> None:
        """Run before the first round of a call of ``play``."""

    def on_round(self, game: GanGame) -> None:
        """Run after each round."""

    def on_end(self, game: GanGame) -> None:
        """Run at the end, also of a game that was interrupted or failed (``game.error``)."""


class GameProgress(GameCallback):
    """A bar on the terminal with the scores, the losses, the latest metrics and the time left.

    Args:
        every: seconds between two changes of what it shows. Default 0.2.
    """

    def __init__(self, every: float = 0.2) -> None:
        self.every = real("GameProgress every", every, 0)

    def on_start(self, game: GanGame) -> None:
        """Open the bar where the game stands."""
        from tqdm import tqdm

        self._bar = tqdm(
            total=game.planned,
            initial=game.rounds,
            unit="round",
            mininterval=self.every,
            dynamic_ncols=True,
            smoothing=0.05,
        )

    def on_round(self, game: GanGame) -> None:
        """Advance; numbers are read only when the bar is drawn anew."""
        if self._bar.update():
            shown = [f"{name} {game.history.mean(name):.3g}" for name in game.history.rounds]
            if game.history.metrics:
                latest = game.history.metrics[-1]
                shown += [
                    f"{k} {v:.3g}" for k, v in latest.items() if k not in ("round", "seconds")
                ]
            self._bar.set_postfix_str(", ".join(shown), refresh=False)

    def on_end(self, game: GanGame) -> None:
        """Close the bar."""
        self._bar.close()


class GameCurves(GameCallback):
    """Saves the history as ``curves.csv`` (every round), ``metrics.csv`` and ``curves.png``.

    Args:
        folder: made if it does not exist.
        every: rounds between two saves of the tables; the picture is drawn at the end. Default
            1000.
    """

    def __init__(self, folder: str | os.PathLike[str], every: int = 1000) -> None:
        self.folder = Path(folder)
        self.every = whole("GameCurves every", every)

    def on_round(self, game: GanGame) -> None:
        """Save the tables every so many rounds."""
        if game.rounds % self.every == 0:
            self._save_tables(game)

    def on_end(self, game: GanGame) -> None:
        """Save the tables and the picture."""
        from salamandre.plots import plot_game

        if len(game.history):
            self._save_tables(game)
            plot_game(game.history, self.folder / "curves.png")

    def _save_tables(self, game: GanGame) -> None:
        write_atomically(self.folder / "curves.csv", game.history.to_csv().encode())
        if game.history.metrics:
            write_atomically(self.folder / "metrics.csv", game.history.metrics_csv().encode())


class SampleGrids(GameCallback):
    """Draws what the generator makes of the same latent points, and at the end an animation of it.

    The pictures are ``samples/ROUND.png`` in the folder, the animation is ``animation.gif``.

    Args:
        folder: made if it does not exist.
        every: rounds between two pictures. Default 500.
        count: of latent points. Default 64.
        draw: ``draw(examples, path)`` makes a picture of examples (count, ...) on the host.
            Default: a grid of images (count, C, H, W) in the game's range.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: int = 500,
        count: int = 64,
        draw: Draw | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.every = whole("SampleGrids every", every)
        self.count = whole("SampleGrids count", count)
        self._draw = draw

    def on_start(self, game: GanGame) -> None:
        """Draw the beginning; remove a picture of an end that was none."""
        if self._draw is None and len(game.image_shape) != 3:
            raise ValueError(
                f"SampleGrids draws images (C, H, W), the examples are of shape "
                f"{game.image_shape}: give it a draw(examples, path)"
            )
        for path in (self.folder / "samples").glob("*.png"):
            if int(path.stem) % self.every:
                path.unlink()
        if game.rounds == 0:
            self._picture(game)

    def on_round(self, game: GanGame) -> None:
        """Draw every so many rounds."""
        if game.rounds % self.every == 0:
            self._picture(game)

    def on_end(self, game: GanGame) -> None:
        """Draw the end and the animation."""
        from salamandre.plots import animate

        if game.error is None:
            if game.rounds % self.every:
                self._picture(game)
            pictures = sorted((self.folder / "samples").glob("*.png"))
            if len(pictures) > 1:
                animate(pictures, self.folder / "animation.gif")

    def _picture(self, game: GanGame) -> None:
        from salamandre.plots import save_grid

        path = self.folder / "samples" / f"{game.rounds:08d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        examples = game.backend.to_numpy(game.generate(self.count))
        if self._draw is not None:
            self._draw(examples, path)
        else:
            low, high = game.span
            shape = game.image_shape
            # Of a conditional game, each column is a class.
            save_grid((examples.reshape(-1, *shape) - low) / (high - low), path, game.classes)


class Evaluation(GameCallback):
    """Computes metrics during a game and notes them in ``game.history.metrics``.

    Args:
        metrics: functions of the game by name; one that returns a mapping adds all its figures.
        every: rounds between two evaluations. Default 1000. The end is evaluated too.
    """

    def __init__(self, metrics: Mapping[str, Metric], every: int = 1000) -> None:
        self.metrics = dict(metrics)
        self.every = whole("Evaluation every", every)

    def on_start(self, game: GanGame) -> None:
        """Forget the evaluation of an end that was none."""
        metrics = game.history.metrics
        if metrics and metrics[-1]["round"] % self.every and game.rounds < game.planned:
            metrics.pop()

    def on_round(self, game: GanGame) -> None:
        """Evaluate every so many rounds."""
        if game.rounds % self.every == 0:
            self._evaluate(game)

    def on_end(self, game: GanGame) -> None:
        """Evaluate the end, if it was not."""
        metrics = game.history.metrics
        latest = metrics[-1]["round"] if metrics else 0
        if game.error is None and game.rounds > latest:
            self._evaluate(game)

    def _evaluate(self, game: GanGame) -> None:
        record: dict[str, float] = {"round": game.rounds, "seconds": round(game.seconds, 1)}
        for name, metric in self.metrics.items():
            value = metric(game)
            found = value if isinstance(value, Mapping) else {name: value}
            record.update({what: float(number) for what, number in found.items()})
        game.history.metrics.append(record)


class GameCheckpoint(GameCallback):
    """Saves the game so that :meth:`GanGame.resume` can continue it.

    It is saved every so many rounds and when the game ends or is interrupted, not after a failure:
    a diverged game leaves the last good state.

    Args:
        path: the file, replaced each time.
        every: rounds between two saves. Default 1000.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1000) -> None:
        self.path = Path(path)
        self.every = whole("GameCheckpoint every", every)

    def on_round(self, game: GanGame) -> None:
        """Save every so many rounds."""
        if game.rounds % self.every == 0:
            game.save(self.path)

    def on_end(self, game: GanGame) -> None:
        """Save where the game stands, unless it failed."""
        if game.error is None:
            game.save(self.path)
