"""Batches of a data set, in an order that depends on a seed and the epoch alone."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.data.images import Images, checksum
from salamandre.data.transforms import Transform

if TYPE_CHECKING:
    from salamandre.network import Network

Data = Images | tuple[Any, Any]
Item = TypeVar("Item")


class Source:
    """Inputs and targets, checked once and kept on the network's backend.

    It never changes: copies of an engine or a game share it; a pickle holds all of its arrays.

    Args:
        data: :class:`Images`, whose pixels are scaled to ``value_range`` batch by batch, or a pair
            (inputs, targets) of arrays with one row for each example.
        network: whose backend keeps the arrays and whose ``input_shape`` the inputs must fit;
            images may be flattened for it.
        transform: a random change of the inputs, ``transform(x, random) -> x``, such as
            :class:`salamandre.data.Shift`; applied on the host, before scaling.
        value_range: the values of black and white pixels of :class:`Images`. Default (0, 1).

    Attributes:
        name: of the data set, or a checksum of the arrays.
        example_shape: of an input in the data set.
        has_labels: whether the targets are class labels.
        transform_name: the transform with its settings, as a text.

    Raises:
        ValueError: an empty set, different numbers of inputs and targets, NaN or infinity,
            a shape that does not fit.
    """

    def __init__(
        self,
        data: Data,
        network: Network,
        transform: Transform | None = None,
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self._scale: float | None = None
        self._low, high = value_range
        if isinstance(data, Images):
            self.name = f"{data.name} ({data.split})"
            inputs, targets = np.asarray(data.images), np.asarray(data.labels)
            self._scale = (high - self._low) / data.white
        else:
            inputs, targets = (np.asarray(part) for part in data)
            self.name = f"arrays {checksum(inputs, targets):08x}"
        if len(inputs) != len(targets) or len(inputs) == 0:
            raise ValueError(
                f"a data set needs as many targets as inputs and at least one, "
                f"got {len(inputs)} inputs and {len(targets)} targets"
            )
        shape, wanted = inputs.shape[1:], network.input_shape
        if transform is not None:
            shape = transform(inputs[:1], np.random.default_rng(0)).shape[1:]
        flattened = self._scale is not None and (math.prod(shape),) == wanted
        if shape != wanted and not flattened:
            raise ValueError(
                f"the network takes examples of shape {wanted}, the data set has {inputs.shape[1:]}"
                + (f", which the transform makes {shape}" if shape != inputs.shape[1:] else "")
            )
        self.example_shape, self._reshapes = inputs.shape[1:], shape != inputs.shape[1:]
        self.has_labels = targets.dtype.kind in "iu" and targets.ndim == 1
        for what, array in (("inputs", inputs), ("targets", targets)):
            if array.dtype.kind not in "fiub":
                raise ValueError(f"the {what} must be real numbers, got dtype {array.dtype}")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"the {what} of the data set hold NaN or infinity")
        self._backend, self._dtype, self._input_shape = network.backend, network.dtype, wanted
        self._transform = transform
        self.transform_name = "none" if transform is None else named(transform)
        if self._scale is None:
            inputs = inputs.astype(self._dtype, copy=False)
        # Transforms run on the host; without one the data goes to the device once.
        keep = np.asarray if transform else self._backend.asarray
        self._inputs, self._targets = keep(inputs), keep(targets)

    def __deepcopy__(self, memo: Any) -> Source:
        return self

    def __len__(self) -> int:
        return len(self._targets)

    def _as_batch(self, x: Array, targets: Array) -> tuple[Array, Array]:
        """Return scaled inputs of the network's input shape, and targets, on its backend."""
        backend = self._backend
        if self._transform is not None:
            x, targets = backend.asarray(x), backend.asarray(targets)
        if self._scale is not None:
            x = backend.xp.multiply(x, self._scale, dtype=self._dtype)
            if self._low:
                x += self._low
        return x.reshape(-1, *self._input_shape), targets

    def batches(
        self, batch_size: int, seed: int, epoch: int, first: int = 0
    ) -> Iterator[tuple[Array, Array]]:
        """Yield the shuffled batches of an epoch, starting with number ``first``.

        A last batch smaller than the others is left out, unless there is no other.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        rows = order if self._transform else self._backend.asarray(order)
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
        """Yield all examples in order; they are transformed only if that changes their shape."""
        random = np.random.default_rng(0)
        for start in range(0, len(self), batch_size):
            part = slice(start, start + batch_size)
            x = self._inputs[part]
            if self._transform is not None and self._reshapes:
                x = self._transform(x, random)
            yield self._as_batch(x, self._targets[part])


def named(function: Any) -> str:
    """Return a function with its settings as a text that is the same in each process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(function))


class EndlessBatches:
    """The batches of a source, epoch after epoch; a copy continues with the same ones.

    Args:
        source: with at least one batch.
        batch_size: see :meth:`Source.batches`.
        seed: see :meth:`Source.batches`.
        drawn: the number of batches drawn before. Default 0.
    """

    def __init__(self, source: Source, batch_size: int, seed: int, drawn: int = 0) -> None:
        self.source, self.batch_size, self.seed, self.drawn = source, batch_size, seed, drawn

    @property
    def drawn(self) -> int:
        """The number of batches drawn; setting it moves to that batch."""
        return self._drawn

    @drawn.setter
    def drawn(self, count: int) -> None:
        self._drawn = count
        self._epoch: Iterator[tuple[Array, Array]] = iter(())

    def __next__(self) -> tuple[Array, Array]:
        batch = next(self._epoch, None)
        if batch is None:
            epoch, first = divmod(self._drawn, self.source.batch_count(self.batch_size))
            self._epoch = self.source.batches(self.batch_size, self.seed, epoch, first)
            batch = next(self._epoch)
        self._drawn += 1
        return batch

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.batch_size, self.seed, self.drawn)


def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """Yield the same items in the same order, made ahead by a thread.

    It saves time if making an item releases the interpreter lock (NumPy on large arrays, decoding)
    and a core is idle. Closing or deleting the iterator ends the thread.

    Args:
        items: such as ``source.batches(...)``; only the thread iterates over them.
        depth: the number of items made ahead. Default 2.

    Raises:
        Exception: raised in the place of an item that could not be made.
    """
    whole("depth", depth)
    return _prefetched(items, depth)


def _prefetched(items: Iterable[Item], depth: int) -> Iterator[Item]:
    iterator = iter(items)
    end: Any = object()
    pool = ThreadPoolExecutor(1, "prefetch")
    try:
        ahead = deque(pool.submit(next, iterator, end) for _ in range(depth))
        while (item := ahead.popleft().result()) is not end:
            ahead.append(pool.submit(next, iterator, end))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)
