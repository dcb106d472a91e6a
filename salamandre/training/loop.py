"""The training loop of engines and games: steps, callbacks, Ctrl-C, checkpoints."""

from __future__ import annotations

import os
import reprlib
import signal
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from salamandre import html
from salamandre.data.batches import EndlessBatches
from salamandre.network import Network
from salamandre.optimizer import advice
from salamandre.other_names import Told
from salamandre.parts import takes
from salamandre.training.checkpoint import Snapshot, State, read_checkpoint, write_checkpoint
from salamandre.training.divergence import NotFinite, grown, told
from salamandre.training.history import History, require_free
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
    if isinstance(callback, type) or not callable(callback) or not takes(callback, 1):
        hint = ""
        if isinstance(callback, type) and issubclass(callback, Callback):
            hint = f": make one, {callback.__name__}()"
        raise TypeError(
            f"a callback must be a Callback object or a function of the run, got {callback!r}{hint}"
        )
    return Called(callback)


class Loop(Told):
    """Base of :class:`Engine` and :class:`GanGame`, which differ in what a step is.

    A subclass defines :meth:`_take_step`, which appends to ``history``; ``steps_per_epoch``; and
    :meth:`_state`, the content of a checkpoint.

    Attributes:
        unit: the name of a step.
        batches: of training examples.
        history: see :class:`History`.
        planned: the total number of steps at the end of the latest run, earlier runs included.
        seconds: the duration of all runs, those before a resume included.
        interrupted: whether Ctrl-C ended the latest run.
        error: the exception that ended the latest run, or ``None``.
    """

    unit: ClassVar[str] = "step"
    batches: EndlessBatches
    ways = {
        "fit": "an Engine has run(epochs=10), a game play(rounds=10_000)",
        "predict": "its networks have predict(x)",
    }

    def __init__(self) -> None:
        self.history = History(self.unit)
        self.planned = 0
        self.seconds = 0.0
        self.interrupted = False
        self.error: BaseException | None = None
        self._stopping = self._resumed = False
        self._watchers: tuple[Callback, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.history}>"

    def _repr_html_(self) -> str:
        return html.paragraph(repr(self)) + (self.history._repr_html_() if self.step else "")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_watchers": ()}  # a copy is not running

    @property
    def step(self) -> int:
        """Steps taken so far, over all runs."""
        return len(self.history)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch."""
        raise NotImplementedError

    @property
    def epochs(self) -> int:
        """The total number of epochs at the end of the latest run, rounded up."""
        return -(-self.planned // self.steps_per_epoch)

    @property
    def seconds_left(self) -> float:
        """The estimated duration of the remaining steps, at the mean pace so far."""
        return (self.planned - self.step) * self.seconds / self.step if self.step else float("nan")

    @property
    def _networks(self) -> dict[str, Network]:
        """The networks that learn, by name."""
        return {}

    @property
    def recorded(self) -> list[str] | None:
        """The names of the metrics that callbacks record; ``None``: that of one is not known."""
        names: list[str] = []
        for callback in self._watchers:
            if callback.recorded is None:
                return None
            names += callback.recorded
        return names

    def stop(self) -> None:
        """End the run after the current step."""
        self._stopping = True

    def record(self, metrics: Mapping[str, float], **others: float) -> None:
        """Append metrics and ``others`` of the current step to the records; tell the callbacks.

        Raises:
            ValueError: a metric has the name of another entry; nothing is recorded.
        """
        require_free(metrics)
        values = {name: float(value) for name, value in {**others, **metrics}.items()}
        record = {self.unit: self.step, **values, "seconds": round(self.seconds, 3)}
        self.history.records.append(record)
        for callback in self._watchers:
            callback.on_record(self)

    def _take_step(self) -> None:
        """Take a step and append its values to the history."""
        raise NotImplementedError

    def _run(self, planned: int, callbacks: Callbacks) -> History:
        """Take steps until ``planned`` are done in all, or :meth:`stop` is called.

        The first Ctrl-C ends the run after the current step; a second one ends the program.

        Raises:
            Diverged: a value of a step became NaN or infinite; the step is named, and why.
        """
        if self._watchers:
            raise RuntimeError(f"{self!r} is running: a callback cannot start it again")
        callbacks = checked_callbacks(callbacks)
        self.planned = planned
        self.interrupted, self.error = False, None
        self._stopping = self._resumed = False
        started = time.perf_counter() - self.seconds
        latest = [self.seconds] * len(callbacks)  # of the latest ``on_step`` of each
        per_epoch = self.steps_per_epoch
        with self._interruptible(), self._watched(callbacks):
            try:
                while self.step < planned and not self._stopping:
                    self._take_step()
                    self.seconds = time.perf_counter() - started
                    for index, callback in enumerate(callbacks):
                        if callback.every.due(self.step, per_epoch, self.seconds - latest[index]):
                            callback.on_step(self)
                            latest[index] = time.perf_counter() - started
                self.history.read()  # on a GPU the last values are checked only here
            except NotFinite as error:
                error.args = (f"{error}: {self._reason(error)}",)
                raise
        return self.history

    def _reason(self, error: NotFinite) -> str:
        """Return why a run diverged, and what to do about it."""
        steps = self.history.steps
        found = grown(steps, error.before)
        clauses = told(found, steps, error.before, self.unit), error.found, self._cure(error, found)
        return "; ".join(filter(None, clauses))

    def _cure(self, error: NotFinite, found: Collection[str]) -> str:
        """Return what to do about it.

        Args:
            error: what became NaN or infinite.
            found: the names of the values that had grown before.
        """
        if error.cure and not found:
            return error.cure
        return advice({who: network.optimizer for who, network in self._networks.items()})

    def _tell_if_done(self, what: str, count: int, steps: int) -> None:
        """Warn if so many epochs or rounds, of so many steps each, are done already.

        That a resumed run was complete is no reason to warn: a program may be started again.
        """
        done = self.step // steps
        if done > count or (done == count and not self._resumed):
            warnings.warn(
                f"{what}={count} counts all {what} of earlier runs too, and {done:,} are done: "
                f"nothing is left to do; for {count:,} more give {what}={done + count}",
                stacklevel=3,
            )

    @contextmanager
    def _watched(self, callbacks: Sequence[Callback]) -> Iterator[None]:
        """Run ``on_start`` of the callbacks, and their ``on_end`` however the block ends."""
        self._watchers = tuple(callbacks)
        try:
            with ExitStack() as ends:
                started: list[Callback] = []
                try:
                    for callback in callbacks:
                        callback.on_start(self)
                        started.append(callback)
                    yield
                except BaseException as error:
                    self.error = error
                    raise
                finally:  # all that were started are called, even if one of them raises
                    for callback in reversed(started):  # a stack calls the last one pushed first
                        ends.callback(callback.on_end, self)
        except BaseException as error:
            self.error = self.error or error
            raise
        finally:
            self._watchers = ()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """End the run at the first Ctrl-C within the block, the program at the second one."""
        # Only the main thread receives signals. In the processes of repeated runs they are ignored.
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            yield
            return

        def handle(*_: Any) -> None:
            self.interrupted = self._stopping = True
            signal.signal(signal.SIGINT, previous)

        previous = signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    # -- checkpoints ---------------------------------------------------------------------------

    def _state(self) -> State:
        """Return the content of a checkpoint, without the history."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint for :meth:`resume`, a safetensors file, wholly or not at all.

        Raises:
            Diverged: there is NaN or infinity in it; the file stays as it was.
        """
        write_checkpoint(path, self._state(), self.history, self.batches.drawn, self.seconds)

    def snapshot(self) -> Snapshot:
        """Return a copy of networks, optimizers and random streams for :meth:`restore`."""
        return Snapshot(self._state())

    def restore(self, saved: str | os.PathLike[str] | Snapshot) -> None:
        """Put networks, optimizers and random streams back as they were.

        The history stays, and the next step takes the next batch.

        Args:
            saved: a snapshot of this run, or a checkpoint.

        Raises:
            FileNotFoundError, ValueError: see :meth:`resume`.
        """
        if isinstance(saved, Snapshot):
            saved.restore(self._state())
        else:
            read_checkpoint(saved, self._state(), self.unit)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Restore the state that :meth:`save` wrote; this run must have the same settings.

        A resumed run gives the same results as one that was never stopped, bit for bit, on the
        same backend and machine.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a damaged file, or one of another run; nothing has changed.
        """
        self.history, self.batches.drawn, self.seconds = read_checkpoint(
            path, self._state(), self.unit
        )
        self._resumed = True
