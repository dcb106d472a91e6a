"""Pixels of every kind as grey or RGB bytes without transparency.

- Transparent pixels are laid over white, whether by an alpha channel, a palette or a colour that
  the file declares as transparent.
- Grey of 16 bits is scaled by its full range: 65535 becomes 255; in TIFF files of 12 bits 4095
  does.
- Grey of 32 bits and floats have no full range. White is the first of 1 (for floats only), 255 and
  65535 that no value of the part in use exceeds. If there is none, or a value is below 0, the
  smallest value becomes black and the largest white.
- Colours of 16 bits keep their upper eight. CMYK, YCbCr, LAB and HSV are converted by Pillow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTOMETRIC, BITS = 262, 258  # tags of TIFF
BLOCK = 1 << 20  # values at a time, which take eight times their memory
GREY_STEPS = {"1": 255, "L;2": 85, "L;4": 17}  # between the levels of PNG files of 1, 2, 4 bits


class Unusable(ValueError):
    """A picture whose pixels cannot be used; the message says why."""


class Form(NamedTuple):
    """What a file says of its pixels, and what a turned copy would not know.

    Attributes:
        white: the value of white in grey deeper than 8 bits; 0 if the file does not say it.
        inverted: whether 0 is white in such grey.
        unsigned: whether grey of 32 bits has no sign.
        key: the grey value or colour that is transparent, in the values of the pixels.
    """

    white: int = 0
    inverted: bool = False
    unsigned: bool = False
    key: Any = None


def form_of(opened: Any) -> Form:
    """Return the form of an opened file, before its pixels are loaded."""
    mode, tags = opened.mode, getattr(opened, "tag_v2", {})
    deep = mode.startswith("I;16") or (mode == "I" and opened.format in ("PNG", "PPM"))
    white = 65535 if deep else 0
    if tags.get(BITS) == (12,):
        white = 4095
    unsigned = _raw_mode(opened).startswith("I;32N")
    return Form(white, tags.get(PHOTOMETRIC) == 0, unsigned, _key(opened))


def _key(opened: Any) -> Any:
    """Return the transparent value of a grey or RGB file in the values of its pixels."""
    key, mode = opened.info.get("transparency"), opened.mode
    if isinstance(key, tuple) and mode == "RGB":
        deep = _raw_mode(opened).startswith("RGB;16")
        return tuple(part >> 8 if deep else part & 255 for part in key)
    if isinstance(key, int) and mode == "L":
        step = GREY_STEPS.get(_raw_mode(opened), 1)
        return key % (255 // step + 1) * step
    if isinstance(key, int) and mode == "1":
        return 255 if key else 0
    return key if isinstance(key, int) and mode.startswith("I") else None


def _raw_mode(opened: Any) -> str:
    """Return the layout of the pixels in a file, as Pillow's decoders name it."""
    tiles = getattr(opened, "tile", None)  # a picture made in memory has none
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return str(first)


def plain(picture: Image, form: Form) -> Image:
    """Return a picture in mode L or RGB.

    Args:
        picture: in any mode.
        form: of its file.

    Raises:
        Unusable: NaN or infinity.
    """
    from PIL import Image

    mode = picture.mode
    if mode.startswith(("I", "F")):
        values = np.asarray(picture)
        if form.unsigned:
            values = values.view(np.uint32)
        grey = _grey(values, form)
        if form.key is not None:
            grey[values == form.key] = 255
        return Image.fromarray(grey)
    if mode in ("1", "L", "RGB"):
        flat = picture.convert("L") if mode == "1" else picture
        if form.key is None:
            return flat
        pixels = np.array(flat)
        equal = pixels == np.asarray(form.key, np.uint8)
        pixels[equal.all(-1) if mode == "RGB" else equal] = 255
        return Image.fromarray(pixels)
    if not picture.has_transparency_data or mode not in ("LA", "La", "P", "PA", "RGBA", "RGBa"):
        return picture.convert("RGB")
    if mode == "La":  # which Pillow converts to LA only
        picture = picture.convert("LA")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _grey(values: NDArray[Any], form: Form) -> NDArray[np.uint8]:
    """Return deep grey values as bytes."""
    low, high = 0, form.white
    if not high:
        smallest, largest = values.min(), values.max()
        if not (np.isfinite(smallest) and np.isfinite(largest)):
            raise Unusable("its pixels hold NaN or infinity")
        usual = (1, 255, 65535) if values.dtype.kind == "f" else (255, 65535)
        high = next((white for white in usual if smallest >= 0 and largest <= white), 0)
        if not high:
            low, high = smallest, largest
    span = float(high) - float(low) or 1.0
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, BLOCK // values.shape[1])
    for start in range(0, len(values), rows):
        part = slice(start, start + rows)
        shares = np.clip((values[part] - np.float64(low)) / span, 0, 1)
        grey[part] = np.rint(255 * (1 - shares if form.inverted else shares))
    return grey
