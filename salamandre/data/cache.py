"""Arrays that were converted once, kept as ``.npy`` files and mapped into memory afterwards.

A file is named by the checksum of the content it was converted from, so that another content can
never be served for it. After it is written its time of change is set to a fixed moment: any later
write would move it, and such a file is not trusted but built again. This costs no reading.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salamandre.atomic import replacing
from salamandre.data.entries import Part

VARIABLE = "SALAMANDRE_CACHE"
SEAL = 946_684_800  # seconds: 2000-01-01, an even number because FAT counts in twos

Arrays = Mapping[Part, NDArray[np.uint8]]


def root(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache folder: the one given, ``SALAMANDRE_CACHE``, or the user's own."""
    import platformdirs

    chosen = cache_dir or os.environ.get(VARIABLE) or platformdirs.user_cache_dir("salamandre")
    return Path(chosen).expanduser()


def recall(folder: Path, parts: tuple[Part, ...]) -> Arrays | None:
    """Return the arrays of all parts, mapped read-only, or None if one is absent or damaged."""
    arrays = {}
    for part in parts:
        path = _path(folder, part)
        try:
            if path.stat().st_mtime != SEAL:
                return None
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception:  # whatever NumPy makes of a damaged file, it is to be built again
            return None
        if array.dtype != np.uint8 or array.shape != part.shape:
            return None
        arrays[part] = array
    return arrays


def keep(folder: Path, arrays: Arrays) -> Arrays:
    """Store the arrays and return them mapped; where that is impossible, warn and return them."""
    try:
        for part, array in arrays.items():
            with replacing(_path(folder, part), modified=SEAL) as file:
                np.save(file, array, allow_pickle=False)
    except OSError as error:
        warnings.warn(
            f"{folder} cannot be written ({error.strerror}), so the data stays in memory and is "
            f"converted again next time; choose another cache folder with {VARIABLE}",
            stacklevel=3,
        )
    return recall(folder, tuple(arrays)) or arrays


def _path(folder: Path, part: Part) -> Path:
    return folder / f"{part.split}-{part.kind}-{part.content_md5}.npy"
