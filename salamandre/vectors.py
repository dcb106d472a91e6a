"""A chain of layers that owns its parameters: flat vectors, of which the layers hold views."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np

from salamandre import html
from salamandre.backend import Array, Backend, get_backend
from salamandre.checks import array as as_array, nearest, one_of, whole
from salamandre.graph import Graph, draw_graph
from salamandre.inputs import checked_shape, shape_advice
from salamandre.layer import Declared, Layer, Shape
from salamandre.layers.containers import Layers, Parallel, Sequential, Skip
from salamandre.passes import Gate, Pass
from salamandre.texts import Text

Declarations = list[tuple[str, slice, Layer, Declared]]


class FlatVectors(Sequential, abstract=True):
    """One vector of all parameters, one of their gradients, one of the state.

    Attributes:
        parameters, gradients: the flat vectors of all parameters and of dE/dparameters.
        state: of what no optimizer touches, such as running statistics.
        learning: the parts of the vectors that are not frozen.
        frozen: names of the parts of the network that are.
    """

    fixed = ("parameters", "gradients", "state")  # the layers have views of them

    parameters: Array
    state: Array
    learning: Sequence[slice]
    watched = False  # whether somebody has looked at the gradients
    owing: Pass | None = None  # the pass that has the factors of those that no step has needed

    def __init__(
        self,
        layers: Layers,
        input_shape: int | Sequence[Any] | None = None,
        seed: int = 0,
        backend: str | Backend | None = None,
        dtype: str = "float32",
        names: Sequence[str] | None = None,
        frozen: str | Sequence[str] = (),
    ) -> None:
        super().__init__(layers, names)
        if not self.children:
            raise ValueError(f"a {type(self).__name__} needs at least one layer, got none")
        self.seed = whole("seed", seed, least=0)
        self.owns_vectors = input_shape is not None
        self.frozen: tuple[str, ...] = ()
        self.version = 0  # counts changes of what is frozen
        frozen = (frozen,) if isinstance(frozen, str) else tuple(frozen)
        if input_shape is None:
            if frozen:
                raise ValueError(
                    f"frozen={frozen} needs an input_shape: freeze the parts of the network that "
                    f"this one is a layer of"
                )
            return
        self.input_shape = checked_shape(input_shape)
        if advice := shape_advice(self.input_shape):
            warnings.warn(advice, stacklevel=3)
        if isinstance(self.input_shape[0], tuple) and not _takes_several(self):
            raise ValueError(
                f"input_shape {self.input_shape} is of several inputs, which only a Parallel as "
                f"the first layer takes, got {self.children[0]!r}"
            )
        name = getattr(dtype, "name", getattr(dtype, "__name__", dtype))  # np.float32 too
        self.dtype = np.dtype(one_of("dtype", name, ("float32", "float64")))
        self.backend = get_backend(backend)
        self.output_shape = super().build(self.input_shape)
        try:
            self._check_shared()
            self.random = self.backend.stream([self.seed, 1])
            self.allocate()
            still = [p.rstrip(".") for p, layer in self.walk(shared=False) if not layer.trainable]
            self.freeze(*frozen, *still)
        except BaseException:  # also what a user's own layer or initializer raises
            self._unbuild(len(self.children) - 1)
            raise

    @property
    def gradients(self) -> Array:
        """dE/dparameters; until the first look at it, steps that do not need it do not write it."""
        self.watched = True
        self.settle()
        return self.__dict__["gradients"]

    @gradients.setter
    def gradients(self, vector: Array) -> None:
        self.__dict__["gradients"] = vector

    def settle(self) -> None:
        """Write gradients of which a pass has the factors only."""
        if self.owing is not None:
            self.owing.complete()
            self.owing = None

    def build(self, input_shape: Shape) -> Shape:
        """Build the layers of a part of another network; check the input of a shared network."""
        if not self.owns_vectors:
            return super().build(input_shape)
        if input_shape != self.input_shape:
            raise ValueError(
                f"the shared network takes examples of shape {self.input_shape}, got {input_shape}"
            )
        return self.output_shape

    def _check_shared(self) -> None:
        for network in self._find_owners():
            if (network.backend, network.dtype) != (self.backend, self.dtype):
                raise ValueError(
                    f"a shared network is of {network.dtype} on backend {network.backend.name!r}, "
                    f"this one of {self.dtype} on {self.backend.name!r}: they must agree"
                )

    def _find_owners(self) -> list[FlatVectors]:
        """Return this network and those that it shares."""
        found = (layer for _, layer in self.walk() if isinstance(layer, FlatVectors))
        return list(dict.fromkeys(network for network in found if network.owns_vectors))

    def allocate(self) -> None:
        """Draw the parameters and the state of the built layers, and lay out the vectors."""
        random, vectors = np.random.default_rng(self.seed), []
        for declarations in (self.declarations(), self._declared_state()):
            count = declarations[-1][1].stop if declarations else 0
            try:
                values = np.empty(count, self.dtype)
            except (MemoryError, ValueError):
                raise ValueError(
                    f"a {type(self).__name__} of {float(count):.2g} parameters does not fit in "
                    f"memory: look for a size that is too large"
                ) from None
            for _, part, _, declared in declarations:
                values[part] = declared.flat(declared.draw(random))
            vectors.append(self.backend.asarray(values))
        self.parameters, self.state = vectors
        # Zeros, unlike zeros_like, take no memory before somebody writes into them.
        self.__dict__["gradients"] = self.backend.xp.zeros(self.parameters.shape, self.dtype)
        self.hand_out_views()

    def hand_out_views(self) -> None:
        """Let each layer have its views of the vectors; no copy takes them along."""
        for _, part, layer, declared in self.declarations():
            layer.__dict__[declared.name] = declared.view(self.parameters[part])
            gradient = self.__dict__["gradients"][part]
            layer.__dict__[f"d_{declared.name}"] = declared.view(gradient)
        for _, part, layer, declared in self._declared_state():
            layer.__dict__[declared.name] = declared.view(self.state[part])
        by_hand = {
            id(inner)
            for _, outer in self.walk(shared=False)
            if not outer.is_standard("backprop")
            for child in outer.children
            for _, inner in child.walk(shared=False)
        }
        #: The parts of the gradients whose layers cannot add to them.
        self.written = joined(
            part
            for _, part, layer, _ in self.declarations()
            if id(layer) in by_hand or not layer.claims("adds_gradients")
        )
        self.gate = Gate()
        #: Whose gates a look takes, in an order that is the same for all who share them.
        self.owners = sorted(self._find_owners(), key=id)

    def declarations(self) -> Declarations:
        """Return the name, slice, layer and declaration of each parameter, in order."""
        layers = self.walk(shared=False)
        return _with_slices((prefix, layer, d) for prefix, layer in layers for d in layer.declared)

    def _declared_state(self) -> Declarations:
        layers = self.walk(shared=False)
        return _with_slices(
            (prefix, layer, d) for prefix, layer in layers for d in layer.declared_state
        )

    def __getstate__(self) -> dict[str, Any]:
        self.settle()
        made = ("gate", "owners", "written", "owing")
        return {name: value for name, value in super().__getstate__().items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.owns_vectors:
            self.hand_out_views()

    def changing(self) -> AbstractContextManager[None]:
        """Let no thread predict in the block, which changes parameters or state."""
        return self.gate

    def _require_vectors(self) -> None:
        if not self.owns_vectors:
            raise ValueError(
                "this Network has no input_shape yet: give it one, or put it in another"
            )

    def config(self) -> dict[str, Any]:
        """Return the constructor arguments, but for where it computes: a saved network does not."""
        where = ("backend", "threads")
        config = {name: value for name, value in super().config().items() if name not in where}
        if self.owns_vectors and "dtype" in config:  # which may have been given as np.float64
            config["dtype"] = self.dtype.name
        return config

    # -- freezing ------------------------------------------------------------------------------

    def freeze(self, *names: str) -> None:
        """Let parts of the network, such as ``"0"`` or ``"3.expand"``, learn no more.

        Their parameters get no gradient and no step, and they compute as without training: dropout
        off, batch-norm by its running statistics, which stay as they are.

        Raises:
            ValueError: there is no such part; nothing has changed.
        """
        self._set_frozen((*self.frozen, *names))

    def unfreeze(self, *names: str) -> None:
        """Let parts that were frozen by these names learn again; without names, all parts."""
        for name in names:
            one_of("frozen part", name, self.frozen)
        self._set_frozen([name for name in self.frozen if names and name not in names])

    def _set_frozen(self, names: Sequence[str]) -> None:
        self._require_vectors()
        parts = {prefix.rstrip("."): layer for prefix, layer in self.walk(shared=False) if prefix}
        chosen = [parts[one_of("part of the network", name, parts)] for name in names]
        self.settle()
        for layer in parts.values():
            layer.__dict__["trainable"] = all(layer is not other for other in chosen)
        self.frozen = tuple(dict.fromkeys(names))
        if "frozen" in self._arguments:  # not of a class with a constructor of its own
            self._arguments["frozen"] = self.frozen
        self.version += 1
        below = {id(layer) for part in chosen for _, layer in part.walk(shared=False)}
        learning: list[slice] = []
        for _, part, layer, _ in self.declarations():
            if id(layer) in below:
                self.__dict__["gradients"][part] = 0
            else:
                learning.append(part)
        self.learning = joined(learning)

    def learns(self, part: slice) -> bool:
        """Return whether a part of the flat vectors, such as one parameter's, is not frozen."""
        return any(p.start <= part.start and part.stop <= p.stop for p in self.learning)

    # -- arrays by name ------------------------------------------------------------------------

    def named_parameters(self) -> dict[str, Array]:
        """Return views of the parameters by name, such as ``"0.weights"``."""
        return {name: getattr(layer, d.name) for name, _, layer, d in self.declarations()}

    def named_gradients(self) -> dict[str, Array]:
        """Return views of the gradients by the names of their parameters."""
        self.gradients  # noqa: B018 - a look at it
        return {name: getattr(layer, f"d_{d.name}") for name, _, layer, d in self.declarations()}

    def named_state(self) -> dict[str, Array]:
        """Return the arrays that no optimizer touches, such as ``"1.running_mean"``."""
        return {name: getattr(layer, d.name) for name, _, layer, d in self._declared_state()}

    def named_arrays(self) -> dict[str, Array]:
        """Return the parameters and the state by name, those of shared networks included."""
        return {
            prefix + declared.name: getattr(layer, declared.name)
            for prefix, layer in self.walk()
            for declared in (*layer.declared, *layer.declared_state)
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Return copies on the host of all parameters and state by name."""
        self._require_vectors()
        to_numpy = self.backend.to_numpy
        with ExitStack() as gates:  # between two steps of whoever trains it
            for network in self.owners:
                gates.enter_context(network.gate)
            arrays = self.named_arrays()
            return {name: np.array(to_numpy(a), order="C") for name, a in arrays.items()}

    def checked_tensors(self, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return values for all arrays of the network, or raise ValueError if they do not fit."""
        arrays, values = self.named_arrays(), {}
        for name in tensors:
            if name not in arrays:
                raise ValueError(f"the network has no array {name!r}{nearest(name, arrays)}")
        for name, array in arrays.items():
            if name not in tensors:
                raise ValueError(f"no value was given for the network's array {name!r}")
            given = np.asarray(as_array(f"the values of {name!r}", tensors[name]))
            if given.dtype.kind != "f":
                raise ValueError(
                    f"{name!r} must hold floating-point numbers, got dtype {given.dtype}"
                )
            if given.shape != array.shape:
                raise ValueError(f"{name!r} must have the shape {array.shape}, got {given.shape}")
            with np.errstate(over="ignore"):  # of numbers that float32 cannot hold
                values[name] = given.astype(self.dtype, copy=False)
            if not np.isfinite(values[name]).all():
                raise ValueError(
                    f"{name!r} must hold finite numbers of {self.dtype}, got NaN, infinity or more"
                )
        return values

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """Set all parameters and state by name; all names and shapes are checked first."""
        self._require_vectors()
        arrays, values = self.named_arrays(), self.checked_tensors(tensors)
        with ExitStack() as gates:
            for network in self.owners:
                gates.enter_context(network.gate)
            for name, value in values.items():
                arrays[name][...] = self.backend.asarray(value)

    def summary(self) -> str:
        """Return a table of the layers, their output shapes and parameter counts."""
        self._require_vectors()
        rows = [("layer", "output", "parameters"), ("input", str(self.input_shape), "")]
        rows += self.summary_rows("")
        rows.append(("total", "", f"{self.parameter_count():,}"))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        rule = "-" * len(lines[0])
        return Text("\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]]))

    def plot(self, path: str | os.PathLike[str] | None = None) -> Graph:
        """Return a drawing of the layers, which notebooks show.

        Args:
            path: of an SVG file. Default: none is written.
        """
        self._require_vectors()
        graph = draw_graph(self, self.input_shape)
        if path is not None:
            graph.save(path)
        return graph

    def _repr_html_(self) -> str:
        if not self.owns_vectors:
            return html.paragraph(repr(self))
        rows = [("input", str(self.input_shape), ""), *self.summary_rows("")]
        rows.append(("total", "", f"{self.parameter_count():,}"))
        layers = html.table(("layer", "output", "parameters"), rows)
        return html.beside(layers, self.plot().svg)


def joined(parts: Iterable[slice]) -> list[slice]:
    """Return parts of a vector, in order, with neighbours as one."""
    found: list[slice] = []
    for part in parts:
        start = found.pop().start if found and found[-1].stop == part.start else part.start
        found.append(slice(start, part.stop))
    return found


def _takes_several(layer: Layer) -> bool:
    """Return whether a layer takes a tuple of inputs."""
    first = isinstance(layer, Sequential) and layer.children and type(layer) is not Skip
    return isinstance(layer, Parallel) or bool(first and _takes_several(layer.children[0]))


def _with_slices(declarations: Iterator[tuple[str, Layer, Declared]]) -> Declarations:
    """Add the slice of each in its flat vector; the prefix becomes a name."""
    found: Declarations = []
    for prefix, layer, declared in declarations:
        start = found[-1][1].stop if found else 0
        part = slice(start, start + declared.size)
        found.append((prefix + declared.name, part, layer, declared))
    return found
