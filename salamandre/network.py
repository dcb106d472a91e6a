"""The network: a chain of layers that learns, with passes, a loss and an optimizer."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from salamandre.backend import Array, Backend, get_backend
from salamandre.checks import whole
from salamandre.class_names import by_name
from salamandre.component import Component
from salamandre.inputs import Meaning, are_images, checked_gradient, checked_weights, example_count
from salamandre.layers.conditional import Conditional
from salamandre.layers.containers import Layers
from salamandre.learnable import Diverged, Learnable
from salamandre.losses import Loss
from salamandre.optimizer import Optimizer, advice
from salamandre.other_names import NEEDS, NETWORK
from salamandre.passes import Context, Pass
from salamandre.shared_batches import checked_threads
from salamandre.shares import cut

if TYPE_CHECKING:  # the signatures of what salamandre/__init__.py makes methods of a network
    from salamandre.training.fitting import fit as fit_network
    from salamandre.training.testing import evaluate as evaluate_network


class Network(Learnable, Meaning):
    """Layers in a row, their parameters in one flat vector, with a loss and an optimizer.

    A network may be a layer of another one: without an ``input_shape`` as a part of it; with one
    it is shared: its vectors stay its own, and the other one does not train it.

    Args:
        layers: in the order of computation, in a row or by names; each object belongs to one
            network.
        input_shape: of one example, such as ``784`` or ``(1, 28, 28)``; of several inputs a list
            of shapes, such as ``[(100,), (10,)]`` before a ``Parallel``.
        loss: what :meth:`learn` minimises; or its name, such as ``"mse"``.
        optimizer: how :meth:`learn` and :meth:`step` change the parameters; or its name, such as
            ``"adam"``, with its defaults.
        seed: of the initial parameters, noise and dropout. Default 0.
        backend: a name or a Backend; default ``SALAMANDRE_BACKEND``, else ``"numpy"``.
        dtype: ``"float32"`` (default) or ``"float64"`` (for gradient checks).
        names: of the layers, if they are in a row. Default their numbers.
        frozen: names of parts that do not learn, see :meth:`freeze`. Default none.
        threads: among how many the batch of a step is shared. Default: as many as pay.

    Attributes:
        loss, optimizer: may be set to others at any time, or to their names.
        parameters, gradients: the flat vectors of all parameters and of dE/dparameters.
        output_shape: of one example.
        random: the stream of noise and dropout.
        class_names, pixels: what labels and images mean, see :class:`salamandre.inputs.Meaning`.

    Raises:
        ValueError: layers whose shapes do not fit, wrong sizes, unknown names.
        RuntimeError: a backend that cannot be used here.
    """

    def __init__(
        self,
        layers: Layers,
        input_shape: int | Sequence[Any] | None = None,
        loss: Loss | str | None = None,
        optimizer: Optimizer | str | None = None,
        seed: int = 0,
        backend: str | Backend | None = None,
        dtype: str = "float32",
        names: Sequence[str] | None = None,
        frozen: Sequence[str] = (),
        threads: int | None = None,
    ) -> None:
        self.loss, self.optimizer = loss, optimizer
        checked_threads(threads, None if input_shape is None else get_backend(backend))
        super().__init__(layers, input_shape, seed, backend, dtype, names, frozen)
        self.threads = threads
        if self.owns_vectors:
            self._advise(stacklevel=3)
            if self.optimizer is not None:
                self._attach(self.optimizer)

    if TYPE_CHECKING:
        fit = fit_network
        evaluate = evaluate_network
    ways = NETWORK

    def hand_out_views(self) -> None:
        """As the base; make the passes too, which no copy takes along."""
        super().hand_out_views()
        conditional = (layer for _, layer in self.walk() if isinstance(layer, Conditional))
        #: The number of classes that its conditional layers know, ``None`` without such layers.
        self.classes: int | None = min((layer.classes for layer in conditional), default=None)
        self._activation = self.output_activation
        self._latest: Pass | None = None  # the one of compute and backprop without a pass

    def __getstate__(self) -> dict[str, Any]:
        made = ("_activation", "_latest")
        return {name: value for name, value in super().__getstate__().items() if name not in made}

    # -- passes --------------------------------------------------------------------------------

    def compute(
        self,
        x: Any,
        ctx: Context | None = None,
        *,
        training: bool = True,
        labels: Any = None,
        stop: int | None = None,
    ) -> Array:
        """Return the outputs (N, ...) for a batch x (N, *input_shape).

        Args:
            x: an array of the backend or of the host (of several inputs a tuple), see
                :meth:`predict`; it is kept for :meth:`backprop`.
            ctx: a pass of this network. Then what is returned is memory of the pass, which holds
                until its next compute, and x is not searched for NaN. Default: a pass of the
                network's own; then the array that is returned is the caller's.
            training: False turns dropout off and lets batch-norm use its running statistics.
            labels: whole numbers (N,) or names of classes, for a network with conditional layers.
            stop: go through the first so many layers only. Default: all.
        """
        if isinstance(ctx, Context) and not isinstance(ctx, Pass):  # a layer of another network
            return super().compute(x, ctx)
        stop = None if stop is None else whole("stop", stop, least=0)
        x = self.as_inputs(x, finite=ctx is None)
        count = example_count(x)
        labels = self.as_labels(labels, count)
        if ctx is None and self._latest is None:
            self._latest = self.new_pass()
        run = self._own(ctx)
        run.renew()
        y = self._forward(x, count, run, training, labels, stop)
        if run.updates:
            self._commit(run)
        return y if ctx is not None else self._copy(y)

    def _own(self, ctx: Pass | None) -> Pass:
        """Return the pass, or the latest without one, if it is this network's."""
        run = self._latest if ctx is None else ctx
        if run is None:
            raise RuntimeError("backprop needs a compute before it: call compute(x) first")
        if not isinstance(run, Pass):
            raise TypeError(
                f"a pass must be one that new_pass() has made, got {run!r}; whether the network is "
                f"training is said by name: compute(x, training=False)"
            )
        if run.network is not self:
            raise ValueError("this pass belongs to another network: make one with new_pass()")
        return run

    def _forward(
        self, x: Any, count: int, run: Pass, training: bool, labels: Any, stop: int | None = None
    ) -> Array:
        """Compute so many examples that fit; the state is not changed yet."""
        run.output_shape, run.is_training, run.batch_labels = None, training, labels
        run.updates.clear()
        pairs = run.pairs[:stop]
        y, done = self._through(x, pairs, run), len(pairs)
        shape = getattr(y, "shape", ())
        if pairs and shape != (count, *self._outputs[done - 1]):
            self._blame(pairs[-1][1], "compute", y, run, None)
            raise TypeError(f"expected {count} outputs, got an array of shape {shape}")
        run.output_shape, run.left_out = shape, len(run.pairs) - done
        return y

    def _commit(self, run: Pass) -> None:
        """Change running statistics as the layers asked for."""
        with self.changing():
            for state, value in run.updates:
                state[...] = value

    def predict(
        self, x: Any, batch_size: int = 256, labels: Any = None, seed: int | Sequence[int] = 0
    ) -> Array:
        """As :meth:`compute` without training, in blocks so that memory stays small.

        Any number of threads may call it at once, also while another one trains the network: each
        gets what it gets alone, by parameters as they are between two steps.

        Args:
            x: (N, *input_shape), or :class:`salamandre.data.Images`. Images of unsigned bytes are
                scaled as those that the network learned from (``pixels``), and are made vectors
                for a network that takes vectors; images (N, H, W) have one channel.
            batch_size: examples in a block. Default 256.
            labels: see :meth:`compute`.
            seed: of the noise of layers that have some: equal calls give equal answers. Default 0.
        """
        whole("batch_size", batch_size)
        for word in seed if isinstance(seed, Sequence) else [seed]:
            whole("seed", word, least=0)
        by_blocks = are_images(x)  # which may be larger than memory
        x = x if by_blocks else self.as_inputs(x)
        count = example_count(x)
        labels = self.as_labels(labels, count)
        parts, run = [], self._take_pass()
        with ExitStack() as end:
            end.callback(self._idle.append, run)
            end.enter_context(self.sharing(min(count, batch_size)))  # before the gates
            for network in self.owners:
                network.gate.begin_reading()
                end.callback(network.gate.end_reading)
            run.want(parameter_gradients=False)
            run.draw_from(None, seed)
            for start in range(0, count, batch_size):
                block = slice(start, start + batch_size)
                inputs = self.as_inputs(x[block]) if by_blocks else cut(x, block)
                y = self._forward(inputs, example_count(inputs), run, False, cut(labels, block))
                parts.append(self._copy(y))
        return parts[0] if len(parts) == 1 else self.backend.xp.concatenate(parts)

    def __call__(self, x: Any, **options: Any) -> Array:
        """Return :meth:`predict`."""
        return self.predict(x, **options)

    def backprop(self, dy: Any, ctx: Context | None = None, *, update: bool = True) -> Any:
        """Carry dE/dy of the latest :meth:`compute` back through the layers.

        Args:
            dy: the shape of the outputs.
            ctx: the pass that :meth:`compute` was given; it says itself what is wanted, and its
                memory is what is returned. Default: the network's own.
            update: write ``gradients``; False leaves them alone. Only without ``ctx``.

        Returns:
            dE/dx, the shape of the inputs (``None`` if the pass does not want it).
        """
        if ctx is not None and not isinstance(ctx, Pass):
            return super().backprop(dy, ctx)
        run = self._own(ctx)
        dy = checked_gradient(dy, run.output_shape, self.dtype, self.backend, ctx is None)
        if run.is_stale:
            raise RuntimeError("frozen parts or accumulate changed since compute: compute again")
        if ctx is None:
            run.want(parameter_gradients=update)
        elif not update:
            raise ValueError("a pass says itself whether it wants gradients: leave update out")
        dx = self._backward(dy, run)
        fits = getattr(dx, "shape", ())[1:] == self.input_shape
        if run.input_gradient and not (fits or isinstance(dx, tuple)):
            self._blame(run.parts[0], "backprop", dx, run, None)
        return dx if ctx is not None else self._copy(dx)

    def _backward(self, dy: Array, run: Pass) -> Any:
        kept = run.kept_gradients()
        if run.left_out:  # the next layer's gradient would be overwritten, the others' stay
            dy = dy + 0
            if run.parameter_gradients:
                for part in self.written if run.accumulate else [slice(None)]:
                    self.__dict__["gradients"][part] = 0
        dy = self._back(dy, run.needed[run.left_out :], run)
        for part, before in kept:
            self.__dict__["gradients"][part] += before
        return dy if run.input_gradient else None

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Carry dE/dy and dE/dy_dot back; write ``gradients``, or add to them."""
        kept = ctx.kept_gradients() if isinstance(ctx, Pass) else []
        found = super().backprop_tangent(dy, dy_dot, ctx)
        for part, before in kept:
            self.gradients[part] += before
        return found

    # -- learning ------------------------------------------------------------------------------

    def learn(self, x: Any, target: Any, labels: Any = None, weights: Any = None) -> Any:
        """Take one step on a batch: compute, loss, backprop, optimizer.

        In a group of processes (:meth:`join`) each gives its share of the batch.

        Args:
            x: (N, *input_shape), see :meth:`predict`.
            target: what the loss compares with: labels (N,), whole numbers or names of classes, or
                values (N, *output_shape).
            labels: see :meth:`compute`.
            weights: of the examples (N,), at least 0: the loss is Σ_i w_i E_i / Σ_i w_i, E_i the
                loss of example i. Default: all are 1.

        Returns:
            The loss before the step: a float (on a GPU an array that ``float`` reads).

        Raises:
            ValueError: a batch that does not fit, NaN or infinity in it; nothing has changed.
            Diverged: the loss is NaN or infinite; the parameters have not changed.
        """
        x = self.as_inputs(x)
        if self.loss is None or self.optimizer is None:
            raise ValueError(f"learn needs a Network with {NEEDS}")
        count = example_count(x)
        self.check_threads(count)
        if self.loss.takes_labels:  # to others -1 and 1 are values
            target = by_name("the targets", target, self._class_names)
        target = self.loss.check(target, (count, *self.output_shape), self.dtype, self.backend)
        labels = self.as_labels(labels, count)
        if weights is not None:
            self.loss.require_weights()
            weights = checked_weights(weights, count, self.dtype, self.backend, self.group)
        batch = x, target, labels, weights
        key = Component.changes, self.loss, self.optimizer, self.group
        with self.sharing(count):
            found = self.backend.repeat(self._learn, batch, key, [self.gate])
        if self._latest is not None:  # its backprop would mix old outputs with new parameters
            self._latest.output_shape = None
        return found["loss"]

    def _learn(self, x: Any, target: Array, labels: Any, weights: Any) -> dict[str, Any]:
        """Take a step on what fits; return its loss."""
        assert self.loss is not None and self.optimizer is not None
        count = example_count(x)
        owed = self.owing  # whose gradients are the latest until the step goes on
        run, self.__dict__["owing"] = owed or self._take_pass(), None
        of_logits = self.loss.on_logits(self._activation)
        try:
            run.draw_from(self.random)
            # Then a step needs no gradients as such.
            unseen = not (self.written or self.watched) and self.group.size == 1
            few = count <= self.backend.few and not self.shares(count)
            direct = unseen and few and self.optimizer.descends
            if owed is not None and not direct:
                owed.complete()
                owed = None
            run.want(input_gradient=False, logits=of_logits is not None, postpones=direct)
            y = self._forward(x, count, run, True, labels)
            value, dy = (of_logits or self.loss).evaluate(y, target, self.backend, weights)
            if self.group.size > 1:
                value = self.group.all_reduce(value) / self.group.size
            value = self.backend.scalar(value)
            if isinstance(value, float) and not math.isfinite(value):
                step, cure = self.optimizer.steps + 1, advice({"network": self.optimizer})
                raise Diverged(f"the loss became {value} at step {step}: {cure}")
            owed = None
            self._backward(dy, run)
            with self.changing():  # statistics and parameters at once
                if run.updates:
                    self._commit(run)
                if direct:
                    self.optimizer.descend(run.descend)
                    self.__dict__["owing"] = run
                else:
                    self.step()
        finally:
            if owed is not None:
                self.__dict__["owing"] = owed
            if self.owing is None:
                self._idle.append(run)
        return {"loss": value}

    def step(self) -> None:
        """Apply the optimizer to ``gradients``."""
        if self.optimizer is None:
            raise ValueError("step needs a Network with an optimizer")
        self.average_gradients()
        with self.changing():
            self.optimizer.step(self.parameters, self.__dict__["gradients"], self.learning)

    def _copy(self, array: Any) -> Any:
        """Return a copy for the caller, row by row in memory: passes reuse theirs."""
        if isinstance(array, tuple):
            return tuple(map(self._copy, array))
        return self.backend.xp.array(array, order="C")

    # -- files and parts -----------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file, wholly or not at all; :class:`Diverged`: there is NaN in it."""
        from salamandre import model_files  # what it needs is not imported with the library

        self._require_vectors()
        model_files.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], backend: str | Backend | None = None) -> Network:
        """Build a network from a file that :meth:`save` wrote. Nothing in it is executed.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a damaged file, or one of another format or version; the file is named.
        """
        from salamandre import model_files

        return model_files.load(cls, path, backend)

    def part(self, name: str) -> Network:
        """Return a copy of a part, such as ``"encoder"``, as a network that is saved apart."""
        from salamandre import model_files

        return model_files.part(self, name)
