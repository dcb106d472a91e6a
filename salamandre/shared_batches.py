"""Batches that are shared among threads: each computes some of the examples, all at once.

A share has a pass of its own, and a replica of the network: the same layers, with the same
parameters but gradients of their own. Outputs are put together again, gradients are added up in the
order of the shares; so losses, objectives and weights of examples see the whole batch, as ever.
Layers whose outputs depend on other examples add up what the shares know, by ``ctx.group``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from salamandre.backend import Array, Backend
from salamandre.backend.group import ALONE, Group, Nested
from salamandre.backend.team import allowed_threads, in_share, one_blas_thread, team
from salamandre.checks import whole
from salamandre.component import is_ours
from salamandre.inputs import example_count
from salamandre.layers.containers import Pairs, Sequential
from salamandre.passes import Context, Pass
from salamandre.shares import (
    Replica,
    Seed,
    cut,
    joined,
    share_slices,
    stream_of_rank,
    window_work,
)
from salamandre.vectors import FlatVectors

# A share with less work than that, in multiply-adds of a forward pass, or than that for each
# parameter, whose gradient has to be added, costs more than it gains. Measured by
# benchmarks/threads.py on two cores.
LEAST_WORK = 16e6
LEAST_WORK_OF_PARAMETER = 32

Work = Callable[[Pass, slice], Any]  # on a share's pass and examples


class SharedBatches(FlatVectors, abstract=True):
    """Flat vectors with passes that may share their batches among threads."""

    _threads: int | None = None
    #: The processes of which each has a share of every batch.
    group: Group = ALONE

    def join(self, group: Group) -> None:
        """Let the steps of this network be those of several processes, see :meth:`Network.learn`.

        Each computes a share of the batch, all of equal size; the losses and gradients of a step
        are then means over the ranks. The networks must be equal on all of them. Steps of a loop of
        one's own belong in ``with group.guard():``, or else a rank that fails leaves the others
        waiting.

        Args:
            group: see :func:`salamandre.parallel.world`; a group of one leaves the others.
        """
        self._require_vectors()
        self.group = group
        self.random = stream_of_rank(self.random, group, self.backend)

    @property
    def _coupled(self) -> Group:
        """What layers that couple the examples of a training batch see."""
        return self.group if self.group.coupled else ALONE

    def average_gradients(self) -> None:
        """Let ``gradients`` be those of all ranks; a step begins with it."""
        self.settle()
        self.group.average(vars(self)["gradients"])

    def hand_out_views(self) -> None:
        """As the base; passes and replicas are made anew, which no copy takes along."""
        super().hand_out_views()
        self._idle: list[Pass] = []  # passes that nobody uses
        self._replicas: list[Replica] = []

    def __getstate__(self) -> dict[str, Any]:
        made = ("_idle", "_replicas")
        return {name: value for name, value in super().__getstate__().items() if name not in made}

    def new_pass(
        self,
        parameter_gradients: bool = True,
        input_gradient: bool = True,
        statistics: bool = True,
        accumulate: bool = False,
        shared: bool = False,
    ) -> Pass:
        """Return a pass of this network, for :meth:`compute` and :meth:`backprop`.

        Args:
            parameter_gradients: whether backprop fills ``gradients``.
            input_gradient: whether backprop returns dE/dx.
            statistics: whether running statistics are updated.
            accumulate: whether backprop adds to ``gradients`` instead of writing them.
            shared: whether batches may be shared among threads; then what layers keep in the pass
                is of the first share alone.
        """
        self._require_vectors()
        run = Pass(self)
        run.statistics, run.accumulate, run.shared = statistics, accumulate, shared
        run.want(parameter_gradients, input_gradient)
        return run

    def _take_pass(self) -> Pass:
        """Return a pass that nobody uses; it is given back by ``self._idle.append``."""
        try:
            return self._idle.pop()
        except IndexError:  # another thread may have taken the last one
            return self.new_pass(shared=True)

    # -- how many ------------------------------------------------------------------------------

    @property
    def threads(self) -> int | None:
        """Among how many threads the batch of a step is shared; ``None``: as many as pay.

        The same number gives the same bits, 1 those without sharing. What pays depends on the
        shapes of layers and batch, and on how many threads BLAS may use.
        """
        return self._threads

    @threads.setter
    def threads(self, threads: int | None) -> None:
        self._threads = checked_threads(threads, self.backend if self.owns_vectors else None)

    def check_threads(self, batch_size: int) -> None:
        """Refuse more threads than there are examples in a batch."""
        if self._threads is not None and self._threads > batch_size:
            raise ValueError(
                f"threads={self._threads} cannot share a batch of {batch_size}: set fewer threads, "
                f"or give a larger batch"
            )

    def sharing(self, examples: int) -> AbstractContextManager[None]:
        """Let BLAS use one thread in the block, if a batch of so many examples is shared in it.

        The threads of BLAS stay awake for a while after a product, and would take time from ours.
        """
        return one_blas_thread() if self.shares(examples) else nullcontext()

    def shares(self, examples: int) -> bool:
        """Return whether a batch of so many examples is shared."""
        return self._share_count(examples) > 1

    def _share_count(self, examples: int) -> int:
        """Return among how many threads a batch is shared."""
        if self._threads == 1 or examples == 1 or in_share():
            return 1
        if self._threads is not None:
            may = allowed_threads() and not self._whole_batch
            return min(self._threads if may else 1, examples)
        pay = int(self._work * examples)
        return max(min(pay, examples, allowed_threads()), 1) if pay > 1 else 1

    @functools.cached_property
    def _whole_batch(self) -> bool:
        return any(layer.whole_batch for _, layer in self.walk())

    @functools.cached_property
    def _work(self) -> float:
        """The work of an example as a part of the least that pays; 0: batches are not shared.

        Networks without windows leave their cores to the threads of BLAS, which pay sooner. A layer
        of a user's own may look at the whole batch without saying so.
        """
        layers = [layer for _, layer in self.walk()]
        known = all(is_ours(type(x)) for x in layers if x != self)
        known &= all(self.is_standard(method) for method in ("compute", "backprop"))
        if self._whole_batch or not (self.backend.shares_batches and known):
            return 0.0
        least = max(LEAST_WORK, LEAST_WORK_OF_PARAMETER * self.parameter_count())
        return window_work(self, self.output_shape) / least

    # -- a pass by shares ----------------------------------------------------------------------

    def _through(self, x: Any, pairs: Pairs, ctx: Context) -> Array:
        if not isinstance(ctx, Pass):
            return super()._through(x, pairs, ctx)
        count = example_count(x)
        alone = ctx.followed or ctx.before is not None  # they know each other's rows
        size = self._share_count(count) if ctx.shared and not alone else 1
        ctx.shares = share_slices(count, size)
        ctx.group = self._coupled if ctx.is_training else ALONE
        if not ctx.shares:
            return super()._through(x, pairs, ctx)
        stream = ctx.random
        seed = Seed(stream, self.backend)

        def work(run: Pass, share: slice) -> Array:
            run.is_training = ctx.is_training
            run.draw_from(None, functools.partial(seed.of, run.group.rank))
            return Sequential._through(run.network, cut(x, share), run.pairs[: len(pairs)], run)

        try:
            return joined(self._together(ctx, work), "y", ctx)
        finally:
            ctx.draw_from(stream)

    def _back(self, dy: Array, pairs: Pairs, ctx: Context) -> Any:
        if not (isinstance(ctx, Pass) and ctx.shares):
            return super()._back(dy, pairs, ctx)

        def work(run: Pass, share: slice) -> Any:
            if ctx.left_out and run is not ctx:  # whose gradients nobody writes
                vars(run.network)["gradients"][...] = 0
            dx = Sequential._back(run.network, cut(dy, share), run.needed[ctx.left_out :], run)
            self._add_gradients(ctx, run.group.threads)
            return dx

        return joined(self._together(ctx, work), "dx", ctx)

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return the derivative of the latest outputs along x_dot."""
        if not (isinstance(ctx, Pass) and ctx.shares):
            return super().compute_tangent(x_dot, ctx)

        def work(run: Pass, share: slice) -> Array:
            return Sequential.compute_tangent(run.network, cut(x_dot, share), run)

        return joined(self._together(ctx, work), "y_dot", ctx)

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Carry dE/dy and dE/dy_dot back."""
        if not (isinstance(ctx, Pass) and ctx.shares):
            return super().backprop_tangent(dy, dy_dot, ctx)

        def work(run: Pass, share: slice) -> tuple[Array | None, Array]:
            gradients = cut(dy, share), cut(dy_dot, share)
            found = Sequential.backprop_tangent(run.network, *gradients, run)
            self._add_gradients(ctx, run.group.threads)
            return found

        dx, dx_dot = zip(*self._together(ctx, work), strict=True)
        return joined(dx, "dx", ctx), joined(dx_dot, "dx_dot", ctx)

    def _together(self, ctx: Pass, work: Work) -> list[Any]:
        """Return what the work on each share returns, in order."""
        runs, labels = [ctx, *self._others(ctx)], ctx.batch_labels
        outer = self._coupled if ctx.is_training else ALONE

        def task(group: Group) -> Any:
            run = runs[group.rank]
            run.group = Nested(outer, group) if outer.size > 1 else group
            run.batch_labels = None if labels is None else labels[ctx.shares[group.rank]]
            if run is not ctx:
                self._replicas[group.rank - 1].follow()
                run.want(*ctx.wanted)
            return work(run, ctx.shares[group.rank])

        try:
            return team(len(runs)).run(task)
        finally:
            ctx.batch_labels = labels

    def _others(self, ctx: Pass) -> list[Pass]:
        """Return the passes of the shares but the first."""
        count = len(ctx.shares) - 1
        while len(self._replicas) < count:
            self._replicas.append(Replica(self))
        for replica in self._replicas[len(ctx.others) : count]:
            ctx.others.append(replica.new_pass())
        return ctx.others[:count]

    def _add_gradients(self, ctx: Pass, group: Group) -> None:
        """Add the gradients of all shares to those of the first; each share adds some."""
        if not ctx.parameter_gradients:
            return
        group.barrier()
        for part in self.learning:
            mine = share_slices(part.stop - part.start, group.size)[group.rank]
            for run in self._others(ctx):
                total = vars(self)["gradients"][part]
                total[mine] += vars(run.network)["gradients"][part][mine]


def checked_threads(threads: Any, backend: Backend | None) -> int | None:
    """Return a number of threads, or ``None``; the backend is ``None`` of a part of a network."""
    if threads is None:
        return None
    if backend is None:
        raise ValueError(
            f"threads={threads!r} needs an input_shape: give threads to the network that this one "
            f"is a layer of"
        )
    if whole("threads", threads) > 1 and not backend.shares_batches:
        raise ValueError(
            f"threads={threads} is for the cores of a CPU, got a network on backend "
            f"{backend.name!r}: leave threads out"
        )
    return int(threads)
