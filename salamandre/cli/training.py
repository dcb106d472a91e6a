"""Making a game from options, and playing it in a run's folder."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salamandre.cli import options as kinds
from salamandre.program import INTERRUPTED, WrongUsage, sentence
from salamandre.texts import counted, pasteable, readable_name

if TYPE_CHECKING:
    import numpy as np

    from salamandre.backend.group import Group
    from salamandre.data import Images, Pairs
    from salamandre.games import GanGame
    from salamandre.runs import Run
    from salamandre.training import Callback

    Sets = tuple[Images, Images | None]
    PairSets = tuple[Pairs, Pairs | None]

BATCH_SIZE, BATCH_OF_PAIRS = 64, 16
OWN_LATENT = 100  # size of latent vectors for data of one's own
ROUNDS, MOST_EPOCHS = 20_000, 200  # of a run, by default
LEAST_BETWEEN = 60  # rounds between two pictures of samples, by default
MANY = 20  # classes; more do not fit side by side
ROWS = 8  # of a picture of samples, each with one sample of each class
PAIRS, PAIR_COLUMNS = 24, 9  # in a picture of samples, three pairs side by side


def open_images(source: str, options: Mapping[str, Any]) -> Sets:
    """Return the training and, if there are some, the test images of a data set.

    Raises:
        UsageError: the source is no data set, or the options do not fit it.
        CorruptData: a file in it is damaged.
        OSError: a file cannot be read, or not be downloaded.
    """
    from salamandre.runs import open_images

    with kinds.usage(WrongUsage):
        return open_images(source, options)


def open_sets(source: str, options: Mapping[str, Any]) -> Sets | PairSets:
    """Return what the architecture learns: :func:`open_images`, or pairs of images."""
    from salamandre.runs import open_pairs

    if options["architecture"] not in kinds.architectures(pairs=True):
        return open_images(source, options)
    with kinds.usage(WrongUsage):
        return open_pairs(source, options)


def keep_apart(output: Path, dataset: str) -> None:
    """Raise UsageError for runs that would be written into the folder of their images."""
    from salamandre.runs import keep_apart

    with kinds.usage():
        keep_apart(output / readable_name(Path(dataset).name), dataset)


def new_game(
    options: Mapping[str, Any], images: Images | Pairs, group: Group | None = None
) -> GanGame:
    """Return the game of the options.

    Args:
        options: of the command.
        images: what it learns.
        group: the processes that play it. Default: this one.

    Raises:
        UsageError: the options do not fit the images.
    """
    from salamandre import games
    from salamandre.backend.group import ALONE

    names = (
        *("latent", "batch_size", "objective", "penalty", "augment"),
        *("unconditional_discriminator", "seed", "backend", "threads"),
    )
    with kinds.usage():
        chosen = {name: options[name] for name in names}
        return games.new_game(options["architecture"], images, group=group or ALONE, **chosen)


def check_shape(architecture: str, shape: tuple[int, ...]) -> None:
    """Raise UsageError for a shape of images that the architecture cannot make."""
    from salamandre.games import ARCHITECTURES

    with kinds.usage():
        ARCHITECTURES[architecture].players(shape, 1)


def rounds_per_epoch(architecture: str, images: int, batch_size: int) -> int:
    """Return the number of rounds that use about as many real images as there are."""
    from salamandre.games import ARCHITECTURES

    batches = ARCHITECTURES[architecture].options.get("critic_steps", 1)
    return max(1, images // batch_size // batches)


def play(run: Run, game: GanGame, sets: Sets | PairSets, quiet: bool) -> None:
    """Play a run from its current round to its last epoch; the caller holds its lock.

    Raises:
        ClickException: the disk is full, or the game diverged; the last checkpoint is complete.
    """
    from salamandre.learnable import Diverged

    options, per_epoch = run.options, run.images.rounds_per_epoch
    resume = pasteable("salamandre", "train", "--resume", run.folder)
    try:
        learn(run, game, sets, quiet)
    except OSError as error:
        raise click.ClickException(
            f"the run stopped after round {game.rounds} ({sentence(error)}); its last checkpoint "
            f"is complete: solve the problem, then continue with {resume}"
        ) from None
    except Diverged as error:
        raise click.ClickException(f"{error}; the last good state is in {run.folder}") from None
    if game.interrupted and game.rounds < options["epochs"] * per_epoch:
        click.echo(
            f"interrupted in epoch {game.rounds // per_epoch + 1} of {options['epochs']}; all is "
            f"saved, continue with\n  {resume}"
        )
        click.get_current_context().exit(INTERRUPTED)
    click.echo(
        f"{counted(game.rounds, 'round')}, {counted(options['epochs'], 'epoch')}: {run.folder}"
    )
    command, names = ("salamandre", "generate", str(run.folder)), run.images.classes
    if not names:
        example = pasteable("salamandre", "translate", run.folder, "PICTURE", "--to", "FOLDER")
        click.echo(f"translate pictures with it:\n  {example}")
    elif all(len(name) == 1 for name in names):
        word = pasteable(*command, "--word", "".join(names[:9]))
        click.echo(f"draw with it:\n  {word}")
    else:
        click.echo(f"draw its classes:\n  {pasteable(*command)}")


def require_tensorboard(options: Mapping[str, Any]) -> None:
    """Raise ImportError for a run with ``--tensorboard`` without what that needs."""
    from salamandre.training import tensorboard

    if options["tensorboard"]:
        tensorboard.require_tensorboard()


def follow(game: GanGame, rounds: int) -> None:
    """Play a game in the other ranks of a group, of which the first one does what is told of it."""
    from salamandre.learnable import Diverged

    try:
        game.play(rounds)
    except Diverged as error:  # which rank 0 reports
        raise click.exceptions.Exit(1) from error


def learn(
    run: Run, game: GanGame, sets: Sets | PairSets, quiet: bool, more: Sequence[Callback] = ()
) -> None:
    """Do what :func:`play` does, with more callbacks, but tell nothing of its end."""
    from salamandre.atomic import write_atomically

    players = {"generator": game.generator, "discriminator": game.discriminator}
    text = "".join(f"{name}\n{network.summary()}\n\n" for name, network in players.items())
    write_atomically(run.folder / "networks.txt", text.encode())
    rounds = run.options["epochs"] * run.images.rounds_per_epoch
    game.play(rounds, [*_callbacks(run, sets, quiet), *more])


def _callbacks(run: Run, sets: Sets | PairSets, quiet: bool) -> list[Any]:
    from salamandre import training
    from salamandre.games import EpochNetworks, Evaluation, Film
    from salamandre.runs.run import CHECKPOINT

    options, images, folder = run.options, run.images, run.folder
    callbacks: list[Any] = []
    if not quiet:
        terminal = sys.stderr.isatty()
        callbacks.append(training.ProgressBar() if terminal else training.EpochLines())
    callbacks += [_samples(run, sets), Film(folder)]
    if options["evaluate"]:
        every = training.Epochs(options["evaluate"])
        callbacks.append(Evaluation({"judge": _metric(sets, options["backend"], quiet)}, every))
    keep = None if options["keep"] == "all" else int(options["keep"])
    callbacks.append(training.Curves(folder, training.Steps(min(100, images.rounds_per_epoch))))
    if options["tensorboard"]:
        callbacks.append(training.TensorBoard(folder / "tensorboard"))
    callbacks.append(EpochNetworks(folder, keep))
    seconds = training.Seconds(options["checkpoint_every"])
    callbacks.append(training.Checkpoint(folder / CHECKPOINT, seconds))
    return callbacks


def _samples(run: Run, sets: Sets | PairSets) -> Any:
    """Return what draws a column for each class, or one sample of each of many, or pairs."""
    from salamandre.data import Pairs
    from salamandre.games import SampleGrids
    from salamandre.training import Steps

    often, shown = Steps(run.options["sample_every"]), sets[1] or sets[0]
    if isinstance(shown, Pairs):

        def draw(examples: np.ndarray, path: Path) -> None:
            colours = examples.repeat(3 // examples.shape[1], axis=1)  # grey is drawn dark on white
            drawer(colours.shape[1:], PAIR_COLUMNS)(colours, path)

        return SampleGrids(run.folder, often, PAIRS, draw, shown)
    columns = count = len(run.images.classes)
    captions: Sequence[str] = run.images.classes
    if count <= MANY:
        count *= ROWS
    else:
        columns, captions = math.ceil(math.sqrt(count)), ()
    return SampleGrids(run.folder, often, count, drawer(run.images.shape, columns, captions))


def drawer(
    shape: tuple[int, ...],
    columns: int,
    captions: Sequence[str] | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Callable[[np.ndarray, Path], None]:
    """Return ``draw(examples, path)`` for examples (N, ...) with values in a range.

    With captions, which are those of the columns, the name of the file is the round.
    """

    def draw(examples: np.ndarray, path: Path) -> None:
        from salamandre.plots import save_grid

        zoom = max(1, round(48 / shape[1]))  # small images are enlarged
        title = "" if captions is None else f"round {int(path.stem):,}"
        low, high = value_range
        images = (examples.reshape(-1, *shape) - low) / (high - low)
        save_grid(images, path, columns, zoom, captions=captions or (), title=title)

    return draw


def _metric(sets: Sets | PairSets, backend: str, quiet: bool) -> Any:
    """Return a metric: that of a classifier of the real images, or of test pairs."""
    from salamandre.data import Pairs
    from salamandre.evaluation import Judge, of_pairs

    train, test = sets
    if isinstance(test, Pairs):
        return of_pairs(test)
    assert test is not None and not isinstance(train, Pairs)
    if not quiet:
        click.echo("a classifier of the real images is trained, or found in the cache:")
    judge = Judge.trained(train, test, convolutional=True, backend=backend, quiet=quiet)
    if not quiet:
        click.echo(f"its accuracy on {len(test):,} test images is {judge.accuracy:.2%}")
    return judge.of_game()
