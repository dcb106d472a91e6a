"""What ``salamandre train`` does, as the base of a study."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from salamandre.cli import training
from salamandre.cli.train_options import DATA, OPTIONS, TrainOptions, check_kind, complete
from salamandre.runs import LearnedImages, Run
from salamandre.runs.run import CHECKPOINT
from salamandre.runs.settings import COMMAND
from salamandre.studies import Base
from salamandre.studies.pruning import Reporting, Reports

OF_SETS = (*DATA, "dataset", "architecture", "pairs", "jitter")


def learn(folder: Path, report: Reports | None = None, **options: Any) -> dict[str, float]:
    """Play a run of ``salamandre train``, or go on with one, in a folder.

    Args:
        folder: of the run.
        report: takes the metrics of each record.
        options: those of the command.

    Returns:
        The means of losses and scores over the last rounds, and the last metrics.
    """
    chosen, sets = _chosen(options)
    game = training.new_game(chosen, sets[0])
    chosen["backend"] = game.backend.name
    images = sets[0]
    epoch = training.rounds_per_epoch(chosen["architecture"], len(images), game.batch_size)
    run = Run(folder, folder.name)
    if run.settings.program != COMMAND:  # it has just begun
        run.settings.program, run.settings.images = COMMAND, LearnedImages.of(images, epoch)
        run.change_options(**chosen)
    if (folder / CHECKPOINT).exists():
        game.resume(folder / CHECKPOINT)
    more = [] if report is None else [Reporting(report)]
    training.learn(run, game, sets, quiet=True, more=more)
    if game.interrupted:
        raise KeyboardInterrupt
    return {**run.losses(), **run.metrics()}


def check(**options: Any) -> None:
    """Raise ValueError for options that do not fit each other or their images."""
    chosen, sets = _chosen(options)
    training.new_game(chosen, sets[0])
    if chosen["evaluate"] and sets[1] is None:
        raise ValueError(f"evaluate needs test images, which {sets[0].name} has not")


def _chosen(options: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return all options, and the images that they name.

    Raises:
        ValueError: an option has a wrong value, or does not fit the others.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        for option in OPTIONS:
            if option.kind is not None and option.name in given:
                given[option.name] = option.kind.convert(given[option.name], None, None)
        check_kind(given)
        sets = _sets(**{name: {**options, **given}[name] for name in OF_SETS})
        return complete(given, LearnedImages.of(sets[0])), sets
    except click.ClickException as error:
        raise ValueError(error.message) from None


@lru_cache(1)
def _sets(**options: Any) -> Any:
    return training.open_sets(options["dataset"], options)


BASE = Base(learn, TrainOptions, "train", check)
