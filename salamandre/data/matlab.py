"""MATLAB files of numbers and structs, of the versions 5 to 7.

A small reader of our own, because that of SciPy crashes the process on some damaged files. The
format is that of MathWorks' "MAT-File Format", chapter 1.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from salamandre.data.catalogue import WrongFormat
from salamandre.data.conversion import Arrays
from salamandre.data.own_files import DENSEST, Found, Load, Wanted, check_claim, refusing, sort_out

HEADER = 128  # bytes
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15  # further types
STRUCT, NUMBERS = 2, range(6, 16)  # classes of matrices; others are passed over
DEEPEST = 8  # structs in structs


def mat(paths: Sequence[Path], wanted: Wanted) -> Found:
    """Return the splits in MATLAB files of version 7 or older.

    EMNIST's ``dataset`` is known, with its class names; SVHN's ``X`` (32, 32, 3, N) and ``y``, in
    which 10 is the digit 0; others by their names.
    """
    found: Found = {}
    named: list[tuple[str, str, Load]] = []
    for path in paths:
        with refusing(path, "MATLAB file"):
            with path.open("rb") as file:
                content = read_mat(file)
            if isinstance(dataset := content.get("dataset"), dict):
                found |= _emnist(dataset)
                continue
            pixels = content.get("X")
            svhn = isinstance(pixels, np.ndarray) and pixels.shape[:3] == (32, 32, 3)
            for name, value in content.items():
                if isinstance(value, np.ndarray):
                    if svhn and name == "y" and value.max(initial=0) == 10:
                        value = value % 10
                    named.append((path.stem, name, partial(np.asarray, value)))
    if found and not named:
        return found
    with refusing(paths[0] if len(paths) == 1 else paths[0].parent, "MATLAB file"):
        return found | {split: _last_axis(one) for split, one in sort_out(named).items()}


def _last_axis(one: Arrays) -> Arrays:
    """Return arrays with the examples on the first axis."""
    images, labels = one.images, one.labels
    if images.ndim < 3:
        return one
    if labels is None:  # then the sides of a square tell which axes are an image's
        first = images.shape[0] != images.shape[1] or images.shape[1] == images.shape[2]
    else:
        count = labels.size if 1 in labels.shape else len(labels)
        first = len(images) == count != images.shape[-1]
    if first:
        return one
    return Arrays(np.moveaxis(images, -1, 0), labels)


def _emnist(dataset: dict[str, Any]) -> Found:
    """Return the splits of EMNIST's struct, whose images are stored column by column."""
    mapping = dataset["mapping"]
    if not isinstance(mapping, np.ndarray) or mapping.ndim != 2 or mapping.shape[1] < 2:
        raise WrongFormat("has no table of labels and characters in dataset.mapping")
    names = tuple("".join(chr(code) for code in row[1:]) for row in mapping.tolist())
    found = {}
    for split in ("train", "test"):
        images = dataset[split]["images"]
        size = math.isqrt(images.shape[1])
        upright = images.reshape(-1, size, size).swapaxes(1, 2)
        found[split] = Arrays(upright, dataset[split]["labels"], names)
    return found


# -- the format ----------------------------------------------------------------------------------


def read_mat(file: BinaryIO) -> dict[str, Any]:
    """Return the variables of an open MATLAB file: arrays, and dictionaries for structs.

    Numbers have the type that they are stored with, which is the smallest that holds them all.
    Variables of other kinds (text, cells, sparse matrices) and the imaginary parts are left out.

    Raises:
        WrongFormat: it is of another version, or damaged.
    """
    start = file.read(HEADER)
    if start.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise WrongFormat(
            "is a MATLAB file of version 7.3 (HDF5), which is not read: save it in MATLAB with "
            "save(..., '-v7')"
        )
    order = {b"IM": "<", b"MI": ">"}.get(start[HEADER - 2 :])
    if order is None:
        raise WrongFormat("does not start as a MATLAB file of the versions 5 to 7")
    found = {}
    for kind, content in _elements(memoryview(file.read()), order):
        if kind == COMPRESSED:
            ((kind, content),) = _elements(_inflated(content, order), order)
        if kind == MATRIX:
            name, value = _matrix(content, order, 0)
            if value is not None:
                found[name] = value
    return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield the type and the content of elements that follow each other."""
    while data:
        kind, size, start = *_numbers(data[:8], order + "u4", 2), 8
        if kind >> 16:  # a small element: its size and content are in the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, 4
        end = start + size
        if end > len(data) or (start == 4 and size > 4):
            raise WrongFormat(f"claims an element of {size:,} bytes, more than the file has")
        yield kind, data[start:end]
        # Others than compressed ones are padded to eight bytes.
        data = data[8 if start == 4 else end if kind == COMPRESSED else -(-end // 8) * 8 :]


def _numbers(data: memoryview, kind: str, count: int) -> list[int]:
    if len(data) != count * np.dtype(kind).itemsize:
        raise WrongFormat("ends within a number")
    return np.frombuffer(data, kind).tolist()


def _inflated(data: memoryview, order: str) -> memoryview:
    """Return a compressed element, after comparing the size that it claims."""
    unpacking = zlib.decompressobj()
    tag = unpacking.decompress(data, 8)
    size = _numbers(memoryview(tag), order + "u4", 2)[1]
    check_claim(size, len(data) * DENSEST)
    return memoryview(tag + unpacking.decompress(unpacking.unconsumed_tail, max(1, size)))


def _matrix(data: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """Return the name and the value of a matrix; None for one of another kind."""
    if depth > DEEPEST:
        raise WrongFormat(f"has structs in structs, deeper than {DEEPEST}")
    if not data:  # an empty field
        return "", None
    parts = _elements(data, order)
    (_, flags), (_, lengths), (_, name) = (_next(parts) for _ in range(3))
    kind = _numbers(flags[:4], order + "u4", 1)[0] & 0xFF
    shape = tuple(np.frombuffer(lengths, order + "i4").tolist())
    text = bytes(name).decode("latin-1")
    if kind in NUMBERS:
        stored, content = _next(parts)
        values = np.frombuffer(content, order + TYPES[stored])
        if len(shape) < 2 or min(shape) < 0 or math.prod(shape) != len(values):
            raise WrongFormat(f"has {len(values):,} numbers for {text} of shape {shape}")
        return text, values.reshape(shape, order="F")
    if kind != STRUCT or math.prod(shape) != 1:
        return text, None
    ((_, length), (_, names)) = _next(parts), _next(parts)
    step = max(1, _numbers(length, order + "i4", 1)[0])
    fields = [bytes(names[i : i + step]).split(b"\0")[0] for i in range(0, len(names), step)]
    return text, {
        field.decode("latin-1"): _matrix(_next(parts)[1], order, depth + 1)[1] for field in fields
    }


def _next(parts: Iterator[tuple[int, memoryview]]) -> tuple[int, memoryview]:
    if (part := next(parts, None)) is None:
        raise WrongFormat("ends within a matrix")
    return part
