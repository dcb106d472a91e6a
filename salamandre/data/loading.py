"""Finding a data set: in a folder that is named, in the cache, or on the network."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from salamandre.checks import one_of
from salamandre.data import cache
from salamandre.data.archives import read_archived
from salamandre.data.catalogue import CATALOGUE
from salamandre.data.conversion import writable
from salamandre.data.digits import Pair, read_digits
from salamandre.data.download import download as fetch
from salamandre.data.entries import DataSet, Part
from salamandre.data.errors import CorruptData, DataUnavailable
from salamandre.data.idx import read_pair, verify
from salamandre.data.images import Images

VARIABLE = "SALAMANDRE_DATA"

Folder = str | os.PathLike[str]
Files = dict[Part, Path]


def load(
    name: str,
    *,
    data_dir: Folder | None = None,
    cache_dir: Folder | None = None,
    download: bool = True,
) -> tuple[Images, Images]:
    """Return the training and the test split of a data set.

    Its files are taken from ``data_dir``; without one from the folder that the environment
    variable ``SALAMANDRE_DATA`` names, if it holds the set; else from the cache; else from the
    network. In a folder they may be plain or ``.gz``, an archive or what it unpacks to, directly or
    in a subfolder of the set's name. They are verified, converted once and mapped from the cache
    afterwards.

    Args:
        name: a name of :data:`salamandre.data.CATALOGUE`, such as ``"mnist"``, ``"cifar-10"`` or
            ``"digits"``; the last comes with the package and needs no folder.
        data_dir: a folder that must hold the files. Default: none.
        cache_dir: where downloads and converted arrays are kept. Default: the folder that
            ``SALAMANDRE_CACHE`` names, else the user's cache folder of the system. One that
            cannot be written costs a warning and the conversion at every start.
        download: whether the network may be used. Default True.

    Raises:
        ValueError: unknown name.
        CorruptData: a file of ``data_dir`` or ``SALAMANDRE_DATA`` holds something else.
        DataUnavailable: ``data_dir`` lacks a file, or no mirror sent it.
    """
    entry = CATALOGUE[one_of("data set", name, CATALOGUE)]
    if entry.parts:
        train, test = _read(entry, data_dir, cache_dir, download)
    elif entry.archives:
        folder, must = _named(data_dir), data_dir is not None
        train, test = read_archived(entry, folder, must, cache_dir, download)
    else:
        train, test = read_digits()
    return (
        Images(*train, entry.classes, entry.name, "train", entry.white),
        Images(*test, entry.classes, entry.name, "test", entry.white),
    )


def _read(
    entry: DataSet, data_dir: Folder | None, cache_dir: Folder | None, may_download: bool
) -> tuple[Pair, Pair]:
    folder = cache.root(cache_dir) / entry.name
    files = _given(entry, data_dir)
    for part, path in files.items():
        verify(path, part)
    arrays = cache.recall(folder, entry.parts)
    if arrays is None:
        with ExitStack() as stack:
            files = files or _downloaded(entry, folder, may_download, stack)
            arrays = {}
            for images, labels in entry.pairs():
                arrays[images], arrays[labels] = read_pair(
                    (files[images], images), (files[labels], labels)
                )
        arrays = cache.keep(folder, arrays)
    train, test = ((arrays[images], arrays[labels]) for images, labels in entry.pairs())
    return train, test


def _given(entry: DataSet, data_dir: Folder | None) -> Files:
    """Return the files of the folder that the user named, or none if there is no such folder."""
    folder = _named(data_dir)
    if folder is None:
        return {}
    files = _locate(entry, folder)
    missing = [part for part in entry.parts if part not in files]
    if not missing:
        return files
    if data_dir is None:
        return {}
    lack = (
        "lacks " + ", ".join(part.file for part in missing) if folder.is_dir() else "is no folder"
    )
    raise DataUnavailable(f"{folder} {lack}", missing[0])


def _named(data_dir: Folder | None) -> Path | None:
    """Return the folder that the user named, if there is one."""
    named = data_dir if data_dir is not None else os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else None


def _locate(entry: DataSet, folder: Path) -> Files:
    """Return the parts that are in a folder, under any of the names that mirrors give them."""
    files = {}
    for part in entry.parts:
        plain = part.file.removesuffix(".gz")
        dotted = plain.replace("-idx", ".idx")
        names = (part.file, plain, f"{dotted}.gz", dotted)
        paths = (place / name for place in (folder / entry.name, folder) for name in names)
        found = next((path for path in paths if path.is_file()), None)
        if found is not None:
            files[part] = found
    return files


def _downloaded(entry: DataSet, folder: Path, may_download: bool, stack: ExitStack) -> Files:
    """Return the files that were downloaded into the cache, after fetching those that are not."""
    files = {part: path for part, path in _locate(entry, folder).items() if _intact(path, part)}
    missing = [part for part in entry.parts if part not in files]
    if missing and not may_download:
        raise DataUnavailable(
            f"{entry.title} is not in {folder} and downloading was not allowed", missing[0]
        )
    if missing and not writable(folder):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return files | {part: fetch(part, entry.mirrors, folder) for part in missing}


def _intact(path: Path, part: Part) -> bool:
    try:
        verify(path, part)
    except CorruptData:
        return False
    return True
