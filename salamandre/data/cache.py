"""The cache of converted splits: each is one file that is mapped into memory.

The file holds the bytes of all images, then those of all labels: one byte for each, or two, the
lower one first, if there are more than 256 classes. Its name is a checksum of what it was converted
from, so that files of another origin are never returned. After it is written, its modification time
is set to a fixed value. A file with another time was changed since and is written anew; this check
needs no reading.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from salamandre.atomic import replacing
from salamandre.data.images import label_type
from salamandre.texts import path_of

VARIABLE = "SALAMANDRE_CACHE"
SEAL = 946_684_800  # modification time, 2000-01-01 in seconds; even, as FAT stores 2 s steps

Pair = tuple[NDArray[np.uint8], NDArray[Any]]


def root(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache folder: the one given, ``SALAMANDRE_CACHE``, or the user's own."""
    import platformdirs

    chosen = cache_dir or os.environ.get(VARIABLE) or platformdirs.user_cache_dir("salamandre")
    return path_of(chosen)


def key(*parts: object) -> str:
    """Return a checksum of the ``repr`` of some objects."""
    text = repr(parts).encode("utf-8", "surrogateescape")
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def origin(files: Iterable[Path]) -> list[tuple[str, int, int, int]]:
    """Return what tells that files have changed: where they are, and the :func:`state` of each."""
    return [(str(file.resolve()), *state(file.stat())) for file in files]


def state(info: os.stat_result) -> tuple[int, int, int]:
    """Return the size of a file, and its times of modification and of the last change of any kind.

    A copy that keeps size and date has a new time of change.
    """
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns


def writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, which is made if absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def recall(path: Path, shape: tuple[int, ...], classes: int = 1) -> Pair | None:
    """Return images of a shape and their labels, mapped read-only, or None if they are not there.

    Args:
        path: of the file.
        shape: of an image.
        classes: the number of classes. Default: not more than 256.
    """
    try:
        if path.stat().st_mtime != SEAL:
            return None
        return _split(np.memmap(path, np.uint8, mode="r"), shape, classes)
    except (OSError, ValueError):  # absent, or empty or of a size that does not fit
        return None


def keep(
    path: Path, shape: tuple[int, ...], write: Callable[[BinaryIO], None], classes: int = 1
) -> Pair:
    """Return a split from the cache, after writing it there if it is absent.

    If the cache cannot be written, there is a warning and the split is kept in memory.

    Args:
        path: of the file.
        shape: of an image.
        write: writes all images and then all labels (see :func:`stored`) into an open file; called
            again, with a file in memory, if the first cannot be written.
        classes: the number of classes. Default: not more than 256.
    """
    if (pair := recall(path, shape, classes)) is not None:
        return pair
    try:
        with replacing(path, modified=SEAL) as file:
            write(file)
        if (pair := recall(path, shape, classes)) is not None:
            return pair
        raise OSError("a file was changed while it was written")
    except OSError as error:
        if error.filename and Path(error.filename) not in (path, *path.parents):
            raise  # a file that was to be converted cannot be read
        warnings.warn(
            f"{path.parent} cannot be written ({error.strerror or error}), so the data stays in "
            f"memory and is converted again next time; choose another cache folder with {VARIABLE}",
            stacklevel=4,
        )
    memory = io.BytesIO()
    write(memory)
    return _split(np.frombuffer(memory.getbuffer(), np.uint8), shape, classes)


def stored(labels: NDArray[Any], classes: int) -> bytes:
    """Return the bytes of labels in a file of the cache."""
    return labels.astype(_stored_type(classes)).tobytes()


def _stored_type(classes: int) -> np.dtype[Any]:
    return np.dtype(label_type(classes)).newbyteorder("<")


def _split(values: NDArray[np.uint8], shape: tuple[int, ...], classes: int) -> Pair:
    kind = _stored_type(classes)
    count, rest = divmod(len(values), math.prod(shape) + kind.itemsize)
    if rest:
        raise ValueError(f"{len(values)} bytes are no images of shape {shape} with labels")
    end = count * math.prod(shape)
    # Two bytes may begin at an odd address, so they are copied; single ones stay mapped.
    labels = np.require(values[end:].view(kind), label_type(classes), "A")
    return values[:end].reshape(count, *shape), labels
