"""Latent spaces: what a generator is given to make something of."""

from __future__ import annotations

from typing import Any

from salamandre.backend import Array, RandomStream
from salamandre.checks import whole
from salamandre.component import Component


class Latent(Component):
    """Base of latent spaces.

    Args:
        size: the number of coordinates.
    """

    kind = "latents"

    def __init__(self, size: int) -> None:
        self.size = whole(f"{type(self).__name__} size", size)

    def draw(self, random: RandomStream, count: int, dtype: Any) -> Array:
        """Return ``count`` latent points (count, size)."""
        raise NotImplementedError


class Gaussian(Latent):
    """Independent standard Gaussian coordinates."""

    def draw(self, random: RandomStream, count: int, dtype: Any) -> Array:
        """Return Gaussian points."""
        return random.normal((count, self.size), dtype)


class Uniform(Latent):
    """Independent coordinates, uniform in [-1, 1), as in the original work."""

    def draw(self, random: RandomStream, count: int, dtype: Any) -> Array:
        """Return uniform points."""
        return random.uniform((count, self.size), dtype) * 2 - 1
