"""The network: layers in a row over one flat vector of parameters."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from salamandre.backend import Array, Backend, get_backend
from salamandre.checks import nearest, one_of, whole
from salamandre.component import decode, encode
from salamandre.layer import Layer, Shape
from salamandre.layers.conditional import Conditional
from salamandre.losses import Loss
from salamandre.optimizers import Optimizer
from salamandre.storage import StoredFile, read_file, write_file


class Diverged(FloatingPointError):
    """The loss became NaN or infinite; the parameters are those before that step."""


class Network(Layer):
    """Layers in a row, their parameters in one flat vector, with a loss and an optimizer.

    Args:
        layers: in the order of computation; each object belongs to one network.
        input_shape: of one example, such as ``784`` or ``(1, 28, 28)``. Without it the network
            is a layer for another network, which builds it.
        loss: what :meth:`learn` minimises.
        optimizer: how :meth:`learn` and :meth:`step` change the parameters.
        seed: of the initial parameters, noise and dropout. Default 0.
        backend: a name or a Backend; default ``SALAMANDRE_BACKEND``, else ``"numpy"``.
        dtype: ``"float32"`` (default) or ``"float64"`` (for gradient checks).

    Attributes:
        parameters, gradients: the flat vectors of all parameters and of dE/dparameters.
        output_shape: of one example.
        steps: how many steps :meth:`step` and :meth:`learn` have taken.

    Raises:
        ValueError: layers whose shapes do not fit, wrong sizes, unknown names.
        RuntimeError: a backend that cannot be used here.
    """

    parameters: Array
    gradients: Array

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: int | Sequence[int] | None = None,
        loss: Loss | None = None,
        optimizer: Optimizer | None = None,
        seed: int = 0,
        backend: str | Backend | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.layers = self.children = tuple(layers)
        self._arguments["layers"] = self.layers  # the list that was given may change
        if not self.layers:
            raise ValueError("a Network needs at least one layer, got none")
        for what, value, base in (
            *(("each of a Network's layers", layer, Layer) for layer in self.layers),
            ("loss", loss, Loss),
            ("optimizer", optimizer, Optimizer),
        ):
            if not (isinstance(value, base) or (value is None and base is not Layer)):
                raise TypeError(f"{what} must be a salamandre.{base.__name__}, got {value!r}")
        self.loss = copy.copy(loss)
        self.optimizer = optimizer
        self.seed = whole("seed", seed, least=0)
        self._is_whole = input_shape is not None  # not a part of another network
        self._output: Shape | None = None
        if input_shape is not None:
            sizes = input_shape if isinstance(input_shape, Sequence) else (input_shape,)
            self.input_shape = tuple(whole("a dimension of input_shape", n) for n in sizes)
            name = getattr(dtype, "name", getattr(dtype, "__name__", dtype))  # np.float32 too
            self.dtype = np.dtype(one_of("dtype", name, ("float32", "float64")))
            self.backend = get_backend(backend)
            if optimizer is not None:
                optimizer.require_free()
            self.output_shape = self.build(self.input_shape)
            self._allocate()

    # -- building ------------------------------------------------------------------------------

    def build(self, input_shape: Shape) -> Shape:
        """Build the layers in a row; return the shape of the last one's output."""
        if self._is_whole and input_shape is not self.input_shape:
            raise ValueError("a Network with an input_shape cannot be a layer: leave it out")
        self._shapes = [input_shape]
        for index, layer in enumerate(self.layers):
            if layer.built:
                self._unbuild(index - 1)
                raise ValueError(
                    f"layer {index} ({layer!r}) is in a network already: make one for each place"
                )
            layer.built = True
            try:
                self._shapes.append(layer.build(self._shapes[-1]))
            except ValueError as error:
                self._unbuild(index)
                raise ValueError(f"layer {index} ({type(layer).__name__}): {error}") from None
        # Backprop may stop at the first layer that has something to learn.
        learners = [i for i, layer in enumerate(self.layers) if layer.parameter_count()]
        self._first = min(learners, default=0)
        return self._shapes[-1]

    def _unbuild(self, last: int) -> None:
        """Give the layers back as they were: a network that was refused has no claim on them."""
        for layer in self.layers[: last + 1]:
            for _, part in layer.walk():
                part.built = False
                part.declared.clear()
                part.declared_state.clear()

    def _allocate(self) -> None:
        """Lay out the flat vectors and hand each layer its views of them."""
        backend, xp = self.backend, self.backend.xp
        random = np.random.default_rng(self.seed)
        values = np.empty(self.parameter_count(), self.dtype)
        for _, part, _, declared in self._layout():
            initial = declared.initializer.draw(random, declared.shape)
            values[part] = declared.flat(initial)
        self.parameters = backend.asarray(values)
        self.gradients = xp.zeros_like(self.parameters)
        self.random = backend.stream([self.seed, 1])
        self._conditional = [layer for _, layer in self.walk() if isinstance(layer, Conditional)]
        for _, layer in self.walk():
            layer.backend, layer.xp, layer.dtype = backend, xp, self.dtype
            layer.random, layer._shared = self.random, self._shared
            for state in layer.declared_state:
                initial = state.initializer.draw(random, state.shape)
                setattr(layer, state.name, backend.asarray(initial, dtype=self.dtype))
        for _, part, layer, declared in self._layout():
            setattr(layer, declared.name, declared.view(self.parameters[part]))
            setattr(layer, f"d_{declared.name}", declared.view(self.gradients[part]))
        self._state = list(self.named_state().values())
        if self.loss is not None:
            self.loss.backend, self.loss.xp = backend, xp
        if self.optimizer is not None:
            self.optimizer.attach(backend, self.parameters)

    def _layout(self) -> Iterator[tuple[str, slice, Layer, Any]]:
        """Yield the name, place, layer and declaration of each parameter, in order."""
        start = 0
        for prefix, layer in self.walk():
            for declared in layer.declared:
                part = slice(start, start + declared.size)
                yield prefix + declared.name, part, layer, declared
                start = part.stop

    # -- learning ------------------------------------------------------------------------------

    def compute(self, x: Any, training: bool = True, labels: Any = None) -> Array:
        """Return the outputs (N, ...) for a batch x (N, *input_shape).

        Args:
            x: an array of the backend or of the host; it is kept for :meth:`backprop`.
            training: False turns dropout off and lets batch-norm use its running statistics.
            labels: whole numbers (N,), for a network with conditional layers.
        """
        if not self._is_whole:
            self._require_backend()
            return self.forward(x, training)
        x = self._check_input(x)
        self.condition(labels, len(x))
        return self._copy(self.forward(x, training))

    @property
    def classes(self) -> int | None:
        """The number of classes that its conditional layers know; ``None`` without such layers."""
        return min((layer.classes for layer in self._conditional), default=None)

    def condition(self, labels: Any, count: int) -> None:
        """Tell the conditional layers the labels (count,) of the batch to be computed next."""
        if labels is None:
            if self.classes:
                raise ValueError(
                    f"this network is conditional: it needs a label for each of {count} examples, "
                    f"labels=..."
                )
            return
        if not self.classes:
            raise ValueError("this network has no conditional layer: it takes no labels")
        if isinstance(labels, Sequence):
            labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.shape != (count,):
            raise ValueError(
                f"labels must be whole numbers of shape ({count},), got {labels.dtype} of shape "
                f"{labels.shape}"
            )
        known = (labels >= 0) & (labels < self.classes)
        # Those that lie on the host are looked at whatever the backend.
        if not (known.all() if isinstance(known, np.ndarray) else self.backend.all_true(known)):
            raise ValueError(f"labels must lie in 0..{self.classes - 1}")
        for layer in self._conditional:
            layer.labels = self.backend.asarray(labels)

    def forward(self, x: Array, training: bool = True) -> Array:
        """As :meth:`compute`, without checks: x fits, and what comes out is an inner buffer."""
        self._output = None
        for layer in self.layers:
            x = layer.compute(x, training)
        self._output = x.shape
        return x

    def predict(self, x: Any, batch_size: int = 256, labels: Any = None) -> Array:
        """As :meth:`compute` without training, in blocks so that memory stays small."""
        whole("batch_size", batch_size)
        x = self._check_input(x)
        self.condition(labels, len(x))
        parts = []
        for start in range(0, len(x), batch_size):
            block = slice(start, start + batch_size)
            if labels is not None:
                self.condition(labels[block], len(x[block]))
            parts.append(self._copy(self.forward(x[block], False)))
        self._output = None  # backprop belongs to compute
        return parts[0] if len(parts) == 1 else self.backend.xp.concatenate(parts)

    def backprop(self, dy: Any, update: bool = True) -> Array:
        """Carry dE/dy of the latest :meth:`compute` back through the layers.

        Args:
            dy: the shape of the outputs.
            update: write ``gradients``; False leaves them alone.

        Returns:
            dE/dx, the shape of the inputs.
        """
        if self._is_whole:
            if self._output is None:
                raise RuntimeError("backprop needs a compute before it: call compute(x) first")
            dy = self.backend.asarray(dy, dtype=self.dtype)
            if dy.shape != self._output:
                raise ValueError(
                    f"backprop expects dy of the latest outputs' shape {self._output}, "
                    f"got {dy.shape}"
                )
            self.input_gradient = True
            return self._copy(self.backward(dy, update))
        return self.backward(dy, update)

    def backward(self, dy: Array, update: bool = True, before_activation: bool = False) -> Any:
        """As :meth:`backprop`, without checks; dE/dx only where ``input_gradient`` asks for it."""
        last = 0 if self.input_gradient else self._first
        for index in range(len(self.layers) - 1, last - 1, -1):
            layer = self.layers[index]
            layer.input_gradient = index > last or self.input_gradient
            if not self.input_gradient and index == last + 1:
                layer.input_gradient = self.layers[last].learning_outputs
            if before_activation and index == len(self.layers) - 1:
                dy = layer.backprop_before_activation(dy, update)
            else:
                dy = layer.backprop(dy, update)
        return dy

    @property
    def output_activation(self) -> Layer | None:
        """The last layer's."""
        return self.layers[-1].output_activation

    def backprop_before_activation(self, dz: Array, update: bool = True) -> Array:
        """As :meth:`backprop`, from the gradient before the last activation."""
        return self.backward(dz, update, before_activation=True)

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return the derivative of the latest outputs along x_dot."""
        for layer in self.layers:
            x_dot = layer.compute_tangent(x_dot)
        return x_dot

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Carry dE/dy and dE/dy_dot back; write ``gradients``."""
        for layer in reversed(self.layers):
            dy, dy_dot = layer.backprop_tangent(dy, dy_dot)
        return dy, dy_dot

    def learn(self, x: Any, target: Any, labels: Any = None) -> Any:
        """Take one step on a batch: compute, loss, backprop, optimizer.

        Args:
            x: (N, *input_shape).
            target: what the loss compares with: labels (N,) or values (N, *output_shape).
            labels: see :meth:`compute`.

        Returns:
            The loss before the step: a float (on a GPU an array that ``float`` reads).

        Raises:
            ValueError: a batch that does not fit, NaN or infinity in it; nothing has changed.
            Diverged: the loss is NaN or infinite; the parameters have not changed.
        """
        self._require_backend()
        loss, optimizer = self.loss, self.optimizer
        if loss is None or optimizer is None:
            raise ValueError("learn needs a Network with a loss and an optimizer")
        x = self._check_input(x)
        target = loss.check(target, (len(x), *self.output_shape), self.dtype)
        self.condition(labels, len(x))
        state = [array + 0 for array in self._state]
        try:
            y = self.forward(x, training=True)
            dz = loss.gradient_before(self.output_activation, y, target)
            if dz is None:
                value, dy = loss.compute(y, target)
            else:
                value = loss.value(y, target)
            value = self.backend.scalar(value)
            if isinstance(value, float) and not math.isfinite(value):
                raise Diverged(
                    f"the loss became {value} at step {optimizer.steps + 1}: lower the learning "
                    f"rate ({optimizer.learning_rate:g}) or clip the gradient (clip_norm=1)"
                )
        except (ValueError, Diverged):  # running statistics go back with the step
            for array, before in zip(self._state, state, strict=True):
                array[...] = before
            raise
        self.input_gradient = False
        if dz is None:
            self.backward(dy, True)
        else:
            self.backward(dz, True, before_activation=True)
        optimizer.step(self.parameters, self.gradients)
        self._output = None  # backprop belongs to compute
        return value

    def step(self) -> None:
        """Apply the optimizer to ``gradients``."""
        if self.optimizer is None:
            raise ValueError("step needs a Network with an optimizer")
        self.optimizer.step(self.parameters, self.gradients)

    def _require_backend(self) -> None:
        if not hasattr(self, "backend"):
            raise ValueError(
                "this Network has no input_shape yet: give it one, or put it in another"
            )

    def _copy(self, array: Array) -> Array:
        """Return a copy for the caller, row by row in memory: layers reuse their buffers."""
        return self.backend.xp.array(array, order="C")

    def _check_input(self, x: Any) -> Array:
        x = self.backend.asarray(x)
        if x.dtype != self.dtype:
            if x.dtype.kind not in "fiub":
                raise ValueError(f"inputs must be real numbers, got dtype {x.dtype}")
            with np.errstate(over="ignore"):  # what is too large is found infinite below
                x = x.astype(self.dtype)
        if x.shape[1:] != self.input_shape or x.ndim == 0:
            raise ValueError(
                f"expected a batch of shape (N, {str(self.input_shape)[1:].rstrip(',)')}), "
                f"got {x.shape}"
            )
        if len(x) == 0:
            raise ValueError(f"expected at least one example, got an empty batch {x.shape}")
        if not self.backend.all_finite(x):
            raise ValueError("the inputs hold NaN or infinity: clean them first")
        return x

    # -- names, state and files ----------------------------------------------------------------

    def named_parameters(self) -> dict[str, Array]:
        """Return views of the parameters by name, such as ``"0.weights"``."""
        return {name: getattr(layer, d.name) for name, _, layer, d in self._layout()}

    def named_gradients(self) -> dict[str, Array]:
        """Return views of the gradients by the names of their parameters."""
        return {name: getattr(layer, f"d_{d.name}") for name, _, layer, d in self._layout()}

    def named_state(self) -> dict[str, Array]:
        """Return the arrays that no optimizer touches, such as ``"1.running_mean"``."""
        return {
            prefix + state.name: getattr(layer, state.name)
            for prefix, layer in self.walk()
            for state in layer.declared_state
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Return copies on the host of all parameters and state by name."""
        arrays = {**self.named_parameters(), **self.named_state()}
        return {name: np.array(self.backend.to_numpy(a), order="C") for name, a in arrays.items()}

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """Set all parameters and state by name; all names and shapes are checked first."""
        arrays = {**self.named_parameters(), **self.named_state()}
        for name in tensors:
            if name not in arrays:
                raise ValueError(f"the network has no array {name!r}{nearest(name, arrays)}")
        values = {}
        for name, array in arrays.items():
            if name not in tensors:
                raise ValueError(f"no value was given for the network's array {name!r}")
            given = np.asarray(tensors[name])
            if given.dtype.kind != "f" or not np.isfinite(given).all():
                raise ValueError(
                    f"{name!r} must hold finite floating-point numbers, got dtype {given.dtype}"
                    + ("" if given.dtype.kind != "f" else " with NaN or infinity")
                )
            values[name] = given.astype(self.dtype)
            if values[name].shape != array.shape:
                raise ValueError(
                    f"{name!r} must have the shape {array.shape}, got {values[name].shape}"
                )
        for name, value in values.items():
            arrays[name][...] = self.backend.asarray(value)

    def config(self) -> dict[str, Any]:
        """Return the constructor arguments, but for the backend: a saved network has none."""
        config = {name: value for name, value in super().config().items() if name != "backend"}
        return {**config, "dtype": self.dtype.name} if self._is_whole else config

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write architecture and weights to a safetensors file, wholly or not at all."""
        self._require_backend()
        write_file(path, "network", encode(self), self.tensors())

    @classmethod
    def load(cls, path: str | os.PathLike[str], backend: str | Backend | None = None) -> Network:
        """Build a network from a file that :meth:`save` wrote. Nothing in it is executed.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a damaged file, or one of another format or version; the file is named.
        """
        return network_from(read_file(path, "network"), backend)

    def summary(self) -> str:
        """Return a table of the layers, their output shapes and parameter counts."""
        self._require_backend()
        rows = [("layer", "output", "parameters"), ("input", str(self.input_shape), "")]
        for index, layer in enumerate(self.layers):
            shape = str(self._shapes[index + 1])
            rows.append((f"{index} {layer!r}", shape, f"{layer.parameter_count():,}"))
        rows.append(("total", "", f"{self.parameter_count():,}"))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def network_from(stored: StoredFile, backend: str | Backend | None = None) -> Network:
    """Build the network that ``stored.architecture`` describes and fill it from its tensors."""
    with stored.blame():
        description = stored.architecture
        if not isinstance(description, dict) or description.get("class") != "layers.Network":
            raise ValueError("it does not describe a Network")
        # Sizes are compared with the tensors at hand before memory is taken for them.
        for layer in description.get("layers", ()):
            if isinstance(layer, dict) and layer.get("input_shape") is not None:
                raise ValueError("a network inside it has an input_shape of its own")
        sketch = decode({**description, "input_shape": None, "optimizer": None, "loss": None})
        shape = description.get("input_shape")
        if not isinstance(shape, (int, list)):
            raise ValueError(f"its input_shape is {shape!r}")
        sketch.build((shape,) if isinstance(shape, int) else tuple(shape))
        wanted = {p + d.name: d.shape for p, la in sketch.walk() for d in la.declared}
        found = {name: stored.tensors[name].shape for name in wanted if name in stored.tensors}
        if wanted != found:
            name = next(name for name in wanted if wanted[name] != found.get(name))
            raise ValueError(
                f"its architecture needs {name!r} of shape {wanted[name]}, "
                f"it holds {found.get(name, 'none')}"
            )
        arguments = {k: decode(v) for k, v in description.items() if k != "class"}
        network = Network(**arguments, backend=backend)
        network.load_tensors(stored.tensors)
    return network
