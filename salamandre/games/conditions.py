"""Conditions: what a game's generator makes its pictures from, beside or instead of noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.checks import array
from salamandre.data.images import Images
from salamandre.data.paired_images import Pairs
from salamandre.games.latent import Latent
from salamandre.layer import Shape
from salamandre.passes import Pass


class Pairing:
    """What an example of the discriminator is made of: a condition, if there is one, and a picture.

    The condition's channels come first (Isola et al. 2017, section 3). So an example is one array
    for objectives, constraints and remedies, whether it has a condition or not.

    Args:
        latent: the latent space of the generator, ``None`` if it has none.
        shape: of one condition, ``None`` if there are none.

    Attributes:
        inputs: the ``input_shape`` of the generator: that of the latent vectors, of the
            conditions, or both.

    Raises:
        ValueError: neither latent space nor conditions.
    """

    def __init__(self, latent: Latent | None, shape: Shape | None) -> None:
        if latent is None and shape is None:
            raise ValueError(
                "a game needs latent=..., such as Gaussian(100), or conditions=..., pictures to "
                "make others from"
            )
        self.shape = shape
        self._channels = shape[0] if shape else 0
        parts: list[Shape] = [(latent.size,)] if latent else []
        parts += [self.shape] if self.shape else []
        self.inputs: Any = parts[0] if len(parts) == 1 else tuple(parts)

    def condition(self, examples: Array) -> Array:
        """Return the conditions of examples, a view."""
        return examples[:, : self._channels]

    def picture(self, examples: Array) -> Array:
        """Return the pictures of examples, or a gradient's part that belongs to them; a view."""
        return examples[:, self._channels :] if self._channels else examples

    def picture_shape(self, example: Shape) -> Shape:
        """Return the shape of the picture in an example of a shape."""
        return (example[0] - self._channels, *example[1:])

    def example_shape(self, picture: Shape) -> Shape:
        """Return the shape of an example of a picture of a shape."""
        return (picture[0] + self._channels, *picture[1:])

    def of_generator(self, latent: Any, conditions: Any) -> Any:
        """Return a batch of the generator's inputs; what it has none of is ``None``."""
        if self.shape is None:
            return latent
        return conditions if latent is None else (latent, conditions)

    def examples(self, real: Array, pictures: Array, run: Pass) -> Array:
        """Return pictures beside the conditions of real examples, in memory of a pass."""
        if self.shape is None:
            return pictures
        made = run.buffer("examples", real.shape, channels_last=real.ndim == 4)
        self.condition(made)[...] = self.condition(real)
        self.picture(made)[...] = pictures
        return made


def paired(
    images: Images | Pairs | np.ndarray, conditions: Any
) -> tuple[Images | Pairs | np.ndarray, Shape | None]:
    """Return images with their conditions as first channels, and the shape of a condition.

    Args:
        images: (N, C, H, W), or vectors; or pairs, which have their conditions.
        conditions: (N, C', H, W), or vectors; ``None``: the images stay as they are.

    Raises:
        ValueError: numbers, sizes or types that differ; conditions that are brighter than white.
    """
    if isinstance(images, Pairs):
        if conditions is not None:
            raise ValueError("Pairs have their own conditions: leave conditions=... out")
        return images, images.condition_shape
    if conditions is None:
        return images, None
    values = images.images if isinstance(images, Images) else array("the images", images)
    given = array("the conditions", conditions)
    if given.ndim < 2 or given.shape[:1] + given.shape[2:] != values.shape[:1] + values.shape[2:]:
        raise ValueError(
            f"conditions and images must be pairs of one size, got shapes {given.shape} and "
            f"{values.shape}"
        )
    if (given.dtype == np.uint8) != (values.dtype == np.uint8):
        raise ValueError(
            f"conditions and images must be both bytes or both numbers in the generator's range, "
            f"got {given.dtype} and {values.dtype}"
        )
    if isinstance(images, Images) and given.max() > images.white:
        raise ValueError(
            f"conditions are scaled as the images are, whose white is {images.white}, got values "
            f"up to {given.max()}: divide them, or give the images with a white of 255"
        )
    both = np.concatenate([given, values], axis=1)
    return (replace(images, images=both) if isinstance(images, Images) else both), given.shape[1:]
