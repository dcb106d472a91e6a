"""``salamandre datasets``: list, fetch, verify."""

from __future__ import annotations

import os
import tempfile
import warnings
from typing import TYPE_CHECKING

import click

from salamandre.cli import options as kinds
from salamandre.cli.look import table

if TYPE_CHECKING:
    from salamandre.data import DataSet, Images

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
    """List, fetch and verify data sets."""
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
    download = f"{sum(sizes) / 1e6:,.0f} MB" if sizes else "built in"
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


def _told(name: str, train: Images, test: Images) -> str:
    return (
        f"{name}: {len(train):,} images for training and {len(test):,} for testing, "
        f"{len(train.classes)} classes"
    )
