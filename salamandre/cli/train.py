"""``salamandre train``: new runs and continued ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from salamandre.cli import options as kinds
from salamandre.cli import training
from salamandre.cli.train_options import (
    AT_RESUME,
    complete,
    read_config,
    settled,
    the_run,
    train_options,
)
from salamandre.texts import counted


@click.command()
@train_options
@kinds.output_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: take the defaults.")
@click.option(
    "--resume",
    type=kinds.RunName(),
    metavar="RUN",
    help="Continue a run with its own settings; the result is as if it had not been stopped.",
)
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    type=kinds.PATH,
    help="Read options from a TOML file; those of the command line come first.",
)
@click.pass_context
def train(
    ctx: click.Context, resume: str | None, output: Path, quiet: bool, yes: bool, **values: Any
) -> None:
    """Train a generator of the classes of a data set.

    On a terminal, without --dataset and --yes, it asks for the most important options.
    """
    given = {
        name: value
        for name, value in values.items()
        if ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None)
    }
    if resume is not None:
        _resume(resume, output, quiet, given)
        return
    from salamandre.runs import LearnedImages, Settings, new_run
    from salamandre.runs.lock import locked
    from salamandre.runs.settings import COMMAND

    asks = not yes and "dataset" not in given and kinds.on_terminal()
    options, sets = complete(given, asks, output=output)
    sets = sets or training.load_images(options)
    images, test = sets
    game = training.new_game(options, images)
    if options["evaluate"] and test is None:
        raise click.UsageError("--evaluate needs test images, which a folder has not")
    options["backend"] = game.backend.name
    epoch = training.rounds_per_epoch(options["architecture"], len(images), game.batch_size)
    settings = Settings.new(COMMAND, options, LearnedImages.of(images, epoch))
    run = new_run(output, images.name, settings)
    click.echo(
        f"{options['architecture']} on {len(images):,} images of {images.name}, "
        f"{counted(epoch, 'round')} an epoch, {counted(options['epochs'], 'epoch')}: {run.folder}"
    )
    with locked(run.folder):
        training.play(run, game, sets, quiet)


def _resume(name: str, output: Path, quiet: bool, given: dict[str, Any]) -> None:
    from salamandre.runs.lock import locked
    from salamandre.runs.run import CHECKPOINT
    from salamandre.runs.settings import COMMAND

    run = the_run(name, output, "'--resume'", COMMAND)
    if run.settings.program != COMMAND:
        program = run.settings.program or "an example"
        raise click.UsageError(f"{run.name} is a run of {program}: continue it there")
    given = {option: settled(option, value) for option, value in given.items()}
    for option, value in given.items():
        if option not in AT_RESUME and value != run.options[option]:
            raise click.UsageError(run.stays(option))
    changes = {option: value for option, value in given.items() if option in AT_RESUME}
    with locked(run.folder):
        options = {**run.options, **changes}
        sets = training.load_images(options)
        if sets[0].classes != run.images.classes:
            raise click.ClickException(
                f"{options['dataset']} has other classes now ({', '.join(sets[0].classes)}) "
                f"than when {run.name} began ({', '.join(run.images.classes)}): start a new run"
            )
        game = training.new_game(options, sets[0])
        if (run.folder / CHECKPOINT).exists():
            game.resume(run.folder / CHECKPOINT)
        played = game.rounds / run.images.rounds_per_epoch
        if played > options["epochs"]:
            raise click.UsageError(
                f"{run.name} has played {played:.4g} epochs already: give --epochs of more, not "
                f"{options['epochs']}"
            )
        if changes:
            run.change_options(**changes)
        training.play(run, game, sets, quiet)
