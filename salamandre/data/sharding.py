"""Data sets larger than memory: a folder of arrays in many files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from salamandre.data.listing import is_hidden
from salamandre.data.own_files import first_of, split_of
from salamandre.data.rows import Rows
from salamandre.texts import path_of


class Shards(NamedTuple):
    """A data set in many files, as a pair (inputs, targets).

    Attributes:
        inputs: (N, ...).
        targets: (N, ...), in memory if they are labels or vectors; ``None`` if there are none.
    """

    inputs: Rows
    targets: Any


def shards(folder: str | os.PathLike[str]) -> Shards:
    """Return the data set of a folder of ``.npy`` files, which may be larger than memory.

    The files are named in pairs such as ``x-000.npy`` and ``y-000.npy``, or ``images_1.npy`` and
    ``labels_1.npy``: parts of the inputs and of the targets, in the order of their numbers. Without
    files of targets, as for an autoencoder or a game, ``targets`` is ``None``.

    An engine or a game reads the rows of a batch when it needs them, some batches ahead in a
    thread, in the order of :meth:`Rows.order`. At the start it looks at 1,024 rows alone: NaN is
    found when it is read, and a change of the files between two runs may not be.

    Raises:
        ValueError: no such files, a damaged one, or parts that do not fit each other.
    """
    place = path_of(folder)
    found: dict[str, list[Path]] = {"images": [], "labels": []}
    for path in sorted(place.glob("*.npy"), key=_numbered):
        kind = None if is_hidden(path.name) else first_of(("labels", "images"), path.stem)
        if kind:
            found[kind].append(path)
    inputs, targets = found.values()
    if not inputs:
        raise ValueError(
            f"{place} has no parts of a data set: name them x-000.npy and y-000.npy, or "
            f"images-000.npy and labels-000.npy, and so on"
        )
    splits = {split_of(path.stem) for path in (*inputs, *targets)} - {""}
    if len(splits) > 1:
        raise ValueError(
            f"{place} has parts of several splits by their names ({', '.join(sorted(splits))}): "
            f"give each split a folder of its own"
        )
    rows = Rows(inputs)
    if not targets:
        return Shards(rows, None)
    for image, target in zip(inputs, targets, strict=False):
        if _numbered(image)[1::2] != _numbered(target)[1::2]:
            raise ValueError(
                f"the parts of {place} must have the same numbers, got {image.name} beside "
                f"{target.name}: is one missing?"
            )
    answers = Rows(targets)
    if rows.counts != answers.counts:
        raise ValueError(
            f"{place} must have as many targets as inputs in each part, got {answers.counts} "
            f"targets and {rows.counts} inputs"
        )
    return Shards(rows, answers if answers.ndim > 2 else answers[:])


def _numbered(path: Path) -> list[Any]:
    """Return what sorts ``x-2`` before ``x-10``."""
    parts = re.split(r"(\d+)", path.stem)
    return [int(part) if part.isdigit() else part for part in parts]
