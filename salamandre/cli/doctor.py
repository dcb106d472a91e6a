"""``salamandre doctor``: what is installed, what it runs on, and what would make it faster."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import click

from salamandre.cli.look import table
from salamandre.machine import cores
from salamandre.texts import path_of

# What extras bring, and what it is for.
OPTIONAL = {
    "numba": ("fast", "compiled loops"),
    "scikit-learn": ("sklearn", "networks as its estimators, transfer learning"),
    "pyarrow": ("data", "files of Parquet"),
    "scipy": ("evaluation", "exact Wasserstein distances"),
    "onnx": ("onnx", "ONNX files and pages in the browser"),
    "tensorboardX": ("tensorboard", "logs for TensorBoard"),
    "mpi4py": ("mpi", "one run on several processes"),
    "joblib": ("studies", "studies of many runs (with SciPy)"),
    "optuna": ("optuna", "studies that search"),
    "distributed": ("dask", "studies on several machines, by Dask"),
    "ray": ("ray", "studies on several machines, by Ray"),
}


@click.command()
def doctor() -> None:
    """Say what is installed, what it runs on, and what would make it faster.

    What is not right, or could be better, ends with what to do.
    """
    click.echo(table([*_program(), *_processor(), *_graphics(), *_extras(), *_places()]))


def _program() -> Iterator[tuple[str, str]]:
    from salamandre import __version__

    yield "salamandre", f"{__version__}, in {Path(__file__).parents[1]}"
    yield "Python", f"{platform.python_version()} on {platform.platform()}"


def _processor() -> Iterator[tuple[str, str]]:
    """Yield NumPy with its linear algebra, and the cores."""
    import numpy as np
    from threadpoolctl import threadpool_info

    yield "NumPy", np.__version__
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            made_for = f", for {pool['architecture']}" if pool.get("architecture") else ""
            threads = f"{pool['num_threads']} threads"
            yield "BLAS", f"{pool['internal_api']} {pool['version']}{made_for}, {threads}"
    yield "cores", str(cores())


def _graphics() -> Iterator[tuple[str, str]]:
    from salamandre.backend import get_backend

    try:
        backend = get_backend("cupy")
    except RuntimeError as error:
        yield "GPU", str(error)
        return
    runtime, version = backend.xp.cuda.runtime, backend.xp.__version__
    for number in range(runtime.getDeviceCount()):
        found = runtime.getDeviceProperties(number)
        memory = found["totalGlobalMem"] / 2**30
        yield "GPU", f"{found['name'].decode()}, {memory:.0f} GiB, by CuPy {version}"


def _extras() -> Iterator[tuple[str, str]]:
    for package, (extra, purpose) in OPTIONAL.items():
        version = _version(package)
        missing = f"not installed: pip install 'salamandre[{extra}]' brings {purpose}"
        yield package, version or missing


def _places() -> Iterator[tuple[str, str]]:
    """Yield the folders, and which data sets are there."""
    from salamandre import data
    from salamandre.data import cache

    home = cache.root()
    usable = "" if cache.writable(home) else ", which cannot be written to: set SALAMANDRE_CACHE"
    yield "cache", f"{home}{usable}, {_size(home) / 1e6:,.0f} MB"
    folder = os.environ.get("SALAMANDRE_DATA")
    if folder and not path_of(folder).is_dir():
        yield "data folder", f"{folder}, which is not there: make it, or set SALAMANDRE_DATA"
    else:
        yield "data folder", folder or "none: SALAMANDRE_DATA is not set"
    found = filter(data.at_hand, data.CATALOGUE)
    yield "data sets", f"{', '.join(found)}; others are downloaded (salamandre datasets list)"


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder, without those that cannot be read."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # another process may have removed it
                size += os.path.getsize(os.path.join(place, name))
    return size


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
