"""``salamandre datasets``: list, fetch, verify, show."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click
import numpy as np

from salamandre.cli import options as kinds
from salamandre.cli.look import table
from salamandre.texts import path_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from salamandre.data import DataSet, Images

LISTED = 40  # classes; of more, the first and the last ones are
CAPTION = 14  # letters of the name of a class above an image

NAMES = click.argument(
    "names", metavar="[NAME]...", nargs=-1, type=kinds.one_of("data set", kinds.datasets)
)
DATA_DIR = click.option(
    "--data-dir",
    metavar="DIR",
    help="The folder to look into. Default: SALAMANDRE_DATA, then the cache.",
)


@click.group(invoke_without_command=True)
@click.pass_context
def datasets(ctx: click.Context) -> None:
    """List, fetch, verify and show data sets."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@datasets.command("list")
def list_() -> None:
    """List the data sets that can be loaded by name."""
    from salamandre.data import CATALOGUE

    head = ("name", "images", "size", "classes", "latent", "download", "licence")
    click.echo(table([head, *map(_row, CATALOGUE.values())]))


def _row(entry: DataSet) -> tuple[str, ...]:
    size = "×".join(map(str, entry.shape))
    images = f"{entry.train:,} + {entry.test:,}"
    classes, latent = str(len(entry.classes)), str(entry.latent)
    sizes = [file.bytes for form in entry.forms[:1] for file in form.files]
    download = "built in" if not sizes else f"{sum(sizes) / 1e6:,.0f} MB" if all(sizes) else "?"
    return entry.name, images, size, classes, latent, download, entry.licence


@datasets.command()
@NAMES
@DATA_DIR
def fetch(names: tuple[str, ...], data_dir: str | None) -> None:
    """Download data sets into the cache, unless they are there, and compare checksums."""
    from salamandre import data

    if not names:
        raise click.UsageError("name the data sets to be fetched (salamandre datasets list)")
    for name in names:
        click.echo(_told(name, *data.load(name, data_dir=data_dir)))


@datasets.command()
@NAMES
@DATA_DIR
@click.pass_context
def verify(ctx: click.Context, names: tuple[str, ...], data_dir: str | None) -> None:
    """Read data sets from their files again and compare checksums. Default: all that are found."""
    from salamandre import data

    bad = False
    for name in names or kinds.datasets():
        try:
            with warnings.catch_warnings(record=True) as doubts:
                warnings.simplefilter("always", UserWarning)
                found = _read_anew(name, data_dir)
        except data.CorruptData as error:
            click.echo(f"{name}: {error}", err=True)
            bad = True
            continue
        if doubts:
            click.echo(f"{name}: could not be verified: {doubts[0].message}", err=True)
            bad = True
        elif found is not None:
            click.echo(f"{_told(name, *found)}, as published")
        elif _is_converted(name, data_dir):
            click.echo(
                f"{name}: only converted in the cache, without the published files that could be "
                f"verified",
                err=bool(names),
            )
            bad = bad or bool(names)
        else:
            click.echo(f"{name}: not here", err=bool(names))
            bad = bad or bool(names)
    ctx.exit(int(bad))


def _read_anew(name: str, data_dir: str | None) -> tuple[Images, Images] | None:
    """Return a data set read from its files, not from converted ones in the cache."""
    from salamandre import data
    from salamandre.data import cache, loading

    usual = [os.environ.get(loading.VARIABLE), str(cache.root())]
    for folder in filter(None, [data_dir] if data_dir else usual):
        with tempfile.TemporaryDirectory() as fresh:
            try:
                return data.load(name, data_dir=folder, cache_dir=fresh, download=False)
            except data.DataUnavailable:
                continue
    return None


def _is_converted(name: str, data_dir: str | None) -> bool:
    """Return whether a data set is loaded from the cache alone."""
    from salamandre import data

    try:
        return bool(data.load(name, data_dir=data_dir, download=False))
    except data.DataUnavailable:
        return False


def _told(name: str, train: Images, test: Images) -> str:
    return (
        f"{name}: {len(train):,} images for training and {len(test):,} for testing, "
        f"{len(train.classes)} classes"
    )


@datasets.command()
@click.argument("source", metavar="NAME|PATH")
@click.option("--to", metavar="FILE", help="Draw some images of each class into this PNG file.")
@click.option(
    "--image-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Height and width of the images. Default: the set's own, 64 for pictures.",
)
@click.option("--grey", is_flag=True, help="Convert images to grey.")
@DATA_DIR
def show(
    source: str, to: str | None, image_size: int | None, grey: bool, data_dir: str | None
) -> None:
    """Count and describe the images of a data set, by its NAME or its PATH, and draw some.

    PATH is a folder of pictures, or files in one of the forms that salamandre.data.open knows.
    Values, mean and standard deviation are those of each channel, scaled to 0..1.
    """
    from salamandre import data

    path = path_of(to, "--to") if to else None
    if path and path.suffix.lower() != ".png":
        raise click.BadParameter(f"{path} must end in .png", param_hint="'--to'")
    channels = 1 if grey else None
    opened = data.open(source, image_size=image_size, channels=channels, data_dir=data_dir)
    splits = [split for split in opened if split is not None]
    click.echo("\n\n".join(table(rows) for rows in _description(splits)))
    if path:
        from salamandre.data.summary import some_of_each
        from salamandre.plots import plot_images

        pixels, names, columns = some_of_each(splits[0])
        captions = [n if len(n) <= CAPTION else f"{n[: CAPTION - 1]}…" for n in names]
        plot_images(pixels, path, captions=captions, columns=columns, title=splits[0].name)
        click.echo(f"\n{path}")


def _description(splits: Sequence[Images]) -> Iterator[list[tuple[str, ...]]]:
    """Yield a table of the splits and one of their classes."""
    from salamandre.data.summary import channel_values, class_sizes

    names, head = splits[0].classes, tuple(split.split for split in splits)
    sizes = [class_sizes(split) for split in splits]
    values = [channel_values(split) for split in splits]

    def row(what: str, texts: Iterable[str]) -> tuple[str, ...]:
        return what, *texts

    def extreme(count: NDArray[np.int64], pick: Callable[..., int]) -> str:
        label = pick(range(len(count)), key=lambda k: count[k] or (pick is min) * count.sum())
        return f"{names[label]} ({count[label]:,})"

    yield [
        (splits[0].name, *head),
        row("images", (f"{len(split):,}" for split in splits)),
        row("size", ("×".join(map(str, split.shape)) for split in splits)),
        row("classes", (f"{np.count_nonzero(count):,}" for count in sizes)),
        row("smallest class", (extreme(count, min) for count in sizes)),
        row("largest class", (extreme(count, max) for count in sizes)),
        *(
            row(what, (" ".join(f"{getattr(v, field):.4g}" for v in each) for each in values))
            for what, field in (
                ("smallest value", "smallest"),
                ("largest value", "largest"),
                ("mean", "mean"),
                ("standard deviation", "std"),
            )
        ),
    ]
    rows = [(name, *(f"{count[k]:,}" for count in sizes)) for k, name in enumerate(names)]
    if len(rows) > LISTED:
        rows[LISTED // 2 : -LISTED // 2] = [("...",) * len(rows[0])]
    yield [("class", *head), *rows]
