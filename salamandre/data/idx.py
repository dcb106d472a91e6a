"""Reading IDX files, plain or compressed, none of it believed before its checksum agrees.

The format (LeCun): big-endian 32-bit numbers, first a magic number (2051 images, 2049 labels),
then the count and, for images, height and width; after them one unsigned byte for each value.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salamandre.data.catalogue import CATALOGUE
from salamandre.data.entries import Part
from salamandre.data.errors import CorruptData

GZIP = b"\x1f\x8b"


def read_pair(
    images: tuple[Path, Part], labels: tuple[Path, Part]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the images and labels of a split.

    Args:
        images: a file, plain or compressed whatever its name, and what it must hold.
        labels: the same for the labels.

    Returns:
        uint8 arrays of the shapes of the two parts.

    Raises:
        CorruptData: a file holds something else.
    """
    contents = {"images": content(*images), "labels": content(*labels)}
    with warnings.catch_warnings():
        # Python 3.8 and later warn of `is "lists"` when they compile python-mnist.
        warnings.simplefilter("ignore", SyntaxWarning)
        from mnist import MNIST
    reader = MNIST()
    reader.opener = lambda name, mode: io.BytesIO(contents[name])  # the bytes that were verified
    pixels, numbers = reader.load("images", "labels")
    return (
        np.array(pixels, np.uint8).reshape(images[1].shape),
        np.array(numbers, np.uint8).reshape(labels[1].shape),
    )


def verify(path: Path, part: Part) -> None:
    """Make sure that a file holds a part, without unpacking it where it is the official file.

    Raises:
        CorruptData: it holds something else.
    """
    if path.stat().st_size != part.bytes or _md5(path.read_bytes()) != part.md5:
        content(path, part)


def content(path: Path, part: Part) -> bytes:
    """Return the bytes of an IDX file, unpacked.

    Raises:
        CorruptData: they are not those of the part.
    """
    # One byte more than any known file: enough to tell what it is, whatever it unpacks to.
    limit = max(known.content_bytes for known in (part, *_known_parts())) + 1
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == GZIP
            found = (gzip.GzipFile(fileobj=file) if packed else file).read(limit)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptData(path, part, f"is a damaged gzip file ({error})") from None
    if _md5(found) != part.content_md5:
        raise CorruptData(path, part, _describe(found, part))
    return found


def _describe(found: bytes, part: Part) -> str:
    """Say what content is that is not that of the part."""
    for known in _known_parts():
        if _md5(found) == known.content_md5:
            return f"holds {known}"
    size = 4 * len(part.header)
    if len(found) < size:
        return f"has only {len(found)} bytes of content, less than an IDX header"
    header = struct.unpack_from(f">{len(part.header)}I", found)
    if header[0] != part.header[0]:
        name = {2051: ", that of images", 2049: ", that of labels"}.get(header[0], "")
        return f"starts with magic number {header[0]}{name}, not {part.header[0]}"
    if header != part.header:
        return f"declares {_times(header[1:])} values, not {_times(part.header[1:])}"
    if len(found) != part.content_bytes:
        return f"has {len(found):,} bytes of content"
    return f"was changed (its content has MD5 {_md5(found)})"


def _known_parts() -> list[Part]:
    return [part for entry in CATALOGUE.values() for part in entry.parts]


def _times(numbers: tuple[int, ...]) -> str:
    return "×".join(map(str, numbers))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
