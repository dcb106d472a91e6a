"""``salamandre bench``: the speed of this machine."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from salamandre.cli import options as kinds
from salamandre.cli.look import table
from salamandre.machine import cores

if TYPE_CHECKING:
    from salamandre.games import GanGame

CLASSES, LATENT = 10, 100
DRAWN = 1000  # images at a time


@click.command()
@kinds.number_option("--image-size", kinds.Count, 28, "Height and width of the images.")
@click.option(
    "--channels",
    type=kinds.one_of("number of channels", lambda: ("1", "3")),
    metavar="1|3",
    default="1",
    help="Of the images: 1 for grey, 3 for colour. Default: 1.",
)
@kinds.number_option("--batch-size", kinds.Count, 64, "Real images a step.")
@kinds.number_option("--seconds", kinds.Seconds, 3.0, "Of measurement for each number.")
@kinds.backend_option
def bench(
    image_size: int, channels: str, batch_size: int, seconds: float, backend: str | None
) -> None:
    """Measure how fast this machine trains and generates."""
    import numpy as np

    from salamandre import __version__
    from salamandre.backend import get_backend
    from salamandre.data import Images, Pairs
    from salamandre.games import ARCHITECTURES, new_game

    used = get_backend(backend)
    click.echo(
        f"salamandre {__version__}, backend {used.name}, Python {platform.python_version()}, NumPy "
        f"{np.__version__}, {cores()} cores; images {channels}×{image_size}×{image_size}, "
        f"batches of {batch_size}"
    )
    random = np.random.default_rng(0)
    shape = (4 * batch_size, int(channels), image_size, image_size)
    labels = (np.arange(shape[0]) % CLASSES).astype(np.uint8)
    pixels = random.integers(0, 256, shape, dtype=np.uint8)
    images = Images(pixels, labels, tuple(map(str, range(CLASSES))), "noise", "train")
    rows = [("architecture", "rounds/s", "real images/s", "generated images/s")]
    pairs = Pairs.of(pixels, pixels, "noise")
    for name, architecture in ARCHITECTURES.items():
        shown, latent = (pairs, 0) if architecture.pairs else (images, LATENT)
        try:
            game = new_game(name, shown, latent=latent, batch_size=batch_size, backend=backend)
        except ValueError as error:
            click.echo(f"{name}: {error}", err=True)
            continue
        rounds = _rate(partial(_play, game), seconds)
        conditions = pixels[np.arange(DRAWN) % len(pixels)] if architecture.pairs else None
        drawn = _rate(partial(_draw, game, conditions), seconds)
        real = rounds * batch_size * game.discriminator_steps
        rows.append((name, f"{rounds:,.1f}", f"{real:,.0f}", f"{DRAWN * drawn:,.0f}"))
    click.echo(table(rows))


def _play(game: GanGame) -> None:
    game.play_and_learn()
    float(game.history.steps["g_loss"][-1])  # waits for a GPU


def _draw(game: GanGame, conditions: Any) -> None:
    game.backend.to_numpy(game.generate(DRAWN, conditions=conditions))


def _rate(work: Callable[[], object], seconds: float) -> float:
    """Return calls of ``work`` a second; the first call is not counted."""
    work()
    times, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds or not times:
        work()
        times += 1
    return times / passed
