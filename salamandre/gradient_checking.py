"""Centred differences against backprop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from salamandre.backend import Backend, get_backend
from salamandre.gradient_mistakes import Trial, copied, in_tuple, same
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
        mistakes: a sentence for each other mistake that was found.
    """

    errors: dict[str, float]
    tolerance: float
    mistakes: tuple[str, ...] = ()

    @property
    def worst(self) -> float:
        """The largest error, NaN if one is."""
        return float(np.max(list(self.errors.values())))

    @property
    def passed(self) -> bool:
        """Whether there is no mistake and no error above the tolerance (a NaN is)."""
        right = all(error <= self.tolerance for error in self.errors.values())
        return right and not self.mistakes

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        rows = [
            f"{name:<20} {error:.1e}  {'ok' if error <= self.tolerance else 'WRONG'}"
            for name, error in self.errors.items()
        ]
        return "\n".join([*rows, *self.mistakes])


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

    The parameters are those of the network's own vectors, from which it learns. It looks for other
    mistakes too: gradients that are not written at each call, arrays of others that are changed,
    a batch that is kept in the layer, outputs of another shape or dtype than was said, and
    gradients that are wrong for another number of examples or without training.

    Args:
        component: a layer, an activation or a loss (unused so far: it is built here, in
            float64), a list of layers, or a whole Network of dtype float64.
        x: a batch (N, ...), or a tuple of such. Keep it small: each number takes two passes.
        target: of a loss, its targets.
        training: as in ``compute``. Default True.
        labels: likewise, of conditional layers.
        tolerance: the largest relative error that passes. Default 1e-6.
        step: h. Default 1e-5.
        seed: of the parameters and of the weights that sum the outputs to one number E. Default 0.
        backend: what a component that is built here computes on. Default as for networks.

    Returns:
        A report: true if all errors are within the tolerance; print it to see each.

    Raises:
        TypeError: a component that lacks something, such as a method; what it is, is said.
    """
    if isinstance(component, Loss):
        return _check_loss(component, x, target, tolerance, step, backend)
    random = np.random.default_rng([seed, 2])
    mistakes: dict[str, None] = {}
    if not (isinstance(component, Network) and component.owns_vectors):
        layers = [component] if isinstance(component, Layer) else component
        shapes = [np.shape(part)[1:] for part in in_tuple(x)]
        shape = shapes if isinstance(x, tuple) else shapes[0]

        def network(dtype: str) -> Network:
            return Network(copy.deepcopy(layers), shape, seed=seed, backend=backend, dtype=dtype)

        single = Trial(network("float32"), x, labels, training)
        with single.watch.looking():  # at dtypes, of which float64 tells nothing
            single.network.backprop(single.compute())
        mistakes |= single.mistakes
        component = network("float64")
        # Zeros and ones, the usual starts of biases and scales, would hide mistakes.
        nudge = random.normal(0, 0.1, component.parameters.shape)
        component.parameters += component.backend.asarray(nudge)
    if component.dtype != np.float64:
        raise ValueError(f"gradient_check needs a Network of dtype float64, got {component.dtype}")
    trial = Trial(component, x, labels, training)
    try:
        errors = _errors(trial, random, step)
        trial.probe()
        mistakes |= trial.mistakes
        report = GradientReport(errors, tolerance, tuple(mistakes))
        found = [_mistake(*row, random, step, tolerance) for row in trial.others() if report]
        return replace(report, mistakes=report.mistakes + tuple(filter(None, found)))
    finally:
        trial.restore()


def _errors(
    trial: Trial, random: np.random.Generator, step: float, along: bool = False
) -> dict[str, float]:
    """Return the relative error of each gradient g, see :class:`GradientReport`.

    With ``along`` a cheaper one: |numerical - v·g| / max(‖g‖, 1e-4) for the derivative along one
    random direction v of length 1.
    """
    side = trial.network.backend
    y = trial.compute()
    weights = side.asarray(random.normal(size=y.shape))
    analytic, errors = trial.backprop(weights), {}
    for name, array in trial.arrays().items():

        def energy() -> float:
            return float((trial.compute() * weights).sum())

        gradient = side.to_numpy(analytic[name])
        if along:
            direction = random.normal(size=array.shape)
            direction /= np.linalg.norm(direction)
            numerical = _difference_along(energy, array, side.asarray(direction), step)
            scale = max(float(np.linalg.norm(gradient)), 1e-4)
            errors[name] = abs(numerical - float((direction * gradient).sum())) / scale
        else:
            errors[name] = _relative_error(_differences(energy, array, step), gradient)
    return errors


def _mistake(
    when: str, trial: Trial, random: np.random.Generator, step: float, tolerance: float
) -> str:
    """Return a sentence if gradients are wrong in other circumstances."""
    try:
        errors = _errors(trial, random, step, along=True)
    except ValueError:
        return ""  # a layer may refuse the batch
    wrong = [name for name, error in errors.items() if not error <= 10 * tolerance]
    return f"{when} the gradients of {', '.join(wrong)} are wrong" if wrong else ""


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
    given = copied(y), copied(target)
    analytic = copied(loss.evaluate(y, target, side)[1])
    name = f"{type(loss).__name__}.compute"
    mistakes = [] if same((y, target), given) else [f"{name} changes y or the target"]
    y, target = copied(given)
    numerical = _differences(
        lambda: float(loss.evaluate(copied(y), copied(target), side)[0]), y, step
    )
    error = _relative_error(numerical, side.to_numpy(analytic))
    return GradientReport({"y": error}, tolerance, tuple(mistakes))


def _differences(energy: Callable[[], float], array: Any, step: float) -> np.ndarray:
    """Return dE/darray by centred differences; ``energy`` reads the array."""
    result = np.empty(array.shape)
    for index in np.ndindex(*array.shape):
        value = float(array[index])
        try:
            array[index] = value + step
            high = energy()
            array[index] = value - step
            low = energy()
        finally:  # also after Ctrl-C
            array[index] = value
        result[index] = (high - low) / (2 * step)
    return result


def _difference_along(
    energy: Callable[[], float], array: Any, direction: Any, step: float
) -> float:
    """Return the derivative of E along a direction of the array by centred differences."""
    kept = array + 0
    try:
        array[...] = kept + step * direction
        high = energy()
        array[...] = kept - step * direction
        low = energy()
    finally:
        array[...] = kept
    return (high - low) / (2 * step)


def _relative_error(numerical: np.ndarray, analytic: np.ndarray) -> float:
    scale = float(np.linalg.norm(numerical) + np.linalg.norm(analytic))
    return float(np.linalg.norm(numerical - analytic)) / max(scale, 1e-4)
