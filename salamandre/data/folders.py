"""A folder of one's own pictures as a data set."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import whole
from salamandre.data import cache
from salamandre.data.conversion import Piece, convert, key, recall
from salamandre.data.decoding import square
from salamandre.data.images import Images

SUFFIXES = (".png", ".jpg", ".jpeg")
BLOCK = 1 << 25  # bytes of pixels at a time
NAMED = 5  # broken pictures that a warning names
MOST = 256  # classes that a label of one byte can tell apart


def folder(
    path: str | os.PathLike[str],
    size: int = 64,
    channels: int = 3,
    *,
    classes: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Images:
    """Return the PNG and JPEG pictures of a folder and its sub-folders.

    Each is cropped to the square in its middle and resized once, into the cache, from where it is
    mapped afterwards, until a picture is added, removed or changed. Hidden files are passed over.
    Pictures that cannot be read are named in a warning and left out.

    Args:
        path: the folder.
        size: height and width of the images. Default 64.
        channels: 3 for colour, 1 for grey. Default 3.
        classes: whether sub-folders are classes, in the order of their names; without sub-folders
            all pictures are of one class, named as the folder. False: they are in any case.
            Default True.
        cache_dir: as of :func:`salamandre.data.load`.

    Returns:
        The images in the order of their paths, as the split ``"train"``.

    Raises:
        ValueError: no folder, one without a readable picture, or with pictures both in classes and
            outside of them.
    """
    place = Path(path).expanduser()
    whole("size", size)
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 for grey or 3 for colour, got {channels!r}")
    if not place.is_dir():
        raise ValueError(f"{place} is no folder: name one that holds PNG or JPEG pictures")
    listing = _listing(place)
    if not listing:
        raise ValueError(f"{place} holds no picture: put PNG or JPEG files into it")
    names, labels = _classes(place, [name for name, _, _ in listing], classes)
    converted = cache.root(cache_dir) / "folders"
    stamp = key(listing, size, channels, len(names))
    shape = (channels, size, size)
    pair = recall(converted, stamp, shape)
    if pair is None:
        pictures = [name for name, _, _ in listing]
        pair = convert(converted, stamp, shape, _pieces(place, pictures, labels, shape))
    elif len(pair[0]) < len(listing):
        warnings.warn(
            f"{len(listing) - len(pair[0]):,} of {len(listing):,} pictures in {place} could not be "
            f"read when they were converted, and are left out",
            stacklevel=2,
        )
    return Images(*pair, names, place.resolve().name, "train")


def _listing(place: Path) -> list[tuple[str, int, int]]:
    """Return path below the folder, size and time of change of every picture, sorted."""
    found = []
    for root, folders, files in os.walk(place):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                path = Path(root) / name
                stat = path.stat() if path.exists() else path.lstat()  # a link to nothing
                found.append((path.relative_to(place).as_posix(), stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def _classes(
    place: Path, pictures: list[str], by_folder: bool
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Return the names of the classes and the label of each picture."""
    outside = [name for name in pictures if "/" not in name]
    if not by_folder or len(outside) == len(pictures):
        return (place.resolve().name,), np.zeros(len(pictures), np.uint8)
    if outside:
        raise ValueError(
            f"{place} holds {len(outside):,} pictures outside of its class folders, such as "
            f"{outside[0]}: move them into one, or give classes=False to have no classes"
        )
    own = [name.split("/")[0] for name in pictures]
    names = sorted(set(own))
    if len(names) > MOST:
        raise ValueError(
            f"{place} holds {len(names):,} class folders, at most {MOST} can be told apart: "
            f"give classes=False to have no classes"
        )
    numbers = {name: number for number, name in enumerate(names)}
    return tuple(names), np.array([numbers[name] for name in own], np.uint8)


def _pieces(
    place: Path, pictures: list[str], labels: NDArray[np.uint8], shape: tuple[int, int, int]
) -> Iterator[Piece]:
    """Yield the readable pictures and their labels, block by block, decoded side by side."""
    from tqdm import tqdm

    def decoded(name: str) -> NDArray[np.uint8] | Exception:
        try:
            return square(place / name, shape[1], shape[0])
        except Exception as error:  # whatever Pillow makes of a damaged picture
            return error

    broken: list[str] = []
    step = max(1, BLOCK // math.prod(shape))
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=len(pictures), desc=place.name, unit=" pictures", disable=None) as bar,
    ):
        for start in range(0, len(pictures), step):
            images, own = [], []
            part = slice(start, start + step)
            results = pool.map(decoded, pictures[part])
            for name, label, result in zip(pictures[part], labels[part], results, strict=True):
                bar.update()
                if isinstance(result, Exception):
                    broken.append(f"{name} ({_reason(result)})")
                else:
                    images.append(result)
                    own.append(label)
            if images:
                yield "images", np.stack(images)
                yield "labels", np.array(own, np.uint8)
    named = ", ".join(broken[:NAMED]) + (" and others" if len(broken) > NAMED else "")
    if len(broken) == len(pictures):
        raise ValueError(f"{place} holds no picture that can be read: {named}")
    if broken:
        warnings.warn(
            f"{len(broken):,} of {len(pictures):,} pictures in {place} cannot be read and are left "
            f"out: {named}",
            stacklevel=5,
        )


def _reason(error: Exception) -> str:
    """Return what is wrong with a picture, without its path."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no picture"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
