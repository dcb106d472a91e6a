"""A folder of pictures as a data set."""

from __future__ import annotations

import errno
import math
import os
import stat
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import whole
from salamandre.data import cache
from salamandre.data.images import Images
from salamandre.data.pictures import square

SUFFIXES = (".png", ".jpg", ".jpeg")
BLOCK = 1 << 25  # bytes of pixels at a time
NAMED = 5  # broken pictures that a warning names
NO_PICTURE = (None, errno.ENOENT, errno.ELOOP)  # an error of Pillow's; a link to nothing
MOST = 256  # classes, since a label is one byte


def folder(
    path: str | os.PathLike[str],
    size: int = 64,
    channels: int = 3,
    *,
    classes: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Images:
    """Return the PNG and JPEG pictures of a folder and its sub-folders.

    Each is cropped to the square in its middle and resized. The result is kept in the cache, until
    a picture is added, removed or changed. Hidden files are skipped.
    Pictures that cannot be read are named in a warning and left out.

    Args:
        path: the folder.
        size: height and width of the images. Default 64.
        channels: 3 for colour, 1 for grey. Default 3.
        classes: whether sub-folders are classes, in the order of their names; without sub-folders
            all pictures are of one class, named as the folder. If False, they always are.
            Default True.
        cache_dir: as of :func:`salamandre.data.load`.

    Returns:
        The images in the order of their paths, as the split ``"train"``.

    Raises:
        ValueError: no folder, one without a readable picture, or with pictures both in classes and
            outside of them.
        OSError: a file cannot be read; one that can, but is damaged, is left out.
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
    pictures = [name for name, _, _ in listing]
    names, labels = _classes(place, pictures, classes)
    for name in names:
        if name != name.encode(errors="replace").decode():  # surrogates stand for undecodable bytes
            raise ValueError(f"the name of the folder {name!r} is not valid text: rename it")
    shape, broken = (channels, size, size), list[str]()

    def write(file: BinaryIO) -> None:
        broken[:] = _write(place, pictures, labels, shape, file)

    stamp = cache.key(str(place.resolve()), listing, size, channels, len(names))
    pair = cache.keep(cache.root(cache_dir) / "folders" / f"{stamp}.bytes", shape, write)
    if len(pair[0]) < len(listing):
        warnings.warn(
            f"{len(listing) - len(pair[0]):,} of {len(listing):,} pictures in {place} cannot be "
            f"read and are left out{_named(broken)}",
            stacklevel=2,
        )
    return Images(*pair, names, place.resolve().name, "train")


def _listing(place: Path) -> list[tuple[str, int, int]]:
    """Return the path below the folder, size and modification time of every picture, sorted."""
    found = []
    for root, folders, files in os.walk(place):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                path = Path(root) / name
                info = path.stat() if path.exists() else path.lstat()  # a link to nothing
                if stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):  # no pipe or device
                    name = path.relative_to(place).as_posix()
                    found.append((name, info.st_size, info.st_mtime_ns))
    return sorted(found)


def _classes(
    place: Path, pictures: Sequence[str], by_folder: bool
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
    names, labels = np.unique(own, return_inverse=True)
    if len(names) > MOST:
        raise ValueError(
            f"{place} holds {len(names):,} class folders, at most {MOST} can be told apart: "
            f"give classes=False to have no classes"
        )
    return tuple(names.tolist()), labels.astype(np.uint8)


def _write(
    place: Path,
    pictures: Sequence[str],
    labels: NDArray[np.uint8],
    shape: tuple[int, int, int],
    file: BinaryIO,
) -> list[str]:
    """Write the readable pictures, block by block, then their labels; return the broken ones."""
    from salamandre.progress import progress

    def decoded(name: str) -> NDArray[np.uint8] | Exception:
        try:
            return square(place / name, shape[1], shape[0])
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises many kinds of errors for damaged pictures
            if isinstance(error, OSError) and error.errno not in NO_PICTURE:
                error.filename = error.filename or str(place / name)
                raise  # of the system, not of the picture; it may be readable the next time
            return error

    broken, readable = [], np.ones(len(pictures), bool)
    step = max(1, BLOCK // math.prod(shape))
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress(len(pictures), place.name, "picture") as bar,
    ):
        for start in range(0, len(pictures), step):
            for number, result in enumerate(pool.map(decoded, pictures[start : start + step])):
                bar.update()
                if isinstance(result, Exception):
                    readable[start + number] = False
                    broken.append(f"{pictures[start + number]} ({type(result).__name__})")
                else:
                    file.write(result.tobytes())
    if len(broken) == len(pictures):
        raise ValueError(f"{place} holds no picture that can be read{_named(broken)}")
    file.write(labels[readable].tobytes())
    return broken


def _named(broken: Sequence[str]) -> str:
    """Return the names of the first broken pictures; the end of a message."""
    return ": " * bool(broken) + ", ".join(broken[:NAMED]) + " and others" * (len(broken) > NAMED)
