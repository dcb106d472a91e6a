"""``salamandre page``: a trained generator that draws in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from salamandre.cli import options as kinds
from salamandre.cli.generate import image_shape
from salamandre.cli.train_options import the_run


@click.command()
@kinds.run_argument
@click.option(
    "--to",
    type=kinds.PATH,
    metavar="FOLDER",
    help="The folder of the page. Default: page/ in the run's folder.",
)
@click.option(
    "--runtime",
    type=kinds.PATH,
    metavar="FOLDER",
    help="Make onnxruntime-web, the npm package in this folder, a part of the page, so that it "
    "works offline. Default: the page fetches it from a CDN.",
)
@kinds.checkpoint_option
@kinds.output_option
def page(
    run: str, to: Path | None, runtime: Path | None, checkpoint: int | None, output: Path
) -> None:
    """Write a page on which the generator draws a word as it is typed.

    Anybody can open it, from a disk or from a server; nothing needs to be installed.
    """
    from salamandre.network import Network
    from salamandre.pages import find_runtime, write_page

    found = the_run(run, output)
    with kinds.usage():
        file = found.generator(checkpoint)
    try:
        script = find_runtime(runtime)
    except FileNotFoundError as error:
        raise click.BadParameter(str(error), param_hint="'--runtime'") from None
    generator = Network.load(file, backend="numpy")
    if len(generator.input_shape) > 1:
        raise click.UsageError(
            f"{found.name} makes pictures from pictures, which no page can draw: "
            f"salamandre translate {found.name} PICTURE"
        )
    names = (generator.class_names or found.images.classes) if generator.classes else ()
    learned = f"from {found.images.count:,} images of {found.images.name}"
    about = (
        f"A generator that has learned {learned if found.images.name else 'from images'} draws "
        f"here, in your browser. No two hands write alike."
    )
    film = {int(path.stem): path for path in found.samples}
    shape = found.images.shape or image_shape(generator.output_shape)
    with kinds.usage():
        written = write_page(
            generator,
            to or found.folder / "page",
            shape,
            names,
            title=found.name,
            about=about,
            film=film,
            runtime=script,
        )
    click.echo(written)
