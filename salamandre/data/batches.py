"""Batches of a data set, in an order that depends on a seed and the epoch alone."""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from salamandre.backend import Array
from salamandre.backend.group import ALONE, Group
from salamandre.checks import whole
from salamandre.class_names import Names
from salamandre.data.arrays import Data, are_one_hot, examples
from salamandre.data.code import code_checksum
from salamandre.data.images import Images
from salamandre.data.rows import Rows, mapped
from salamandre.data.splitting import spread_rows
from salamandre.data.transforms import Transform, visiting
from salamandre.data.weights import example_weights
from salamandre.inputs import Pixels, fits, shape_hint
from salamandre.network import Network
from salamandre.parts import takes

PROBED = 64  # examples that a transform is tried on

Item = TypeVar("Item")


class Source:
    """Inputs and targets, checked once and kept on the network's backend.

    It never changes: copies of an engine or a game share it; a pickle holds all of its arrays.

    Args:
        data: :class:`Images`, whose pixels are scaled batch by batch, or a pair (inputs, targets)
            with one row for each example: arrays, lists, tables of pandas, tensors of PyTorch on a
            CPU, files mapped by NumPy, :func:`salamandre.data.shards`. Arrays of images of
            unsigned bytes are scaled too. Targets ``None`` are the inputs, scaled and transformed.
        network: whose backend keeps the arrays and whose ``input_shape`` the inputs must fit;
            images may be flattened for it.
        transform: a random change of the inputs, ``transform(x, random) -> x``, such as
            :class:`salamandre.data.Shift`; applied on the host, before scaling, to copies.
            Pixels that it makes floats in 0..1 are not divided again.
        pixels: how bytes are scaled; of :class:`Images` their own ``white`` counts. Default
            ``network.pixels``.
        class_names: what labels shall stand for. Default ``network.class_names``, else the names
            that the set has.
        labelled: whether the targets are class labels. Default: whether the network's loss takes
            labels.
        class_weights, sample_weights: see :class:`salamandre.Engine`. Default none.

    Attributes:
        name: of the data set, or a checksum of the arrays.
        checksum: of the content.
        example_shape: of an input in the data set.
        has_labels: whether the targets are class labels or one-hot.
        reconstructed: whether the targets are the inputs.
        class_names: what labels stand for, ``None`` if that is not known.
        pixels: how the inputs are scaled, ``None`` if they are not.
        transform_name: the transform with its settings and a checksum of its code, as a text.
        weights: of the examples (N,) on the host, if there are any.

    Raises:
        ValueError: an empty set, different numbers of inputs and targets, NaN or infinity,
            a shape that does not fit, classes that ``class_names`` lacks.
    """

    def __init__(
        self,
        data: Data,
        network: Network,
        transform: Transform | None = None,
        pixels: Pixels | None = None,
        class_names: Names | None = None,
        labelled: bool | None = None,
        class_weights: Any = None,
        sample_weights: Any = None,
    ) -> None:
        if labelled is None:
            labelled = network.loss is not None and network.loss.takes_labels
        self._content = data if isinstance(data, Images) else None
        found = examples(data, network, class_names, labelled, pixels or network.pixels)
        self.name, self.class_names, self.pixels = found.name, found.class_names, found.pixels
        inputs, targets = found.inputs, found.targets
        self.transform_name = "none" if transform is None else named(transform)
        wanted, self.example_shape = network.input_shape, inputs.shape[1:]
        self._transformed_pixels, shape = self.pixels, self.example_shape
        if transform is not None:
            changed = self._tried(transform, inputs)
            shape = changed.shape[1:]
        if shape != wanted and not fits((len(inputs), *shape), wanted):
            raise ValueError(
                f"the network takes examples of shape {wanted}, the data set has {inputs.shape[1:]}"
                + (f", which the transform makes {shape}" if shape != inputs.shape[1:] else "")
                + (": are inputs and targets exchanged?" if inputs.ndim == 1 else "")
                + shape_hint((len(inputs), *shape), wanted)
            )
        self._reshapes = shape != self.example_shape
        self.reconstructed = found.reconstructed
        labels = (targets.dtype.kind in "iu" and targets.ndim == 1) or are_one_hot(targets)
        self.has_labels = labels and not self.reconstructed
        self._backend, self._dtype, self._input_shape = network.backend, network.dtype, wanted
        self._transform, self._in_files = transform, isinstance(inputs, Rows)
        self.weights = example_weights(
            found, network.output_shape[-1], class_weights, sample_weights
        )
        if self.pixels is None and not mapped(inputs):
            inputs = _held(inputs, self._dtype)
        # Transforms run on the host; without one the data goes to the device once.
        in_files = self._in_files or isinstance(targets, Rows)
        self._on_host = transform is not None or in_files
        keep = np.asarray if self._on_host else self._backend.asarray
        self._inputs: Any = inputs if self._in_files else keep(inputs)
        if self.reconstructed:
            targets = self._inputs
        self._targets = targets if isinstance(targets, Rows) else keep(targets)
        self._weights = None if self.weights is None else keep(_near_one(self.weights, self._dtype))

    def _tried(self, transform: Transform, inputs: np.ndarray) -> np.ndarray:
        """Return some inputs as a transform makes them, and look whether it has scaled pixels.

        Raises:
            ValueError: it has scaled them to something else than 0..1, or makes other than as many
                examples.
        """
        if isinstance(transform, type) or not callable(transform) or not takes(transform, 2):
            name = getattr(transform, "__name__", repr(transform))
            raise ValueError(
                f"a transform must be a function of (x, random), such as data.Flip() or "
                f"data.Chain of several, got {name}"
            )
        few = inputs[:: max(1, len(inputs) // PROBED)][:PROBED]
        highest = float(few.max())
        changed = np.asarray(transform(few.copy(), np.random.default_rng(0)))
        if changed.shape[:1] != (count := len(few),):
            raise ValueError(
                f"the transform must return as many examples as it is given, {count}, got "
                f"{changed.dtype} of shape {changed.shape}"
            )
        if self.pixels is None or changed.dtype.kind != "f" or highest == 0:
            return changed
        # Dark examples, made bright, tell whether they are scaled. What was has lost the factor of
        # white; scaled to mean 0 and standard deviation 1, it has at most some units.
        white, bright = self.pixels.white, changed
        if highest < white / 4:
            few = few * int(white // highest)
            highest = float(few.max())
            bright = np.asarray(transform(few, np.random.default_rng(0)))
        low, high = float(bright.min()), float(bright.max())
        if max(-low, high) <= max(white / 50, min(1.0, white / 4)):  # white may be only 16
            if low < 0 or high > 1:
                raise ValueError(
                    f"the transform makes values in {low:.3g}..{high:.3g} of pixels in "
                    f"0..{highest:g}, which are scaled after it: let it keep the range of "
                    f"pixels, or make it 0..1"
                )
            self._transformed_pixels = Pixels(1, self.pixels.low, self.pixels.high)
            self.transform_name = f"to 0..1: {self.transform_name}"
        return changed

    @property
    def checksum(self) -> str:
        """A checksum of inputs, targets and class names; it reads all of :class:`Images`, once."""
        content = self._content and (self._content.checksum, self._content.classes)
        return f"{zlib.crc32(repr((self.name, content, self.class_names)).encode()):08x}"

    def __deepcopy__(self, memo: Any) -> Source:
        return self

    def __len__(self) -> int:
        return len(self._targets)

    def _as_batch(self, x: Array, targets: Array, pixels: Pixels | None) -> tuple[Array, Array]:
        """Return scaled inputs of the network's input shape, and targets, on its backend."""
        backend = self._backend
        if self._on_host:
            x, targets = backend.asarray(x), backend.asarray(targets)
        if pixels is not None:
            x = pixels.scaled(x, self._dtype, backend.xp)
        else:
            x = x.astype(self._dtype, copy=False)
        x = x.reshape(-1, *self._input_shape)
        return x, x if self.reconstructed else targets

    def batches(
        self, batch_size: int, seed: int, epoch: int, first: int = 0, group: Group = ALONE
    ) -> Iterator[tuple[Array, ...]]:
        """Yield the shuffled batches of an epoch, starting with number ``first``.

        A batch is (inputs, targets), or (inputs, targets, weights) if the examples have weights. A
        last batch smaller than the others is left out, unless there is no other. Of each batch the
        share of this rank of a group is yielded.
        """
        taken = self._taken(batch_size, seed, epoch, first, group)
        for x, targets, *weights in prefetch(taken) if self._in_files else taken:
            weights = [self._backend.asarray(own) for own in weights]
            yield *self._as_batch(x, targets, self._transformed_pixels), *weights

    def _taken(
        self, batch_size: int, seed: int, epoch: int, first: int, group: Group
    ) -> Iterator[tuple[Array, ...]]:
        """Yield what :meth:`batches` makes batches of."""
        random = np.random.default_rng([seed, epoch])
        order = self._inputs.order(random) if self._in_files else random.permutation(len(self))
        rows = order if self._on_host else self._backend.asarray(order)
        for index in range(first, self.batch_count(batch_size)):
            part = rows[index * batch_size : (index + 1) * batch_size]
            part = part[group.rows(len(part))]
            x = self._inputs.take(part, axis=0)
            targets = x if self.reconstructed else self._targets.take(part, axis=0)
            if self._transform is not None:
                transform = visiting(self._transform, part, epoch)
                own = (group.rank,) * (group.rank > 0)
                x = transform(x, np.random.default_rng([seed, epoch, index, *own]))
            if self._weights is None:
                yield x, targets
            else:
                yield x, targets, self._weights.take(part, axis=0)

    def targets_in_order(self, batch_size: int) -> Iterator[Array]:
        """Yield all targets in order; of those in files, which may be many, a few alone."""
        if isinstance(self._targets, Rows):
            yield self.spread(PROBED)[1]
            return
        if self.reconstructed:
            yield from (targets for _, targets in self.in_order(batch_size))
            return
        for start in range(0, len(self), batch_size):
            yield self._targets[start : start + batch_size]

    def batch_count(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return max(1, len(self) // batch_size)

    def in_order(self, batch_size: int) -> Iterator[tuple[Array, Array]]:
        """Yield all examples in order; they are transformed only if that changes their shape."""
        random = np.random.default_rng(0)
        for start in range(0, len(self), batch_size):
            yield self._plain(slice(start, start + batch_size), random)

    def spread(self, count: int) -> tuple[Array, Array]:
        """Return so many examples, or all, in equal steps; transformed as :meth:`in_order`."""
        rows = spread_rows(count, len(self))
        part = rows if self._on_host else self._backend.asarray(rows)
        return self._plain(part, np.random.default_rng(0))

    def _plain(self, part: Any, random: np.random.Generator) -> tuple[Array, Array]:
        """Return some examples, which are transformed only if that changes their shape."""
        x, pixels = self._inputs[part], self.pixels
        if self._transform is not None and self._reshapes:
            x, pixels = self._transform(x.copy(), random), self._transformed_pixels
        return self._as_batch(x, self._targets[part], pixels)


def named(function: Any) -> str:
    """Return a function with its settings, and the checksum of its code, as a text."""
    name = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(function))
    return f"{name} #{code_checksum(function):08x}"


class EndlessBatches:
    """The batches of a source, epoch after epoch; a copy continues with the same ones.

    Args:
        source: with at least one batch.
        batch_size: see :meth:`Source.batches`.
        seed: see :meth:`Source.batches`.
        drawn: the number of batches drawn before. Default 0.
        group: see :meth:`Source.batches`.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        seed: int,
        drawn: int = 0,
        group: Group = ALONE,
    ) -> None:
        self.source, self.batch_size, self.seed, self.group = source, batch_size, seed, group
        self.drawn = drawn

    @property
    def drawn(self) -> int:
        """The number of batches drawn; setting it moves to that batch."""
        return self._drawn

    @drawn.setter
    def drawn(self, count: int) -> None:
        self._drawn = count
        self._epoch: Iterator[tuple[Array, ...]] = iter(())

    def __next__(self) -> tuple[Array, ...]:
        batch = next(self._epoch, None)
        if batch is None:
            epoch, first = divmod(self._drawn, self.source.batch_count(self.batch_size))
            self._epoch = self.source.batches(self.batch_size, self.seed, epoch, first, self.group)
            batch = next(self._epoch)
        self._drawn += 1
        return batch

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.batch_size, self.seed, self.drawn, self.group)


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


def _held(inputs: np.ndarray, dtype: Any) -> np.ndarray:
    """Return finite inputs in a network's precision, or raise ValueError if it cannot hold them."""
    with np.errstate(over="ignore"):
        held = inputs.astype(dtype, copy=False)
    if held.dtype.itemsize < inputs.dtype.itemsize and not np.isfinite(held).all():
        largest = np.abs(inputs).max()
        raise ValueError(
            f"the inputs of the data set reach {largest:.3g}, which {held.dtype} cannot hold: "
            f"scale them, or make the network with dtype='float64'"
        )
    return held


def _near_one(weights: np.ndarray, dtype: Any) -> np.ndarray:
    """Return weights times a power of 2 so that the largest is near 1, whatever their unit."""
    return np.ldexp(weights, -np.frexp(weights.max())[1]).astype(dtype)
