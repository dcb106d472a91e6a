"""``salamandre generate``: words and classes drawn by a trained generator."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salamandre.cli import options as kinds
from salamandre.cli.pictures import MANY, zoom_of
from salamandre.cli.train_options import the_run

if TYPE_CHECKING:
    import numpy as np

    from salamandre.network import Network

SAMPLES = 10  # of each class


@click.command()
@kinds.run_argument
@click.option("--word", help="What is drawn, a letter a class: 135792468.")
@click.option("--classes", help="The same for classes with longer names: cat,dog,cat.")
@click.option(
    "--noise",
    type=click.Choice(["fixed", "fresh"]),
    default="fixed",
    show_default=True,
    help="One latent point for every letter, or a new one each, so "
    "that two A's differ as a person's do.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Of the latent points: another one, another hand.",
)
@click.option(
    "--checkpoint",
    type=click.IntRange(1),
    metavar="EPOCH",
    help="Draw with the generator of this epoch. Default: the latest.",
)
@kinds.backend_option
@click.option(
    "--to", metavar="DIR", help="Where the pictures go. Default: generated/ in the run's folder."
)
@kinds.root_option
def generate(
    run: str,
    word: str | None,
    classes: str | None,
    noise: str,
    seed: int,
    checkpoint: int | None,
    backend: str | None,
    to: str | None,
    root: str,
) -> None:
    """Draw a word, and a grid of all classes; of a game without classes, samples."""
    from salamandre.network import Network
    from salamandre.runs import UnknownRun

    found = the_run(run, root)
    try:
        file = found.generator(checkpoint)
    except UnknownRun as error:
        raise click.UsageError(str(error)) from None
    generator = Network.load(file, backend=backend)
    names = found.classes if generator.classes else []
    labels = _labels(names, word, classes)
    shape = found.shape or _shape(generator.output_shape)
    folder = Path(to) if to else found.folder / "generated"
    suffix = f"{noise}-{seed}" + (f"-{checkpoint:04d}" if checkpoint else "")
    if labels:
        what = re.sub(r"\W", "_", word or classes or "")[:40]
        points = _points(generator, len(labels), noise, seed)
        path = folder / f"word-{what}-{suffix}.png"
        _draw(generator, points, labels, shape, path, len(labels))
    if names:
        path = folder / f"classes-{suffix}.png"
        _draw_classes(generator, len(names), noise, seed, shape, path)
    else:
        points = _points(generator, SAMPLES**2, "fresh", seed)
        _draw(generator, points, None, shape, folder / f"samples-{suffix}.png", SAMPLES)


def _shape(output: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of images (C, H, W) for what a generator makes, of a run that noted none.

    Raises:
        UsageError: it makes no images.
    """
    side = math.isqrt(output[0])
    if len(output) == 3:
        return output
    if len(output) > 1 or side < 2 or side**2 != output[0]:
        raise click.UsageError(f"this run's generator makes no images but arrays {output}")
    return 1, side, side


def _labels(names: list[str], word: str | None, classes: str | None) -> list[int]:
    """Return the labels of what is to be drawn; none if nothing was named.

    A letter that has no class is drawn by that of its other case: merged data sets count it
    there.

    Raises:
        BadParameter: a character or name has no class; those that have one are listed.
    """
    if word is not None and classes is not None:
        raise click.UsageError("give --word or --classes, not both")
    if word is None and classes is None:
        return []
    if not names:
        raise click.UsageError("this model draws without classes: leave --word and --classes out")
    known = {name: label for label, name in reversed([*enumerate(names)])}
    if word is not None:
        wanted, option = list(word), "--word"
        if not any(len(name) == 1 for name in names):
            raise click.BadParameter(
                f"this model's classes are no single characters, name them with --classes "
                f"(it has: {', '.join(names)})",
                param_hint="'--word'",
            )
        for character in dict.fromkeys(wanted):
            other = character.swapcase()
            if character not in known and other in known:
                known[character] = known[other]
                click.echo(f"{character} is drawn as {other}", err=True)
    else:
        wanted, option = [name.strip() for name in (classes or "").split(",")], "--classes"
    if not wanted:
        raise click.BadParameter("the word is empty", param_hint=f"'{option}'")
    missing = [name for name in dict.fromkeys(wanted) if name not in known]
    if missing:
        raise click.BadParameter(
            f"this model has no class for {', '.join(map(repr, missing))} "
            f"(it has: {(' ' if word else ', ').join(names)})",
            param_hint=f"'{option}'",
        )
    return [known[name] for name in wanted]


def _points(generator: Network, count: int, noise: str, seed: int) -> Any:
    """Return latent points (count, size): all the same, or a new one each."""
    from salamandre.games import Gaussian

    stream = generator.backend.stream([seed, 5])
    (size,) = generator.input_shape
    points = Gaussian(size).draw(stream, 1 if noise == "fixed" else count, generator.dtype)
    return points.repeat(count, axis=0) if noise == "fixed" else points


def _draw_classes(
    generator: Network, count: int, noise: str, seed: int, shape: tuple[int, ...], path: Path
) -> None:
    """Draw ten samples of each class; with fixed noise, those beside each other share a point."""
    import numpy as np

    samples = np.tile(np.arange(SAMPLES)[:, None], (1, count))
    labels = np.tile(np.arange(count), (SAMPLES, 1))
    points = _points(generator, SAMPLES * (count if noise == "fresh" else 1), "fresh", seed)
    index = samples if noise == "fixed" else np.arange(SAMPLES * count).reshape(SAMPLES, count)
    if count > MANY:  # a row for each class instead of a column
        index, labels = index.T, labels.T
    _draw(
        generator,
        points[generator.backend.asarray(index.ravel())],
        labels.ravel(),
        shape,
        path,
        labels.shape[1],
    )


def _draw(
    generator: Network,
    points: Any,
    labels: list[int] | np.ndarray | None,
    shape: tuple[int, ...],
    path: Path,
    columns: int,
) -> None:
    import numpy as np

    from salamandre.plots import save_grid

    labels = None if labels is None else np.asarray(labels)
    y = generator.backend.to_numpy(generator.predict(points, labels=labels))
    save_grid((y.reshape(-1, *shape) + 1) / 2, path, columns, zoom_of(shape[1]))
    click.echo(path)
