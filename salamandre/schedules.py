"""Learning rates, or weights of penalties, that change with the number of steps taken."""

from __future__ import annotations

import math

from salamandre.checks import real, whole
from salamandre.component import Component


class Schedule(Component, abstract=True):
    """Base of schedules: a learning rate for each step, the first step being 0."""

    kind = "schedules"
    __setattr__ = object.__setattr__  # type: ignore[assignment]  # no step holds its attributes
    required = {"__call__": ""}

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        raise NotImplementedError


class Constant(Schedule):
    """The same rate always; a plain number given to an optimizer means this."""

    def __init__(self, rate: float) -> None:
        self.rate = real("learning_rate", rate, 0)

    def __call__(self, step: int) -> float:
        """Return the rate."""
        return self.rate


class StepDecay(Schedule):
    """rate · factor^⌊step / every⌋.

    Args:
        rate: at the start.
        every: steps between two changes.
        factor: of each change. Default 0.1.
    """

    def __init__(self, rate: float, every: int, factor: float = 0.1) -> None:
        self.rate = real("StepDecay rate", rate, 0)
        self.every = whole("StepDecay every", every)
        self.factor = real("StepDecay factor", factor, 0, above=True)

    def __call__(self, step: int) -> float:
        """Return the rate of a step."""
        return self.rate * self.factor ** (step // self.every)


class ExponentialDecay(Schedule):
    """rate · factor^step.

    Args:
        rate: at the start.
        factor: of each step, such as 0.9999.
    """

    def __init__(self, rate: float, factor: float) -> None:
        self.rate = real("ExponentialDecay rate", rate, 0)
        self.factor = real("ExponentialDecay factor", factor, 0, 1, above=True)

    def __call__(self, step: int) -> float:
        """Return the rate of a step."""
        return self.rate * self.factor**step


class CosineDecay(Schedule):
    """Half a cosine from ``rate`` to ``final`` (Loshchilov and Hutter 2017, equation 5).

    Args:
        rate: from which the cosine goes to ``final``.
        steps: the step at which ``final`` is reached; it holds from there on.
        warmup: steps of linear growth to ``rate`` before the cosine starts. Default 0.
        final: the last rate. Default 0.
    """

    def __init__(self, rate: float, steps: int, warmup: int = 0, final: float = 0.0) -> None:
        self.rate = real("CosineDecay rate", rate, 0)
        self.steps = whole("CosineDecay steps", steps)
        self.warmup = whole("CosineDecay warmup", warmup, least=0)
        self.final = real("CosineDecay final", final, 0)
        if self.warmup >= self.steps:
            raise ValueError(
                f"CosineDecay warmup must be shorter than its {steps} steps, got {warmup}"
            )

    def __call__(self, step: int) -> float:
        """Return the rate of a step."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.final + (self.rate - self.final) * (1 + math.cos(math.pi * done)) / 2


class Triangle(Schedule):
    """A straight line up to the highest rate, and one down to the last (Smith and Topin 2018).

    Args:
        rate: the highest.
        steps: the step at which ``final`` is reached; it holds from there on.
        peak: the share of the steps before the highest rate. Default 0.23 (Jordan 2024).
        first: the rate of the first step, as a share of the highest. Default 0.2.
        final: the last rate, as a share of the highest. Default 0.07.
    """

    def __init__(
        self, rate: float, steps: int, peak: float = 0.23, first: float = 0.2, final: float = 0.07
    ) -> None:
        self.rate = real("Triangle rate", rate, 0)
        self.steps = whole("Triangle steps", steps)
        self.peak = real("Triangle peak", peak, 0, 1, above=True, below=True)
        self.first = real("Triangle first", first, 0, 1)
        self.final = real("Triangle final", final, 0, 1)

    def __call__(self, step: int) -> float:
        """Return the rate of a step."""
        share = min(1.0, step / self.steps)
        if share < self.peak:
            return self.rate * (self.first + (1 - self.first) * share / self.peak)
        return self.rate * (1 + (self.final - 1) * (share - self.peak) / (1 - self.peak))
