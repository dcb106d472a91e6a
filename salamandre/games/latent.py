"""Latent spaces: the distributions of a generator's inputs."""

from __future__ import annotations

from typing import Any

from salamandre.backend import Array, RandomStream
from salamandre.checks import whole
from salamandre.component import Component
from salamandre.network import Network


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


def of_seed(generator: Network, count: int, seed: int) -> Array:
    """Return the Gaussian latent vectors (count, size) that a seed stands for, its handwriting.

    More of them begin with the same ones.
    """
    stream = generator.backend.stream([seed, 5])
    return Gaussian(*generator.input_shape).draw(stream, count, generator.dtype)
