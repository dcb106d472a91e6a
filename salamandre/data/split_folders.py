"""Folders of the training and the test split above the folders of classes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from salamandre.data.listing import is_hidden, search
from salamandre.data.own_files import WORDS
from salamandre.data.pictures import suffixes
from salamandre.texts import bracketed, path_of

TRAIN, TEST = WORDS["train"], WORDS["test"] + WORDS["val"]
SPLIT_NAMES = TRAIN + TEST


def splits(path: str | os.PathLike[str]) -> dict[str, Path] | None:
    """Return the folders of the splits ``"train"`` and ``"test"`` in a folder, or None.

    They are called by one of :data:`salamandre.data.own_files.WORDS`, in letters of either case; of
    several for a split the first is taken, ``test`` before ``val``, and a warning names the others.
    If the folder holds pictures beside these sub-folders or in others, they are no splits, but
    classes.

    Raises:
        OSError: the folder cannot be read.
    """
    place, found = path_of(path), dict[str, Path]()
    there = _parts(place) if place.is_dir() else []
    for split, names in (("train", TRAIN), ("test", TEST)):
        own = [part for part in there if part.name.lower() in names]
        if not own:
            return None
        found[split] = min(own, key=lambda part: names.index(part.name.lower()))
    endings = suffixes()
    for entry in place.iterdir():
        if is_hidden(entry.name) or entry in there:
            continue
        if entry.is_dir():
            if search(entry, endings).pictures:
                return None
        elif entry.name.lower().endswith(endings):
            return None
    if unread := [part.name for part in there if part not in found.values()]:
        warnings.warn(f"{place}: passed over the splits{bracketed(unread)}", stacklevel=3)
    return found


def _parts(place: Path) -> list[Path]:
    """Return the sub-folders with the name of a split, sorted."""
    named_so = (entry for entry in place.iterdir() if entry.name.lower() in SPLIT_NAMES)
    return sorted(entry for entry in named_so if entry.is_dir())
