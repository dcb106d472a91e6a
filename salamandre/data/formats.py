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

from salamandre.data.catalogue import DataSet, Form, Kind, Part, WrongFormat
from salamandre.data.matlab import read_mat
from salamandre.data.pictures import decode
from salamandre.data.unpickling import unpickle

BLOCK = 1 << 22  # bytes

Piece = tuple[Kind, NDArray[np.uint8]]


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
    width (LeCun 1998). QMNIST's labels are rows of eight 32-bit numbers, the first of which is the
    class; their magic number is 3074 (Yadav and Bottou 2019).
    """
    images, count = stream.part.kinds == ("images",), stream.part.count
    rows = "-idx2-int" in stream.part.name
    expected = (2051, *entry.shape[1:]) if images else (3074, 8) if rows else (2049,)
    expected = (expected[0], count, *expected[1:])
    header = stream.read(4 * len(expected))
    found = struct.unpack(f">{len(header) // 4}I", header[: len(header) // 4 * 4])
    if found != expected:
        raise WrongFormat(f"has the IDX header {found}, not {expected}")
    if rows:
        for block in stream.blocks(32):
            classes = block.view(">u4")[:, 0]
            if classes.max() > 255:
                raise WrongFormat(f"has the label {classes.max():,}")
            yield "labels", classes.astype(np.uint8)
        return
    yield from plain(stream, form, entry)


def libsvm(stream: Stream, form: Form, entry: DataSet) -> Iterator[Piece]:
    """Read USPS: lines of a label and ``index:value`` from 1 on; pixels in -1..1 (Hull 1994).

    Values that are not written are 0, a grey of 127.5, which becomes 128.
    """
    size, rest = math.prod(entry.shape), b""
    while data := stream.read(1 << 20):
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > 64 * size:
            raise WrongFormat(f"has a line of more than {64 * size:,} bytes")
        if lines := [line for line in lines if line.strip()]:
            yield from _lines(lines, size, form, entry)
    if rest.strip():
        yield from _lines([rest], size, form, entry)


def _lines(lines: list[bytes], size: int, form: Form, entry: DataSet) -> Iterator[Piece]:
    values, labels = np.zeros((len(lines), size), np.float32), np.zeros(len(lines), np.int64)
    for row, line in enumerate(lines):
        label, *pixels = line.split()
        labels[row] = int(label) - form.first_label
        for pixel in pixels:
            index, value = pixel.split(b":")
            if not 0 < int(index) <= size:
                raise WrongFormat(f"has the pixel {int(index)} of {size}")
            values[row, int(index) - 1] = float(value)
    if not (abs(values) <= 1).all():
        raise WrongFormat("has a pixel that is not in -1..1")
    if labels.min() < 0 or labels.max() > 255:
        raise WrongFormat("has a label that is no class")
    images = np.rint(values * 127.5 + 127.5).astype(np.uint8)
    yield "images", images.reshape(-1, *entry.shape)
    yield "labels", labels.astype(np.uint8)


def matlab(stream: Stream, form: Form, entry: DataSet) -> Iterator[Piece]:
    """Read SVHN: ``X`` (H, W, C, N) and ``y`` (N, 1), in which 10 is the digit 0."""
    content = read_mat(stream.file)
    images, labels = (np.asarray(content.get(name)) for name in "Xy")
    channels, height, width = entry.shape
    shape = (height, width, channels, stream.part.count)
    if images.dtype != np.uint8 or images.shape != shape:
        raise WrongFormat(f"holds no array X of bytes of shape {shape}")
    digits = np.arange(1, len(entry.classes) + 1)
    if labels.shape != (stream.part.count, 1) or not np.isin(labels, digits).all():
        raise WrongFormat(f"holds no array y of {stream.part.count:,} labels in 1..{digits[-1]}")
    step = max(1, BLOCK // math.prod(entry.shape))
    for start in range(0, stream.part.count, step):
        yield "images", images[..., start : start + step].transpose(3, 2, 0, 1)
    yield "labels", (labels[:, 0] % len(entry.classes)).astype(np.uint8)


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
    "libsvm": libsvm,
    "matlab": matlab,
    "bytes": plain,
    "records": records,
    "pickles": pickles,
    "pictures": picture,
}
