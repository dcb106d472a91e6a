"""What networks are given: shapes, batches and labels, checked before anything changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from salamandre.backend import Array, Backend
from salamandre.backend.group import ALONE, Group
from salamandre.checks import array, numbers, real, whole
from salamandre.class_names import Names, by_name, checked_names
from salamandre.layer import Shape


class Pixels(NamedTuple):
    """How images of unsigned bytes become numbers: 0 becomes ``low``, ``white`` becomes ``high``.

    Attributes:
        white: the largest value of a byte. Default 255.
        low: the value of black. Default 0.
        high: the value of white. Default 1.
    """

    white: int = 255
    low: float = 0.0
    high: float = 1.0

    def scaled(self, x: Array, dtype: Any, xp: Any) -> Array:
        """Return bytes x as numbers of a dtype."""
        x = xp.multiply(x, (self.high - self.low) / self.white, dtype=dtype)
        if self.low:
            x += self.low
        return x


BYTES = Pixels()


class Meaning:
    """What the labels and the images of a network mean; saved with it.

    Attributes:
        pixels: how images of unsigned bytes are scaled; set by the engine or game that the network
            learns in. Default to 0..1.
    """

    pixels: Pixels = BYTES
    _class_names: Names | None = None

    @property
    def class_names(self) -> Names | None:
        """The names of the classes: label k is ``class_names[k]``. ``None`` if they are not known.

        An engine or a game sets them from its data set where they are ``None``. After that data
        sets are matched with them by name; to teach the network other classes, set ``None`` first.
        """
        return self._class_names

    @class_names.setter
    def class_names(self, names: Sequence[str] | None) -> None:
        self._class_names = checked_names(names)

    def as_inputs(self: Any, x: Any, finite: bool = True) -> Any:
        """Return a batch as the network's layers take it, see :func:`checked_input`."""
        self._require_vectors()
        return checked_input(x, self.input_shape, self.dtype, self.backend, finite, self.pixels)

    def as_labels(self: Any, labels: Any, count: int) -> Array | None:
        """Return the labels (count,) of a batch as conditional layers take them, if it has such.

        They may be the names of classes.
        """
        if not self.classes:
            if labels is not None:
                raise ValueError("this network has no conditional layer: it takes no labels")
            return None
        if labels is None:
            raise ValueError(
                f"this network is conditional: it needs a label for each of {count} examples, "
                f"labels=..."
            )
        labels = by_name("labels", labels, self.class_names)
        if labels.dtype.kind not in "iu" or labels.shape != (count,):
            raise ValueError(
                f"labels must be whole numbers of shape ({count},), got {labels.dtype} of shape "
                f"{labels.shape}"
            )

        def known() -> Any:
            return (labels >= 0) & (labels < self.classes)

        # Those that are on the host are checked whatever the backend.
        here = isinstance(labels, np.ndarray)
        if not (known().all() if here else self.backend.all_true(known)):
            raise ValueError(
                f"labels must lie in 0..{self.classes - 1}, got values from {int(labels.min())} to "
                f"{int(labels.max())}"
            )
        return self.backend.asarray(labels)


def checked_pixels(values: Any) -> Pixels:
    """Return the scaling of images that a network's file describes."""
    white, low, high = values
    low = real("the value of black pixels", low)
    return Pixels(whole("white", white), low, real("that of white ones", high, low, above=True))


def checked_shape(sizes: Any) -> tuple[Any, ...]:
    """Return the shape of an example, or a tuple of the shapes of several inputs."""
    sizes = sizes if isinstance(sizes, (list, tuple)) else (sizes,)
    if not sizes:
        raise ValueError("input_shape needs at least one dimension, got none")
    if isinstance(sizes[0], (list, tuple)):
        return tuple(checked_shape(part) for part in sizes)
    return tuple(whole("a dimension of input_shape", size) for size in sizes)


def checked_input(
    x: Any, shape: Any, dtype: Any, backend: Backend, finite: bool = True, pixels: Pixels = BYTES
) -> Any:
    """Return a batch x (N, *shape), or a tuple of such, as an array of the backend and dtype.

    Images of unsigned bytes are scaled. Images (N, H, W) fit a shape (1, H, W), all images one
    vector as long as they are, numbers (N,) a shape (1,).

    Args:
        x: an array of the backend or of the host, or what :func:`salamandre.checks.array` takes;
            of several inputs a tuple. Also :class:`salamandre.data.Images`.
        shape: of an example, or a tuple of the shapes of several inputs.
        dtype: of the result.
        backend: of the result.
        finite: whether x is searched for NaN and infinity. Default True.
        pixels: how images of unsigned bytes are scaled. Default to 0..1.
    """
    if not (shape and isinstance(shape[0], tuple)):
        return _checked_array(x, shape, dtype, backend, finite, pixels)
    got = f"{len(x)} of them" if isinstance(x, (tuple, list)) else f"a {type(x).__name__}"
    if got != f"{len(shape)} of them":
        raise ValueError(f"expected a tuple of {len(shape)} inputs, got {got}")
    inputs = tuple(
        _checked_array(part, sizes, dtype, backend, finite, pixels)
        for part, sizes in zip(x, shape, strict=True)
    )
    if len({len(part) for part in inputs}) > 1:
        raise ValueError(
            f"expected as many examples in each input, got {[len(part) for part in inputs]}"
        )
    return inputs


def _checked_array(
    x: Any, shape: Shape, dtype: Any, backend: Backend, finite: bool, pixels: Pixels
) -> Array:
    if type(x) is not np.ndarray and are_images(x):
        x, pixels = x.images, pixels._replace(white=x.white)
    x = backend.asarray(array("the inputs", x))
    if x.dtype != dtype:
        if x.dtype.kind not in "fiub":
            hint = "; models.of_network(network).classify(path) reads picture files"
            raise ValueError(
                f"inputs must be real numbers, got dtype {x.dtype}{hint * (x.dtype.kind == 'U')}"
            )
        if are_bytes(x):
            x = pixels.scaled(x, dtype, backend.xp)
        else:
            with np.errstate(over="ignore"):  # what is too large is found infinite below
                x = x.astype(dtype)
    if x.shape[1:] != shape or x.ndim == 0:
        if not fits(x.shape, shape):
            raise ValueError(
                f"expected a batch of shape (N, {str(shape)[1:].rstrip(',)')}), got {x.shape}"
                + shape_hint(x.shape, shape)
            )
        x = x.reshape(-1, *shape)
    if len(x) == 0:
        raise ValueError(f"expected at least one example, got an empty batch {x.shape}")
    if finite and not backend.all_finite(x):
        raise ValueError(
            f"the inputs hold NaN or infinity, or more than {x.dtype} holds: clean them"
        )
    return x


def are_images(x: Any) -> bool:
    """Return whether x are :class:`salamandre.data.Images`, which no file here may import."""
    return hasattr(x, "images") and hasattr(x, "white")


def are_bytes(x: Array) -> bool:
    """Return whether x are images of unsigned bytes, which are scaled, unlike rows of bytes."""
    return bool(x.dtype == np.uint8 and x.ndim > 2)


def fits(batch: Shape, shape: Shape) -> bool:
    """Return whether examples of a batch (N, ...) can take a shape without doubt what is meant."""
    if len(batch) > 2 and len(shape) == 1:  # images for neurons
        return math.prod(batch[1:]) == shape[0] and 0 not in batch
    return batch[1:] == (shape[1:] if shape[0] == 1 and len(batch) in (1, 3) else shape)


def shape_hint(batch: Shape, shape: Shape) -> str:
    """Return what to do with a batch whose examples nearly have a shape, the end of a sentence."""
    example = batch[1:]
    if len(shape) == len(example) == 3 and (example[2], *example[:2]) == shape:
        return ": the channels come first here, give x.transpose(0, 3, 1, 2)"
    if batch and fits((1, *batch), shape):
        return ": one example is a batch of one, give x[None]"
    if len(example) == 1 and example[0] == math.prod(shape):
        return f": give x.reshape(-1, {', '.join(map(str, shape))})"
    return ""


def shape_advice(shape: Shape) -> str:
    """Say so if the input_shape of images seems to have the channels last; "" if not."""
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] <= 4 or shape[2] not in (1, 3, 4):
        return ""
    height, width, channels = shape
    return (
        f"input_shape {shape} is {height} channels of {width}×{channels} pixels: the channels come "
        f"first here, ({channels}, {height}, {width})"
    )


def example_count(x: Any) -> int:
    """Return the number of examples in a batch."""
    return len(x[0] if isinstance(x, tuple) else x)


def checked_gradient(
    dy: Any, shape: Shape | None, dtype: Any, backend: Backend, finite: bool
) -> Array:
    """Return dE/dy for outputs of ``shape``, which is ``None`` before there are any.

    ``finite`` says whether it is looked through for NaN and infinity.
    """
    if shape is None:
        raise RuntimeError("backprop needs a compute before it: call compute(x) first")
    dy = backend.asarray(numbers("the gradients", dy), dtype=dtype)
    if dy.shape != shape:
        raise ValueError(
            f"backprop expects dy of the latest outputs' shape {shape}, got {dy.shape}"
        )
    if finite and not backend.all_finite(dy):
        raise ValueError(f"dy holds NaN or infinity, or more than {dy.dtype} holds")
    return dy


def checked_weights(
    weights: Any, count: int, dtype: Any, backend: Backend, group: Group = ALONE
) -> Array:
    """Return the weights (count,) of examples, divided by their mean over all shares of a batch.

    Where all of them are zero they stay zero.

    Raises:
        ValueError: not one finite number of at least 0 for each example.
    """
    weights = backend.asarray(numbers("the weights", weights), dtype=dtype)
    if weights.shape != (count,):
        raise ValueError(
            f"weights must be one number for each of the {count} examples, got shape "
            f"{weights.shape}"
        )
    if not backend.all_finite(weights) or not backend.all_true(lambda: weights >= 0):
        raise ValueError(
            f"weights must be finite numbers of at least 0, got values from "
            f"{float(weights.min()):g} to {float(weights.max()):g}"
        )
    least = float(np.finfo(dtype).tiny)
    if group.size > 1:
        mean = group.all_reduce(weights.mean()) / group.size
        return weights / backend.xp.maximum(mean, least).astype(dtype)
    weights = weights / backend.xp.maximum(weights.max(), least)  # whose sum cannot overflow
    return weights / backend.xp.maximum(weights.mean(), least)
