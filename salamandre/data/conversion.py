"""Splits that are converted piece by piece, so that one larger than memory is no trouble.

A pair of ``.npy`` files, images and labels, is named by what it was converted from; it is sealed as
:mod:`salamandre.data.cache` describes.
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from salamandre.atomic import replacing
from salamandre.data.cache import SEAL, VARIABLE
from salamandre.data.entries import Kind

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Piece = tuple[Kind, NDArray[np.uint8]]
KINDS: tuple[Kind, Kind] = ("images", "labels")


class _Growing:
    """An ``.npy`` file of bytes whose length is known when it ends."""

    def __init__(self, file: BinaryIO, shape: tuple[int, ...]) -> None:
        self.file, self.shape, self.count = file, shape, 0
        self._write_header()  # NumPy leaves room in it for any count

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.shape)}
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, block: NDArray[np.uint8]) -> None:
        self.file.write(np.ascontiguousarray(block).data)
        self.count += len(block)

    def finish(self, count: int) -> None:
        """Write the count into the header; where nothing was appended, ``count`` zeros follow."""
        if not self.count:
            self.append(np.zeros((count, *self.shape), np.uint8))
        self._write_header()


def key(*parts: object) -> str:
    """Return a name that stands for parts of which each is shown wholly by ``repr``."""
    text = repr(parts).encode("utf-8", "surrogateescape")
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def recall(folder: Path, name: str, shape: tuple[int, ...]) -> Pair | None:
    """Return images of one shape and their labels, mapped read-only, or None if they are absent."""
    arrays = []
    for path in _paths(folder, name):
        try:
            if path.stat().st_mtime != SEAL:
                return None
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except Exception:  # whatever NumPy makes of a damaged file, it is to be built again
            return None
    images, labels = arrays
    whole = images.shape == (len(labels), *shape) and labels.ndim == 1 and len(labels)
    return (images, labels) if whole and images.dtype == labels.dtype == np.uint8 else None


def convert(folder: Path, name: str, shape: tuple[int, ...], pieces: Iterable[Piece]) -> Pair:
    """Store the pieces of a split and return it mapped; where that is impossible, in memory.

    Args:
        folder: where to; made if absent. One that cannot be written costs a warning.
        name: of the pair of files in it.
        shape: of an image.
        pieces: blocks of images (n, ...) and of labels (n,), each kind in its order. Without a
            single label all are zero.

    Raises:
        OSError: the folder became full.
    """
    if not writable(folder):
        warnings.warn(
            f"{folder} cannot be written, so the data stays in memory and is converted again next "
            f"time; choose another cache folder with {VARIABLE}",
            stacklevel=4,
        )
        return _in_memory(pieces)
    with ExitStack() as stack:
        files = [
            stack.enter_context(replacing(path, modified=SEAL)) for path in _paths(folder, name)
        ]
        growing = {
            kind: _Growing(file, shape if kind == "images" else ())
            for kind, file in zip(KINDS, files, strict=True)
        }
        for kind, block in pieces:
            growing[kind].append(block)
        for file in growing.values():
            file.finish(growing["images"].count)
    pair = recall(folder, name, shape)
    if pair is None:
        raise OSError(f"{folder} does not keep what is written into it: choose with {VARIABLE}")
    return pair


def writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, which is made if absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _in_memory(pieces: Iterable[Piece]) -> Pair:
    blocks: dict[Kind, list[NDArray[np.uint8]]] = {kind: [] for kind in KINDS}
    for kind, block in pieces:
        blocks[kind].append(block)
    images = np.concatenate(blocks["images"])
    return images, np.concatenate(blocks["labels"] or [np.zeros(len(images), np.uint8)])


def _paths(folder: Path, name: str) -> Iterator[Path]:
    return (folder / f"{name}-{kind}.npy" for kind in KINDS)
