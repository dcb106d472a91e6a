"""Latent spaces: the distributions of a generator's inputs."""

from __future__ import annotations

from typing import Any

from salamandre.backend import Array, RandomStream
from salamandre.checks import whole
from salamandre.component import Component


class Latent(Component, abstract=True):
    """Base of latent spaces.

    Args:
        size: the number of coordinates.
    """

    kind = "latents"
    required = {"draw": ""}
    sets = "size"

    def __init__(self, size: int) -> None:
        self.size = whole(f"{type(self).__name__} size", size)

    def draw(self, random: RandomStream, count: int, dtype: Any) -> Array:
        """Return latent vectors (count, size)."""
        raise NotImplementedError


class Gaussian(Latent):
    """Independent standard Gaussian coordinates."""

    def draw(self, random: RandomStream, count: int, dtype: Any) -> Array:
        """Return Gaussian vectors."""
        return random.normal((count, self.size), dtype)


class Uniform(Latent):
    """Independent coordinates, uniform in [-1, 1), as in Goodfellow et al. 2014."""

    def draw(self, random: RandomStream, count: int, dtype: Any) -> Array:
        """Return uniform vectors."""
        return random.uniform((count, self.size), dtype) * 2 - 1
