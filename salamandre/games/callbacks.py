"""Callbacks of games: sample grids, evaluations, networks of epochs, films."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from salamandre.atomic import numbered, write_atomically
from salamandre.checks import shortened, whole
from salamandre.data.paired_images import Pairs
from salamandre.games.game import GanGame
from salamandre.parts import takes
from salamandre.texts import path_of
from salamandre.training.callback import Callback
from salamandre.training.triggers import Epochs, Steps, Trigger, trigger

Metric = Callable[[GanGame], float | Mapping[str, float]]
Draw = Callable[[np.ndarray, Path], None]


class SampleGrids(Callback):
    """Draws the generator's images of the same latent vectors, and at the end an animation.

    The pictures are ``samples/ROUND.png`` in the folder, the animation is ``animation.gif``;
    ``dashboard.png`` has the final examples above the curves of the game. Of a game with
    conditions the pictures show in turns condition, the generator's picture, and the true one; it
    has no dashboard.

    Args:
        folder: made if it does not exist.
        every: how often. Default ``Steps(500)``. Initial and final images are drawn too.
        count: the number of latent vectors. Default 64.
        draw: ``draw(examples, path)`` writes a picture of examples (count, ...) on the host; with
            conditions there are three times as many. Default: a grid of images (count, C, H, W) in
            the game's value range.
        pairs: those in the pictures of a game with conditions, such as test pairs, chosen in
            equal steps. Default: the first training pairs.
    """

    recorded = ()

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: Trigger = Steps(500),
        count: int = 64,
        draw: Draw | None = None,
        pairs: Pairs | None = None,
    ) -> None:
        self.folder = path_of(folder)
        self.every = trigger("SampleGrids every", every)
        self.count = whole("SampleGrids count", count)
        if pairs is not None and not isinstance(pairs, Pairs):
            raise TypeError(
                f"SampleGrids pairs must be Pairs, such as Pairs.of(conditions, images), got "
                f"{type(pairs).__name__}"
            )
        self._draw, self.pairs = draw, pairs

    def on_start(self, game: GanGame) -> None:
        """Draw the initial images; remove later pictures, and a final one that is not due."""
        if self._draw is None and len(game.image_shape) != 3:
            raise ValueError(
                f"SampleGrids draws images (C, H, W), the examples are of shape "
                f"{game.image_shape}: give it a draw(examples, path)"
            )
        condition, image = game.pairing.shape, game.image_shape
        if condition and any(len(s) != 3 or s[0] not in (1, 3) for s in (condition, image)):
            raise ValueError(
                f"SampleGrids draws condition and image side by side, of 1 or 3 channels each, and "
                f"they are of the shapes {condition} and {image}"
            )
        pictures = numbered(self.folder / "samples", "", ".png")
        final = max((number for number in pictures if number <= game.rounds), default=0)
        for number, path in pictures.items():
            due = self.every.due(number, game.steps_per_epoch, math.inf)
            if number > game.rounds or (number == final and not due):
                path.unlink()
        self._latest = -1
        if game.rounds == 0:
            self.on_step(game)

    def on_step(self, game: GanGame) -> None:
        """Draw."""
        from salamandre.plots import save_grid

        path = self.folder / "samples" / f"{game.rounds:08d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if game.pairing.shape is None:
            examples, columns = game.backend.to_numpy(game.generate(self.count)), game.classes
        else:
            examples = self._triples(game)
            columns = 3 * math.ceil(math.sqrt(len(examples) / 9))
        if self._draw is not None:
            self._draw(examples, path)
        else:
            low, high = game.value_range
            shape = examples.shape[1:] if game.pairing.shape else game.image_shape
            save_grid(
                (examples.reshape(-1, *shape) - low) / (high - low),
                path,
                columns,  # of a game with labels each is a class
                captions=game.generator.class_names or () if game.pairing.shape is None else (),
                title=f"round {game.rounds:,}",
            )
        self._latest = game.rounds

    def _triples(self, game: GanGame) -> np.ndarray:
        """Return the conditions, the generator's pictures of them and the true ones, in turns."""
        if self.pairs is None:
            examples, labels = next(game.batches.source.in_order(self.count))
            conditions, truths = game.pairing.condition(examples), game.pairing.picture(examples)
        else:
            few, scaled, labels = self.pairs.spread(self.count), game.generator.pixels.scaled, None
            conditions, truths = (
                scaled(x, game.generator.dtype, np) for x in (few.conditions, few.images)
            )
        made = game.generate(conditions=conditions, labels=labels if game.classes else None)
        shown = [game.backend.to_numpy(x) for x in (conditions, made, truths)]
        most = max(x.shape[1] for x in shown)  # grey ones beside coloured ones get three channels
        shown = [x.repeat(most // x.shape[1], axis=1) for x in shown]
        return np.stack(shown, axis=1).reshape(-1, *shown[0].shape[1:])

    def on_end(self, game: GanGame) -> None:
        """Draw the final images and the animation."""
        from salamandre.plots import animate

        if game.error is None:
            if self._latest != game.rounds:
                self.on_step(game)
            pictures = list(numbered(self.folder / "samples", "", ".png").values())
            if len(pictures) > 1:
                animate(pictures, self.folder / "animation.gif")
            if game.pairing.shape is None and game.rounds:
                game.plot(self.folder / "dashboard.png")


class Evaluation(Callback):
    """Computes metrics during a game, and appends a record of them to its history.

    Args:
        metrics: functions of the game by name. They return a number, or several by name.
        every: how often. Default ``Steps(1000)``. The final networks are evaluated too.
    """

    def __init__(self, metrics: Mapping[str, Metric], every: Trigger = Steps(1000)) -> None:
        self.metrics = _checked(metrics)
        self.every = trigger("Evaluation every", every)
        self.recorded = None  # until the first evaluation

    def on_start(self, game: GanGame) -> None:
        """Remove its final record of a run that is continued."""
        self._latest = 0  # round of this run that it has evaluated
        due = self.every.due(game.rounds, game.steps_per_epoch, math.inf)
        records = game.history.records
        if (
            game.rounds < game.planned
            and not due
            and any(r["round"] == game.rounds for r in records)
        ):
            final = self._recorded(game, self._evaluate(game))
            if final is not None:
                records.remove(final)

    def _evaluate(self, game: GanGame) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, metric in self.metrics.items():
            value = metric(game)
            values |= value if isinstance(value, Mapping) else {name: value}
        self.recorded = tuple(values)
        return values

    def _recorded(self, game: GanGame, values: Mapping[str, float]) -> dict[str, float] | None:
        """Return the record of these metrics in the latest round, if there is one."""
        latest = [r for r in game.history.records if r["round"] == game.rounds]
        return next((r for r in reversed(latest) if values.keys() <= r.keys()), None)

    def on_step(self, game: GanGame) -> None:
        """Evaluate."""
        game.record(self._evaluate(game))
        self._latest = game.rounds

    def on_end(self, game: GanGame) -> None:
        """Evaluate the final networks, unless that is done."""
        if game.error is None and game.rounds > self._latest:
            values = self._evaluate(game)
            if self._recorded(game, values) is None:
                game.record(values)


def _checked(metrics: Any) -> dict[str, Metric]:
    """Return metrics by name; raise TypeError for what are none."""
    if not isinstance(metrics, Mapping):
        raise TypeError(
            f"an Evaluation takes functions of the game by name, such as "
            f"{{'judge': judge.of_game()}}, got {shortened(repr(metrics))}"
        )
    for name, metric in metrics.items():
        if not callable(metric) or not takes(metric, 1):
            raise TypeError(
                f"the metric {name!r} must be a function of the game (of a judge it is "
                f"judge.of_game()), got {shortened(repr(metric))}"
            )
    return dict(metrics)


class _Plan(msgspec.Struct):
    """Which networks are kept: the last ``keep``, some of all ``epochs``, and ``kept`` for good."""

    epochs: int
    keep: int | None
    kept: set[int]


class EpochNetworks(Callback):
    """Saves both networks after each epoch, and keeps those of some epochs.

    They are ``networks/generator-EPOCH.safetensors`` (the moving average, if the game has one) and
    ``networks/discriminator-EPOCH.safetensors``; the latest are also ``generator.safetensors`` and
    ``discriminator.safetensors``. Kept are those of the last epochs, and of five to ten epochs
    spread evenly over the run, so that their size does not grow with its length. When a game goes
    on with another length or ``keep``, all that were there stay; ``networks/plan.json`` lists them.

    Args:
        folder: made if it does not exist.
        keep: the number of last epochs that are kept; ``None``: all epochs. Default 3.
    """

    every = Epochs(1)
    recorded = ()

    def __init__(self, folder: str | os.PathLike[str], keep: int | None = 3) -> None:
        self.folder = path_of(folder)
        self.keep = None if keep is None else whole("EpochNetworks keep", keep)

    def on_start(self, game: GanGame) -> None:
        """Keep what is there for good, if it was saved by another plan."""
        epoch = game.rounds // game.steps_per_epoch
        there = numbered(self.folder / "networks", "generator-", ".safetensors")
        file = self.folder / "networks" / "plan.json"
        before = None  # none yet, or a damaged one
        with suppress(FileNotFoundError, msgspec.DecodeError):
            before = msgspec.json.decode(file.read_bytes(), type=_Plan)
        self._plan = _Plan(game.epochs, self.keep, before.kept if before else set())
        if self._plan != before:
            self._plan.kept.update(number for number in there if number <= epoch)
            write_atomically(file, msgspec.json.encode(self._plan, order="deterministic"))

    def on_step(self, game: GanGame) -> None:
        """Save."""
        game.history.read()  # of a game that has diverged, the round is named
        epoch = game.rounds // game.steps_per_epoch
        self._save(game, self.folder / "networks", f"-{epoch:04d}")
        for player in ("generator", "discriminator"):
            _publish(
                self.folder / "networks" / f"{player}-{epoch:04d}.safetensors",
                self.folder / f"{player}.safetensors",
            )
        if self.keep is None:
            return
        spread = math.ceil(game.epochs / 10)
        for player in ("generator", "discriminator"):
            saved = numbered(self.folder / "networks", f"{player}-", ".safetensors")
            for number, path in saved.items():
                old = number <= epoch - self.keep and number % spread
                if old and number not in self._plan.kept:
                    path.unlink()

    def on_end(self, game: GanGame) -> None:
        """Save the final networks, unless the game failed."""
        if game.error is None and game.rounds % game.steps_per_epoch:
            self._save(game, self.folder, "")

    def _save(self, game: GanGame, folder: Path, suffix: str) -> None:
        game.save_generator(folder / f"generator{suffix}.safetensors")
        game.discriminator.save(folder / f"discriminator{suffix}.safetensors")


def _publish(source: Path, target: Path) -> None:
    """Give a file a second name, replacing the file of that name in one step."""
    new = target.with_name(f"{target.name}.link")
    new.unlink(missing_ok=True)
    try:
        os.link(source, new)
    except OSError:  # a file system without links
        write_atomically(target, source.read_bytes())
    else:
        os.replace(new, target)


class Film(Callback):
    """Makes ``animation.mp4`` of the pictures of :class:`SampleGrids`, if there is an ffmpeg.

    It lasts ten seconds, at most half a second a picture.

    Args:
        folder: the folder of :class:`SampleGrids`.
    """

    recorded = ()

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = path_of(folder)

    def on_end(self, game: GanGame) -> None:
        """Make the film, unless the game failed."""
        program = shutil.which("ffmpeg")
        pictures = numbered(self.folder / "samples", "", ".png").values()
        if game.error is not None or program is None or len(pictures) < 2:
            return
        rate = max(2.0, len(pictures) / 10)
        command = [program, "-v", "error", "-y", "-f", "image2pipe", "-framerate", f"{rate:g}"]
        # yuv420p has half as many colours as pixels along each axis and needs even sizes.
        command += ["-i", "-", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white"]
        command += ["-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
        frames = b"".join(path.read_bytes() for path in pictures)
        with tempfile.TemporaryDirectory() as place:
            film = Path(place) / "animation.mp4"
            done = subprocess.run([*command, film], input=frames, capture_output=True)
            if done.returncode == 0 and film.is_file():
                write_atomically(self.folder / film.name, film.read_bytes())
            else:
                lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason"]
                warnings.warn(f"ffmpeg made no film: {lines[-1]}", stacklevel=2)
