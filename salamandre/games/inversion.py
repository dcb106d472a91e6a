"""The latent vectors of pictures: which ones a generator would make them from."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from salamandre.backend import Array
from salamandre.checks import numbers, real, whole
from salamandre.games.checks import output_range
from salamandre.inputs import are_images, fits
from salamandre.network import Network
from salamandre.parts import checked_part


class Inversion(NamedTuple):
    """What was found for each picture.

    Attributes:
        latent: the latent vectors (N, size).
        examples: what the generator makes of them (N, ...).
        losses: how far these are from the pictures (N,).
    """

    latent: Array
    examples: Array
    losses: Array


def invert(
    generator: Network,
    pictures: Any,
    labels: Any = None,
    *,
    steps: int = 300,
    rate: float = 0.05,
    tries: int = 4,
    features: Network | None = None,
    weight: float = 1.0,
    seed: int = 0,
) -> Inversion:
    """Return latent vectors whose examples are like given pictures, by gradient descent on z.

    E = mean of (G(z) - x)² + weight · mean of (F(G(z)) - F(x))², by Adam, from several Gaussian
    starts, the best of which counts (Creswell and Bharath 2018, "Inverting the generator of a
    generative adversarial network"; with features F as in Zhu et al. 2016, "Generative visual
    manipulation on the natural image manifold", section 3.1). The generator stays as it is.

    Args:
        generator: from latent vectors to pictures.
        pictures: (N, ...) in the generator's range, or images of bytes, which are scaled to it:
            those of :class:`salamandre.data.Images` by their own white.
        labels: their classes (N,), for a conditional generator.
        steps: of each start. Default 300.
        rate: learning rate of z. Default 0.05.
        tries: starts. Default 4.
        features: a classifier, such as ``judge.classifier``; what its last layer is given are the
            features. It is given the pictures in the range that it has learned. Default none.
        weight: of their part. Default 1.
        seed: of the starts. Default 0.

    Raises:
        ValueError: pictures of another size than the generator makes, or features are of.
    """
    generator = checked_part("generator", generator, Network)
    xp, backend = generator.backend.xp, generator.backend
    x = _pictures(generator, pictures)
    labels = generator.as_labels(labels, len(x))
    measure = _Likeness(generator, x, features, real("weight", weight, 0))
    run = generator.new_pass(parameter_gradients=False, statistics=False)
    rate, stream = real("rate", rate, 0, above=True), backend.stream([whole("seed", seed, 0), 7])
    best: Inversion | None = None
    for _ in range(whole("tries", tries)):
        z = stream.normal((len(x), *generator.input_shape), generator.dtype)
        first, second = xp.zeros_like(z), xp.zeros_like(z)
        for step in range(1, whole("steps", steps) + 1):
            run.draw_from(None, seed)
            y = generator.compute(z, run, training=False, labels=labels)
            _, dy = measure(y)
            g = generator.backprop(dy, run)
            first = 0.9 * first + 0.1 * g
            second = 0.999 * second + 0.001 * g * g
            scale = rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
            z = z - scale * first / (xp.sqrt(second) + 1e-8)
        run.draw_from(None, seed)
        y = xp.array(generator.compute(z, run, training=False, labels=labels), order="C")
        found = Inversion(z, y, measure(y)[0])
        if not bool(xp.isfinite(found.losses).all()):
            raise ValueError(f"the inversion diverged with a rate of {rate:g}: lower it")
        if best is None:
            best = found
        else:
            nearer = found.losses < best.losses
            best = Inversion(*(_chosen(xp, nearer, a, b) for a, b in zip(found, best, strict=True)))
    assert best is not None
    return best


def _chosen(xp: Any, condition: Array, a: Array, b: Array) -> Array:
    return xp.where(condition.reshape(-1, *(1,) * (a.ndim - 1)), a, b)


def _pictures(generator: Network, pictures: Any) -> Array:
    """Return pictures of the generator's shape, on its backend."""
    if len(generator.input_shape) != 1:
        raise ValueError("inversion is of generators that make pictures from latent vectors alone")
    low, high = output_range(generator)
    pixels, backend = generator.pixels._replace(low=low, high=high), generator.backend
    if are_images(pictures):
        pictures, pixels = pictures.images, pixels._replace(white=pictures.white)
    x = backend.asarray(numbers("the pictures", pictures))
    if x.dtype == np.uint8:  # as those of data sets
        x = pixels.scaled(x, generator.dtype, backend.xp)
    x = backend.asarray(x, dtype=generator.dtype)
    if not x.ndim or not len(x) or not fits(x.shape, generator.output_shape):
        raise ValueError(
            f"the generator makes pictures of shape {generator.output_shape}, got an array of "
            f"shape {x.shape}: resize them"
        )
    if not backend.all_finite(x):
        raise ValueError("the pictures hold NaN or infinity: clean them")
    return x.reshape(-1, *generator.output_shape)


class _Likeness:
    """How far examples are from pictures, and the gradient."""

    def __init__(
        self, generator: Network, x: Array, features: Network | None, weight: float
    ) -> None:
        self.x, self.weight, self.network = x, weight, features
        if features is not None:
            checked_part("features", features, Network)
            if math.prod(features.input_shape) != x[0].size:
                raise ValueError(
                    f"features must be a network of pictures {x.shape[1:]}, got one of "
                    f"{features.input_shape}"
                )
            self._shape = (len(x), *features.input_shape)
            self._stop = len(features.layers) - 1
            (low, high), (black, white) = output_range(generator), features.pixels[1:]
            self._factor = (white - black) / (high - low)
            self._shift = black - low * self._factor
            self._run = features.new_pass(parameter_gradients=False, statistics=False)
            self._wanted = features.backend.xp.array(self._features(x))

    def _features(self, x: Array) -> Array:
        assert self.network is not None
        x = x.reshape(self._shape) * self._factor + self._shift
        return self.network.compute(x, self._run, training=False, stop=self._stop)

    def __call__(self, y: Array) -> tuple[Array, Array]:
        """Return E (N,) and the gradient of their sum by y."""
        axes, count = tuple(range(1, y.ndim)), y[0].size
        error = y - self.x
        values, dy = (error * error).mean(axis=axes), 2 / count * error
        if self.network is not None and self.weight:
            difference = self._features(y) - self._wanted
            axes, count = tuple(range(1, difference.ndim)), difference[0].size
            values = values + self.weight * (difference * difference).mean(axis=axes)
            back = self.network.backprop(2 * self.weight / count * difference, self._run)
            dy = dy + self._factor * back.reshape(y.shape)
        return values, dy
