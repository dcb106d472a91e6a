"""Setting up a game from options, and playing it in a run's folder."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salamandre.cli.options import INTERRUPTED
from salamandre.cli.pictures import drawer, sample_layout

if TYPE_CHECKING:
    from salamandre.data import DataSet, Images
    from salamandre.games import GanGame
    from salamandre.runs import Run

Options = dict[str, Any]

DATASET, ARCHITECTURE, BATCH_SIZE = "digits", "cgan", 64
FOLDER_SIZE, FOLDER_LATENT = 64, 100
ROUNDS, MOST_EPOCHS = 20_000, 200  # of a run, if nothing else is asked for


def entry_of(dataset: str) -> DataSet | None:
    """Return the catalogue's entry; ``None`` for a folder of pictures."""
    from salamandre.data import CATALOGUE

    return CATALOGUE.get(dataset)


def default_size(dataset: str) -> int:
    """Return the height and width of images of a data set as they are."""
    entry = entry_of(dataset)
    return entry.size if entry else FOLDER_SIZE


def default_epochs(batches: int) -> int:
    """Return so many epochs that the run has about 20,000 rounds, at most 200 epochs."""
    return min(MOST_EPOCHS, max(1, round(ROUNDS / batches)))


def load_images(options: Mapping[str, Any]) -> tuple[Images, Images | None]:
    """Return training and test images of the wanted size; a folder has no test images."""
    from salamandre import data

    entry = entry_of(options["dataset"])
    if entry is None:
        channels = 1 if options["grey"] else 3
        return data.folder(options["dataset"], options["image_size"], channels), None
    train, test = data.load(options["dataset"], data_dir=options["data_dir"])
    if options["image_size"] == entry.size:
        return train, test
    resize = data.Resize(options["image_size"])
    return data.apply(train, resize), data.apply(test, resize)


def new_game(options: Mapping[str, Any], images: Images) -> GanGame:
    """Return the game of the options, which must suit the images.

    Raises:
        UsageError: they do not.
    """
    from salamandre import games

    names = ("latent", "batch_size", "unconditional_discriminator", "seed", "backend")
    try:
        return games.new_game(
            options["architecture"], images, **{name: options[name] for name in names}
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def rounds_per_epoch(architecture: str, images: int, batch_size: int) -> int:
    """Return how many rounds take about as many real images as there are."""
    from salamandre.games import ARCHITECTURES

    batches = ARCHITECTURES[architecture].options().get("critic_steps", 1)
    return max(1, images // batch_size // batches)


def settings_of(options: Options, game: GanGame, images: Images) -> dict[str, Any]:
    """Return all that is noted of a new run."""
    import numpy as np

    import salamandre

    versions = {
        "salamandre": salamandre.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.platform(),
    }
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "options": {**options, "backend": game.backend.name},
        "images": {
            "name": images.name,
            "count": len(images),
            "shape": list(images.shape),
            "classes": list(images.classes),
            "rounds_per_epoch": rounds_per_epoch(
                options["architecture"], len(images), game.batch_size
            ),
        },
        "versions": versions,
        "git": _revision(),
    }


def _revision() -> str | None:
    """Return the git revision of the library's source, with ``+`` if it was changed since."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with suppress(OSError, subprocess.CalledProcessError):
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    return None


def restore(run: Run, game: GanGame) -> None:
    """Bring a new game to where its run was saved; nothing happens to a run that was not.

    Raises:
        UsageError: more has been played than is asked for.
        ValueError: a damaged checkpoint, or one of other images.
    """
    from salamandre.runs.play import CHECKPOINT

    if (run.folder / CHECKPOINT).exists():
        game.resume(run.folder / CHECKPOINT)
    if game.rounds > run.options["epochs"] * run.rounds_per_epoch:
        raise click.UsageError(
            f"{run.name} has played {game.rounds / run.rounds_per_epoch:.4g} epochs "
            f"already: give --epochs of more, not {run.options['epochs']}"
        )


def play(run: Run, game: GanGame, sets: tuple[Images, Images | None], quiet: bool) -> None:
    """Play a run from where it stands to its last epoch; the caller has its lock.

    Raises:
        ClickException: the disk is full, or the game diverged; the last checkpoint is whole.
    """
    from salamandre.network import Diverged

    options, per_epoch = run.options, run.rounds_per_epoch
    resume = f"salamandre train --resume {run.folder}"
    try:
        _write_summary(run, game)
        game.play(options["epochs"] * per_epoch, _callbacks(run, game, sets, quiet))
    except OSError as error:
        raise click.ClickException(
            f"the run stopped after round {game.rounds} ({error.strerror or error}"
            f"{f': {error.filename}' if error.filename else ''}); its last checkpoint is whole: "
            f"when that is mended, go on with {resume}"
        ) from None
    except Diverged as error:
        raise click.ClickException(f"{error}; the last good state is in {run.folder}") from None
    if game.interrupted:
        click.echo(
            f"interrupted in epoch {game.rounds // per_epoch + 1} of {options['epochs']}; all is "
            f"saved, go on with\n  {resume}"
        )
        click.get_current_context().exit(INTERRUPTED)
    click.echo(f"{game.rounds:,} rounds, {options['epochs']} epochs: {run.folder}")


def _callbacks(
    run: Run, game: GanGame, sets: tuple[Images, Images | None], quiet: bool
) -> list[Any]:
    from salamandre import training
    from salamandre.games import EpochNetworks, Evaluation, Film, SampleGrids
    from salamandre.runs.play import CHECKPOINT

    options, folder = run.options, run.folder
    count, columns = sample_layout(len(run.classes))
    callbacks: list[Any] = []
    if not quiet:
        terminal = sys.stderr.isatty()
        callbacks.append(training.ProgressBar() if terminal else training.EpochLines())
    draw = drawer(tuple(run.settings["images"]["shape"]), columns)
    callbacks.append(SampleGrids(folder, training.Steps(options["sample_every"]), count, draw))
    callbacks.append(Film(folder))
    if options["evaluate"]:
        every = training.Epochs(options["evaluate"])
        callbacks.append(Evaluation({"judge": _judge(sets, options["backend"])}, every))
    keep = None if options["keep"] == "all" else int(options["keep"])
    callbacks.append(training.Curves(folder, training.Steps(min(100, run.rounds_per_epoch))))
    callbacks.append(EpochNetworks(folder, keep))
    seconds = training.Seconds(options["checkpoint_every"])
    callbacks.append(training.Checkpoint(folder / CHECKPOINT, seconds))
    return callbacks


def _judge(sets: tuple[Images, Images | None], backend: str) -> Any:
    """Return a metric: what a classifier that has learned the real images says."""
    from salamandre.evaluation import Judge

    train, test = sets
    assert test is not None
    click.echo("a classifier learns the real images, or is found in the cache:")
    judge = Judge.trained(train, test, convolutional=True, backend=backend)
    click.echo(f"it reads {judge.accuracy:.2%} of {len(test):,} test images right")
    return judge.of_game()


def _write_summary(run: Run, game: GanGame) -> None:
    from salamandre.atomic import write_atomically

    text = "".join(
        f"{name}\n{network.summary()}\n\n"
        for name, network in (("generator", game.generator), ("discriminator", game.discriminator))
    )
    write_atomically(run.folder / "networks.txt", text.encode())
