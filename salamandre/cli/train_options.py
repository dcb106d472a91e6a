"""The options of ``salamandre train``, each defined in one place."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from msgspec import ValidationError, convert, defstruct

from salamandre.checks import one_of
from salamandre.cli import options as kinds, training
from salamandre.cli.options import WORDS, Amount, Count, Keep, Seconds, Share, Weight, click_type
from salamandre.texts import option_name

if TYPE_CHECKING:
    from salamandre.runs import LearnedImages, Run

ARCHITECTURE = kinds.one_of("architecture", kinds.architectures)
OBJECTIVE = kinds.one_of("objective", kinds.objectives)


def _data_set(value: str) -> str:
    """Return a name, or the absolute path of a folder or file."""
    from salamandre.data.opening import located

    source = located(value)
    return source if os.path.isabs(source) else str(one_of("data set", source, LABELLED()))


LABELLED = partial(kinds.datasets, 2)
DATA_SET = kinds.Checked("data set", _data_set, LABELLED)


def _conditions(value: str) -> str:
    from salamandre.data.pairing import located_conditions

    return located_conditions(value)


def _ways() -> tuple[str, ...]:
    from salamandre.data.pairing import NAMES

    return NAMES


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
           "A name (salamandre datasets), a folder with a sub-folder of pictures for each class, "
           "or files of your own: IDX, .npz, .npy, .csv, .mat, .parquet. Default: digits, which "
           "are built in.", "NAME|PATH", DATA_SET),
    Option("architecture", str, "cgan",
           "cgan (perceptrons; default), lscgan (least squares), cdcgan (convolutions), dcgan "
           "(non-saturating, batch-norm) or cwgan (Wasserstein); or, to make pictures from "
           "pictures, pix2pix or slides (smaller).",
           "NAME", ARCHITECTURE),
    Option("pairs", str, None,
           "Of pix2pix and slides: where the pictures to start from are: in the right or left half "
           "of each picture, or in a folder with pictures of the same names; or how they are made: "
           "edges, grey, small or masked. Default: right.", "NAME|DIR",
           kinds.Checked("pairs", _conditions, _ways)),
    Option("jitter", bool, False,
           "Of pix2pix and slides: enlarge, crop and mirror pairs at random."),
    Option("image_size", Count, None,
           "Height and width of the images, resized. Default: the data set's; 64 for pictures."),
    Option("grey", bool, False, "Convert images to grey."),
    Option("test_share", Share, 0.0,
           "The share of the images that is kept for testing, of a data set without test images. "
           "Default: none.", "SHARE"),
    Option("class_names", str, None,
           "A text file with the name of a class in each line, in the order of the labels. "
           "Default: those of the data set, else the labels.", "FILE", kinds.FILE),
    Option("label_column", str, None,
           "Of a CSV or Parquet file: the name of the column of labels, or first or last. Default: "
           "label, or what looks like it.", "NAME"),
    Option("batch_size", Count, None, "Real images a step. Default: 64; of pairs 16."),
    Option("epochs", Count, None,
           "In all. Default: about 20,000 rounds, at most 200 epochs.", at_resume=True),
    Option("sample_every", Count, None,
           "Rounds between two pictures of samples. Default: an epoch, or so many that they are "
           "at least 60 rounds."),
    Option("keep", Keep, "3",
           "The number of last epochs whose networks are kept, beside five to ten epochs spread "
           "over the run; or all. Default: 3.", "N|all", at_resume=True),
    Option("evaluate", Amount, 0,
           "Epochs between two evaluations by a classifier of the real images, or of pairs by "
           "their distance. Default: none."),
    Option("latent", Count, None,
           "Size of the latent vectors. Default: the data set's; of pairs none."),
    Option("objective", str, None,
           "non-saturating, minimax, least-squares, hinge, relativistic (pairs of a real and a "
           "fake image) or relativistic-average. Default: the architecture's.",
           "NAME", OBJECTIVE),
    Option("penalty", Weight, 0.0,
           "Weight of a penalty on the discriminator's slope at real and at fake images (R1 and "
           "R2); not beside batch-norm, as of dcgan. Default: the architecture's.", "WEIGHT"),
    Option("augment", bool, False,
           "Show the discriminator images in other colours, shifted and with holes, real and fake "
           "ones, to learn from few; of cdcgan, dcgan, pix2pix and slides."),
    Option("unconditional_discriminator", bool, False,
           "Give the discriminator no labels, for comparison."),
    Option("seed", Amount, 0, "Of all random numbers. Default: 0."),
    Option("backend", str, None, kinds.BACKEND_HELP, "NAME", kinds.BACKEND),
    Option("threads", Count, None,
           "Among how many the batch of a step is shared. Default: as many as pay.",
           at_resume=True),
    Option("synchronised", bool, False,
           "Under mpirun: normalise by the whole batch, not by each process's share."),
    Option("data_dir", str, None,
           "A folder with the data set's files. Default: SALAMANDRE_DATA, the cache, the internet.",
           "DIR", kinds.FILE, at_resume=True),
    Option("tensorboard", bool, False,
           "Write the run for TensorBoard too, to the folder tensorboard in its own. Needs "
           "tensorboardX.", at_resume=True),
    Option("checkpoint_every", Seconds, 30.0, "Time between checkpoints. Default: 30.",
           "SECONDS", at_resume=True),
)
# fmt: on
OF_PAIRS = ("pairs", "jitter")
OF_LABELS = ("class_names", "label_column", "unconditional_discriminator")
DATA = ("image_size", "grey", "test_share", "class_names", "label_column", "seed", "data_dir")
DEFAULTS = {option.name: option.default for option in OPTIONS}
AT_RESUME = {option.name for option in OPTIONS if option.at_resume}
TrainOptions = defstruct(
    "TrainOptions",
    [
        (name, kind if default is not None else kind | None, default)
        for name, kind, default, *_ in OPTIONS
    ],
)


def train_options(command: Callable[..., Any], names: Collection[str] = DEFAULTS) -> Any:
    """Add the options of these names to a command; one that is not given is ``None`` or false."""
    for option in reversed(OPTIONS):
        if option.name not in names:
            continue
        flag = option.type is bool
        command = click.option(
            option_name(option.name),
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
        if run.options["objective"] is not None:
            one_of("objective", run.options["objective"], kinds.objectives())
        if not os.path.isabs(run.options["dataset"]):
            one_of("data set", run.options["dataset"], LABELLED())
        run.settings.options = complete(known, run.images)
    except (ValueError, click.ClickException) as error:
        raise ValueError(f"{damaged} {error}") from None


def check_kind(given: Mapping[str, Any]) -> None:
    """Raise UsageError for options of pairs without an architecture that learns them, or others."""
    name = given.get("architecture", DEFAULTS["architecture"])
    learns_pairs = name in kinds.architectures(pairs=True)
    for option in OF_LABELS if learns_pairs else OF_PAIRS:
        if given.get(option):
            others = ", ".join(kinds.architectures(pairs=not learns_pairs))
            raise click.UsageError(
                f"{option_name(option)} is for the architectures {others}, not for {name}: leave "
                f"it out, or choose one of them"
            )


def complete(given: Mapping[str, Any], images: LearnedImages, asks: bool = False) -> dict[str, Any]:
    """Return all options; those not given are asked for or get their default.

    Args:
        given: by name.
        images: that are learned, in the given size.
        asks: whether a user can be asked. Default False.

    Raises:
        UsageError: the architecture cannot make images of the given size.
    """
    from salamandre.data import CATALOGUE

    options = DEFAULTS | dict(given)
    whole, count = click_type(Count), images.count
    channels, height, width = images.shape

    def decide(name: str, text: str, default: Any, kind: Callable[[Any], Any]) -> Any:
        if name not in given:
            options[name] = click.prompt(text, default, value_proc=kind) if asks else default
        return options[name]

    def size_of(text: Any) -> int:
        size: int = whole(text)
        training.check_shape(options["architecture"], (channels, size, size))
        return size

    def batch_of(text: Any) -> int:
        size: int = whole(text)
        if size > count:
            raise click.UsageError(f"a batch of {size:,} needs as many images, there are {count:,}")
        return size

    learns_pairs = options["architecture"] in kinds.architectures(pairs=True)
    if options["latent"] is None and not learns_pairs:
        entry = CATALOGUE.get(options["dataset"])
        options["latent"] = entry.latent if entry else training.OWN_LATENT
    names = kinds.architectures(pairs=learns_pairs)
    one = kinds.one_of("architecture", lambda: names)
    decide("architecture", f"Architecture ({', '.join(names)})", options["architecture"], one)
    if height == width:
        size_of(decide("image_size", "Image size", height, size_of))
    if asks and "batch_size" not in given:
        meant = [f"{size} means {count // size:,}" for size in (32, 64, 128) if size <= count]
        click.echo(f"Batches an epoch, of {count:,} images: a batch size of {', '.join(meant)}.")
    usual = training.BATCH_OF_PAIRS if learns_pairs else training.BATCH_SIZE
    batch = decide("batch_size", "Batch size", min(usual, count), batch_of)
    batches = training.rounds_per_epoch(options["architecture"], count, batch)
    often = batches * math.ceil(training.LEAST_BETWEEN / batches)
    decide("sample_every", f"Rounds between samples (an epoch has {batches:,})", often, whole)
    epochs = min(training.MOST_EPOCHS, max(1, round(training.ROUNDS / batches)))
    decide("epochs", "Epochs", epochs, whole)
    return options
