"""Picture files as arrays: unchanged, or cropped to a square and resized."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB"}
FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "GIF",
    "BMP",
    "PPM",
)  # not EPS: Ghostscript would run it as a program


def decode(file: BinaryIO, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the pixels of a picture of a known shape (C, H, W).

    Raises:
        ValueError: it has another size.
        OSError: it cannot be read or is damaged; Pillow raises other exceptions too.
    """
    from PIL import Image

    channels, height, width = shape
    with Image.open(file, formats=FORMATS) as picture:
        if picture.size != (width, height):
            raise ValueError(f"it has {picture.height}×{picture.width} pixels")
        pixels = np.asarray(picture.convert(MODES[channels]))
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def square(path: Path, size: int, channels: int) -> NDArray[np.uint8]:
    """Return the square in the middle of a picture, resized with antialiasing.

    The picture is turned as its EXIF orientation says; transparent pixels become white.

    Args:
        path: the file.
        size: height and width of the result.
        channels: 3 for colour, 1 for grey.

    Returns:
        Pixels (channels, size, size).

    Raises:
        OSError: the file cannot be read or is damaged; Pillow raises other exceptions too.
    """
    from PIL import Image, ImageOps

    with Image.open(path, formats=FORMATS) as opened:
        # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size; twice the final size loses nothing.
        opened.draft(MODES[channels], (2 * size, 2 * size))
        picture = plain(ImageOps.exif_transpose(opened)).convert(MODES[channels])
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    middle = picture.crop((left, top, left + side, top + side))
    pixels = middle.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(pixels).reshape(size, size, channels).transpose(2, 0, 1)


def plain(picture: Image) -> Image:
    """Return a picture with eight bits a channel and without transparency."""
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture)
    return picture
