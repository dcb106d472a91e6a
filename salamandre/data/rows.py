"""The rows of arrays in many files, which are read when they are needed."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salamandre.checks import reason
from salamandre.data.catalogue import CorruptData
from salamandre.texts import path_of

BLOCK = 1 << 22  # bytes that lie side by side, and are read one soon after the other
WINDOW = 64  # blocks whose rows are mixed: 256 MB
SAMPLE = 1024  # rows
MAPPED = 64  # files at a time, each of which takes a descriptor


class Rows:
    """The rows of arrays in several ``.npy`` files, one file after the other, as one array.

    The files are mapped when they are read, 64 at a time; what is taken of them is copied into
    memory. ``numpy.asarray`` of it would read all.

    Args:
        paths: of the files: arrays of one dtype, whose rows have one shape.

    Attributes:
        shape, dtype, ndim: of the whole.
        counts: of rows in each file.

    Raises:
        CorruptData: a file is damaged, or does not fit the others.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        self.paths = [path_of(path).absolute() for path in paths]
        self._mapped = functools.lru_cache(MAPPED)(_mapped)
        self.counts, first = [], _mapped(self.paths[0])
        for path in self.paths:
            part = self._mapped(path)
            self.counts.append(len(part) if part.ndim else 0)
            if part.ndim == 0 or (part.dtype, part.shape[1:]) != (first.dtype, first.shape[1:]):
                raise CorruptData(
                    f"{path} holds {part.dtype} of shape {part.shape}, expected rows as in "
                    f"{self.paths[0].name}: {first.dtype} of shape {first.shape[1:]}"
                )
        self._starts = np.cumsum([0, *self.counts])
        self.shape = int(self._starts[-1]), *first.shape[1:]
        self.dtype, self.ndim = first.dtype, first.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return some rows, or one of them, as an array in memory."""
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self))))
        chosen = np.arange(len(self))[index]
        return self.take(chosen) if chosen.ndim else self.take(chosen[None])[0]

    def take(self, rows: Any, axis: int = 0) -> np.ndarray:
        """Return rows by their numbers (n,), as an array in memory."""
        rows = np.asarray(rows)
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        which = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(which):
            chosen = which == number
            part = self._mapped(self.paths[number])
            found[chosen] = part[rows[chosen] - self._starts[number]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def order(self, random: np.random.Generator) -> np.ndarray:
        """Return a random order of the rows (N,) in which the files are read block by block.

        Blocks of 4 MB are shuffled, and then the rows within each 64 of them: a row on a disk that
        is slow to search is read with its neighbours, and all that is read at a time fits into the
        memory that the system has free for files. It is not uniform over all orders: rows of one
        block stay within 256 MB of each other.
        """
        size = max(1, BLOCK // max(1, math.prod(self.shape[1:]) * self.dtype.itemsize))
        starts = random.permutation(-(-len(self) // size)) * size
        order = (starts[:, None] + np.arange(size)).reshape(-1)
        order = order[order < len(self)]
        for first in range(0, len(order), WINDOW * size):
            random.shuffle(order[first : first + WINDOW * size])
        return order

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.paths,)

    def __deepcopy__(self, memo: Any) -> Rows:
        return self

    def __repr__(self) -> str:
        return f"<Rows of {len(self.paths)} files: {self.dtype} of shape {self.shape}>"


def sampled(values: Any) -> Any:
    """Return an array; of one in files, rows in equal steps, which are read soon."""
    if not isinstance(values, Rows):
        return values
    count = min(SAMPLE, len(values))
    return values.take(np.arange(count) * len(values) // count)


def mapped(array: Any) -> bool:
    """Return whether an array is in files, and so may be larger than memory."""
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, (np.memmap, Rows))


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise CorruptData(f"{path} is damaged or no .npy file ({reason(error)})") from None
