"""Mistakes in layers that centred differences do not show, each found by what it does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from salamandre.activations import Activation
from salamandre.layer import Layer
from salamandre.layers.checks import output_mistake
from salamandre.layers.containers import Container
from salamandre.network import Network
from salamandre.passes import Context


class Watch:
    """Looks at what goes into each layer of a network and what comes out.

    Attributes:
        mistakes: sentences, each said once.
        trace: the name of each layer, its method and a copy of its result (of backprop with the
            gradients of its parameters), in the order in which the calls ended.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.mistakes: dict[str, None] = {}
        self.trace: list[tuple[str, str, Any]] = []
        self._inputs: dict[int, Any] = {}  # by context: the shapes
        self._outputs = {
            id(child): container._outputs[index]
            for _, container in network.walk()
            if isinstance(container, Container)
            for index, child in enumerate(container.children)
            if index in container._outputs
        }

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look at the passes in the block."""
        layers = {id(layer): (prefix, layer) for prefix, layer in self.network.walk() if prefix}
        try:
            for prefix, layer in layers.values():
                for method, look in (("compute", self._compute), ("backprop", self._backprop)):
                    vars(layer)[method] = look(prefix.rstrip("."), layer, getattr(layer, method))
            yield
        finally:
            for _, layer in layers.values():
                for method in ("compute", "backprop"):
                    vars(layer).pop(method, None)

    def say(self, name: str, layer: Layer, mistake: str) -> None:
        """Note a mistake of a layer."""
        self.mistakes[f"layer {name}: {type(layer).__name__}.{mistake}"] = None

    def _compute(self, name: str, layer: Layer, method: Callable[..., Any]) -> Callable[..., Any]:
        def compute(x: Any, ctx: Context, **options: Any) -> Any:
            before = None if ctx.may_overwrite else copied(x)
            y = method(x, ctx, **options)
            if before is not None and not same(x, before):
                self.say(name, layer, "compute changes x, which belongs to the layer before")
            shape = self._outputs.get(id(layer))
            if shape is not None:
                self._check(name, layer, "compute", y, shape)
            self._inputs[id(ctx)] = tuple(a.shape for a in x) if isinstance(x, tuple) else x.shape
            self.trace.append((name, "compute", copied(y)))
            return y

        return compute

    def _backprop(self, name: str, layer: Layer, method: Callable[..., Any]) -> Callable[..., Any]:
        def backprop(dy: Any, ctx: Context, **options: Any) -> Any:
            before = None if ctx.may_overwrite_gradient else copied(dy)
            dx = method(dy, ctx, **options)
            if before is not None and not same(dy, before):
                self.say(name, layer, "backprop changes dy, which others may read")
            shape = self._inputs.get(id(ctx))
            if ctx.input_gradient and shape and not isinstance(shape[0], tuple):
                self._check(name, layer, "backprop", dx, shape[1:])
            written = tuple(copied(getattr(layer, f"d_{d.name}")) for d in layer.declared)
            self.trace.append((name, "backprop", (copied(dx), *written)))
            return dx

        return backprop

    def _check(self, name: str, layer: Layer, method: str, found: Any, shape: Any) -> None:
        mistake = output_mistake(layer, method, found, shape, self.network.dtype)
        if mistake:
            self.say(name, layer, mistake.removeprefix(f"{type(layer).__name__}."))


def in_tuple(x: Any) -> tuple[Any, ...]:
    """Return one input, or a tuple of several, as a tuple."""
    return x if isinstance(x, tuple) else (x,)


def copied(value: Any) -> Any:
    """Return a copy of an array or of a tuple of such; of anything else, itself."""
    if isinstance(value, tuple):
        return tuple(map(copied, value))
    return value + 0 if hasattr(value, "dtype") else value


def same(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Return whether |a - b| ≤ tolerance (1 + |b|) for all numbers of two results, or both NaN."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in pairs)
    if not (hasattr(one, "shape") and hasattr(other, "shape")):
        return one is other
    if one.shape != other.shape:
        return False
    equal = (one == other) | ((one != one) & (other != other))
    if tolerance:
        equal |= abs(one - other) <= tolerance * (1 + abs(other))
    return bool(equal.all())


def close(one: Any, other: Any) -> bool:
    """Return whether two results are equal but for rounding."""
    return same(one, other, 1e-9)


class Trial:
    """A network and a batch with which gradients are tried; :meth:`restore` ends it.

    Args:
        network: whose random numbers and state are as they are now in each pass.
        x: a batch, or a tuple of such.
        labels: of the batch, or ``None``.
        training: as in ``compute``.

    Attributes:
        x: copies of the inputs.
        mistakes: sentences about what :meth:`probe` has found.
    """

    def __init__(self, network: Network, x: Any, labels: Any, training: bool) -> None:
        side, dtype = network.backend, network.dtype
        copies = [side.xp.array(side.asarray(a, dtype=dtype)) for a in in_tuple(x)]
        self.network, self.labels, self.training = network, labels, training
        self.x = tuple(copies) if isinstance(x, tuple) else copies[0]
        self.layers = {prefix.rstrip("."): layer for prefix, layer in network.walk()}
        self.watch = Watch(network)
        self.mistakes = self.watch.mistakes
        self._random, self._state = copy.deepcopy(network.random.state), network.state + 0

    def restore(self) -> None:
        """Set the random numbers and the state back: the same noise and dropout every time."""
        self.network.random.state = copy.deepcopy(self._random)
        self.network.state[...] = self._state

    def compute(self) -> Any:
        """Return the outputs."""
        self.restore()
        return self.network.compute(self.x, training=self.training, labels=self.labels)

    def arrays(self) -> dict[str, Any]:
        """Return the inputs and the parts of the network's vector of parameters by name."""
        return {**self._named(self.x), **self._parts(self.network.parameters)}

    def backprop(self, dy: Any) -> dict[str, Any]:
        """Return the gradients of what :meth:`arrays` returns, after a compute."""
        dx = self.network.backprop(dy)
        return {**self._named(dx), **self._parts(self.network.gradients + 0)}

    def _named(self, arrays: Any) -> dict[str, Any]:
        if not isinstance(arrays, tuple):
            return {"x": arrays}
        return {f"x[{index}]": array for index, array in enumerate(arrays)}

    def _parts(self, vector: Any) -> dict[str, Any]:
        declarations = self.network.declarations()
        learning = [row for row in declarations if self.network.learns(row[1])]
        return {name: declared.view(vector[part]) for name, part, _, declared in learning}

    def others(self) -> Iterator[tuple[str, Trial]]:
        """Yield circumstances in words, and a trial of the same network in them."""
        if self.training:
            yield "with training=False", Trial(self.network, self.x, self.labels, False)
        count = len(in_tuple(self.x)[0]) - 1
        if count > 1:  # of one example there are no statistics
            inputs = tuple(a[:count] for a in in_tuple(self.x))
            x = inputs if isinstance(self.x, tuple) else inputs[0]
            labels = None if self.labels is None else self.labels[:count]
            yield f"for {count} examples", Trial(self.network, x, labels, self.training)

    def probe(self) -> None:
        """Look for mistakes."""
        self._writes()
        self._without_input_gradient()
        self._passes_at_once()
        self._in_place()

    def _pass(
        self,
        fill: float = 0,
        between: Callable[[], None] | None = None,
        over: bool = False,
        **wanted: bool,
    ) -> list[tuple[str, Any]]:
        """Go there and back; return the name of each layer and what backprop has found for it.

        Args:
            fill: what the gradients hold before backprop.
            between: what is done between compute and backprop.
            over: whether the first layer may write over what it is given.
            wanted: see :meth:`Network.new_pass`.
        """
        network, run = self.network, self.network.new_pass(**wanted)
        self.restore()
        if over:
            run.parts[0].may_overwrite = run.parts[0].may_overwrite_gradient = True
        with self.watch.looking():
            x = copied(self.x)
            y = network.compute(x, run, training=self.training, labels=self.labels)
            xp = network.backend.xp
            dy = xp.cos(xp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
            if between is not None:
                between()
            network.gradients[...] = fill
            self.watch.trace.clear()
            network.backprop(dy, run)
        return [(name, found) for name, _, found in self.watch.trace]

    def _writes(self) -> None:
        """See that backprop writes each gradient, whatever was there, where it is wanted."""
        found = []
        for fill, wanted in ((0, True), (1, True), (7, False)):
            self._pass(fill, parameter_gradients=wanted)
            found.append(self._parts(self.network.gradients + 0))
        for name in found[0]:
            zeros, ones, unwanted = (gradients[name] for gradients in found)
            where, what = name.rpartition(".")[0], f"d_{name.rpartition('.')[2]}"
            layer = self.layers[where]
            kept = abs(ones - zeros - 1) < 1e-6
            if bool(kept.any()):
                adds = bool(kept.all()) and bool((zeros != 0).any())
                how = f"adds to {what} (+=)" if adds else f"does not write all of {what}"
                cure = f"write self.{what}[...] = at each call"
                self.watch.say(where, layer, f"backprop {how}, where an old gradient is: {cure}")
            elif not bool((unwanted == 7).all()):
                how = f"backprop writes {what} also where ctx.parameter_gradients is False"
                self.watch.say(where, layer, how)

    def _without_input_gradient(self) -> None:
        """See that nothing else changes where the first layer need not return dE/dx."""
        self._pass()
        wanted = copied(self.network.gradients)
        try:
            self._pass(input_gradient=False)
        except Exception as error:
            layers = [(n, layer) for n, layer in self.layers.items() if n]
            own = (pair for pair in layers if not pair[1].is_standard("backprop"))
            name, layer = next(own, layers[0])
            how = f"backprop fails where ctx.input_gradient is False ({error})"
            self.watch.say(name, layer, how)
            return
        for name, part, layer, _ in self.network.declarations():
            if not close(self.network.gradients[part], wanted[part]):
                how = "backprop gives another gradient where ctx.input_gradient is False"
                self.watch.say(name.rpartition(".")[0], layer, how)

    def _passes_at_once(self) -> None:
        """See that another batch, in another pass, changes nothing before backprop."""
        alone = self._pass()
        inputs = tuple(0.5 * a[::-1] for a in in_tuple(self.x))
        second = self.network.new_pass(statistics=False)

        def between() -> None:
            x = inputs if isinstance(self.x, tuple) else inputs[0]
            self.network.compute(x, second, training=self.training, labels=self.labels)

        for mine, theirs in zip(self._pass(between=between), alone, strict=True):
            if not close(mine[1], theirs[1]):
                how = "compute keeps in self what backprop needs, where the next batch replaces it"
                self.watch.say(mine[0], self.layers[mine[0]], f"{how}: keep it in ctx")
                return

    def _in_place(self) -> None:
        """See that an activation may write y over x (``from_output``), and dx over dy."""
        name, layer = self.network.child_names[0], self.network.children[0]
        if not isinstance(layer, Activation):
            return
        wanted = self._pass()[-1][1]
        if not close(self._pass(over=True)[-1][1], wanted):
            how = "gradient reads what was written over: it may be asked to write dx over dy"
            if layer.from_output:
                how += ", and with from_output = True y over x"
            self.watch.say(name, layer, how)
