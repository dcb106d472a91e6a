"""``salamandre train``: new runs and continued ones."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from salamandre.cli import options as kinds, training
from salamandre.cli.train_options import (
    AT_RESUME,
    DATA_SET,
    DEFAULTS,
    LABELLED,
    check_kind,
    complete,
    read_config,
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
    ctx: click.Context, /, resume: str | None, output: Path, quiet: bool, yes: bool, **values: Any
) -> None:
    """Train a generator of the classes of a data set, or of pictures from pictures.

    On a terminal, without --dataset and --yes, it asks for the most important options. Under
    mpirun all processes train one run together.
    """
    from salamandre.parallel import world

    given = {
        name: value
        for name, value in values.items()
        if ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None)
    }
    if quiet:
        from salamandre.progress import silent

        ctx.with_resource(silent())
    group = world()
    with group.guard(click.exceptions.Exit):  # after Ctrl-C
        if resume is not None:
            _resume(resume, output, quiet, given)
        else:
            asks = not yes and "dataset" not in given and kinds.on_terminal() and group.size == 1
            _begin(output, quiet, given, asks)


def _begin(output: Path, quiet: bool, given: dict[str, Any], asks: bool) -> None:
    from salamandre.parallel import world
    from salamandre.runs import LearnedImages, Settings, new_run
    from salamandre.runs.lock import locked
    from salamandre.runs.settings import COMMAND

    check_kind(given)
    sets = _opened(given, asks, output)
    options = complete(given, LearnedImages.of(sets[0]), asks)
    if options["image_size"] not in (None, sets[0].shape[-1]):  # it was asked for
        sets = training.open_sets(options["dataset"], options)
    images, test = sets
    group = world(options["synchronised"])
    game = training.new_game(options, images, group)
    if options["evaluate"] and test is None:
        raise click.UsageError(
            f"--evaluate needs test images, which {images.name} has not: --test-share 0.1 keeps "
            f"some for testing"
        )
    training.require_tensorboard(options)
    options["backend"] = game.backend.name
    epoch = training.rounds_per_epoch(options["architecture"], len(images), game.batch_size)
    if group.rank:
        training.follow(game, options["epochs"] * epoch)
        return
    settings = Settings.new(COMMAND, options, LearnedImages.of(images, epoch))
    run = new_run(output, images.name, settings)
    what = "image" if settings.images.classes else "pair"
    click.echo(
        f"{options['architecture']} on {counted(len(images), what)} of {images.name}, "
        f"{counted(epoch, 'round')} an epoch, {counted(options['epochs'], 'epoch')}: {run.folder}"
    )
    with locked(run.folder):
        training.play(run, game, sets, quiet)


def _opened(given: dict[str, Any], asks: bool, output: Path) -> training.Sets | training.PairSets:
    """Return the images of the given data set; it is asked for, or the default, if none is given.

    Its name or path is then among the given options.
    """

    def opened(text: str) -> training.Sets | training.PairSets:
        given["dataset"] = DATA_SET(text)
        training.keep_apart(output, given["dataset"])
        return training.open_sets(given["dataset"], DEFAULTS | given)

    if not asks:
        return opened(given.get("dataset", DEFAULTS["dataset"]))
    click.echo(f"Data sets: {', '.join(LABELLED())}, or a folder or file.")
    sets: training.Sets | training.PairSets = click.prompt(
        "Data set", DEFAULTS["dataset"], value_proc=opened
    )
    return sets


def _resume(name: str, output: Path, quiet: bool, given: dict[str, Any]) -> None:
    from salamandre.parallel import world
    from salamandre.runs import LearnedImages
    from salamandre.runs.lock import locked
    from salamandre.runs.run import CHECKPOINT
    from salamandre.runs.settings import COMMAND

    run = the_run(name, output, "'--resume'", COMMAND)
    if run.settings.program != COMMAND:
        program = run.settings.program or "an example"
        raise click.UsageError(f"{run.name} is a run of {program}: continue it there")
    for option, value in given.items():
        if option not in AT_RESUME and value != run.options[option]:
            raise click.UsageError(run.stays(option))
    changes = {option: value for option, value in given.items() if option in AT_RESUME}
    group = world(run.options["synchronised"])
    with nullcontext() if group.rank else locked(run.folder):
        options = {**run.options, **changes}
        sets = training.open_sets(options["dataset"], options)
        if (classes := LearnedImages.of(sets[0]).classes) != run.images.classes:
            raise click.ClickException(
                f"{options['dataset']} has other classes now ({', '.join(classes)}) "
                f"than when {run.name} began ({', '.join(run.images.classes)}): start a new run"
            )
        game = training.new_game(options, sets[0], group)
        if (run.folder / CHECKPOINT).exists():
            game.resume(run.folder / CHECKPOINT)
        played = game.rounds / run.images.rounds_per_epoch
        if played > options["epochs"]:
            raise click.UsageError(
                f"{run.name} has played {played:.4g} epochs already: give --epochs of more, not "
                f"{options['epochs']}"
            )
        if group.rank:
            training.follow(game, options["epochs"] * run.images.rounds_per_epoch)
            return
        training.require_tensorboard(options)
        if changes:
            run.change_options(**changes)
        training.play(run, game, sets, quiet)
