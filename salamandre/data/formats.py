"""The formats of the parts of data sets, each read block by block.

A reader takes an open stream and yields blocks of images (n, C, H, W) and of labels (n,). If the
stream holds something else, it raises :class:`WrongFormat`.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from salamandre.data.catalogue import DataSet, Form, Kind, Part
from salamandre.data.pictures import decode
from salamandre.data.unpickling import unpickle

BLOCK = 1 << 22  # bytes

Piece = tuple[Kind, NDArray[np.uint8]]


class WrongFormat(ValueError):
    """A part of another format; message without the file's name."""


class Stream:
    """An open part; its checksum is computed while it is read.

    Args:
        file: the open file, decompressed.
        name: of the file; of one picture if the part has many.
        part: the part.
    """

    def __init__(self, file: BinaryIO, name: str, part: Part) -> None:
        self.file, self.name, self.part = file, name, part
        self._md5 = hashlib.md5(usedforsecurity=False)

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, or fewer at the end of the file."""
        data = self.file.read(size)
        self._md5.update(data)
        return data

    def blocks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """Yield all examples, of ``size`` bytes each, as arrays (n, size)."""
        count, found, step = self.part.count, 0, max(1, BLOCK // size)
        while found < count:
            wanted = min(step, count - found) * size
            data = self.read(wanted)
            if len(data) < wanted:
                raise WrongFormat(f"ends after {found + len(data) // size:,} of {count:,} examples")
            found += wanted // size
            yield np.frombuffer(data, np.uint8).reshape(-1, size)
        if self.read(1):
            raise WrongFormat(f"has more than {count:,} examples")

    def verify(self) -> None:
        """Raise WrongFormat if what was read has another checksum than the part."""
        if self.part.md5 and self._md5.hexdigest() != self.part.md5:
            raise WrongFormat(
                f"was changed (it has MD5 {self._md5.hexdigest()}, not {self.part.md5})"
            )


def plain(stream: Stream, form: Form, entry: DataSet) -> Iterator[Piece]:
    """Read STL-10: the bytes of images or of labels."""
    if stream.part.kinds == ("labels",):
        for block in stream.blocks(1):
            yield "labels", block[:, 0] - np.uint8(form.first_label)
        return
    for block in stream.blocks(math.prod(entry.shape)):
        images = block.reshape(-1, *entry.shape)  # squares
        yield "images", images.swapaxes(2, 3) if form.transposed else images


def idx(stream: Stream, form: Form, entry: DataSet) -> Iterator[Piece]:
    """Read MNIST and EMNIST: big-endian 32-bit numbers, then bytes.

    The numbers are a magic number (2051 images, 2049 labels), the count and, for images, height and
    width (LeCun 1998).
    """
    images, count = stream.part.kinds == ("images",), stream.part.count
    expected = (2051, count, *entry.shape[1:]) if images else (2049, count)
    header = stream.read(4 * len(expected))
    found = struct.unpack(f">{len(header) // 4}I", header[: len(header) // 4 * 4])
    if found != expected:
        raise WrongFormat(f"has the IDX header {found}, not {expected}")
    yield from plain(stream, form, entry)


def records(stream: Stream, form: Form, entry: DataSet) -> Iterator[Piece]:
    """Read CIFAR's binary version: labels (CIFAR-100: coarse, fine), then an image, and so on."""
    before = 1 if form.labels == "labels" else 2
    for block in stream.blocks(before + math.prod(entry.shape)):
        yield "images", block[:, before:].reshape(-1, *entry.shape)
        yield "labels", block[:, int(form.labels == "fine_labels")]


def pickles(stream: Stream, form: Form, entry: DataSet) -> Iterator[Piece]:
    """Read CIFAR's Python version: a dictionary of ``data`` (N, C·H·W) and lists of labels."""
    count, size = stream.part.count, math.prod(entry.shape)
    limit = count * (size + 256) + BLOCK
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise WrongFormat(f"has more than the {limit:,} bytes that it can have")
    stream.verify()  # before the pickle is read
    try:
        content = unpickle(data)
    except ValueError as error:
        raise WrongFormat(str(error)) from None
    images, labels = content.get("data"), content.get(form.labels, [])
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise WrongFormat("holds no array 'data' of bytes")
    if images.shape != (count, size):
        raise WrongFormat(f"holds data of shape {images.shape}, not {(count, size)}")
    numbers = isinstance(labels, list) and all(type(label) is int for label in labels)
    if not numbers or len(labels) != count or min(labels) < 0 or max(labels) > 255:
        raise WrongFormat(f"holds no list {form.labels!r} of {count:,} labels")
    yield "images", images.reshape(-1, *entry.shape)
    yield "labels", np.array(labels, np.uint8)


def picture(stream: Stream, form: Form, entry: DataSet) -> Iterator[Piece]:
    """Read one of the pictures ``PART/CLASS/NAME``."""
    name = stream.name.removeprefix(stream.part.name + "/").split("/")[0]
    if name not in entry.classes:
        raise WrongFormat(f"belongs to none of the {len(entry.classes)} classes")
    try:
        pixels = decode(io.BytesIO(stream.read(BLOCK)), entry.shape)
    except Exception as error:  # Pillow raises many kinds of errors for damaged pictures
        raise WrongFormat(f"is no readable picture of shape {entry.shape} ({error})") from None
    yield "images", pixels[None]
    yield "labels", np.array([entry.classes.index(name)], np.uint8)


READERS: dict[str, Callable[[Stream, Form, DataSet], Iterator[Piece]]] = {
    "idx": idx,
    "bytes": plain,
    "records": records,
    "pickles": pickles,
    "pictures": picture,
}
