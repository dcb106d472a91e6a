"""``salamandre inspect``: pictures of what a network looks at, what fools it, what it imagines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salamandre.cli import options as kinds

if TYPE_CHECKING:
    from salamandre.models import Model
    from salamandre.runs import Run

SHOWN = 6  # images of a run's data set


@click.command()
@click.argument("model", metavar="MODEL_OR_RUN")
@click.argument("pictures", metavar="[PICTURE...]", nargs=-1)
@click.option("--saliency", is_flag=True, help="Which pixels it looks at. The default.")
@click.option(
    "--adversarial",
    metavar="CLASS",
    help="Change each picture a little, so that it takes it for this class: by at most 4 of 255 "
    "levels, if need be by 16 or 64.",
)
@click.option(
    "--dream", metavar="CLASS", multiple=True, help="What it imagines this class to be. Repeatable."
)
@click.option("--deep-dream", metavar="LAYER", help="More of what a layer finds in the pictures.")
@click.option("--layers", is_flag=True, help="Filters, activations of layers, weights of neurons.")
@click.option("--layer", metavar="NAME", help="The layer of --layers and of Grad-CAM.")
@click.option(
    "--weights",
    metavar="FILE",
    help="Of a known model. Default: SALAMANDRE_WEIGHTS, the cache, else the internet.",
)
@click.option(
    "--to",
    type=kinds.PATH,
    metavar="DIR",
    help="The folder of the pictures. Default: inspected/MODEL, or inspected/ in the run's folder.",
)
@kinds.backend_option
@kinds.output_option
def inspect(
    model: str,
    pictures: tuple[str, ...],
    saliency: bool,
    adversarial: str | None,
    dream: tuple[str, ...],
    deep_dream: str | None,
    layers: bool,
    layer: str | None,
    weights: str | None,
    to: Path | None,
    backend: str | None,
    output: Path,
) -> None:
    """Look into MODEL_OR_RUN: a known model, a file of a network, or a classifier's run.

    Without pictures, those of the run's test set are taken.

    \b
      salamandre inspect squeezenet1_1 photo.jpg --saliency --adversarial goldfish
    """  # noqa: D301 (click reads the \b)
    from salamandre.inspection import Report
    from salamandre.inspection.probes import full_name

    found, run = _found(model, weights, backend, output)
    with kinds.usage():  # refused before anything is computed
        for name in filter(None, (adversarial, *dream)):
            found.label(name)
        for name in filter(None, (layer, deep_dream)):
            full_name(found.network, name)
    saliency = saliency or not (adversarial or dream or deep_dream or layers)
    inputs = found.prepare(list(pictures)) if pictures else _test_images(found, run)
    if not len(inputs) and (saliency or adversarial or deep_dream):
        raise click.UsageError("at least one picture is needed: name its file")
    home = run.folder / "inspected" if run else Path("inspected", found.name)
    report = Report(found, inputs, to or home)
    written: list[Path] = []
    if saliency:
        written.append(report.saliency(layer))
    if adversarial:
        written.append(report.adversarial(adversarial))
    if dream:
        written.append(report.dream(*dream))
    if deep_dream:
        written.append(report.deep_dream(deep_dream))
    if layers:
        written += report.layers(layer)
    for picture in pictures:
        answers = (f"{name} {100 * float(p):.1f}%" for name, p in found.classify([picture])[0])
        click.echo(f"{picture}: {', '.join(answers)}")
    for line in (*report.lines, *written):
        click.echo(line)


def _found(
    name: str, weights: str | None, backend: str | None, output: Path
) -> tuple[Model, Run | None]:
    """Return a model by its name, its file or its run."""
    from salamandre import models
    from salamandre.checks import one_of
    from salamandre.network import Network
    from salamandre.runs import UnknownRun, find_run
    from salamandre.texts import path_of

    if name in models.KNOWN:
        chosen: Any = {} if weights is None else {"weights": weights}
        return models.load(name, **chosen, backend=backend), None
    file = path_of(name)
    if file.is_file():
        network = Network.load(file, backend=backend)
        return models.of_network(network, name=file.stem), None
    try:
        run = find_run(name, output)
    except UnknownRun as error:
        try:
            one_of("model", name, models.KNOWN)
        except ValueError as unknown:
            raise click.UsageError(f"{unknown}, and {error}") from None
        raise
    network = Network.load(run.classifier(), backend=backend)
    return models.of_network(network, run.images.classes or None, run.name), run


def _test_images(model: Model, run: Run | None) -> Any:
    """Return a few images of the test set that a run has not learned from."""
    import numpy as np

    from salamandre.runs import test_images

    if run is None:
        return np.empty((0, *model.network.input_shape), np.float32)
    test = test_images(run)
    network = model.network
    return network.backend.to_numpy(network.as_inputs(test.spread(SHOWN)))
