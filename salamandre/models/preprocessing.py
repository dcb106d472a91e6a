"""From pictures to what a network takes, and back."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.checks import array as checked_array, one_of, real, whole
from salamandre.data.modes import form_of, plain
from salamandre.data.pictures import formats
from salamandre.layers.window import pair
from salamandre.texts import path_of

if TYPE_CHECKING:
    from PIL.Image import Image

CHANNELS = {"RGB": 3, "BGR": 3, "L": 1}
MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Preprocessing:
    """How pictures become inputs: x = (pixels · scale - mean) / std, channel by channel.

    It belongs to weights rather than to an architecture: a network expects what it was trained on.

    Attributes:
        size: (height, width) of the inputs.
        shorter_side: the picture is resized so that its shorter side has this length, and the
            middle is kept. Default ``None``: it is resized to ``size``, whatever its proportions.
        order: of the channels: ``"RGB"``, ``"BGR"`` or ``"L"`` (grey).
        scale: what pixels from 0 to 255 are multiplied with. Default 1/255.
        mean, std: of each channel after that, in this order.

    Raises:
        ValueError: a size, a side, an order, a scale, a mean or a deviation that cannot be.
    """

    size: tuple[int, int]
    shorter_side: int | None = None
    order: str = "RGB"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        size = pair("the size of inputs", self.size)
        object.__setattr__(self, "size", size)
        one_of("order", self.order, CHANNELS)
        real("scale", self.scale, 0, above=True)
        if self.shorter_side is not None:
            whole("shorter_side", self.shorter_side, least=min(size))
        for name, low in (("mean", -math.inf), ("std", 0)):
            values = getattr(self, name)
            if np.ndim(values) != 1 or len(values) not in (CHANNELS[self.order], 3):
                raise ValueError(
                    f"{name} must be a number for each of the {CHANNELS[self.order]} channels of "
                    f"{self.order}, got {values!r}"
                )
            numbers = tuple(real(name, value, low, above=True) for value in values)
            object.__setattr__(self, name, numbers)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an input: (channels, height, width)."""
        return (CHANNELS[self.order], *self.size)

    def __call__(self, pictures: Any) -> np.ndarray:
        """Return the inputs (N, C, H, W), float32.

        Args:
            pictures: a file, a Pillow image, or pixels (uint8, (C, H, W), grey or colour); or
                several of these.

        Raises:
            OSError: a file that cannot be read as a picture; it is named.
            ValueError: something else, no picture, or one that does not fill the inputs.
        """
        chosen = pictures if isinstance(pictures, (list, tuple)) else [pictures]
        if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
            chosen = list(pictures)
        if not len(chosen):
            raise ValueError("expected at least one picture, got none")
        return np.stack([self._input(picture) for picture in chosen])

    def _input(self, picture: Any) -> np.ndarray:
        image = opened(picture).convert("L" if self.order == "L" else "RGB")
        pixels = np.asarray(self._fitted(image), np.float32).reshape(*self.size, -1)
        x = (pixels[..., ::-1] if self.order == "BGR" else pixels).transpose(2, 0, 1)
        scaled = x * np.float32(self.scale)
        return (scaled - self._per_channel(self.mean)) / self._per_channel(self.std)

    def _fitted(self, image: Image) -> Image:
        """Return an image of the size, resized bilinearly with antialiasing."""
        from PIL.Image import Resampling

        height, width = self.size
        if self.shorter_side is None:
            return image.resize((width, height), Resampling.BILINEAR)
        short, long = sorted(image.size)
        sides = {short: self.shorter_side, long: self.shorter_side * long // short}
        if sides[image.height] < height or sides[image.width] < width:
            raise ValueError(
                f"a picture of {image.height}×{image.width} pixels, whose shorter side becomes "
                f"{self.shorter_side}, does not fill {height}×{width}: take a larger shorter_side"
            )
        image = image.resize((sides[image.width], sides[image.height]), Resampling.BILINEAR)
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        return image.crop((left, top, left + width, top + height))

    def pixels(self, x: np.ndarray) -> np.ndarray:
        """Return inputs as pictures (N, C, H, W) with values from 0 to 1, red first."""
        mean, std = self._per_channel(self.mean), self._per_channel(self.std)
        values = (x * std + mean) / (255 * self.scale)
        return np.clip(values[:, ::-1] if self.order == "BGR" else values, 0, 1)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The inputs that black and white become, each (C, 1, 1)."""
        black, white = (
            (np.float32(255 * self.scale * value) - self._per_channel(self.mean))
            / self._per_channel(self.std)
            for value in (0, 1)
        )
        return black, white

    @property
    def level(self) -> np.ndarray:
        """The change of an input, (C, 1, 1), that changes a pixel by 1 of 255."""
        return np.float32(self.scale) / self._per_channel(self.std)

    def _per_channel(self, values: tuple[float, ...]) -> np.ndarray:
        return np.array(values, np.float32)[: CHANNELS[self.order], None, None]


def opened(picture: Any) -> Image:
    """Return a picture, a file or pixels (C, H, W) as a Pillow image, upright and without alpha."""
    from PIL import Image, ImageOps

    if isinstance(picture, (str, os.PathLike)):
        try:
            with Image.open(path_of(picture), formats=formats()) as image:
                form = form_of(image)
                return plain(ImageOps.exif_transpose(image), form)
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no picture {picture}") from None
        except Exception as error:  # Pillow raises many kinds of errors for damaged files
            raise OSError(f"{picture} cannot be read as a picture: {error}") from None
    if isinstance(picture, Image.Image):
        return plain(picture, form_of(picture))
    array = np.asarray(checked_array("the pixels of a picture", picture))
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[0] not in MODES:
        raise ValueError(
            f"a picture must be a file, a Pillow image, or pixels of type uint8 and shape "
            f"(1 or 3, H, W), got {array.dtype} of shape {array.shape}"
        )
    channels_last = array.transpose(1, 2, 0)
    return Image.fromarray(
        np.ascontiguousarray(channels_last[..., 0] if len(array) == 1 else channels_last)
    )
