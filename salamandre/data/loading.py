"""Data sets by name: from a folder of the user's, the cache, or the internet."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from salamandre.checks import one_of
from salamandre.data import cache, reading
from salamandre.data.catalogue import (
    CATALOGUE,
    SPLITS,
    DataSet,
    DataUnavailable,
    Form,
    Part,
    Split,
)
from salamandre.data.download import download as fetch, is_published
from salamandre.data.images import Images
from salamandre.texts import path_of

VARIABLE = "SALAMANDRE_DATA"

Folder = str | os.PathLike[str]
Found = tuple[Form, dict[Part, Path]]


def load(
    name: str,
    *,
    data_dir: Folder | None = None,
    cache_dir: Folder | None = None,
    download: bool = True,
) -> tuple[Images, Images]:
    """Return the training and the test split of a data set.

    Its files are taken from ``data_dir``. Without ``data_dir`` they are taken from the folder that
    the environment variable ``SALAMANDRE_DATA`` names, if it holds the set; else from the cache;
    else from the internet. In a folder, files may be plain or ``.gz``, archives packed or unpacked,
    directly or in a subfolder with the name of the set. Files are verified and converted once. The
    converted arrays are mapped from the cache until a file changes.

    Args:
        name: a name of :data:`salamandre.data.CATALOGUE`, such as ``"mnist"``, ``"cifar-10"`` or
            ``"digits"``; the last comes with the package and needs no folder.
        data_dir: a folder that must hold the files. Default: none.
        cache_dir: where downloads and converted arrays are kept. Default: the folder that
            ``SALAMANDRE_CACHE`` names, else the user's cache folder of the system. If it
            cannot be written, there is a warning, and files are converted at every start.
        download: whether files may be downloaded. Default True.

    Raises:
        ValueError: unknown name.
        CorruptData: a file of ``data_dir`` or ``SALAMANDRE_DATA`` is damaged or another one.
        DataUnavailable: ``data_dir`` lacks a file, or no mirror sent it.
    """
    if isinstance(name, str) and name not in CATALOGUE and os.path.exists(name):
        raise ValueError(f"load knows data sets by name, and {name!r} is a path: use data.open")
    entry = CATALOGUE[one_of("data set", name, CATALOGUE)]
    home = cache.root(cache_dir) / (entry.family or entry.name)
    named = data_dir if data_dir is not None else os.environ.get(VARIABLE)
    if not entry.forms:
        pairs = _bundled(entry)
    elif named and (found := _find(entry, path_of(named, "data_dir"), data_dir is not None)):
        pairs = [_own(entry, split, found[split], home) for split in SPLITS]
    else:
        pairs = _published(entry, home, download)
    train, test = (
        Images(*pair, entry.classes, entry.name, split, entry.white)
        for split, pair in zip(SPLITS, pairs, strict=True)
    )
    return train, test


def at_hand(name: str) -> bool:
    """Return whether :func:`load` finds a data set here, without the internet."""
    entry = CATALOGUE[one_of("data set", name, CATALOGUE)]
    named = os.environ.get(VARIABLE)
    if not entry.forms or (named and _find(entry, path_of(named), must=False)):
        return True
    home, form = cache.root() / (entry.family or entry.name), entry.forms[0]
    return all(is_published(home / file.name, file) for file in form.files) or all(
        cache.recall(
            _cached(home, entry, split, form, "published"), entry.shape, len(entry.classes)
        )
        for split in SPLITS
    )


def _bundled(entry: DataSet) -> list[cache.Pair]:
    """Return the 8×8 digits that come with the package; see ``digits.md`` beside this file.

    They are in the order of their 13 writers. The last fifth, the test split, is mostly by other
    people than the rest: a harder test than a shuffled one.
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    end = entry.train
    return [(images[:end], labels[:end]), (images[end:], labels[end:])]


def _find(entry: DataSet, folder: Path, must: bool) -> dict[Split, Found]:
    """Return each split in the first form that a folder holds, or nothing if one is missing.

    Raises:
        DataUnavailable: one is missing, although the folder must hold the set.
    """
    found: dict[Split, Found] = {}
    missing: list[str] = []
    for split in SPLITS:
        forms = [(form, reading.find(entry, form, split, folder)) for form in entry.forms]
        whole = [(form, files) for form, files in forms if len(files) == len(form.of(split))]
        if whole:
            found[split] = whole[0]
            continue
        form, files = next(((form, files) for form, files in forms if files), forms[0])
        lacking = [part for part in form.of(split) if part not in files]
        missing += [part.name if files else form.file(part).name for part in lacking]
    if not missing:
        return found
    if must:
        lack = f"lacks {', '.join(dict.fromkeys(missing))}" if folder.is_dir() else "is no folder"
        raise DataUnavailable(f"{folder} {lack}; {entry.forms[0].remedy}")
    return {}


def _own(entry: DataSet, split: Split, found: Found, home: Path) -> cache.Pair:
    """Return a split from files in a folder of the user's."""
    form, files = found
    path = _cached(home, entry, split, form, cache.origin(files.values()))
    return cache.keep(
        path, entry.shape, partial(reading.write, entry, form, files), len(entry.classes)
    )


def _published(entry: DataSet, home: Path, may_download: bool) -> list[cache.Pair]:
    """Return both splits from the published files, which are downloaded if they are missing."""
    form = entry.forms[0]
    paths = {split: _cached(home, entry, split, form, "published") for split in SPLITS}
    classes = len(entry.classes)
    files = {file: home / file.name for file in form.files}
    with ExitStack() as stack:
        if not all(cache.recall(path, entry.shape, classes) for path in paths.values()):
            missing = [file for file, path in files.items() if not is_published(path, file)]
            if missing and not may_download:
                raise DataUnavailable(
                    f"{entry.title} is not in {home} and downloading was not allowed; {form.remedy}"
                )
            to = home
            if missing and not cache.writable(home):
                to = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            files |= {file: fetch(form, file, to) for file in missing}
        pairs = []
        for split, path in paths.items():
            of_parts = {part: files[form.file(part)] for part in form.of(split)}
            write = partial(reading.write, entry, form, of_parts)
            pairs.append(cache.keep(path, entry.shape, write, classes))
        return pairs


def _cached(home: Path, entry: DataSet, split: Split, form: Form, origin: object) -> Path:
    """Return the path of a split in the cache, which depends on the files and their format."""
    return home / f"{split}-{cache.key(form, entry.shape, entry.classes, origin)}.bytes"
