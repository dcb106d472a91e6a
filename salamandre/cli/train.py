"""``salamandre train``: asks what was not given, plays, continues."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from salamandre.cli import options as kinds
from salamandre.cli import training
from salamandre.cli.options import Keep, Name, RunName, Seconds
from salamandre.cli.training import Options

AT_RESUME = {"resume", "output", "epochs", "keep", "data_dir", "checkpoint_every", "quiet"}
DATA_SET = Name(
    "data set",
    kinds.labelled_datasets,
    os.path.isdir,
    ", or a folder with a sub-folder of each class",
)
ARCHITECTURE = Name("architecture", kinds.architectures)
POSITIVE = click.IntRange(1)


@click.command()
@click.option(
    "--dataset",
    type=DATA_SET,
    metavar="NAME|DIR",
    help="A name (salamandre datasets), or a folder with a "
    "sub-folder of pictures for each class. Default: digits, which are built in.",
)
@click.option(
    "--architecture",
    type=ARCHITECTURE,
    metavar="NAME",
    help="cgan (perceptrons; default), cdcgan (convolutions) or cwgan (perceptrons, Wasserstein).",
)
@click.option(
    "--image-size",
    type=POSITIVE,
    metavar="N",
    help="Height and width that images are brought to. Default: as they are; 64 for a folder.",
)
@click.option("--batch-size", type=POSITIVE, metavar="N", help="Default: 64.")
@click.option(
    "--epochs",
    type=POSITIVE,
    metavar="N",
    help="In all. Default: about 20,000 rounds, at most 200 epochs.",
)
@click.option(
    "--sample-every",
    type=POSITIVE,
    metavar="N",
    help="Rounds between two pictures of samples. Default: an epoch.",
)
@click.option(
    "--keep",
    type=Keep(),
    default="3",
    help="How many of the last epochs' networks are "
    "kept, beside ten spread over the run; or all. Default: 3.",
)
@click.option(
    "--evaluate",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    help="Epochs between two judgements "
    "by a classifier that learns the real images first. Default: none.",
)
@click.option(
    "--latent", type=POSITIVE, metavar="N", help="Latent coordinates. Default: the data set's."
)
@click.option(
    "--unconditional-discriminator",
    is_flag=True,
    help="Leave the label out of the discriminator, to see what that does.",
)
@click.option("--grey", is_flag=True, help="Read the pictures of a folder as grey.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    help="Of everything random. Default: 0.",
)
@kinds.backend_option
@click.option(
    "--data-dir",
    metavar="DIR",
    help="A folder with the data set's files. Default: SALAMANDRE_DATA, the cache, the internet.",
)
@click.option(
    "--output", default="runs", metavar="DIR", help="The folder of all runs. Default: runs."
)
@click.option(
    "--checkpoint-every",
    type=Seconds(0),
    default=30.0,
    metavar="SECONDS",
    help="How much time a kill may cost. Default: 30.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option(
    "--resume",
    type=RunName(),
    metavar="RUN",
    help="Go on with a run, with its own settings, to the same result as if it had never ended.",
)
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=kinds.read_config,
    type=click.Path(),
    help="Take options from a TOML file; those given beside it win.",
)
@click.pass_context
def train(ctx: click.Context, resume: str | None, output: str, quiet: bool, **given: Any) -> None:
    """Train a generator to draw the classes of a data set.

    On a terminal, what matters and was not given is asked for.
    """
    if resume is not None:
        _resume(ctx, resume, output, quiet, given)
        return
    from salamandre.runs.lock import locked
    from salamandre.runs.run import new_run

    options, images = _complete(given, kinds.on_terminal())
    sets = images or training.load_images(options)
    game = training.new_game(options, sets[0])
    if options["evaluate"] and sets[1] is None:
        raise click.UsageError("--evaluate needs test images, which a folder has not")
    run = new_run(output, sets[0].name, training.settings_of(options, game, sets[0]))
    click.echo(
        f"{options['architecture']} on {len(sets[0]):,} images of {sets[0].name}, "
        f"{run.rounds_per_epoch} rounds an epoch, {options['epochs']} epochs: "
        f"{run.folder}"
    )
    with locked(run.folder):
        training.play(run, game, sets, quiet)
    _say_what_next(run)


def _resume(ctx: click.Context, name: str, output: str, quiet: bool, given: dict[str, Any]) -> None:
    from salamandre.runs.lock import locked

    run = kinds.the_run(name, output, "'--resume'")
    changes = {}
    for option, value in given.items():
        if ctx.get_parameter_source(option) in (ParameterSource.DEFAULT, None):
            continue
        if option in AT_RESUME:
            changes[option] = _settled(option, value)
        elif _settled(option, value) != run.options[option]:
            raise click.UsageError(
                f"--{option.replace('_', '-')} is {run.options.get(option)} in {run.name} and "
                f"stays so: a run goes on with its own settings; start a new one for others"
            )
    with locked(run.folder):
        run.options.update(changes)
        sets = training.load_images(run.options)
        if list(sets[0].classes) != run.classes:
            raise click.ClickException(
                f"{run.options['dataset']} has other classes now ({', '.join(sets[0].classes)}) "
                f"than when {run.name} began ({', '.join(run.classes)}): start a new run"
            )
        game = training.new_game(run.options, sets[0])
        training.restore(run, game)
        if changes:
            run.change_options(**changes)
        training.play(run, game, sets, quiet)
    _say_what_next(run)


def _say_what_next(run: Any) -> None:
    if all(len(name) == 1 for name in run.classes):
        word = "--word " + "".join(run.classes[:9])
        click.echo(f"draw with it:\n  salamandre generate {run.folder} {word}")
    else:
        click.echo(f"draw its classes:\n  salamandre generate {run.folder}")


def _settled(option: str, value: Any) -> Any:
    """Return the value of an option as it is noted: folders by their whole path."""
    folder = option == "data_dir" or (option == "dataset" and not training.entry_of(value))
    return str(Path(value).expanduser().resolve()) if folder and value is not None else value


def _complete(given: Options, asks: bool) -> tuple[Options, Any]:
    """Return all options, those that were not given asked for or by default.

    Args:
        given: by name; ``None`` where nothing was.
        asks: whether there is someone to ask.

    Returns:
        The options; and the images, where they had to be read to ask on.
    """
    options, images = dict(given), None

    def decide(name: str, text: str, default: Any, kind: Any = POSITIVE) -> Any:
        if options[name] is None:
            options[name] = click.prompt(text, default, type=kind) if asks else default
        return options[name]

    if asks and options["dataset"] is None:
        click.echo(f"Data sets: {', '.join(kinds.labelled_datasets())}, or a folder.")
    dataset = decide("dataset", "Data set", training.DATASET, DATA_SET)
    entry = training.entry_of(dataset)
    if entry and options["grey"]:
        raise click.UsageError("--grey is for a folder of pictures")
    options |= {name: _settled(name, options[name]) for name in ("dataset", "data_dir")}
    if options["latent"] is None:
        options["latent"] = entry.latent if entry else training.FOLDER_LATENT
    decide(
        "architecture", "Architecture (cgan, cdcgan, cwgan)", training.ARCHITECTURE, ARCHITECTURE
    )
    decide("image_size", "Image size", training.default_size(dataset))
    count = entry.train if entry else 0
    if not count:
        images = training.load_images(options)
        count = len(images[0])
    if asks and options["batch_size"] is None:
        meant = [f"{size} means {count // size:,}" for size in (32, 64, 128) if size <= count]
        click.echo(f"Batches an epoch, of {count:,} images: a batch size of {', '.join(meant)}.")
    size = decide(
        "batch_size", "Batch size", min(training.BATCH_SIZE, count), click.IntRange(1, count)
    )
    batches = training.rounds_per_epoch(options["architecture"], count, size)
    decide("sample_every", f"Rounds between samples (an epoch has {batches:,})", batches)
    decide("epochs", "Epochs", training.default_epochs(batches))
    return options, images
