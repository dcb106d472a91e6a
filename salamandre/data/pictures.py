"""Picture files as arrays of bytes: unchanged, or cropped to a square and resized."""

from __future__ import annotations

import errno
import importlib
import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import whole
from salamandre.data.modes import Unusable, form_of, plain
from salamandre.texts import bracketed

LARGEST = 1 << 24  # pixels of a picture in a data set
MODES = {1: "L", 3: "RGB"}
# Of Pillow's formats those with a signature of their own, whose reading is safe: not EPS, which
# Ghostscript would run as a program, nor JPEG 2000, whose damaged files take any amount of memory.
FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".pgm", ".ppm", ".pbm", ".pnm", ".pfm"),
    "AVIF": (".avif",),
    "QOI": (".qoi",),
    "HEIF": (".heic", ".heif", ".hif"),  # where its plugin is installed
}
PLUGIN = "pillow_heif"
BLOCK = 1 << 25  # bytes of pixels at a time
# An error of Pillow's; a position that a damaged file names; a file that has gone.
NO_PICTURE = (None, errno.EINVAL, errno.ENOENT, errno.ELOOP)


def suffixes() -> tuple[str, ...]:
    """Return the suffixes of the files that can be read, in lower case."""
    kinds = [kind for kind in FORMATS if kind != "HEIF" or find_spec(PLUGIN)]
    return tuple(suffix for kind in kinds for suffix in FORMATS[kind])


@cache
def formats() -> tuple[str, ...]:
    """Return the formats that can be read here."""
    from PIL import Image

    Image.init()
    if find_spec(PLUGIN):
        importlib.import_module(PLUGIN).register_heif_opener()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


def checked_size(what: str, size: Any) -> int:
    """Return a height and width of pictures, of :data:`LARGEST` pixels at most."""
    number, most = whole(what, size), math.isqrt(LARGEST)
    if number > most:
        raise ValueError(f"{what} must be at most {most}, got {number}")
    return number


def pixel_limit() -> int | None:
    """Return the number of pixels that a picture may have, as set in Pillow; None for any."""
    from PIL import Image

    return None if Image.MAX_IMAGE_PIXELS is None else 2 * Image.MAX_IMAGE_PIXELS


def decode(file: BinaryIO, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the pixels of a picture of a known shape (C, H, W), turned as its EXIF data say.

    Raises:
        ValueError: it has another size.
        OSError: it cannot be read or is damaged; Pillow raises other exceptions too.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    with Image.open(file, formats=formats()) as picture:
        form = form_of(picture)
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.size != (width, height):
            raise ValueError(f"it has {picture.height}×{picture.width} pixels")
        pixels = np.asarray(plain(picture, form).convert(MODES[channels]))
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def shape_of(
    file: BinaryIO, size: int | None = None, channels: int | None = None
) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of a picture, of which size and channels may be given.

    The picture is turned as its EXIF data say.

    Raises:
        ValueError: it has more than 4096×4096 pixels and no size is given.
        OSError: it cannot be read; Pillow raises other exceptions too.
    """
    from PIL import Image, ImageOps

    with Image.open(file, formats=formats()) as picture:
        width, height = picture.size
        if not size and width * height > LARGEST:
            raise ValueError(f"it has {height}×{width} pixels: give a size")
        if not size:
            ImageOps.exif_transpose(picture, in_place=True)
        width, height = (size, size) if size else picture.size
        grey = picture.mode in ("1", "L", "LA", "La") or picture.mode.startswith("I")
    return channels or (1 if grey else 3), height, width


def square(path: Path | BinaryIO, size: int, channels: int) -> NDArray[np.uint8]:
    """Return the square in the middle of a picture, resized with antialiasing.

    The picture is turned as its EXIF orientation says; transparent pixels become white. Of several
    pictures in a file it is the first.

    Args:
        path: of the file, or the open file.
        size: height and width of the result.
        channels: 3 for colour, 1 for grey.

    Returns:
        Pixels (channels, size, size).

    Raises:
        OSError: the file cannot be read or is damaged; Pillow raises other exceptions too.
        Unusable: it has too many pixels (see :func:`pixel_limit`), or NaN or infinity.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=formats()) as opened:
            # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size; twice the final one loses nothing.
            opened.draft(MODES[channels], (2 * size, 2 * size))
            form = form_of(opened)
            picture = ImageOps.exif_transpose(opened)
    except Image.DecompressionBombError:
        raise Unusable(
            f"more than {pixel_limit():,} pixels, which is twice PIL.Image.MAX_IMAGE_PIXELS: "
            f"raise that, or make the picture smaller"
        ) from None
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    middle = plain(picture.crop((left, top, left + side, top + side)), form)
    pixels = middle.convert(MODES[channels]).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(pixels).reshape(size, size, channels).transpose(2, 0, 1)


def write_squares(
    place: Path, pictures: Sequence[str], shape: tuple[int, int, int], file: BinaryIO
) -> tuple[list[str], NDArray[np.bool_]]:
    """Write the pixels of the readable pictures into a file, some at a time.

    Args:
        place: the folder of the pictures.
        pictures: their paths below it.
        shape: (channels, size, size), as of :func:`square`.
        file: to write into.

    Returns:
        The others with the reason for each, and which pictures are readable (N,).

    Raises:
        ValueError: there is none.
        OSError: a file cannot be read for a reason that may pass.
    """
    from salamandre.progress import progress

    def decoded(name: str) -> NDArray[np.uint8] | Exception:
        try:
            return square(place / name, shape[1], shape[0])
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises many kinds of errors for damaged pictures
            if isinstance(error, OSError) and error.errno not in NO_PICTURE:
                error.filename = error.filename or str(place / name)
                raise  # of the system, not of the picture; it may be readable the next time
            return error

    broken, readable = [], np.ones(len(pictures), bool)
    step = max(1, BLOCK // math.prod(shape))
    with (
        warnings.catch_warnings(),  # not in the threads, which share the filters
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress(len(pictures), place.name, "picture") as bar,
    ):
        # Of pictures that can be read Pillow may warn too: of half the limit, of damaged EXIF data.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for start in range(0, len(pictures), step):
            for number, result in enumerate(pool.map(decoded, pictures[start : start + step])):
                bar.update()
                if isinstance(result, Exception):
                    readable[start + number] = False
                    reason = result if isinstance(result, Unusable) else type(result).__name__
                    broken.append(f"{pictures[start + number]}: {reason}")
                else:
                    file.write(result.tobytes())
    if len(broken) == len(pictures):
        raise ValueError(f"{place} holds no picture that can be read{bracketed(broken)}")
    return broken, readable
