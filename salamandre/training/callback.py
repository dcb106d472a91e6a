"""The base of callbacks: what is called while an engine or a game runs."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Callable, Collection, Iterable
from typing import Any

from salamandre.component import Component
from salamandre.parts import takes
from salamandre.told import Told
from salamandre.training.triggers import Epochs, Steps, Trigger, trigger


class Callback(Told):
    """Base of callbacks of engines and games: override the methods you need.

    Attributes:
        every: how often :meth:`on_step` is called, such as ``Epochs(1)``. Default every step.
        recorded: the names of the metrics that it records. Default ``None``, not known; not
            inherited, since a derived class may record more.
    """

    every: Trigger = Steps(1)
    recorded: Collection[str] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "recorded" not in vars(cls):
            cls.recorded = None

    def __repr__(self) -> str:
        known = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        arguments = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in known.items())
        return f"{type(self).__name__}({arguments})"

    def on_start(self, run: Any) -> None:
        """Run before the first step; ``run`` is the engine or the game."""

    def on_step(self, run: Any) -> None:
        """Run after a step, as often as ``every`` says."""

    def on_record(self, run: Any) -> None:
        """Run after each test or evaluation; its record is ``run.history.records[-1]``."""

    def on_end(self, run: Any) -> None:
        """Run at the end, also of a run that was interrupted or failed (``run.error``)."""


class Called(Callback):
    """Calls a function of the run after each epoch.

    Args:
        function: such as ``lambda run: print(run.history)``.
    """

    every = Epochs(1)

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def on_step(self, run: Any) -> None:
        """Call the function."""
        self.function(run)


Callbacks = Iterable[Callback | Callable[[Any], Any]] | Callback | Callable[[Any], Any]


def checked_callbacks(callbacks: Callbacks | None) -> tuple[Callback, ...]:
    """Return callbacks as a tuple: one or several, or functions of the run (:class:`Called`).

    Raises:
        TypeError: something else than Callback objects and functions, or one whose ``every`` is no
            trigger.
    """
    if not isinstance(callbacks, Iterable):
        callbacks = () if callbacks is None else (callbacks,)
    return tuple(map(_checked, callbacks))


def _checked(callback: Any) -> Callback:
    """Return a callback, or that of a function."""
    if isinstance(callback, Callback):
        trigger(f"{type(callback).__name__} every", callback.every)
        for name in dir(callback):
            method = name.startswith("on_") and callable(getattr(callback, name))
            if method and not hasattr(Callback, name):
                warnings.warn(
                    f"{type(callback).__name__}.{name} is not called by a run, which calls "
                    f"on_start, on_step (as often as every says), on_record and on_end",
                    stacklevel=4,
                )
        return callback
    wrong = isinstance(callback, (type, Component)) or not callable(callback)
    if wrong or not takes(callback, 1):
        hint = ""
        if isinstance(callback, type) and issubclass(callback, Callback):
            hint = f": make one, {callback.__name__}()"
        raise TypeError(
            f"a callback must be a Callback object or a function of the run, got {callback!r}{hint}"
        )
    return Called(callback)
