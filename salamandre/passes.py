"""One trip of a batch through a network and back: what belongs to it alone.

Nothing of it is kept by the layers, so that several passes of one network may be alive at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from salamandre.backend import Array, Backend, RandomStream
from salamandre.backend.group import ALONE, Group

Seed = int | Sequence[int] | Callable[[], Sequence[int]]


class Context:
    """A layer's part of a pass.

    The layer may keep in it what :meth:`Layer.backprop` needs of :meth:`Layer.compute`, under any
    name that is not an attribute below, ``training``, ``labels``, ``random``, ``group`` or a
    method's.

    Attributes:
        run: the pass.
        parts: the contexts of the layer's children.
        backend, xp: what the arrays are computed with, and its array namespace.
        dtype: of the arrays.
        parameter_gradients: whether the gradients of the layer's parameters are wanted.
        input_gradient: whether dE/dx is wanted: True, False, or a slice of axis 1 if the layer
            before needs no other part of it. Where it is False, backprop may return ``None``.
        frozen: whether the layer computes as without training and its parameters stay as they are.
        logits: whether the layer leaves out its last activation.
        may_overwrite: whether nobody else reads x, so that y may be written over it.
        may_overwrite_gradient: likewise dE/dx over dE/dy.
        adds: whether the gradients of the parameters are added to, not written; only of layers
            with the claim ``adds_gradients``.
        before: the layer's context in the pass that this one follows, see :meth:`Pass.follow`.
        postpones: whether products of the layer are left to the pass that follows, or to the step
            of the optimizer; only of layers with that claim.
        postponed: the factors of these products, (dz, x) each.
        by_hand: whether a layer above it has a backprop of a user's own, which may change the
            gradients that this one has written.
        keeps_z: whether what comes into the activation of the layer is kept in ``z``, for mixtures
            in the pass that follows.
    """

    def __init__(self, layer: Any, run: Pass, backend: Backend, dtype: Any) -> None:
        self.run, self.backend, self.xp, self.dtype = run, backend, backend.xp, dtype
        self.parts = tuple(Context(child, run, backend, dtype) for child in layer.children)
        self.parameter_gradients = True
        # A backprop of a user's own may change what those of its children have written.
        self.standard, self.by_hand = layer.is_standard("backprop"), False
        self.input_gradient: bool | slice = True
        self.frozen = self.logits = False
        self.may_overwrite = self.may_overwrite_gradient = False
        self.adds = self.postpones = self.keeps_z = False
        self.before: Context | None = None
        self.postponed: list[tuple[Array, Array]] = []
        self._memory: dict[str, Array] = {}

    if TYPE_CHECKING:  # what layers keep in it

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

    @property
    def training(self) -> bool:
        """Whether dropout drops and batch-norm normalises by the batch."""
        return self.run.is_training and not self.frozen

    @property
    def labels(self) -> Array | None:
        """The labels (N,) of the batch, if it has any."""
        return self.run.batch_labels

    @property
    def random(self) -> RandomStream:
        """The random numbers of this pass."""
        return self.run.random

    @property
    def group(self) -> Group:
        """The shares of the batch; sums over the whole batch go through it."""
        return self.run.group

    def update(self, state: Array, value: Array) -> None:
        """Give a state array of the layer another value, if the pass is to change the state.

        It does when it has ended well: a step that is refused leaves running statistics alone.
        """
        if self.run.statistics:
            self.run.updates.append((state, value))

    def buffer(
        self,
        name: str,
        shape: tuple[int, ...],
        by_feature: bool = False,
        channels_last: bool = False,
        dtype: Any = None,
    ) -> Array:
        """Return an uninitialised array of the pass that is reused from step to step.

        With ``by_feature`` vectors (N, features) are transposed in memory; with
        ``channels_last`` images (N, C, H, W) are (N, H, W, C) in memory.
        """
        size = math.prod(shape)
        flat = self._memory.get(name)
        if flat is None or flat.size < size:
            self._memory.pop(name, None)  # the memory of the smaller one is free before
            flat = self._memory[name] = self.xp.empty(size, dtype=dtype or self.dtype)
        if flat.size != size:
            flat = flat[:size]
        if channels_last:
            n, c, h, w = shape
            return flat.reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return flat.reshape(shape[::-1]).T if by_feature else flat.reshape(shape)

    def forget(self) -> None:
        """Give the memory back."""
        self._memory.clear()
        for part in self.parts:
            part.forget()

    def buffer_like(self, name: str, x: Array) -> Array:
        """Return a buffer of x's shape and memory layout."""
        if x.ndim == 4:
            last = x.transpose(0, 2, 3, 1).flags.c_contiguous
            return self.buffer(name, x.shape, channels_last=last)
        return self.buffer(name, x.shape, x.ndim == 2 and not x.flags.c_contiguous)

    def _follow(self, before: Context) -> None:
        self.before = before
        for part, other in zip(self.parts, before.parts, strict=True):
            part._follow(other)


class Pass(Context):
    """The context of a whole network: ``network.compute(x, run)``, ``network.backprop(dy, run)``.

    Made by :meth:`Network.new_pass`; used again and again, so that nothing is allocated in a
    training loop.

    Attributes:
        network: whose pass it is.
        statistics: whether running statistics are updated. Default True.
        accumulate: whether backprop adds to the gradients instead of writing them. Default False.
        output_shape: of the latest compute, ``None`` if there is nothing to go back from.
        left_out: how many of the last layers the latest compute left out.
        shared: whether batches may be shared among threads, see :mod:`salamandre.shared_batches`.
        shares: the examples of each share of the latest compute; none if it was not shared.
        others: the passes of all shares but the first, which is this one.
        followed, mixes: see :meth:`follow`.
        postponing: the layers that postpone products, with their contexts.
        share: of the first N examples of the pass before in the N mixtures of them with the other
            N that this one computes, (N, 1, ...).
    """

    group: Group = ALONE

    def __init__(self, network: Any) -> None:
        super().__init__(network, self, network.backend, network.dtype)
        self.network = network
        self.statistics = True
        self.accumulate = False
        self.is_training = True
        self.batch_labels: Array | None = None
        self.updates: list[tuple[Array, Array]] = []
        self.output_shape: tuple[int, ...] | None = None
        self.left_out = 0
        self.shared = False
        self.shares: Sequence[slice] = ()
        self.others: list[Pass] = []
        self.followed = self.postpones = False
        self.postponing: list[tuple[Any, Context]] = []
        self.mixes = False
        self.share: Array | None = None
        self._stream: RandomStream | None = network.random
        self._seed: Seed = 0
        self._planned: tuple[Any, ...] = ()

    def __reduce__(self) -> Any:
        """Copy and pickle the pass as a new one of the network, with nothing computed."""
        flags = {name: getattr(self, name) for name in ("statistics", "accumulate", "shared")}
        return _new_pass, (self.network, flags, self.wanted, self.before, self.mixes)

    @property
    def random(self) -> RandomStream:
        """The random numbers: the network's, or those of a seed."""
        if self._stream is None:
            seed = self._seed
            self._stream = self.backend.stream(seed() if callable(seed) else seed)
        return self._stream

    def draw_from(self, stream: RandomStream | None, seed: Seed = 0) -> None:
        """Take random numbers from a stream, or anew from a seed or what returns it if asked."""
        self._stream, self._seed = stream, seed

    def want(
        self,
        parameter_gradients: bool = True,
        input_gradient: bool = True,
        logits: bool = False,
        postpones: bool = False,
    ) -> None:
        """Say which gradients backprop shall give, and whether the last activation is left out.

        With ``postpones`` layers keep the factors of their gradients where they can.
        """
        wanted = parameter_gradients, input_gradient, logits, postpones
        conditions = self._conditions
        if (wanted, conditions) != self._planned:
            if self._planned and conditions[1] is not self._planned[1][1]:
                self.forget()  # recordings have memory of their own
            self._planned = wanted, conditions
            self.parameter_gradients, self.input_gradient, self.logits, self.postpones = wanted
            self._plan()

    def _plan(self) -> None:
        self.postponing.clear()
        self.network.plan(self)

    def follow(self, before: Pass, mixes: bool = False) -> None:
        """Let each backprop of ``before`` be completed by one of this pass, which accumulates.

        Layers may leave products of their gradients to this pass, which adds its own to them while
        they are in the cache. Until then ``gradients`` lack them.

        Args:
            before: a pass of the same network.
            mixes: whether examples are mixtures of those of ``before``, by ``share``, and the first
                layer need not multiply them: what is affine in them is the same mixture.
        """
        self._follow(before)
        self.mixes = before.parts[0].keeps_z = mixes
        before.followed = True
        before._plan()

    def kept_gradients(self) -> list[tuple[slice, Array]]:
        """Return copies of gradients that backprop will write though the pass accumulates."""
        if not self.parameter_gradients:
            return []
        self.network.settle()
        if not self.accumulate:
            return []
        gradients = vars(self.network)["gradients"]
        return [(part, gradients[part] + 0) for part in self.network.written]

    @property
    def owes(self) -> bool:
        """Whether layers have left products to the pass that follows."""
        return any(ctx.postponed for _, ctx in self.postponing)

    def descend(self, rate: float) -> None:
        """Change the parameters of the layers that postpone by -rate times their gradients."""
        for layer, ctx in self.postponing:
            layer.descend(rate, ctx)

    def complete(self) -> None:
        """Write the gradients of the layers that have postponed them."""
        for layer, ctx in self.postponing:
            layer.complete(ctx)

    @property
    def wanted(self) -> tuple[Any, ...]:
        """The arguments of the latest :meth:`want`."""
        return self._planned[0]

    @property
    def is_stale(self) -> bool:
        """Whether it was planned with other parts frozen, for another recording, or not to add."""
        return self._planned[1] != self._conditions

    @property
    def _conditions(self) -> tuple[int, Any, bool]:
        return self.network.version, self.backend.recording, self.accumulate

    def renew(self) -> None:
        """Plan the pass again if it is stale."""
        if self.is_stale:
            self.want(*self.wanted)


def _new_pass(
    network: Any,
    flags: dict[str, bool],
    wanted: tuple[bool, ...],
    before: Pass | None,
    mixes: bool,
) -> Pass:
    run = Pass(network)
    vars(run).update(flags)
    run.want(*wanted)
    if before is not None:
        run.follow(before, mixes)
    return run


class Gate:
    """Many may read at once, or one may write; who wants to write comes before new readers.

    ``with gate:`` is for writing; the thread that writes may enter again, and read, and one that
    reads may read again.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())  # which the writer holds
        self._mine = threading.local()  # how many of the readings are the thread's own
        self._readers = self._waiting = self._depth = 0
        self._writer: int | None = None  # the thread that writes

    def begin_reading(self) -> None:
        """Keep writers out until :meth:`end_reading`."""
        mine = getattr(self._mine, "readings", 0)
        with self._changed:
            while self._waiting and not mine and self._writer != threading.get_ident():
                self._changed.wait()
            self._readers += 1
        self._mine.readings = mine + 1

    def end_reading(self) -> None:
        """Let writers in again."""
        with self._changed:
            self._readers -= 1
            self._mine.readings -= 1
            self._changed.notify_all()

    def __enter__(self) -> None:
        self._changed.acquire()
        if self._writer != threading.get_ident():
            self._waiting += 1
            try:
                while self._readers:
                    self._changed.wait()
            except BaseException:  # Ctrl-C
                self._changed.release()
                raise
            finally:
                self._waiting -= 1
            self._writer = threading.get_ident()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._writer = None
            self._changed.notify_all()
        self._changed.release()
