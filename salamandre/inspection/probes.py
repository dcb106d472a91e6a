"""Probes: what a layer computes in a pass, and the gradient that arrives there.

A pass keeps who computes each part of a network (``ctx.pairs``). In a pass of its own, a probe
takes the place of a layer, lets it compute, and keeps what it sees. The network does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from salamandre.backend import Array
from salamandre.checks import nearest
from salamandre.inputs import example_count
from salamandre.layer import Layer
from salamandre.layers.containers import Container, Parallel, Sequential, Skip
from salamandre.layers.convolution import ConvolutionalLayer
from salamandre.network import Network
from salamandre.passes import Context, Pass


class Probe:
    """Stands for a layer in a pass.

    Attributes:
        y: the layer's latest outputs.
        dy: the latest dE/dy that arrived.
        instead: what the layer is given instead of it. Default ``None``: what arrived.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.y: Array = None
        self.dy: Array = None
        self.instead: Array | None = None

    def compute(self, x: Any, ctx: Context) -> Array:
        """Compute the layer, and keep a copy of y: the next layer may write over it."""
        y = self.layer.compute(x, ctx)
        self.y = y + 0
        return y

    def backprop(self, dy: Array, ctx: Context) -> Any:
        """Keep dE/dy and carry it, or what is given instead, back through the layer."""
        self.dy = dy + 0
        return self.layer.backprop(dy if self.instead is None else self.instead + 0, ctx)


Stand = Callable[[str, Layer], Any]  # the name of a layer and the layer, to what stands for it


def place(container: Container, ctx: Context, stand: Stand, prefix: str = "") -> None:
    """Let others stand for layers in a pass.

    Args:
        container: the network, or a part of it.
        ctx: the pass, or its part for the container.
        stand: returns what computes instead of a layer, which may be the layer itself.
        prefix: of the names of the container's layers.
    """
    stands = {}
    for name, child, part in zip(container.child_names, container.children, ctx.parts, strict=True):
        if isinstance(child, Container):
            place(child, part, stand, f"{prefix}{name}.")
        stands[id(part)] = stand(prefix + name, child)
    ctx.pairs = tuple((stands[id(part)], part) for _, part in ctx.pairs)
    if not isinstance(container, Parallel):
        ctx.needed = [(stands[id(part)], part) for _, part in ctx.needed]


def inspecting_pass(network: Network, logits: bool = False) -> Pass:
    """Return a pass for gradients by the input alone, which changes nothing of the network."""
    run = network.new_pass(parameter_gradients=False, statistics=False)
    run.want(parameter_gradients=False, logits=logits)
    return run


def layer_names(network: Network) -> dict[str, Layer]:
    """Return the layers by name, such as ``"features.5"``; those in containers after these."""
    found: dict[str, Layer] = {}

    def add(container: Container, prefix: str) -> None:
        for name, child in zip(container.child_names, container.children, strict=True):
            found[prefix + name] = child
            if isinstance(child, Container):
                add(child, f"{prefix}{name}.")

    add(network, "")
    return found


def of_kind(network: Network, kind: type[Layer]) -> list[str]:
    """Return the names of the layers of a kind, from the first to the last."""
    return [name for name, layer in layer_names(network).items() if isinstance(layer, kind)]


def convolutions(network: Network) -> list[str]:
    """Return the names of the convolutions, from the first to the last.

    Raises:
        ValueError: there is none.
    """
    if not (found := of_kind(network, ConvolutionalLayer)):
        raise ValueError("a convolution is needed, the network has none")
    return found


def full_name(network: Network, layer: str | int) -> str:
    """Return the whole name of a layer.

    Args:
        network: which has it.
        layer: its name, ``"features.5"``; the last part alone is enough if no other layer has it.

    Raises:
        ValueError: there is no such layer; the nearest name is given.
    """
    names, name = layer_names(network), str(layer)
    ending = [known for known in names if known.endswith(f".{name}")]
    if name in names or len(ending) == 1:
        return name if name in names else ending[0]
    if ending:
        raise ValueError(
            f"several layers are called {name!r}: give the whole name, one of {', '.join(ending)}"
        )
    top = ", ".join(network.child_names)
    raise ValueError(
        f"the network has no layer {name!r}{nearest(name, names)} (its outer layers: {top})"
    )


class LayerViews:
    """Layers as functions of the network's input, all of them in one pass.

    What comes after the last of them is not computed, but for the other branches of a container.

    Args:
        network: which has the layers.
        layers: their names, see :func:`full_name`.

    Attributes:
        probes: of the layers, by their whole names.
    """

    def __init__(self, network: Network, layers: Iterable[str | int]) -> None:
        known = layer_names(network)
        names = [full_name(network, layer) for layer in layers]
        self.network, self.probes = network, {name: Probe(known[name]) for name in names}
        self._run = inspecting_pass(network)
        place(network, self._run, lambda name, own: self.probes.get(name, own))
        self._last: Array = None  # the outputs of the last layer that is left
        outer = [n for n in names if not any(n.startswith(f"{other}.") for other in names)]
        self._cut(max(outer, key=list(known).index))

    def _cut(self, last: str) -> None:
        """Leave out of the pass what comes after a layer."""
        container: Any = self.network
        ctx: Context = self._run
        for name in last.split("."):
            if isinstance(container, (Parallel, Skip)):
                return  # whose outputs are joined
            index = container.child_names.index(name)
            kept = ctx.parts[: index + 1]
            ctx.pairs = ctx.pairs[: index + 1]
            ctx.needed = [(layer, part) for layer, part in ctx.needed if part in kept]
            container, ctx = container.children[index], ctx.parts[index]

    def compute(self, x: Array) -> dict[str, Array]:
        """Return the layers' outputs (N, ...) by their names, computed as without training."""
        network, run = self.network, self._run
        x = network.as_inputs(x, finite=False)
        run.is_training, run.batch_labels = False, network.as_labels(None, example_count(x))
        self._last = Sequential.compute(network, x, run)
        return {name: probe.y for name, probe in self.probes.items()}

    def backprop(self) -> Array:
        """Return dE/dx of the latest inputs from what the probes are given instead of dE/dy."""
        nothing = self.network.backend.xp.zeros_like(self._last)
        return Sequential.backprop(self.network, nothing, self._run)


class LayerView:
    """A layer as a function of the network's input; what comes after it is not computed.

    Args:
        network: which has the layer.
        layer: its name, see :func:`full_name`.
    """

    def __init__(self, network: Network, layer: str | int) -> None:
        self._views = LayerViews(network, [layer])
        ((self.name, self._probe),) = self._views.probes.items()

    def compute(self, x: Array) -> Array:
        """Return the layer's outputs (N, ...) for a batch x, computed as without training."""
        return self._views.compute(x)[self.name]

    def backprop(self, dy: Array) -> Array:
        """Return dE/dx from dE/dy of the layer's latest outputs; memory of the view."""
        self._probe.instead = dy
        return self._views.backprop()
