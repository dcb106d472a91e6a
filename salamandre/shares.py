"""What a share of a batch is made of: a replica of the network, seeds, examples; and one again."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Mapping, Sequence
from types import MethodType
from typing import Any

from salamandre.backend import Array, Backend, RandomStream
from salamandre.backend.group import Group
from salamandre.layer import Layer
from salamandre.layers.containers import Container
from salamandre.passes import Pass

# What an element of an output costs in loops, measured by benchmarks/threads.py.
OUTPUT_COST = 100


class Replica:
    """A network's layers once more: all that they have, but gradients of their own.

    Args:
        network: whose.
    """

    def __init__(self, network: Any) -> None:
        layers = list({id(layer): layer for _, layer in network.walk()}.values())
        twins = {id(layer): object.__new__(type(layer)) for layer in layers}
        own = {
            id(layer): {
                name: replaced
                for name, value in vars(layer).items()
                if (replaced := _replaced(value, twins)) is not value
            }
            for layer in layers
        }
        gradients = network.backend.xp.zeros(network.parameters.shape, network.dtype)
        own[id(network)]["gradients"] = gradients
        for _, part, layer, declared in network.declarations():
            own[id(layer)][f"d_{declared.name}"] = declared.view(gradients[part])
        self._layers = [(vars(twins[id(x)]), vars(x), own[id(x)]) for x in layers]
        self._network = twins[id(network)]
        self.follow()

    def follow(self) -> None:
        """Take over what has changed in the network's layers, such as a rate."""
        for twin, layer, own in self._layers:
            twin.update(layer)
            twin.update(own)

    def new_pass(self) -> Pass:
        """Return a pass of the replica. It updates no statistics: the first share does."""
        run = Pass(self._network)
        run.statistics = False
        return run


def _replaced(value: Any, twins: Mapping[int, Layer]) -> Any:
    """Return a value with twins for layers, also in lists and methods; itself if there are none."""
    if id(value) in twins:
        return twins[id(value)]
    if isinstance(value, MethodType) and id(value.__self__) in twins:
        return MethodType(value.__func__, twins[id(value.__self__)])
    if type(value) not in (list, tuple, dict):
        return value
    inside = list(value.values() if isinstance(value, dict) else value)
    replaced = [_replaced(x, twins) for x in inside]
    if all(new is old for new, old in zip(replaced, inside, strict=True)):
        return value
    return (
        dict(zip(value, replaced, strict=True))
        if isinstance(value, dict)
        else type(value)(replaced)
    )


class Seed:
    """The seeds of a batch's shares, from one drawn of its stream when a share first asks for it.

    A batch that needs no random numbers draws none.
    """

    def __init__(self, stream: RandomStream, backend: Backend) -> None:
        self._stream, self._backend = stream, backend
        self._lock = threading.Lock()

    def of(self, rank: int) -> list[int]:
        """Return the seed of a share."""
        with self._lock:
            return [*self._words, rank]

    @functools.cached_property
    def _words(self) -> list[int]:
        drawn = self._backend.to_numpy(self._stream.uniform((2,), "float64"))
        return [int(word * 2**32) for word in drawn]


class RankStream:
    """The random numbers of one of several processes, whose streams are always in one state.

    Each draw takes two numbers of the stream, the same on all ranks, as the seed of the rank's own
    numbers. So one state stands for all ranks in a checkpoint.

    Args:
        shared: the stream.
        rank: of the process.
        backend: of the numbers.
    """

    def __init__(self, shared: RandomStream, rank: int, backend: Backend) -> None:
        self.shared, self._rank, self._backend = shared, rank, backend

    @property
    def state(self) -> Any:
        """That of the stream."""
        return self.shared.state

    @state.setter
    def state(self, state: Any) -> None:
        self.shared.state = state

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return standard Gaussian numbers."""
        return self._own().normal(shape, dtype)

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return numbers uniform in [0, 1)."""
        return self._own().uniform(shape, dtype)

    def _own(self) -> RandomStream:
        return self._backend.stream(Seed(self.shared, self._backend).of(self._rank))


def stream_of_rank(stream: Any, group: Group, backend: Backend) -> RandomStream:
    """Return a stream, which may be a :class:`RankStream`, for a rank of a group."""
    shared = stream.shared if isinstance(stream, RankStream) else stream
    return shared if group.size == 1 else RankStream(shared, group.rank, backend)


def share_slices(count: int, size: int) -> list[slice]:
    """Return slices of about one length of so many things; none for one share."""
    if size == 1:
        return []
    ends = [count * rank // size for rank in range(size + 1)]
    return list(map(slice, ends[:-1], ends[1:]))


def cut(batch: Any, share: slice) -> Any:
    """Return a share of a batch, or of a tuple of them; ``None`` stays."""
    if batch is None:
        return None
    return tuple(x[share] for x in batch) if isinstance(batch, tuple) else batch[share]


def joined(parts: Sequence[Any], name: str, ctx: Pass) -> Any:
    """Return the shares' results as one, in a buffer of that name; of tuples, one of each."""
    first = parts[0]
    if isinstance(first, tuple):
        columns = enumerate(zip(*parts, strict=True))
        return tuple(joined(column, f"{name} {index}", ctx) for index, column in columns)
    shapes = [getattr(part, "shape", ()) for part in parts]
    shape = shapes[0]
    if not all(shapes) or len({shape[1:] for shape in shapes}) > 1:
        return first  # what it must not be, the network says
    count = sum(len(part) for part in parts)
    last = len(shape) == 4 and not first.flags.c_contiguous
    joint = ctx.buffer(f"shared {name}", (count, *shape[1:]), channels_last=last)
    return ctx.xp.concatenate(parts, out=joint)


def window_work(layer: Layer, output: Sequence[int]) -> int:
    """Return about what an example costs in layers with windows, in multiply-adds.

    Args:
        layer: with all that are inside.
        output: the shape of its output.
    """
    positions, total = math.prod(output[1:]), 0
    for declared in layer.declared:
        if len(declared.shape) == 4:
            total += positions * (declared.size + OUTPUT_COST * output[0])
    for index, child in enumerate(layer.children):
        shape = layer._outputs[index] if isinstance(layer, Container) else output
        total += window_work(child, shape)
    return total
