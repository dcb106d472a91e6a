"""A chain of layers that owns its parameters: flat vectors, of which the layers hold views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from salamandre.backend import Array, Backend
from salamandre.checks import nearest, one_of
from salamandre.layer import Declared, Layer
from salamandre.layers.containers import Sequential
from salamandre.passes import Gate

Declarations = list[tuple[str, slice, Layer, Declared]]


class FlatVectors(Sequential):
    """One vector of all parameters, one of their gradients, one of the state.

    Attributes:
        parameters, gradients: the flat vectors of all parameters and of dE/dparameters.
        state: of what no optimizer touches, such as running statistics.
        learning: the parts of the vectors that are not frozen.
        frozen: names of the parts of the network that are.
    """

    parameters: Array
    gradients: Array
    state: Array
    learning: Sequence[slice]
    frozen: tuple[str, ...] = ()

    backend: Backend
    dtype: np.dtype
    seed: int
    input_shape: tuple[Any, ...]

    def allocate(self) -> None:
        """Draw the parameters and the state of the built layers, and lay out the vectors."""
        random, vectors = np.random.default_rng(self.seed), []
        for declarations in (self._declared(), self._declared_state()):
            values = np.empty(declarations[-1][1].stop if declarations else 0, self.dtype)
            for _, part, _, declared in declarations:
                values[part] = declared.flat(declared.initializer.draw(random, declared.shape))
            vectors.append(self.backend.asarray(values))
        self.parameters, self.state = vectors
        self.gradients = self.backend.xp.zeros_like(self.parameters)
        self.hand_out_views()

    def hand_out_views(self) -> None:
        """Let each layer have its views of the vectors; no copy takes them along."""
        for _, part, layer, declared in self._declared():
            setattr(layer, declared.name, declared.view(self.parameters[part]))
            setattr(layer, f"d_{declared.name}", declared.view(self.gradients[part]))
        for _, part, layer, declared in self._declared_state():
            setattr(layer, declared.name, declared.view(self.state[part]))
        self.gate = Gate()

    def _declared(self) -> Declarations:
        """Return the name, slice, layer and declaration of each parameter, in order."""
        layers = self.walk(shared=False)
        return _with_slices((prefix, layer, d) for prefix, layer in layers for d in layer.declared)

    def _declared_state(self) -> Declarations:
        layers = self.walk(shared=False)
        return _with_slices(
            (prefix, layer, d) for prefix, layer in layers for d in layer.declared_state
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "gate"}

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
        parts = {prefix.rstrip("."): layer for prefix, layer in self.walk(shared=False) if prefix}
        chosen = [parts[one_of("part of the network", name, parts)] for name in names]
        for layer in parts.values():
            layer.trainable = all(layer is not other for other in chosen)
        self.frozen = self._arguments["frozen"] = tuple(dict.fromkeys(names))
        below = {id(layer) for part in chosen for _, layer in part.walk(shared=False)}
        learning: list[slice] = []
        for _, part, layer, _ in self._declared():
            if id(layer) in below:
                self.gradients[part] = 0
            elif learning and learning[-1].stop == part.start:
                learning[-1] = slice(learning[-1].start, part.stop)
            else:
                learning.append(part)
        self.learning = learning

    # -- arrays by name ------------------------------------------------------------------------

    def named_parameters(self) -> dict[str, Array]:
        """Return views of the parameters by name, such as ``"0.weights"``."""
        return {name: getattr(layer, d.name) for name, _, layer, d in self._declared()}

    def named_gradients(self) -> dict[str, Array]:
        """Return views of the gradients by the names of their parameters."""
        return {name: getattr(layer, f"d_{d.name}") for name, _, layer, d in self._declared()}

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
        to_numpy = self.backend.to_numpy
        return {name: np.array(to_numpy(a), order="C") for name, a in self.named_arrays().items()}

    def checked_tensors(self, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return values for all arrays of the network, or raise ValueError if they do not fit."""
        arrays, values = self.named_arrays(), {}
        for name in tensors:
            if name not in arrays:
                raise ValueError(f"the network has no array {name!r}{nearest(name, arrays)}")
        for name, array in arrays.items():
            if name not in tensors:
                raise ValueError(f"no value was given for the network's array {name!r}")
            given = np.asarray(tensors[name])
            if given.dtype.kind != "f" or not np.isfinite(given).all():
                raise ValueError(
                    f"{name!r} must hold finite floating-point numbers, got dtype {given.dtype}"
                    + ("" if given.dtype.kind != "f" else " with NaN or infinity")
                )
            if given.shape != array.shape:
                raise ValueError(f"{name!r} must have the shape {array.shape}, got {given.shape}")
            values[name] = given.astype(self.dtype)
        return values

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """Set all parameters and state by name; all names and shapes are checked first."""
        self._require_vectors()
        arrays, values = self.named_arrays(), self.checked_tensors(tensors)
        with self.changing():
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
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _with_slices(declarations: Iterator[tuple[str, Layer, Declared]]) -> Declarations:
    """Add the slice of each in its flat vector; the prefix becomes a name."""
    found: Declarations = []
    for prefix, layer, declared in declarations:
        start = found[-1][1].stop if found else 0
        part = slice(start, start + declared.size)
        found.append((prefix + declared.name, part, layer, declared))
    return found
