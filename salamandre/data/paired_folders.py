"""Folders with pairs of pictures: side by side in one picture, or of one name in two folders."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salamandre.class_names import composed
from salamandre.data import cache
from salamandre.data.folders import pictures_in
from salamandre.data.listing import Listing
from salamandre.data.paired_images import Pairs
from salamandre.data.pictures import BLOCK, halves, matching, pixel_limit, read_each
from salamandre.data.split_folders import splits
from salamandre.texts import bracketed, counted

READING = 1  # raised when pictures become other pixels than before

Splits = tuple[Pairs, Pairs | None]


class Reading(NamedTuple):
    """How pairs are read.

    Attributes:
        name: of the data set.
        size: height and width of both parts.
        channels: of both parts.
        home: the folder of the cache.
    """

    name: str
    size: int
    channels: int
    home: Path


def side_by_side(place: Path, left: bool, how: Reading) -> Splits:
    """Return pairs of which each is one picture, as pix2pix's data sets are published.

    Args:
        place: the folder, which may have ``train`` and ``test`` or ``val`` in it.
        left: whether the condition is the left half.
        how: they are read.

    Raises:
        CorruptData: a picture whose width is odd.
        ValueError: no folder, or one without a readable picture.
    """

    def part(place: Path, split: str) -> Pairs:
        found = pictures_in(place, how.home)

        def read(name: str) -> NDArray[np.uint8]:
            pair = halves(place / name, how.size, how.channels)
            return pair if left else pair[::-1]

        return _kept(place, found, read, split, how, [(str(place.resolve()), found.pictures), left])

    parts = splits(place)
    if parts is None:
        return part(place, "train"), None
    return part(parts["train"], "train"), part(parts["test"], "test")


def two_folders(images: Path, conditions: Path, how: Reading) -> Splits:
    """Return pairs of which each is two pictures of one name; their endings may differ.

    Args:
        images: the folder of the images, which may have ``train`` and ``test`` or ``val`` in it.
        conditions: the folder of the conditions, with the same sub-folders.
        how: they are read.

    Raises:
        CorruptData: the pictures of a pair differ in size.
        ValueError: no folder, or one without a readable picture, or names that do not match.
    """

    def part(images: Path, conditions: Path, split: str) -> Pairs:
        places = images, conditions
        found = [pictures_in(place, how.home) for place in places]
        names = [_by_name(*one) for one in zip(places, found, strict=True)]
        _check_names(places, names)
        condition = {path: conditions / names[1][name] for name, path in names[0].items()}

        def read(path: str) -> NDArray[np.uint8]:
            return matching((condition[path], images / path), how.size, how.channels)

        origin = [(str(p.resolve()), f.pictures) for p, f in zip(places, found, strict=True)]
        return _kept(images, found[0], read, split, how, origin)

    parts, others = splits(images), splits(conditions)
    if parts is None and others is None:
        return part(images, conditions, "train"), None
    if parts is None or others is None:
        with_splits, without = (conditions, images) if parts is None else (images, conditions)
        raise ValueError(
            f"{with_splits} has its training and test pictures in folders of their own, and "
            f"{without} does not: give both the same folders"
        )
    train, test = (part(parts[split], others[split], split) for split in ("train", "test"))
    return train, test


def _by_name(place: Path, found: Listing) -> dict[str, str]:
    """Return the paths of pictures by their paths without ending.

    Raises:
        ValueError: two of one name.
    """
    named: dict[str, str] = {}
    for path in found.paths:
        other = named.setdefault(composed(os.path.splitext(path)[0]), path)
        if other != path:
            raise ValueError(
                f"{place} holds {other} and {path}, and the pictures of a pair are found by their "
                f"names without endings: rename one of them"
            )
    return named


def _check_names(places: tuple[Path, Path], names: list[dict[str, str]]) -> None:
    """Raise ValueError if two folders have pictures of different names."""
    lacks = []
    for place, own, others in zip(places[::-1], names[::-1], names, strict=True):
        if missing := [name for name in others if name not in own]:
            lacks.append(f"{place} lacks {counted(len(missing), 'name')}{bracketed(missing)}")
    if lacks:
        raise ValueError(
            f"the pictures of a pair have the same name in {places[0]} and {places[1]}, and "
            f"{' and '.join(lacks)}: add or remove the others"
        )


def _kept(
    place: Path,
    found: Listing,
    read: Callable[[str], NDArray[np.uint8]],
    split: str,
    how: Reading,
    origin: list[Any],
) -> Pairs:
    """Return the pairs of a folder from the cache, after writing them there if they are absent.

    Args:
        place: the folder.
        found: in it; there is a pair for each picture.
        read: returns condition and image (2, channels, size, size) of the path of a picture.
        split: of the pairs.
        how: they are read.
        origin: what tells that they have changed.
    """
    shape, broken = (2 * how.channels, how.size, how.size), list[str]()
    path = how.home / "pairs" / f"{cache.key(origin, shape, pixel_limit(), READING)}.bytes"

    def write(file: BinaryIO) -> None:
        step = max(1, BLOCK // math.prod(shape))
        broken[:], readable = read_each(
            place, found.paths, read, lambda pair: file.write(pair.tobytes()), step
        )
        file.write(bytes(int(readable.sum())))  # labels

    examples, _ = cache.keep(path, shape, write)
    passed = found.passed_over()
    if lost := len(found.paths) - len(examples):
        passed.append(f"{lost:,} of {len(found.paths):,} pairs that cannot be read")
        passed[-1] += bracketed(broken)
    if passed:
        warnings.warn(f"{place}: passed over {'; '.join(passed)}", stacklevel=5)
    return Pairs(examples, how.channels, how.name, split)
