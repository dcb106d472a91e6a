"""What keeps a long run on the disk: a table that grows, networks of epochs, a film."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from salamandre.atomic import write_atomically
from salamandre.checks import real, whole
from salamandre.games.callbacks import GameCallback, GameCheckpoint

if TYPE_CHECKING:
    from salamandre.games.game import GanGame

PLAYERS = ("generator", "discriminator")


class RoundTable(GameCallback):
    """Keeps ``curves.csv``, to which every round is appended, ``metrics.csv`` and ``curves.png``.

    What a killed process wrote after its last checkpoint is replaced by what is played anew.

    Args:
        folder: made if it does not exist.
        every: rounds that are written at a time. Default 100.
    """

    def __init__(self, folder: str | os.PathLike[str], every: int = 100) -> None:
        self.folder = Path(folder)
        self.every = whole("RoundTable every", every)

    def on_start(self, game: GanGame) -> None:
        """Write what has been played before."""
        path = self.folder / "curves.csv"
        write_atomically(path, game.history.to_csv().encode())
        self._written, self._evaluated = len(game.history), -1
        self._file: TextIO = path.open("a", encoding="utf-8", newline="")

    def on_round(self, game: GanGame) -> None:
        """Append every so many rounds."""
        if game.rounds % self.every == 0:
            self._write(game)

    def on_end(self, game: GanGame) -> None:
        """Append the rest; draw the curves, unless the game failed."""
        from salamandre.plots import plot_game

        with self._file:
            if game.error is None:
                self._write(game)
        if game.error is None and len(game.history):
            plot_game(game.history, self.folder / "curves.png")

    def _write(self, game: GanGame) -> None:
        history, start = game.history, self._written
        columns = [[float(value) for value in values[start:]] for values in history.rounds.values()]
        for number, row in enumerate(zip(*columns, strict=True), start=start + 1):
            self._file.write(",".join([str(number), *(f"{value:.6g}" for value in row)]) + "\n")
        self._file.flush()
        self._written = len(history)
        if history.metrics and len(history.metrics) != self._evaluated:
            self._evaluated = len(history.metrics)
            write_atomically(self.folder / "metrics.csv", history.metrics_csv().encode())


class EpochNetworks(GameCallback):
    """Saves both networks after each epoch, and keeps those of some epochs.

    They are ``networks/generator-EPOCH.safetensors`` (the moving average, if the game has one) and
    ``networks/discriminator-EPOCH.safetensors``; the latest are also ``generator.safetensors`` and
    ``discriminator.safetensors``. Beside the last ones, ten are kept that are evenly spread over
    the run, so that their size does not grow with its length.

    Args:
        folder: made if it does not exist.
        rounds: of an epoch.
        keep: how many of the last epochs are kept; ``None``: all epochs. Default 3.
    """

    def __init__(self, folder: str | os.PathLike[str], rounds: int, keep: int | None = 3) -> None:
        self.folder = Path(folder)
        self.rounds = whole("EpochNetworks rounds", rounds)
        self.keep = None if keep is None else whole("EpochNetworks keep", keep)

    def on_round(self, game: GanGame) -> None:
        """Save after an epoch."""
        if game.rounds % self.rounds:
            return
        epoch = game.rounds // self.rounds
        self._save(game, self.folder / "networks", f"-{epoch:04d}")
        for player in PLAYERS:
            _publish(
                self.folder / "networks" / f"{player}-{epoch:04d}.safetensors",
                self.folder / f"{player}.safetensors",
            )
        if self.keep is not None:
            self._prune(epoch, math.ceil(game.planned / self.rounds), self.keep)

    def on_end(self, game: GanGame) -> None:
        """Save where the game stands, unless it failed."""
        if game.error is None and game.rounds % self.rounds:
            self._save(game, self.folder, "")

    def _save(self, game: GanGame, folder: Path, suffix: str) -> None:
        game.save_generator(folder / f"generator{suffix}.safetensors")
        game.discriminator.save(folder / f"discriminator{suffix}.safetensors")

    def _prune(self, epoch: int, planned: int, keep: int) -> None:
        step = math.ceil(planned / 10)
        for path in (self.folder / "networks").glob("*-*.safetensors"):
            number = int(path.stem.partition("-")[2])
            if number <= epoch - keep and number % step:
                path.unlink()


def _publish(source: Path, target: Path) -> None:
    """Give a file a second name, which no other content has in between."""
    new = target.with_name(f"{target.name}.link")
    new.unlink(missing_ok=True)
    try:
        os.link(source, new)
    except OSError:  # a file system without links
        write_atomically(target, source.read_bytes())
    else:
        os.replace(new, target)


class TimedCheckpoint(GameCheckpoint):
    """As :class:`GameCheckpoint`, by the clock: large games write less often than small ones.

    Args:
        path: the file, replaced each time.
        first: the round after which the first one is saved.
        seconds: between two of them. Default 30.
    """

    def __init__(self, path: str | os.PathLike[str], first: int, seconds: float = 30.0) -> None:
        super().__init__(path)
        self.first = whole("TimedCheckpoint first", first)
        self.seconds = real("TimedCheckpoint seconds", seconds, 0)

    def on_start(self, game: GanGame) -> None:
        """Start the clock."""
        self._latest = time.monotonic()

    def on_round(self, game: GanGame) -> None:
        """Save when it is time."""
        if game.rounds == self.first or time.monotonic() - self._latest >= self.seconds:
            game.save(self.path)
            self._latest = time.monotonic()


class EpochLines(GameCallback):
    """Prints a line after each epoch, where there is no terminal for a bar.

    Args:
        rounds: of an epoch.
    """

    def __init__(self, rounds: int) -> None:
        self.rounds = whole("EpochLines rounds", rounds)

    def on_round(self, game: GanGame) -> None:
        """Print after an epoch."""
        if game.rounds % self.rounds == 0:
            history = game.history
            figures = ", ".join(f"{n} {history.mean(n, self.rounds):.3g}" for n in history.rounds)
            print(
                f"epoch {game.rounds // self.rounds} of {math.ceil(game.planned / self.rounds)}, "
                f"{game.seconds:.0f} s: {figures}",
                flush=True,
            )


class Film(GameCallback):
    """Makes ``animation.mp4`` of the pictures of :class:`SampleGrids`, if there is an ffmpeg.

    Args:
        folder: the one that :class:`SampleGrids` was given.
        seconds: how long it takes, at most half a second a picture. Default 10.
    """

    def __init__(self, folder: str | os.PathLike[str], seconds: float = 10.0) -> None:
        self.folder = Path(folder)
        self.seconds = real("Film seconds", seconds, 0, above=True)

    def on_end(self, game: GanGame) -> None:
        """Make it, unless the game failed."""
        program = shutil.which("ffmpeg")
        pictures = sorted((self.folder / "samples").glob("*.png"))
        if game.error is not None or program is None or len(pictures) < 2:
            return
        rate = max(2.0, len(pictures) / self.seconds)
        command = [program, "-v", "error", "-y", "-f", "image2pipe", "-framerate", f"{rate:g}"]
        # The common format has half as many colours as pixels along each axis: even sizes.
        command += ["-i", "-", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white"]
        command += ["-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
        frames = b"".join(path.read_bytes() for path in pictures)
        with tempfile.TemporaryDirectory() as place:
            film = Path(place) / "animation.mp4"
            done = subprocess.run([*command, film], input=frames, capture_output=True)
            if done.returncode == 0 and film.is_file():
                write_atomically(self.folder / film.name, film.read_bytes())
            else:
                told = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason"]
                warnings.warn(f"ffmpeg made no film: {told[-1]}", stacklevel=2)
