"""MATLAB files of images, of version 7 or older."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from salamandre.data.catalogue import WrongFormat
from salamandre.data.conversion import Arrays
from salamandre.data.forms import INSTALL, Found, Load, Wanted, reading, sort_out


def mat(paths: Sequence[Path], wanted: Wanted) -> Found:
    """Return the splits in MATLAB files of version 7 or older.

    EMNIST's ``dataset`` is known, with its class names; SVHN's ``X`` (32, 32, 3, N) and ``y``, in
    which 10 is the digit 0; others by their names.

    Raises:
        ImportError: SciPy is not installed.
    """
    found: Found = {}
    named = []
    for path in paths:
        with reading(path, "MATLAB file"), path.open("rb") as file:
            content = read_mat(file, str(path))
            if "dataset" in content:
                found |= _emnist(content["dataset"])
                continue
            arrays = {name: value for name, value in content.items() if not name.startswith("__")}
            named += [(path.stem, name, _constant(value)) for name, value in arrays.items()]
    if not named:
        return found
    with reading(path, "MATLAB file"):
        return found | {split: _last_axis(one) for split, one in sort_out(named).items()}


def read_mat(file: BinaryIO, name: str) -> dict[str, Any]:
    """Return the variables of an open MATLAB file by name."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ImportError(f"{name} is a MATLAB file, which needs SciPy: {INSTALL}") from None
    if file.read(10) in (b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n\0\0"):
        raise WrongFormat(
            "is a MATLAB file of version 7.3 (HDF5), which is not read: save it in MATLAB with "
            "save(..., '-v7')"
        )
    file.seek(0)
    return loadmat(file)


def _constant(value: Any) -> Load:
    return lambda: np.asarray(value)


def _last_axis(one: Arrays) -> Arrays:
    """Return arrays with the examples on the first axis; 10 is the digit 0 in SVHN."""
    images, labels = one.images, one.labels
    if labels is None or images.ndim < 3 or len(images) == labels.size != images.shape[-1]:
        return one
    images = np.moveaxis(images, -1, 0)
    if images.shape[1:] == (32, 32, 3) and labels.dtype.kind in "uif" and labels.max() == 10:
        labels = labels % 10
    return Arrays(images, labels)


def _emnist(dataset: np.ndarray) -> Found:
    """Return the splits of EMNIST's struct, whose images are stored column by column."""
    whole = dataset[0, 0]
    mapping = np.asarray(whole["mapping"]).reshape(len(whole["mapping"]), -1)
    names = tuple("".join(map(chr, row[1:].tolist())) for row in mapping)
    found = {}
    for split in ("train", "test"):
        part = whole[split][0, 0]
        images = np.asarray(part["images"])
        size = math.isqrt(images.shape[1])
        images = images.reshape(-1, size, size).swapaxes(1, 2)
        found[split] = Arrays(images, np.asarray(part["labels"]), names)
    return found
