"""Tables of images, kept in the cache after they were read once.

Each split is a file of :mod:`salamandre.data.cache`. A file in JSON beside them says what these do
not: the shape of an image and the names of the classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from salamandre.atomic import replacing
from salamandre.data import cache
from salamandre.data.catalogue import SPLITS
from salamandre.data.images import Images


class About(msgspec.Struct, frozen=True):
    """What the files of the splits do not say.

    Attributes:
        shape: of an image.
        classes: their names.
        splits: how many there are: 1 for training only.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    splits: int


def keep(stamp: Path, name: str, read: Callable[[], Sequence[Images]]) -> list[Images]:
    """Return splits from the cache, after writing them there if they are absent.

    Args:
        stamp: path of the files, without their endings.
        name: of the data set.
        read: returns the training split, or that and the test split.
    """
    about_path = stamp.with_name(f"{stamp.name}.json")
    paths = [stamp.with_name(f"{stamp.name}-{split}.bytes") for split in SPLITS]
    try:
        about = msgspec.json.decode(about_path.read_bytes(), type=About)
        pairs = [
            cache.recall(path, about.shape, len(about.classes)) for path in paths[: about.splits]
        ]
        found = [
            Images(*pair, about.classes, name, split)
            for pair, split in zip(pairs, SPLITS, strict=False)
            if pair is not None
        ]
        if len(found) == about.splits > 0:
            return found
    except (OSError, ValueError, msgspec.MsgspecError):  # absent or damaged
        pass
    splits = read()
    shape, classes = splits[0].images.shape[1:], splits[0].classes
    with contextlib.suppress(OSError), replacing(about_path) as file:  # of which keep() warns
        file.write(msgspec.json.encode(About(shape, classes, len(splits))))
    kept = []
    for images, path in zip(splits, paths, strict=False):
        write = partial(_write, images)
        pair = cache.keep(path, shape, write, len(classes))
        kept.append(replace(images, images=pair[0], labels=pair[1]))
    return kept


def _write(images: Images, file: BinaryIO) -> None:
    file.write(np.ascontiguousarray(images.images).data)
    file.write(cache.stored(images.labels, len(images.classes)))
