"""Scores of classes, and their gradients by the images."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from salamandre import stable
from salamandre.activations import Softmax
from salamandre.backend import Array
from salamandre.checks import array, whole
from salamandre.inspection.probes import Stand, inspecting_pass, place
from salamandre.models.model import image_shape
from salamandre.network import Network

BATCH = 32  # images at a time


@functools.cache
def _say_once() -> None:
    logging.getLogger("salamandre.inspection").warning(
        "the network ends in Softmax: scores are those before it"
    )


class Scores:
    """The scores of a classifier, in a pass of their own: what comes before a last Softmax.

    Probabilities of classes depend on each other, and their gradients vanish where the
    confidence is high; scores do not.

    Args:
        network: its outputs are (classes,); it is not changed.
        stand: what stands for its layers in the pass, see :func:`place`. Default: they themselves.

    Raises:
        ValueError: outputs of another shape.
    """

    def __init__(self, network: Network, stand: Stand | None = None) -> None:
        if len(network.output_shape) != 1:
            raise ValueError(
                f"the network must give scores of classes, (classes,), got outputs of shape "
                f"{network.output_shape}"
            )
        softmax = isinstance(network.output_activation, Softmax)
        if softmax:
            _say_once()
        self.network, self.xp = network, network.backend.xp
        self.classes = network.output_shape[0]
        self._run = inspecting_pass(network, logits=softmax)
        if stand is not None:
            place(network, self._run, stand)

    def compute(self, x: Array) -> Array:
        """Return the scores (N, classes) of images, computed as without training."""
        return self.network.compute(x, self._run, training=False) + 0

    def backprop(self, dy: Array) -> Array:
        """Return dE/dx from dE/dscores of the latest images; it may be called again."""
        return self.network.backprop(dy, self._run) + 0

    def gradient(self, x: Array, classes: Array) -> tuple[Array, Array]:
        """Return the scores (N,) of one class of each image, and their gradients by the images."""
        scores = self.compute(x)
        chosen = self.one_hot(classes)
        return (scores * chosen).sum(axis=1), self.backprop(chosen)

    def loss_gradient(self, x: Array, classes: Array) -> tuple[Array, Array]:
        """Return the scores (N, classes), and the gradients of each image's cross-entropy by it."""
        scores = self.compute(x)
        probabilities = stable.softmax(self.xp, scores, self.xp.empty_like(scores))
        return scores, self.backprop(probabilities - self.one_hot(classes))

    def one_hot(self, classes: Array) -> Array:
        """Return rows (N, classes) that are 1 at the classes (N,) and 0 elsewhere."""
        known = self.xp.arange(self.classes)
        return (classes[:, None] == known).astype(self.network.dtype)


def checked_images(network: Network, images: Any) -> Array:
    """Return images (N, *input_shape) as an array of the network's backend and dtype."""
    shape = np.shape(images)
    wanted = network.input_shape
    if len(shape) == 4 and len(wanted) == 3 and shape[1] == 1 and wanted[0] == 3:
        raise ValueError(
            f"the network takes colour images {wanted}, got grey ones {shape[1:]}: repeat their "
            f"channel, np.repeat(images, 3, axis=1)"
        )
    return network.as_inputs(images)


def checked_classes(network: Network, classes: Any, images: Array) -> Array:
    """Return the classes (N,) of images.

    Args:
        network: which knows them.
        classes: whole numbers (N,), one for all images, or ``None`` for what the network predicts.
        images: (N, *input_shape).

    Raises:
        ValueError: others, or classes out of range.
    """
    backend, count = network.backend, len(images)
    if classes is None:
        return network.predict(images, BATCH).argmax(axis=1)
    numbers = backend.to_numpy(backend.asarray(array("classes", classes)))
    numbers = np.full(count, numbers) if numbers.ndim == 0 else numbers
    known = network.output_shape[0]
    if numbers.dtype.kind not in "iu" or numbers.shape != (count,):
        raise ValueError(
            f"classes must be one whole number or {count} of them, one for each image, got "
            f"{numbers.dtype} of shape {numbers.shape}"
        )
    if numbers.min() < 0 or numbers.max() >= known:
        wrong = numbers[(numbers < 0) | (numbers >= known)][0]
        raise ValueError(f"the network knows the classes 0 to {known - 1}, got {wrong}")
    return backend.asarray(numbers.astype(np.int64))


def needed_image_shape(network: Network) -> tuple[int, ...]:
    """Return the shape (C, H, W) of a network's inputs, of square rows (1, H, H).

    Raises:
        ValueError: they are no images.
    """
    shape = image_shape(network)
    if len(shape) != 3:
        raise ValueError(
            f"images are needed, (C, H, W) or squares row by row, the network takes {shape}"
        )
    return shape


def fitting(what: str, value: Any, network: Network, finite: bool = True) -> Array:
    """Return a number, or an array that fits an input, as an array of the network's backend.

    Where the inputs are square images row by row, one that fits the image does too.

    Raises:
        ValueError: something else, or a number that is not finite where all have to be.
    """
    shape, image = network.input_shape, image_shape(network)
    given = array(what, value)
    try:
        found = network.backend.asarray(given, dtype=network.dtype)
        if found.ndim == len(image) > len(shape):
            found = network.backend.xp.broadcast_to(found, image).reshape(shape)
        fits = np.broadcast_shapes(found.shape, shape) == shape
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            f"{what} must be a number or an array that fits images of shape {shape}, got "
            f"{np.shape(value) or repr(value)}"
        )
    if finite and not bool(network.backend.xp.isfinite(found).all()):
        raise ValueError(f"{what} must be finite, got {value!r}")
    return found


def checked_bounds(network: Network, bounds: Any) -> tuple[Array, Array]:
    """Return the smallest and the largest input as arrays of the network's backend.

    Raises:
        ValueError: no such pair of what :func:`fitting` takes.
    """
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ValueError(
            f"bounds must be (smallest, largest) of the network's inputs, got {bounds!r}"
        ) from None
    low, high = (fitting("each of the bounds", bound, network, False) for bound in (low, high))
    if not bool((low < high).all()):
        raise ValueError(f"the first of the bounds must be below the second, got {bounds!r}")
    return low, high


def blocks(count: int, batch_size: int, what: str) -> Iterator[slice]:
    """Yield the parts of so many images, with a progress bar on a terminal."""
    from salamandre.progress import progress

    whole("batch_size", batch_size)
    with progress(count, what, "image", leave=False) as bar:
        for start in range(0, count, batch_size):
            yield slice(start, start + batch_size)
            bar.update(min(batch_size, count - start))
