"""The formats that the members of archives are in, each read block by block.

A reader is given an open file and yields pieces of images (n, C, H, W) and labels (n,). It raises
:class:`Unfit`, with the end of a sentence about the file, where that holds something else.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from salamandre.data.conversion import Piece
from salamandre.data.entries import Archive, Format, Member
from salamandre.data.unpickling import unpickle

BLOCK = 1 << 22  # bytes
Shape = tuple[int, ...]


class Unfit(ValueError):
    """What is wrong with a member, as the end of a sentence that starts with its name."""


class Readable(Protocol):
    """A file as far as a reader needs it."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most ``size``, and none at the end."""
        ...


Reader = Callable[[Readable, Archive, Member, Shape], Iterator[Piece]]


def _blocks(file: Readable, count: int, size: int) -> Iterator[NDArray[np.uint8]]:
    """Yield ``count`` records of ``size`` bytes as arrays (n, size), and make sure of the end."""
    found, step = 0, max(1, BLOCK // size)
    while found < count:
        wanted = min(step, count - found) * size
        data = _read(file, wanted)
        if len(data) < wanted:
            raise Unfit(f"ends after {found + len(data) // size:,} of {count:,} examples")
        found += wanted // size
        yield np.frombuffer(data, np.uint8).reshape(-1, size)
    if file.read(1):
        raise Unfit(f"goes on after {count:,} examples")


def _read(file: Readable, size: int) -> bytes:
    """Return ``size`` bytes, or fewer at the end of the file alone."""
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def records(file: Readable, archive: Archive, member: Member, shape: Shape) -> Iterator[Piece]:
    """Read CIFAR's binary version: labels (CIFAR-100: coarse, fine), then an image, and so on."""
    before = 1 if archive.labels == "labels" else 2
    label = int(archive.labels == "fine_labels")
    for block in _blocks(file, member.count, before + math.prod(shape)):
        yield "images", block[:, before:].reshape(-1, *shape)
        yield "labels", block[:, label]


def pickles(file: Readable, archive: Archive, member: Member, shape: Shape) -> Iterator[Piece]:
    """Read CIFAR's Python version: a dictionary of ``data`` (N, C·H·W) and lists of labels."""
    size = math.prod(shape)
    limit = member.count * (size + 256) + BLOCK
    data = _read(file, limit + 1)
    if len(data) > limit:
        raise Unfit(f"has more than the {limit:,} bytes that it can have")
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if member.md5 and found != member.md5:  # nothing of a pickle is looked at before
        raise Unfit(f"was changed (it has MD5 {found}, not {member.md5})")
    content = unpickle(data)
    images, labels = content.get("data"), content.get(archive.labels)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise Unfit("holds no array 'data' of bytes")
    if images.shape != (member.count, size):
        raise Unfit(f"holds data of shape {images.shape}, not {(member.count, size)}")
    if not _are_labels(labels, member.count):
        raise Unfit(f"holds no list {archive.labels!r} of {member.count:,} labels")
    yield "images", images.reshape(-1, *shape)
    yield "labels", np.array(labels, np.uint8)


def _are_labels(labels: Any, count: int) -> bool:
    return (
        isinstance(labels, list)
        and len(labels) == count
        and all(type(label) is int and 0 <= label < 256 for label in labels)
    )


def columns(file: Readable, archive: Archive, member: Member, shape: Shape) -> Iterator[Piece]:
    """Read STL-10: images whose bytes run down the columns, or labels."""
    if member.kind == "labels":
        for block in _blocks(file, member.count, 1):
            yield "labels", block[:, 0] - np.uint8(archive.first_label)
        return
    channels, height, width = shape
    for block in _blocks(file, member.count, math.prod(shape)):
        yield "images", block.reshape(-1, channels, width, height).transpose(0, 1, 3, 2)


def idx(file: Readable, archive: Archive, member: Member, shape: Shape) -> Iterator[Piece]:
    """Read EMNIST: IDX files, ``.gz`` or plain, whose images lie on their side."""
    start = file.read(2)
    unread: Readable = _Unread(start, file)
    if start == b"\x1f\x8b":
        unread = gzip.GzipFile(fileobj=unread, mode="rb")  # type: ignore[call-overload]
    image = member.kind == "images"
    expected = (2051, member.count, shape[2], shape[1]) if image else (2049, member.count)
    header = _read(unread, 4 * len(expected))
    if header != struct.pack(f">{len(expected)}I", *expected):
        found = struct.unpack(f">{len(header) // 4}I", header[: len(header) // 4 * 4])
        raise Unfit(f"has the IDX header {found}, not {expected}")
    yield from columns(unread, archive, member, shape)


class _Unread:
    """A file of which some bytes were read already and shall come again."""

    def __init__(self, start: bytes, file: Readable) -> None:
        self._start, self._file = start, file

    def read(self, size: int, /) -> bytes:
        if not self._start:
            return self._file.read(size)
        start, self._start = self._start[:size], self._start[size:]
        return start


READERS: dict[Format, Reader] = {
    "records": records,
    "pickles": pickles,
    "columns": columns,
    "idx": idx,
}
