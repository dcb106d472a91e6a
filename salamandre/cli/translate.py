"""``salamandre translate``: pictures made from pictures by a trained generator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from salamandre.cli import options as kinds
from salamandre.cli.train_options import the_run


@click.command()
@kinds.run_argument
@click.argument("pictures", metavar="PICTURE...", nargs=-1, type=kinds.PATH)
@click.option(
    "--to",
    type=kinds.PATH,
    metavar="DIR",
    help="The folder of the results. Default: translated/ in the run's folder.",
)
@kinds.number_option("--seed", kinds.Amount, 0, "Of the generator's noise.")
@kinds.checkpoint_option
@kinds.backend_option
@kinds.output_option
def translate(
    run: str,
    pictures: tuple[Path, ...],
    to: Path | None,
    seed: int,
    checkpoint: int | None,
    backend: str | None,
    output: Path,
) -> None:
    """Make pictures of any size from pictures, and draw each beside its original.

    A picture is resized to what the generator has learned, and the result resized back.
    """
    from PIL import Image

    from salamandre.data.own_files import refusing
    from salamandre.data.pictures import of_any_size
    from salamandre.network import Network

    found = the_run(run, output)
    if not pictures:
        raise click.UsageError("name the pictures to translate, after the run")
    with kinds.usage():
        file = found.generator(checkpoint)
    generator = Network.load(file, backend=backend)
    *latent, shape = _inputs(generator.input_shape)
    if any(len(s) != 3 or s[0] not in (1, 3) for s in (shape, generator.output_shape)):
        raise click.UsageError(
            f"{found.name} makes no pictures from pictures, grey or coloured, but "
            f"{generator.output_shape} from {shape}: salamandre generate draws other games"
        )
    folder = to or found.folder / "translated"
    results = _results(pictures, folder)
    for picture, path in zip(pictures, results, strict=True):
        with refusing(picture, "picture"):
            original = of_any_size(picture, 3)
            given = original if shape[0] == 3 else of_any_size(picture, shape[0])
        beside = _beside(generator, latent, shape, original, given, seed)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(beside.transpose(1, 2, 0)).save(path)
        click.echo(path)


def _results(pictures: tuple[Path, ...], folder: Path) -> list[Path]:
    """Return the path of each picture's result; of equal names all but the first are numbered.

    Raises:
        UsageError: a result would replace one of the pictures.
    """
    named: Counter[str] = Counter()
    given, results = {picture.resolve() for picture in pictures}, []
    for picture in pictures:
        number = named[picture.stem.lower()] = named[picture.stem.lower()] + 1
        more = f"-{number}" if number > 1 else ""
        results.append(folder / f"{picture.stem}-translated{more}.png")
        if results[-1].resolve() in given:
            raise click.UsageError(
                f"the result of {picture} would replace {results[-1]}, which is to be translated "
                f"too: leave it out, or choose another folder, --to"
            )
    return results


def _inputs(shape: Any) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of a generator's inputs, the condition last."""
    return shape if isinstance(shape[0], tuple) else (shape,)


def _beside(
    generator: Any, latent: Any, shape: tuple[int, ...], original: Any, given: Any, seed: int
) -> Any:
    """Return a picture and what is made of it, side by side, (3, H, 2 W)."""
    import numpy as np

    from salamandre.data.pictures import resized
    from salamandre.games import Gaussian
    from salamandre.games.checks import output_range

    x: Any = resized(given, *shape[1:])[None]
    if latent:
        stream = generator.backend.stream([seed, 5])
        x = Gaussian(*latent[0]).draw(stream, 1, generator.dtype), x
    made = generator.backend.to_numpy(generator.predict(x, seed=seed))[0]
    low, high = output_range(generator)
    pixels = np.rint(np.clip((made - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    result = resized(pixels, *original.shape[1:])
    return np.concatenate([original, np.broadcast_to(result, original.shape)], axis=2)
