"""Batches gathered from a data set, in an order that a seed and an epoch decide alone."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.data.images import Images
from salamandre.network import Network

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Data = Images | tuple[Any, Any]


class Source:
    """Inputs and targets, checked once and kept where the network computes.

    Args:
        data: :class:`Images`, whose pixels are scaled to ``span`` batch by batch, or a pair
            (inputs, targets) of arrays with one row an example.
        network: whose backend keeps the arrays and whose ``input_shape`` the inputs must fit;
            images may be flattened for it.
        transform: a random change of the inputs, ``transform(x, random) -> x``, such as
            :class:`salamandre.data.Shift`; applied on the host, as they lie in the data set.
        span: what black and white pixels of :class:`Images` become. Default (0, 1).

    Raises:
        ValueError: an empty set, different numbers of inputs and targets, NaN or infinity,
            a shape that does not fit.
    """

    def __init__(
        self,
        data: Data,
        network: Network,
        transform: Transform | None = None,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self._scale: float | None = None
        self._low = span[0]
        if isinstance(data, Images):
            self.name = f"{data.name} ({data.split})"
            inputs, targets = np.asarray(data.images), np.asarray(data.labels)
            self._scale = (span[1] - span[0]) / data.white
        else:
            inputs, targets = (np.asarray(part) for part in data)
            self.name = f"arrays {_checksum(inputs, targets):08x}"
        if len(inputs) != len(targets) or len(inputs) == 0:
            raise ValueError(
                f"a data set needs as many targets as inputs and at least one, "
                f"got {len(inputs)} inputs and {len(targets)} targets"
            )
        size, wanted = math.prod(inputs.shape[1:]), network.input_shape
        if inputs.shape[1:] != wanted and not (self._scale and size == math.prod(wanted)):
            raise ValueError(
                f"the network takes examples of shape {wanted}, the data set has {inputs.shape[1:]}"
            )
        for what, array in (("inputs", inputs), ("targets", targets)):
            if array.dtype.kind not in "fiub":
                raise ValueError(f"the {what} must be real numbers, got dtype {array.dtype}")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"the {what} of the data set hold NaN or infinity")
        self._network, self._transform = network, transform
        if self._scale is None:
            inputs = inputs.astype(network.dtype, copy=False)
        # What is transformed stays on the host; the rest goes to the device once.
        keep = np.asarray if transform else network.backend.asarray
        self._inputs, self._targets = keep(inputs), keep(targets)

    def __len__(self) -> int:
        return len(self._targets)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of an example as it lies in the data set."""
        return self._inputs.shape[1:]

    @property
    def transform_name(self) -> str:
        """What the transform is and how it is set, in words."""
        transform = self._transform
        if transform is None:
            return "none"
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(transform))

    @property
    def has_labels(self) -> bool:
        """Whether the targets are class labels."""
        return self._targets.dtype.kind in "iu" and self._targets.ndim == 1

    def _as_batch(self, x: Array, targets: Array) -> tuple[Array, Array]:
        """Return inputs as the network takes them, and targets, on its backend."""
        backend = self._network.backend
        if self._transform is not None:
            x, targets = backend.asarray(x), backend.asarray(targets)
        if self._scale is not None:
            x = backend.xp.multiply(x, self._scale, dtype=self._network.dtype)
            if self._low:
                x += self._low
        return x.reshape(-1, *self._network.input_shape), targets

    def batches(
        self, batch_size: int, seed: int, epoch: int, first: int = 0
    ) -> Iterator[tuple[Array, Array]]:
        """Yield the batches of an epoch, shuffled, from number ``first`` on.

        A last batch smaller than the others is left out, unless there is no other.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        rows = order if self._transform else self._network.backend.asarray(order)
        for index in range(first, self.batch_count(batch_size)):
            part = rows[index * batch_size : (index + 1) * batch_size]
            x, targets = self._inputs.take(part, axis=0), self._targets.take(part, axis=0)
            if self._transform is not None:
                x = self._transform(x, np.random.default_rng([seed, epoch, index]))
            yield self._as_batch(x, targets)

    def batch_count(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return max(1, len(self) // batch_size)

    def in_order(self, batch_size: int) -> Iterator[tuple[Array, Array]]:
        """Yield all examples in their order, untransformed."""
        for start in range(0, len(self), batch_size):
            part = slice(start, start + batch_size)
            yield self._as_batch(self._inputs[part], self._targets[part])


def _checksum(*arrays: np.ndarray) -> int:
    """Return a number that tells other arrays from these."""
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array).data, value)
    return value
