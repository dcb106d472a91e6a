"""Picture files as arrays of bytes: unchanged, or cropped to a square and resized."""

from __future__ import annotations

import errno
import importlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import whole
from salamandre.data.catalogue import CorruptData
from salamandre.data.modes import Form, Unusable, form_of, plain
from salamandre.machine import cores
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


class WrongSize(ValueError):
    """A picture has another size than it should have."""


def decode(file: BinaryIO, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the pixels of a picture of a known shape (C, H, W), turned as its EXIF data say.

    Raises:
        WrongSize: it has another size.
        OSError: it cannot be read or is damaged; Pillow raises other exceptions too.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    with Image.open(file, formats=formats()) as picture:
        form = form_of(picture)
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.size != (width, height):
            raise WrongSize(f"it has {picture.height}×{picture.width} pixels")
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
    with opened(path) as picture:
        # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size; twice the final one loses nothing.
        picture.draft(MODES[channels], (2 * size, 2 * size))
        return _squares(*_upright(picture), size, channels)[0]


def of_any_size(path: Path, channels: int) -> NDArray[np.uint8]:
    """Return a picture as it is, turned as its EXIF orientation says: pixels (channels, H, W)."""
    with opened(path) as picture:
        upright, form = _upright(picture)
    pixels = np.asarray(plain(upright, form).convert(MODES[channels]))
    return pixels.reshape(upright.height, upright.width, channels).transpose(2, 0, 1)


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture (C, H, W) in another size (C, height, width), with antialiasing."""
    from PIL import Image

    channels = [
        Image.fromarray(channel).resize((width, height), Image.Resampling.LANCZOS)
        for channel in pixels
    ]
    return np.stack([np.asarray(channel) for channel in channels])


def halves(path: Path, size: int, channels: int) -> NDArray[np.uint8]:
    """Return the left and the right half of a picture, each as :func:`square` returns pictures.

    Returns:
        Pixels (2, channels, size, size).

    Raises:
        CorruptData: its width is odd.
    """
    with opened(path) as picture:
        whole, form = _upright(picture)
    if whole.width % 2:
        raise CorruptData(
            f"{path} is {whole.width} pixels wide, and two pictures of equal size side by side "
            f"have an even width: cut it, or leave it out"
        )
    return _squares(whole, form, size, channels, parts=2)


def matching(paths: Sequence[Path], size: int, channels: int) -> NDArray[np.uint8]:
    """Return pictures of one size, each as :func:`square` returns pictures.

    Returns:
        Pixels (len(paths), channels, size, size).

    Raises:
        CorruptData: they differ in size.
        Unusable: one of them cannot be read.
        OSError: the same, for a reason that may pass.
    """
    found, sizes = [], []
    for path in paths:
        try:
            with opened(path) as picture:
                whole, form = _upright(picture)
        except Exception as error:
            if _may_pass(error):
                raise
            raise Unusable(f"{path}: {_reason(error)}") from None
        sizes.append(f"{path} has {whole.width}×{whole.height} pixels")
        found.append((whole, form))
    if len({whole.size for whole, _ in found}) > 1:
        raise CorruptData(
            f"{' and '.join(sizes)}, and the pictures of a pair have the same: resize one of them"
        )
    return np.concatenate([_squares(whole, form, size, channels) for whole, form in found])


@contextmanager
def opened(path: Path | BinaryIO) -> Iterator[Any]:
    """Open a picture of one of the :data:`FORMATS`, of which nothing is decoded yet.

    Raises:
        OSError: the file cannot be read.
        Unusable: it has too many pixels (see :func:`pixel_limit`).
    """
    from PIL import Image

    try:
        with Image.open(path, formats=formats()) as picture:
            yield picture
    except Image.DecompressionBombError:
        raise Unusable(
            f"more than {pixel_limit():,} pixels, which is twice PIL.Image.MAX_IMAGE_PIXELS: "
            f"raise that, or make the picture smaller"
        ) from None


def _may_pass(error: Exception) -> bool:
    """Return whether an error is one of the system, not of a picture: next time it may be read."""
    if isinstance(error, OSError):
        return error.errno not in NO_PICTURE
    return isinstance(error, MemoryError)


def _reason(error: Exception) -> str:
    """Return why a picture cannot be read."""
    return str(error) if isinstance(error, Unusable) else type(error).__name__


def _upright(picture: Any) -> tuple[Any, Form]:
    """Return a picture turned as its EXIF orientation says, and the form of its pixels."""
    from PIL import ImageOps

    form = form_of(picture)
    return ImageOps.exif_transpose(picture), form


def _squares(whole: Any, form: Form, size: int, channels: int, parts: int = 1) -> NDArray[np.uint8]:
    """Return the square in the middle of each of the equal parts of a picture, side by side."""
    from PIL import Image

    width, height = whole.width // parts, whole.height
    side = min(width, height)
    top, found = (height - side) // 2, []
    for start in range(0, parts * width, width):
        left = start + (width - side) // 2
        # Cropped first, since the grey values of the part in use may decide what is white.
        middle = plain(whole.crop((left, top, left + side, top + side)), form)
        fitted = middle.convert(MODES[channels]).resize((size, size), Image.Resampling.LANCZOS)
        found.append(np.asarray(fitted).reshape(size, size, channels).transpose(2, 0, 1))
    return np.stack(found)


def write_squares(
    place: Path, pictures: Sequence[str], shape: tuple[int, int, int], file: BinaryIO
) -> tuple[list[str], NDArray[np.bool_]]:
    """Write the pixels of the readable pictures of a folder into a file (see :func:`read_each`).

    Args:
        place: the folder of the pictures.
        pictures: their paths below it.
        shape: (channels, size, size), as of :func:`square`.
        file: to write into.
    """
    channels, size, _ = shape
    return read_each(
        place,
        pictures,
        lambda name: square(place / name, size, channels),
        lambda pixels: file.write(pixels.tobytes()),
        max(1, BLOCK // math.prod(shape)),
    )


def read_each(
    place: Path,
    pictures: Sequence[str],
    read: Callable[[str], NDArray[np.uint8]],
    write: Callable[[NDArray[np.uint8]], object],
    step: int,
) -> tuple[list[str], NDArray[np.bool_]]:
    """Read pictures in several threads, and write the readable ones in their order.

    Args:
        place: the folder of the pictures.
        pictures: their paths below it.
        read: returns the pixels of a path.
        write: is given them.
        step: the number of pictures that are held at a time.

    Returns:
        The others with the reason for each, and which pictures are readable (N,).

    Raises:
        ValueError: there is none.
        CorruptData: ``read`` has refused a picture that can be read.
        OSError: a file cannot be read for a reason that may pass.
    """
    from salamandre.progress import progress

    def decoded(name: str) -> NDArray[np.uint8] | Exception:
        try:
            return read(name)
        except CorruptData:
            raise
        except Exception as error:  # Pillow raises many kinds of errors for damaged pictures
            if _may_pass(error):
                if isinstance(error, OSError):
                    error.filename = error.filename or str(place / name)
                raise
            return error

    broken, readable = [], np.ones(len(pictures), bool)
    with (
        warnings.catch_warnings(),  # not in the threads, which share the filters
        ThreadPoolExecutor(cores()) as pool,
        progress(len(pictures), place.name, "picture") as bar,
    ):
        # Of pictures that can be read Pillow may warn too: of half the limit, of damaged EXIF data.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for start in range(0, len(pictures), step):
            for number, result in enumerate(pool.map(decoded, pictures[start : start + step])):
                bar.update()
                if isinstance(result, Exception):
                    readable[start + number] = False
                    broken.append(f"{pictures[start + number]}: {_reason(result)}")
                else:
                    write(result)
    if len(broken) == len(pictures):
        raise ValueError(f"{place} holds no picture that can be read{bracketed(broken)}")
    return broken, readable
