"""Centred differences against backprop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from salamandre.backend import Backend, get_backend
from salamandre.layer import Layer
from salamandre.losses import Loss
from salamandre.network import Network


@dataclass(frozen=True)
class GradientReport:
    """How far each gradient of backprop is from the numerical one.

    Attributes:
        errors: ‖numerical - backprop‖ / max(‖numerical‖ + ‖backprop‖, 1e-4) by name: ``"x"`` and
            the parameters. (A gradient that should be 0 differs from it by rounding.)
        tolerance: the largest error that passes.
    """

    errors: dict[str, float]
    tolerance: float

    @property
    def worst(self) -> float:
        """The largest error."""
        return max(self.errors.values())

    @property
    def passed(self) -> bool:
        """Whether no error is above the tolerance (a NaN is)."""
        return all(error <= self.tolerance for error in self.errors.values())

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        rows = [
            f"{name:<20} {error:.1e}  {'ok' if error <= self.tolerance else 'WRONG'}"
            for name, error in self.errors.items()
        ]
        return "\n".join(rows)


def gradient_check(
    component: Any,
    x: Any,
    target: Any = None,
    *,
    training: bool = True,
    labels: Any = None,
    tolerance: float = 1e-6,
    step: float = 1e-5,
    seed: int = 0,
    backend: str | Backend | None = None,
) -> GradientReport:
    """Compare backprop with (E(w + h) - E(w - h)) / 2h for x and for every parameter.

    Args:
        component: a layer, an activation or a loss (unused so far: it is built here, in
            float64), a list of layers, or a whole Network of dtype float64.
        x: a batch (N, ...), or a tuple of such. Keep it small: each number takes two passes.
        target: for a loss, its targets.
        training: as in ``compute``.
        labels: likewise.
        tolerance: the largest relative error that passes. Default 1e-6.
        step: h. Default 1e-5.
        seed: of the parameters and of the weights that sum the outputs to one number E.
        backend: what a component that is built here computes on.

    Returns:
        A report: true if all errors are within the tolerance; print it to see each.
    """
    random = np.random.default_rng([seed, 2])
    if isinstance(component, Loss):
        return _check_loss(component, x, target, tolerance, step, backend)
    if not isinstance(component, Network):
        layers = [component] if isinstance(component, Layer) else component
        several = isinstance(x, tuple)
        shape = [np.shape(part)[1:] for part in x] if several else np.shape(x)[1:]
        component = Network(
            copy.deepcopy(layers), shape, seed=seed, backend=backend, dtype="float64"
        )
        # Zeros and ones, the usual starts of biases and scales, would hide mistakes.
        nudge = random.normal(0, 0.1, component.parameters.shape)
        component.parameters += component.backend.asarray(nudge)
    network = component
    if network.dtype != np.float64:
        raise ValueError(f"gradient_check needs a Network of dtype float64, got {network.dtype}")
    side = network.backend
    several = isinstance(x, tuple)
    # Copies: they will be changed.
    inputs = [side.xp.array(side.asarray(a, dtype=np.float64)) for a in (x if several else (x,))]
    kept = copy.deepcopy(network.random.state)
    state = {name: array + 0 for name, array in network.named_state().items()}

    def compute() -> Any:
        network.random.state = copy.deepcopy(kept)  # the same noise and dropout every time
        for name, array in network.named_state().items():
            array[...] = state[name]
        given = tuple(inputs) if several else inputs[0]
        return network.compute(given, training=training, labels=labels)

    y = compute()
    weights = side.asarray(random.normal(size=y.shape))
    dx = network.backprop(weights)
    names = [f"x[{index}]" for index in range(len(inputs))] if several else ["x"]
    analytic = dict(zip(names, dx if several else [dx], strict=True))
    arrays = dict(zip(names, inputs, strict=True))
    for name, part, layer, declared in network.declarations():
        if network.learns(part):
            analytic[name] = getattr(layer, f"d_{declared.name}") + 0
            arrays[name] = getattr(layer, declared.name)
    errors = {}
    for name, array in arrays.items():
        numerical = _differences(lambda: float((compute() * weights).sum()), array, step)
        errors[name] = _relative_error(numerical, side.to_numpy(analytic[name]))
    compute()
    network.random.state = kept
    for name, array in network.named_state().items():
        array[...] = state[name]
    return GradientReport(errors, tolerance)


def _check_loss(
    loss: Loss,
    y: Any,
    target: Any,
    tolerance: float,
    step: float,
    backend: str | Backend | None,
) -> GradientReport:
    side = get_backend(backend)
    y = side.xp.array(side.asarray(y, dtype=np.float64))
    target = loss.check(target, y.shape, y.dtype, side)
    analytic = side.to_numpy(loss.compute(y, target, side.xp)[1])
    numerical = _differences(lambda: float(loss.compute(y, target, side.xp)[0]), y, step)
    return GradientReport({"y": _relative_error(numerical, analytic)}, tolerance)


def _differences(energy: Callable[[], float], array: Any, step: float) -> np.ndarray:
    """Return dE/darray by centred differences; ``energy`` reads the array."""
    result = np.empty(array.shape)
    for index in np.ndindex(*array.shape):
        value = float(array[index])
        array[index] = value + step
        high = energy()
        array[index] = value - step
        low = energy()
        array[index] = value
        result[index] = (high - low) / (2 * step)
    return result


def _relative_error(numerical: np.ndarray, analytic: np.ndarray) -> float:
    scale = float(np.linalg.norm(numerical) + np.linalg.norm(analytic))
    return float(np.linalg.norm(numerical - analytic)) / max(scale, 1e-4)
