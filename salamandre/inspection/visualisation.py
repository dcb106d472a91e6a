"""What a network imagines: images that make a class or a layer as active as possible."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from salamandre.backend import Array, Backend
from salamandre.checks import real, whole
from salamandre.inspection.adversarial import UNIT, unit
from salamandre.inspection.probes import LayerView
from salamandre.inspection.scores import (
    Scores,
    blocks,
    checked_bounds,
    checked_classes,
    checked_images,
    needed_image_shape,
)
from salamandre.network import Network


def visualise_class(
    network: Network,
    classes: Any,
    *,
    start: Any = None,
    steps: int = 64,
    rate: float | None = None,
    l2: float = 0.02,
    variation: float = 0.0,
    jitter: int | None = None,
    blur: float = 0.7,
    blur_every: int = 4,
    bounds: tuple[Any, Any] = UNIT,
    seed: int = 0,
    batch_size: int = 8,
) -> Array:
    """Return images (N, *input_shape) that a network takes for these classes.

    x ← x + η g / ‖g‖ with g = d(score - λ ‖x‖² - μ TV(x)) / dx (Simonyan, Vedaldi, Zisserman 2014,
    section 2). The image is shifted at random before each step and back after it (Mordvintsev,
    Olah, Tyka 2015), blurred now and then (Yosinski et al. 2015, section 3), and TV(x) is the sum
    of squared differences of neighbouring pixels (Mahendran and Vedaldi 2015, section 3.2). Here x
    is measured by the distance of its bounds: the same numbers suit inputs from 0 to 1 and from 0
    to 255.

    Args:
        network: a classifier of images (C, H, W), or of square grey ones row by row, which is not
            changed.
        classes: one for each image that is wanted, or one.
        start: images (N, *input_shape) to begin with. Default: smooth, mostly grey noise in the
            middle of the bounds, to which more units answer than to white noise.
        steps: how many. Default 64.
        rate: η, the Euclidean length of a step. Default √d / 64, d being the numbers of an image.
        l2: λ. Default 0.02.
        variation: μ. Default 0.
        jitter: shifts are at most so many pixels, round the border. Default a fourteenth of the
            shorter side.
        blur: standard deviation of the blur in pixels, 0 for none. Default 0.7.
        blur_every: steps from one blur to the next; the last fifth has none. Default 4.
        bounds: the smallest and the largest input, such as ``model.preprocessing.bounds``: numbers
            or arrays that fit an image. Default (0, 1).
        seed: of noise and shifts. Default 0.
        batch_size: images at a time, in whose blocks shifts are drawn. Default 8.
    """
    shape = needed_image_shape(network)
    backend = network.backend
    goal = np.atleast_1d(backend.to_numpy(backend.asarray(classes)))
    random = np.random.default_rng(whole("seed", seed, least=0))
    if start is None:
        low, high = checked_bounds(network, bounds)
        noise = np.array([_smooth_noise(random, shape) for _ in goal])
        noise = backend.asarray(noise.reshape(-1, *network.input_shape))
        start = backend.xp.clip((low + high) / 2 + (high - low) / 14 * noise, low, high)
    x = checked_images(network, start)
    labels = checked_classes(network, goal if len(goal) > 1 else goal[0], x)
    scores = Scores(network)
    ascent = _Ascent(
        network,
        lambda now, part: scores.gradient(now, labels[part])[1],
        steps=steps,
        rate=math.sqrt(math.prod(shape)) / 64 if rate is None else rate,
        l2=l2,
        variation=variation,
        jitter=min(shape[1:]) // 14 if jitter is None else jitter,
        blur=blur,
        blur_every=blur_every,
        bounds=bounds,
        random=random,
    )
    return ascent.climb(x, batch_size, "classes")


def dream(
    network: Network,
    images: Any,
    layer: str,
    *,
    steps: int = 50,
    rate: float | None = None,
    l2: float = 0.0,
    variation: float = 0.0,
    jitter: int | None = None,
    bounds: tuple[Any, Any] = UNIT,
    seed: int = 0,
    batch_size: int = 8,
) -> Array:
    """Return images (N, *input_shape) in which a layer finds more of what it finds already.

    Ascent of ½‖A‖², A being the layer's outputs (Mordvintsev, Olah, Tyka 2015, "Inceptionism").

    Args:
        network: which has the layer, and is not changed.
        images: (N, *input_shape).
        layer: its name, such as ``"features.9"``.
        steps: how many. Default 50.
        rate: Euclidean length of a step, as for :func:`visualise_class`. Default √d / 400.
        l2: as there. Default 0.
        variation: as there. Default 0.
        jitter: as there. Default a seventh of the shorter side.
        bounds: as there. Default (0, 1).
        seed: of the shifts. Default 0.
        batch_size: images at a time. Default 8.
    """
    shape = needed_image_shape(network)
    x = checked_images(network, images)
    view = LayerView(network, layer)
    ascent = _Ascent(
        network,
        lambda now, part: view.backprop(view.compute(now)),
        steps=steps,
        rate=math.sqrt(math.prod(shape)) / 400 if rate is None else rate,
        l2=l2,
        variation=variation,
        jitter=min(shape[1:]) // 7 if jitter is None else jitter,
        bounds=bounds,
        random=np.random.default_rng(whole("seed", seed, least=0)),
    )
    return ascent.climb(x, batch_size, "images")


def _smooth_noise(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return noise (C, H, W) with standard deviation 1, blurred over a thirtieth of the image.

    It is mostly grey: what the network adds has its own colours.
    """
    noise = random.normal(size=shape) + 2 * random.normal(size=shape[1:])
    rows, columns = (_gaussian(length, max(0.1, length / 30)) for length in shape[1:])
    smooth = rows @ noise @ columns.T
    return smooth / max(float(smooth.std()), 1e-6)


class _Ascent:
    """Gradient ascent on images; see :func:`visualise_class` for the arguments.

    Args:
        network: whose inputs the images are.
        gradient: returns what is climbed by the images of a part of all, of their shape.
    """

    def __init__(
        self,
        network: Network,
        gradient: Callable[[Array, slice], Array],
        *,
        steps: int,
        rate: float,
        l2: float,
        variation: float,
        jitter: int,
        bounds: tuple[Any, Any],
        random: np.random.Generator,
        blur: float = 0.0,
        blur_every: int = 1,
    ) -> None:
        self.network, self.gradient, self.random = network, gradient, random
        self.steps, self.rate = whole("steps", steps), real("rate", rate, 0, above=True)
        self.l2, self.variation = real("l2", l2, 0), real("variation", variation, 0)
        self.jitter = whole("jitter", jitter, least=0)
        self.blur, self.blur_every = real("blur", blur, 0), whole("blur_every", blur_every)
        self.bounds = checked_bounds(network, bounds)
        self.range = real("distance of the bounds", float((self.bounds[1] - self.bounds[0]).mean()))

    def climb(self, x: Array, batch_size: int, what: str) -> Array:
        """Return images (N, *input_shape) after all steps, taken in blocks."""
        images = x.reshape(-1, *needed_image_shape(self.network))
        done = [self._block(images[part], part) for part in blocks(len(x), batch_size, what)]
        return self.network.backend.xp.concatenate(done).reshape(x.shape)

    def _block(self, x: Array, part: slice) -> Array:
        from salamandre.progress import progress

        backend, xp = self.network.backend, self.network.backend.xp
        with progress(self.steps, "steps", "step", leave=False) as bar:
            for step in range(self.steps):
                shift = self.random.integers(-self.jitter, self.jitter + 1, 2)
                x = xp.roll(x, tuple(shift.tolist()), axis=(2, 3))
                inputs = x.reshape(-1, *self.network.input_shape)
                slope = self.gradient(inputs, part).reshape(x.shape)
                alive = (slope != 0).any(axis=(1, 2, 3), keepdims=True)
                if not bool(alive.all()):  # a rectified score of 0 has no gradient: look elsewhere
                    noise = backend.asarray(self.random.normal(size=x.shape).astype(x.dtype))
                    slope = xp.where(alive, slope, noise)
                slope = slope - 2 * self.l2 / self.range**2 * x
                if self.variation:
                    slope -= self.variation / self.range**2 * _variation_gradient(xp, x)
                x = x + self.rate * self.range * unit(xp, slope)
                x = xp.roll(x, tuple((-shift).tolist()), axis=(2, 3))
                x = xp.clip(x.reshape(inputs.shape), *self.bounds).reshape(x.shape)
                due = step % self.blur_every == self.blur_every - 1
                if self.blur and due and step < 0.8 * self.steps:  # the last steps sharpen
                    x = blurred(backend, x, self.blur)
                bar.update()
        return x


def _variation_gradient(xp: Any, x: Array) -> Array:
    """Return the gradient of the sum of squared differences of neighbouring pixels."""
    slope = xp.zeros_like(x)
    for axis in (2, 3):
        difference = 2 * xp.diff(x, axis=axis)
        first = (slice(None),) * axis
        slope[(*first, slice(1, None))] += difference
        slope[(*first, slice(None, -1))] -= difference
    return slope


def blurred(backend: Backend, x: Array, width: float) -> Array:
    """Return images (N, C, H, W) blurred by a Gaussian of this standard deviation, in pixels."""
    rows, columns = (
        backend.asarray(_gaussian(length, width).astype(x.dtype)) for length in x.shape[2:]
    )
    return backend.xp.matmul(backend.xp.matmul(rows, x), columns.T)


def _gaussian(length: int, width: float) -> np.ndarray:
    places = np.arange(length)
    weights = np.exp(-(((places[:, None] - places) / width) ** 2) / 2)
    weights[weights < 1e-8] = 0  # subnormal numbers would make products ten times slower
    return weights / weights.sum(axis=1, keepdims=True)
