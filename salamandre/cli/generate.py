"""``salamandre generate``: words and classes drawn by a trained generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salamandre.class_names import composed
from salamandre.cli import options as kinds
from salamandre.cli.train_options import the_run
from salamandre.cli.training import MANY, drawer
from salamandre.texts import file_name

SAMPLES = 10  # of each class
STEPS, SKIPPED = 40, 4  # of a walk, and those between two pictures of its strip

if TYPE_CHECKING:
    from salamandre.network import Network


@click.command()
@kinds.run_argument
@click.option("--word", help="The word to draw, each character a class: 135792468.")
@click.option("--classes", help="The classes to draw, if their names are longer: cat,dog,cat.")
@click.option(
    "--class",
    "single",
    multiple=True,
    metavar="NAME",
    help="A class to draw, whose name may hold commas or begin or end with blanks; give it again "
    "for further ones.",
)
@click.option(
    "--noise",
    type=kinds.one_of("noise", lambda: ("fixed", "fresh")),
    metavar="fixed|fresh",
    default="fixed",
    help="One latent vector for all letters, or a new one for each, so that equal letters differ. "
    "Default: fixed.",
)
@kinds.number_option(
    "--seed", kinds.Amount, 0, "Of the latent vectors; another seed gives another handwriting."
)
@click.option(
    "--walk",
    "ends",
    type=(str, str),
    metavar="A B",
    help="Draw how one thing becomes another, as a strip and an animation: two classes, or of a "
    "game without classes two seeds. Default: a word or a grid.",
)
@click.option(
    "--truncation",
    type=kinds.click_type(kinds.Weight),
    metavar="LIMIT",
    help="Draw again latent coordinates above this limit: clearer and more alike. Default: none.",
)
@kinds.checkpoint_option
@kinds.backend_option
@click.option(
    "--to",
    type=kinds.PATH,
    metavar="DIR",
    help="The folder of the pictures. Default: generated/ in the run's folder.",
)
@kinds.output_option
def generate(
    run: str,
    word: str | None,
    classes: str | None,
    single: tuple[str, ...],
    noise: str,
    seed: int,
    ends: tuple[str, str] | None,
    truncation: float | None,
    checkpoint: int | None,
    backend: str | None,
    to: Path | None,
    output: Path,
) -> None:
    """Draw a word and a grid of all classes, or samples of a game that has none."""
    import numpy as np

    from salamandre.games import truncated
    from salamandre.games.checks import output_range
    from salamandre.games.latent import of_seed
    from salamandre.network import Network

    found = the_run(run, output)
    with kinds.usage():
        file = found.generator(checkpoint)
    generator = Network.load(file, backend=backend)
    if len(generator.input_shape) > 1:
        raise click.UsageError(
            f"{found.name} makes pictures from pictures: salamandre translate {found.name} PICTURE"
        )
    names = (generator.class_names or found.images.classes) if generator.classes else ()
    word_labels = _labels(names, word, classes, single)
    shape = found.images.shape or image_shape(generator.output_shape)
    folder = to or found.folder / "generated"
    cut = "" if truncation is None else f"-{truncation:g}"
    suffix = cut + (f"-{checkpoint:04d}" if checkpoint else "")

    def vectors(count: int, seed: int = seed) -> Any:
        if truncation is not None:
            with kinds.usage():
                z = truncated(count, generator.input_shape[0], truncation, seed)
            return generator.backend.asarray(z, dtype=generator.dtype)
        return of_seed(generator, count, seed)

    def draw(what: str, latent: Any, labels: Any, columns: int) -> None:
        path = folder / f"{what}-{noise}-{seed}{suffix}.png"
        y = generator.backend.to_numpy(generator.predict(latent, labels=labels))
        drawer(shape, columns, value_range=output_range(generator))(y, path)
        click.echo(path)

    if ends and single:
        raise click.UsageError("give --walk or --class, not both")
    if ends:
        seeds = [seed] * 2 if names else [_seed(end) for end in ends]
        points = generator.backend.xp.concatenate([vectors(1, end) for end in seeds])
        classes_at = _labels(names, word, classes, ends, "--walk") if names else None
        way = [*map(file_name, ends), *([str(seed)] if names else [])]
        path = folder / f"walk-{'-'.join(way)}{suffix}"
        for written in draw_walk(generator, points, classes_at, shape, path):
            click.echo(written)
        return
    if word_labels:
        count = len(word_labels)
        latent = vectors(1).repeat(count, axis=0) if noise == "fixed" else vectors(count)
        if word is None:
            chosen = [names[label] for label in word_labels]
            joint = "\0" if any("," in name for name in chosen) else ","
            what = f"names-{file_name(joint.join(chosen))}"
        else:
            what = f"word-{file_name(word)}"
        draw(what, latent, np.array(word_labels), count)
    if not names:
        draw("samples", vectors(SAMPLES**2), None, SAMPLES)
        return
    labels, samples = np.meshgrid(np.arange(len(names)), np.arange(SAMPLES))
    # With fixed noise, samples of different classes in a row share a latent vector.
    index = samples if noise == "fixed" else np.arange(labels.size).reshape(labels.shape)
    if len(names) > MANY:  # a row for each class instead of a column
        index, labels = index.T, labels.T
    latent = vectors(index.max() + 1)[generator.backend.asarray(index.ravel())]
    draw("classes", latent, labels.ravel(), labels.shape[1])


def image_shape(output: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape (C, H, W) of images, for runs whose settings do not say it."""
    side = math.isqrt(output[0])
    if len(output) == 3:
        return output
    if len(output) > 1 or side < 2 or side**2 != output[0]:
        raise click.UsageError(f"this run's generator makes no images but arrays {output}")
    return 1, side, side


def draw_walk(
    generator: Network, latent: Any, labels: Any, shape: tuple[int, ...], path: Path
) -> list[Path]:
    """Draw a walk as a strip, ``.png``, and there and back as an animation, ``.gif``."""
    import tempfile

    from salamandre.games import walks
    from salamandre.games.checks import output_range
    from salamandre.plots import animate

    y = generator.backend.to_numpy(walks.walk(generator, latent, labels, STEPS))
    strip, film = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.gif")
    values = output_range(generator)
    drawer(shape, 1 + STEPS // SKIPPED, value_range=values)(y[::SKIPPED], strip)
    with tempfile.TemporaryDirectory() as place:
        frames = [Path(place) / f"{number:03d}.png" for number in range(len(y))]
        for example, frame in zip(y, frames, strict=True):
            drawer(shape, 1, value_range=values)(example[None], frame)
        animate([*frames, *frames[-2::-1]], film)
    return [strip, film]


def _seed(text: str) -> int:
    """Return the seed of a latent vector at an end of a walk."""
    if not text.isdecimal():
        raise click.BadParameter(
            f"this model draws without classes: a walk goes from one seed to another, whole "
            f"numbers, got {text!r}",
            param_hint="'--walk'",
        )
    return int(text)


def _labels(
    names: Sequence[str],
    word: str | None,
    classes: str | None,
    single: Sequence[str],
    option: str = "--class",
) -> list[int]:
    """Return the labels of the word or classes to draw; none if neither is given.

    A letter that has no class is drawn as its other case, since some data sets merge the two. A
    character or name without a class is refused with a list of the classes. Composed and
    decomposed letters (ä) are the same.
    """
    given = {"--word": word, "--classes": classes, option: single or None}
    hints = [option for option, value in given.items() if value is not None]
    if len(hints) > 1:
        raise click.UsageError(f"give {' or '.join(hints)}, not both")
    if not hints:
        return []
    if not names:
        raise click.UsageError(f"this model draws without classes: leave {hints[0]} out")
    (hint,) = hints
    known = {composed(name): label for label, name in reversed([*enumerate(names)])}
    known |= {name: label for label, name in reversed([*enumerate(names)])}
    if classes is not None:
        wanted = [name if name in known else name.strip() for name in classes.split(",")]
    elif word is None:
        wanted = list(single)
    elif not any(len(name) == 1 for name in known):
        raise click.BadParameter(
            f"this model's classes are no single characters, name them with --classes "
            f"(it has: {', '.join(names)})",
            param_hint=f"'{hint}'",
        )
    else:
        wanted = list(composed(word))
        for character in dict.fromkeys(wanted):
            other = character.swapcase()
            if character not in known and other in known:
                known[character] = known[other]
                click.echo(f"{character} is drawn as {other}", err=True)
    if not wanted:
        raise click.BadParameter("the word is empty", param_hint=f"'{hint}'")
    found = [known.get(name, known.get(composed(name))) for name in wanted]
    missing = [name for name, label in zip(wanted, found, strict=True) if label is None]
    if missing:
        raise click.BadParameter(
            f"this model has no class for {', '.join(map(repr, dict.fromkeys(missing)))} "
            f"(it has: {(' ' if word else ', ').join(names)})",
            param_hint=f"'{hint}'",
        )
    return [label for label in found if label is not None]
