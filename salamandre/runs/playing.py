"""Playing a game in a run folder."""

from __future__ import annotations

import os
from collections.abc import Mapping

from salamandre.data import Pairs
from salamandre.games.callbacks import Draw, Evaluation, Metric, SampleGrids
from salamandre.games.game import GanGame
from salamandre.runs.run import CHECKPOINT
from salamandre.texts import path_of
from salamandre.training import Callback, Checkpoint, Curves, ProgressBar, Steps, TensorBoard
from salamandre.training.triggers import Trigger


def play(
    game: GanGame,
    rounds: int,
    folder: str | os.PathLike[str],
    *,
    every: Trigger | int = 500,
    metrics: Mapping[str, Metric] | None = None,
    evaluate_every: Trigger | int = 1000,
    draw: Draw | None = None,
    count: int = 64,
    pairs: Pairs | None = None,
    quiet: bool = False,
    tensorboard: bool = False,
) -> None:
    """Play until ``rounds`` rounds are done, with all results in one folder.

    If the folder holds a checkpoint, the game continues there. A game that is killed at any point
    and continued ends in the same bits as one that was never stopped.

    The folder gets ``curves.csv``, ``metrics.csv`` and ``curves.png``; ``samples/`` and
    ``animation.gif`` of the same latent vectors; ``checkpoint.safetensors``; and at the end
    ``generator.safetensors`` (its moving average, if the game has one) and
    ``discriminator.safetensors``.

    Args:
        game: a new one, with the settings of the run if it is continued.
        rounds: in all, earlier ones included.
        folder: of the run; made if it does not exist.
        every: from one picture and checkpoint to the next: ``Seconds(30)``, or rounds. Default
            500 rounds.
        metrics: for :class:`salamandre.games.Evaluation`. Default none.
        evaluate_every: from one evaluation to the next, likewise. Default 1000 rounds.
        draw: see :class:`salamandre.games.SampleGrids`. Default a grid of images.
        count: examples in a picture. Default 64.
        pairs: those in the pictures of a game with conditions. Default training pairs.
        quiet: show no progress bar. Default False.
        tensorboard: write the run for TensorBoard too, to ``tensorboard/``. Default False.

    Raises:
        ValueError: the folder holds a checkpoint of another game; nothing is changed.
        Diverged: the checkpoint is the last good one.
    """
    every, evaluate_every = (
        often if isinstance(often, Trigger) else Steps(often) for often in (every, evaluate_every)
    )
    folder = path_of(folder)
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists():
        game.resume(checkpoint)
    callbacks: list[Callback] = [] if quiet else [ProgressBar()]
    callbacks.append(SampleGrids(folder, every, count, draw, pairs))
    if metrics:
        callbacks.append(Evaluation(metrics, evaluate_every))
    if tensorboard:
        callbacks.append(TensorBoard(folder / "tensorboard", details=every))
    callbacks += [Curves(folder), Checkpoint(checkpoint, every)]
    game.play(rounds, callbacks)
    if game.group.rank:
        return
    game.save_generator(folder / "generator.safetensors")
    game.discriminator.save(folder / "discriminator.safetensors")
