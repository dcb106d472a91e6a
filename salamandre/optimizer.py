"""Optimizers: what a gradient does to a parameter, written for one element at a time.

An optimizer's :meth:`Optimizer.rule` is the formula of its paper for a single parameter p, its
gradient g and the optimizer's memory of it. The backend sweeps the rule over the network's flat
vectors: as one compiled loop over numbers, block by block over arrays, or on a GPU. A rule may use
arithmetic and NumPy's ufuncs, changes its arguments in place where they are arrays (``p -= ...``),
and returns them; its scalars come in as arguments, already of the right precision.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salamandre.backend import Array, Backend
from salamandre.backend.operations.update import update
from salamandre.checks import real
from salamandre.component import Component, is_ours
from salamandre.other_names import OPTIMIZER
from salamandre.parts import checked_part, takes
from salamandre.schedules import Constant, Schedule
from salamandre.told import argument

Marked = Sequence[tuple[slice, Any]]
CLIPS = ("clip_norm", "clip_value", "clip_weights")  # options of all optimizers


class Optimizer(Component, abstract=True):
    """Base of optimizers. Your own one needs ``slots``, :meth:`scalars` and :meth:`rule`.

    Args:
        learning_rate: a number, or a :class:`Schedule` of the step.
        options: any of

            - ``clip_norm``: scales the whole gradient down to this Euclidean norm at most
              (Pascanu, Mikolov, Bengio 2013, algorithm 1);
            - ``clip_value``: holds every element of the gradient in [-clip_value, clip_value];
            - ``weight_decay`` (default 0): then adds weight_decay · p to the gradient, the
              derivative of an L2 penalty, for all parameters, biases included (:class:`AdamW`
              decays p itself instead);
            - ``clip_weights``: holds every parameter in [-clip_weights, clip_weights] after the
              step (Arjovsky et al. 2017, algorithm 1).

    Attributes:
        slots: the names of the vectors that the rule remembers, in the order that it takes them.
        proportional: whether a step is as long as its gradient, up to a factor; rules that divide
            by the gradient's size are not. Default False.
        steps: how many steps were taken, one number for all parameters: parts that were frozen
            in some of them have the corrections of :class:`Adam` for all.
        memory: the remembered vectors by name.

    A parameter that its layer has declared with a ``rate`` learns by that multiple of the rate.
    """

    kind = "optimizers"
    required = {"rule": "step"}
    sets = "schedule"

    slots: ClassVar[tuple[str, ...]] = ()
    inner: ClassVar[tuple[str, ...]] = ()  # the attributes that are optimizers
    proportional: ClassVar[bool] = False
    _OPTIONS: ClassVar[tuple[str, ...]] = ("weight_decay", *CLIPS)

    def __init__(self, learning_rate: float | Schedule, **options: float | None) -> None:
        unknown = set(options) - set(self._OPTIONS)
        if not options.get("weight_decay"):
            unknown.discard("weight_decay")  # 0 in files of earlier versions
        if unknown:
            name = sorted(unknown)[0]
            known = [n for n in self._signature().parameters if n != "options"]
            raise TypeError(
                f"{type(self).__name__} has no option {name!r}"
                f"{argument(name, (*known, *self._OPTIONS))} (options: {', '.join(self._OPTIONS)})"
            )
        if isinstance(learning_rate, Schedule) or callable(learning_rate):
            self.schedule = checked_part("a learning_rate that changes", learning_rate, Schedule)
        elif hasattr(learning_rate, "shape") and learning_rate.shape:
            raise ValueError(
                f"a learning rate must be a number, got an array: a {type(self).__name__} gets the "
                f"parameters from its network"
            )
        else:
            self.schedule = Constant(learning_rate)
        self.weight_decay = real("weight_decay", options.get("weight_decay") or 0.0, 0)
        self.clip_norm = _positive("clip_norm", options.get("clip_norm"))
        self.clip_value = _positive("clip_value", options.get("clip_value"))
        self.clip_weights = _positive("clip_weights", options.get("clip_weights"))
        self._backend: Backend | None = None
        self._rates: Marked = []  # the multiples that are not 1
        self.steps = 0
        self.memory: dict[str, Array] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; the numbers of these are asked for in each step."""
        if name in ("steps", "_steps", "schedule"):
            object.__setattr__(self, name, value)
        elif name in OPTIMIZER and is_ours(type(self)):  # others may
            raise AttributeError(f"{type(self).__name__} has no {name}: {OPTIMIZER[name]}")
        else:
            super().__setattr__(name, value)

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        if self._backend is not None:
            self._backend.require_no_recording("an optimizer's steps")
        return self._steps

    @steps.setter
    def steps(self, steps: int) -> None:
        self._steps = steps

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; set it to a number to hold it there.

        Raises:
            ValueError: the schedule gives none, such as a negative one.
        """
        rate: Any = math.inf
        try:
            rate = self.schedule(self.steps)
            if 0 <= rate < math.inf:
                return rate
        except (OverflowError, TypeError):  # of 10.0 ** 400, of None
            pass
        raise ValueError(
            f"{self.schedule!r} must give a finite learning rate of at least 0, got {rate!r} for "
            f"step {self.steps}"
        )

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.schedule = Constant(rate)

    def attach(self, backend: Backend, parameters: Array, declarations: Iterable[Any] = ()) -> None:
        """Allocate the memory for these parameters; a network calls this once.

        Args:
            backend: of the parameters.
            parameters: the flat vector.
            declarations: of the arrays in it, see :meth:`FlatVectors.declarations`: their multiples
                of the rate and, for optimizers that ask for them, their shapes.
        """
        self.require_free()
        self._backend = backend
        self._rates = [(part, d.rate) for _, part, _, d in declarations if d.rate != 1]
        self.memory = {name: backend.xp.zeros_like(parameters) for name in self.slots}

    def walk(self, name: str) -> Iterator[tuple[str, Optimizer]]:
        """Yield the optimizer and those inside of it, under ``name`` and longer names."""
        yield name, self
        for part in self.inner:
            yield from getattr(self, part).walk(f"{name}/{part}")

    def check_rule(self) -> None:
        """Try the rule on arrays, before it is compiled or changes parameters."""
        slots, scalars = len(self.slots), self.scalars()
        found = None
        if takes(self.rule, 2 + slots + len(scalars)):
            with np.errstate(all="ignore"):
                arrays = [np.full(1, 0.5) for _ in range(2 + slots)]
                found = self.rule(*arrays, *scalars)
        if not (isinstance(found, tuple) and len(found) == 1 + slots):
            raise TypeError(
                f"{type(self).__name__}.rule must take p, g, the slots {self.slots!r} and the "
                f"{len(scalars)} numbers of scalars(), and return p and the slots as a tuple"
            )

    def follow(self, parameters: Array) -> None:
        """Take note that a network's parameters were set, not learned."""
        for part in self.inner:
            getattr(self, part).follow(parameters)

    def require_free(self) -> None:
        """Raise ValueError if a network has this optimizer already."""
        if self._backend is not None:
            raise ValueError(
                f"this {type(self).__name__} belongs to a network already and remembers its "
                f"gradients: make a new one for each network"
            )

    def step(
        self,
        parameters: Array,
        gradients: Array,
        parts: Sequence[slice] = (slice(None),),
    ) -> None:
        """Change the parameters in place; weight decay and clipping change the gradients too.

        Args:
            parameters: a flat vector.
            gradients: of its shape; zero outside of ``parts``.
            parts: of the vectors that learn. Default: all.
        """
        if self._backend is None:
            raise ValueError(
                f"this {type(self).__name__} is not attached to a network: give it to "
                f"Network(...), or change the learning_rate of the one that it has"
            )
        backend, xp = self._backend, self._backend.xp
        self.clip(gradients)
        memory, scalars = list(self.memory.values()), {}
        for rate in {1.0, *(rate for _, rate in self._rates)}:
            ask = self.scalars if rate == 1 else functools.partial(self._multiple, rate)
            scalars[rate] = backend.numbers(ask, gradients.dtype)
        for part, rate in divided(parts, self._rates, parameters.size, 1.0):
            p, g = parameters[part], gradients[part]
            if self.weight_decay:
                update(backend, _decay, g, p, (), (self.weight_decay,))
            update(backend, self.rule, p, g, [vector[part] for vector in memory], scalars[rate])
            if self.clip_weights is not None:
                xp.minimum(p, self.clip_weights, out=p)
                xp.maximum(p, -self.clip_weights, out=p)
        backend.outside(self._count)

    def _count(self) -> None:
        vars(self)["_steps"] += 1

    def clip(self, gradients: Array) -> None:
        """Clip a vector of gradients as the options say."""
        if (self.clip_value is None and self.clip_norm is None) or not gradients.size:
            return
        assert self._backend is not None
        xp = self._backend.xp
        if self.clip_value is not None:
            xp.minimum(gradients, self.clip_value, out=gradients)
            xp.maximum(gradients, -self.clip_value, out=gradients)
        if self.clip_norm is not None:
            largest = xp.abs(gradients).max() + 1e-30  # squares of large numbers would overflow
            scaled = gradients / largest
            norm = largest * xp.sqrt(xp.dot(scaled, scaled))
            gradients *= xp.minimum(self.clip_norm / (norm + 1e-6), 1)

    @property
    def descends(self) -> bool:
        """Whether a step is p ← p - η g and nothing else."""
        return False

    def descend(self, change: Callable[[float], None]) -> None:
        """Take a step by ``change(η)``, which changes the parameters."""
        change(self.learning_rate)
        self._count()

    def scalars(self) -> tuple[float, ...]:
        """Return the numbers of the next step that :meth:`rule` takes last."""
        return (self.learning_rate,)

    def _multiple(self, rate: float) -> tuple[float, ...]:
        """Return :meth:`scalars` of a multiple of the learning rate."""
        schedule, self.schedule = self.schedule, Constant(rate * self.learning_rate)
        try:
            return self.scalars()
        finally:
            self.schedule = schedule

    @staticmethod
    def rule(p: Any, g: Any, *arguments: Any) -> tuple[Any, ...]:
        """Return p and the slots after a step, from p, g, the slots and the scalars."""
        raise NotImplementedError


def divided(
    parts: Iterable[slice], marked: Marked, size: int, other: Any = None
) -> Iterator[tuple[slice, Any]]:
    """Yield parts of a vector, cut at the marked slices in them, each with its mark.

    Args:
        parts: in order.
        marked: slices in order, which lie in a part or in none, and their marks.
        size: of the vector.
        other: the mark of what is not marked. Default ``None``.
    """
    for part in parts:
        start, stop, _ = part.indices(size)
        for piece, mark in marked:
            if start <= piece.start < piece.stop <= stop:
                if start < piece.start:
                    yield slice(start, piece.start), other
                yield piece, mark
                start = piece.stop
        if start < stop:
            yield slice(start, stop), other


def advice(optimizers: Mapping[str, Optimizer | None]) -> str:
    """Return which settings to change after a run diverged, as a clause; empty without optimizers.

    Args:
        optimizers: by the names of their networks.
    """
    rates, unbounded = [], []
    for who, outer in optimizers.items():
        assert outer is not None
        for name, optimizer in outer.walk(who):
            if optimizer is not outer and optimizer.schedule is outer.schedule:
                continue  # of a Lookahead, whose settings they are
            rates.append(f"{name} {optimizer.learning_rate:g}")
            clipped = optimizer.clip_norm is not None or optimizer.clip_value is not None
            if optimizer.proportional and not clipped:
                unbounded.append(name)
    if not rates:
        return ""
    text = f"lower the learning rate ({', '.join(rates)})"
    if unbounded:
        text += f" or clip the gradient of the {' and the '.join(unbounded)} (clip_norm=1)"
    return text


def _positive(name: str, value: float | None) -> float | None:
    return None if value is None else real(name, value, 0, above=True)


def _decay(g: Any, p: Any, decay: Any) -> tuple[Any, ...]:
    g += decay * p
    return (g,)
