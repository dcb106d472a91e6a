"""The options of ``salamandre train``, each defined in one place."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from msgspec import ValidationError, convert, defstruct

from salamandre.checks import one_of
from salamandre.cli import options as kinds
from salamandre.cli import training
from salamandre.cli.options import WORDS, Amount, Count, Keep, Seconds, click_type
from salamandre.texts import path_of

if TYPE_CHECKING:
    from salamandre.cli.training import Sets
    from salamandre.runs import Run

ARCHITECTURE = kinds.one_of("architecture", kinds.architectures)


def _data_set(value: str) -> str:
    """Return a name or a folder."""
    folder = path_of(value)
    if folder.is_dir():
        return value if value in LABELLED() else str(folder.resolve())
    try:
        return str(one_of("data set", value, LABELLED()))
    except ValueError as error:
        raise ValueError(f"{error}, or a folder with a sub-folder of each class") from None


LABELLED = partial(kinds.datasets, 2)
DATA_SET = kinds.Checked("data set", _data_set, LABELLED)


class Option(NamedTuple):
    """An option of the command.

    Attributes:
        name: in Python and in ``settings.json``.
        type: of its value: one that :data:`WORDS` has.
        default: also for runs that were started before the option existed; ``None``: chosen by
            :func:`complete`, or where the option is read.
        help: its end says the default.
        metavar: stands for the value.
        kind: the click type. Default: made from the type.
        at_resume: whether it may change when a run is continued. Default False.
    """

    name: str
    type: Any
    default: Any
    help: str
    metavar: str | None = "N"
    kind: click.ParamType | None = None
    at_resume: bool = False


# fmt: off
OPTIONS = (
    Option("dataset", str, "digits",
           "A name (salamandre datasets), or a folder with a sub-folder of pictures for each "
           "class. Default: digits, which are built in.", "NAME|DIR", DATA_SET),
    Option("architecture", str, "cgan",
           "cgan (perceptrons; default), cdcgan (convolutions) or cwgan (perceptrons, "
           "Wasserstein).", "NAME", ARCHITECTURE),
    Option("image_size", Count, None,
           "Height and width of the images, resized. Default: the data set's; 64 for a folder."),
    Option("batch_size", Count, None, "Real images a step. Default: 64."),
    Option("epochs", Count, None,
           "In all. Default: about 20,000 rounds, at most 200 epochs.", at_resume=True),
    Option("sample_every", Count, None,
           "Rounds between two pictures of samples. Default: an epoch, or so many that they are "
           "at least 20 rounds."),
    Option("keep", Keep, "3",
           "The number of last epochs whose networks are kept, beside ten epochs spread over the "
           "run; or all. Default: 3.", "N|all", at_resume=True),
    Option("evaluate", Amount, 0,
           "Epochs between two evaluations by a classifier of the real images. Default: none."),
    Option("latent", Count, None, "Size of the latent vectors. Default: the data set's."),
    Option("unconditional_discriminator", bool, False,
           "Give the discriminator no labels, for comparison."),
    Option("grey", bool, False, "Convert the pictures of a folder to grey."),
    Option("seed", Amount, 0, "Of all random numbers. Default: 0."),
    Option("backend", str, None, kinds.BACKEND_HELP, "NAME", kinds.BACKEND),
    Option("data_dir", str, None,
           "A folder with the data set's files. Default: SALAMANDRE_DATA, the cache, the internet.",
           "DIR", kinds.PATH, at_resume=True),
    Option("checkpoint_every", Seconds, 30.0, "Time between checkpoints. Default: 30.",
           "SECONDS", at_resume=True),
)
# fmt: on
AT_RESUME = {option.name for option in OPTIONS if option.at_resume}
TrainOptions = defstruct(
    "TrainOptions",
    [
        (name, kind if default is not None else kind | None, default)
        for name, kind, default, *_ in OPTIONS
    ],
)


def train_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; one that is not given is ``None`` or false."""
    for option in reversed(OPTIONS):
        flag = option.type is bool
        command = click.option(
            f"--{option.name.replace('_', '-')}",
            is_flag=flag or None,  # False would let an option without its value pass
            type=option.kind or click_type(option.type),
            metavar=None if flag else option.metavar,
            help=option.help,
        )(command)
    return command


def read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Make the values of a TOML file the defaults of the command's options."""
    if path is None:
        return
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, or no TOML
        raise click.BadParameter(f"{path} is no TOML file: {error}") from None
    types = {option.name: option.type for option in OPTIONS}
    types |= {"output": str, "quiet": bool, "yes": bool}
    known = [name.replace("_", "-") for name in types]
    ctx.default_map = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        try:
            one_of("key", key.replace("_", "-"), known)
            convert(value, types[name])
        except ValidationError:
            wanted = f"must be {WORDS[types[name]]}, got {value!r}"
            raise click.BadParameter(f"{path}: {key} {wanted}") from None
        except ValueError as error:
            raise click.BadParameter(f"{path}: {error}") from None
        if name in ctx.default_map:
            raise click.BadParameter(f"{path} gives {key!r} twice")
        ctx.default_map[name] = value


def the_run(name: str, root: Path, hint: str = "'RUN'", program: str | None = None) -> Run:
    """Return the run of a name (see :func:`salamandre.runs.find_run`) with all options.

    Raises:
        BadParameter: no such run, or several; ``hint`` is the parameter that named it.
        ValueError: its settings are damaged, or of a newer version.
    """
    from salamandre.runs import UnknownRun, find_run

    try:
        run = find_run(name, root, program)
    except UnknownRun as error:
        raise click.BadParameter(str(error), param_hint=hint) from None
    read_options(run)
    return run


def read_options(run: Run) -> None:
    """Check the options of a run of the command; missing ones get their default."""
    from salamandre.runs.settings import COMMAND, FILE

    if run.settings.program != COMMAND:
        return
    damaged = f"{run.folder / FILE} is damaged:"
    if not run.images.count:
        raise ValueError(f"{damaged} it says nothing of the images")
    run.check_options(TrainOptions)
    known = {name: value for name, value in run.options.items() if value is not None}
    try:
        one_of("architecture", run.options["architecture"], kinds.architectures())
        if not os.path.dirname(run.options["dataset"]):  # a name: folders are absolute
            _data_set(run.options["dataset"])
        run.settings.options = complete(known, count=run.images.count)[0]
    except (ValueError, click.ClickException) as error:
        raise ValueError(f"{damaged} {error}") from None


def settled(option: str, value: Any) -> Any:
    """Return the value of an option for the settings: folders by their absolute path."""
    folder = option == "data_dir" or (option == "dataset" and not training.entry_of(value))
    return str(path_of(value).resolve()) if folder and value is not None else value


def complete(
    given: Mapping[str, Any],
    asks: bool = False,
    count: int | None = None,
    output: Path | None = None,
) -> tuple[dict[str, Any], Sets | None]:
    """Return all options; those not given are asked for or get their default.

    Args:
        given: by name.
        asks: whether a user can be asked. Default False.
        count: the number of images of an existing run. Default: a new run, whose image size is
            checked.
        output: the folder of all runs, which must not lie in a folder of pictures. Default: not
            checked.

    Returns:
        The options, and the images if they had to be read.
    """
    options = {option.name: option.default for option in OPTIONS} | dict(given)
    sets, whole = None, click_type(Count)

    def decide(name: str, text: str, default: Any, kind: Callable[[Any], Any]) -> Any:
        if name not in given:
            options[name] = click.prompt(text, default, value_proc=kind) if asks else default
        return options[name]

    def size_of(text: Any) -> int:
        size: int = whole(text)
        training.check_size(options, size)
        return size

    if asks and "dataset" not in given:
        click.echo(f"Data sets: {', '.join(LABELLED())}, or a folder.")
    dataset = decide("dataset", "Data set", options["dataset"], DATA_SET)
    entry = training.entry_of(dataset)
    if entry and options["grey"]:
        raise click.UsageError("--grey is for a folder of pictures")
    options |= {name: settled(name, options[name]) for name in ("dataset", "data_dir")}
    if output and not entry:
        training.keep_apart(output, options["dataset"])
    if options["latent"] is None:
        options["latent"] = entry.latent if entry else training.FOLDER_LATENT
    names = ", ".join(kinds.architectures())
    decide("architecture", f"Architecture ({names})", options["architecture"], ARCHITECTURE)
    decide("image_size", "Image size", entry.size if entry else training.FOLDER_SIZE, size_of)
    if count is None:
        size_of(options["image_size"])
        sets = None if entry else training.load_images(options)
        count = len(sets[0]) if sets else entry.train if entry else 0
    most = count

    def batch_of(text: Any) -> int:
        size: int = whole(text)
        if size > most:
            raise click.UsageError(f"a batch of {size:,} needs as many images, there are {most:,}")
        return size

    if asks and "batch_size" not in given:
        meant = [f"{size} means {count // size:,}" for size in (32, 64, 128) if size <= count]
        click.echo(f"Batches an epoch, of {count:,} images: a batch size of {', '.join(meant)}.")
    batch = decide("batch_size", "Batch size", min(training.BATCH_SIZE, count), batch_of)
    batches = training.rounds_per_epoch(options["architecture"], count, batch)
    often = batches * math.ceil(training.LEAST_BETWEEN / batches)
    decide("sample_every", f"Rounds between samples (an epoch has {batches:,})", often, whole)
    epochs = min(training.MOST_EPOCHS, max(1, round(training.ROUNDS / batches)))
    decide("epochs", "Epochs", epochs, whole)
    return options, sets
