"""The training loop of engines and games: steps, callbacks, Ctrl-C, checkpoints."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import numpy as np

from salamandre import html
from salamandre.backend import Array
from salamandre.backend.group import ALONE, Group
from salamandre.data.batches import EndlessBatches
from salamandre.data.images import checksum
from salamandre.network import Network
from salamandre.optimizer import advice
from salamandre.told import Told
from salamandre.training.callback import Callback, Callbacks, checked_callbacks
from salamandre.training.checkpoint import Snapshot, State, read_checkpoint, write_checkpoint
from salamandre.training.divergence import NotFinite, grown, told
from salamandre.training.history import History, require_free


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
        group: the processes that take each step together; callbacks are called in rank 0 alone.
        interrupted: whether Ctrl-C ended the latest run.
        error: the exception that ended the latest run, or ``None``.
    """

    unit: ClassVar[str] = "step"
    batches: EndlessBatches
    group: Group = ALONE
    ways = {
        **dict.fromkeys(
            ("fit", "train", "run", "play", "learn"),
            "an Engine has run(epochs=10), a game play(rounds=10_000)",
        ),
        "predict": "its networks have predict(x)",
        "sample": "a game has generate(count)",
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
    def networks(self) -> dict[str, Network]:
        """The networks that learn, by name."""
        return {}

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that a checkpoint must share, in values of JSON."""
        return self._state().identity

    def samples(self, count: int) -> Array | None:
        """Return images (count, C, H, W) in 0..1 on the host that show what is learned, if any."""
        return None

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
            TypeError: a metric is no number.
        """
        require_free(metrics)
        values = {name: _number(name, value) for name, value in {**others, **metrics}.items()}
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
        callbacks = () if self.group.rank else checked_callbacks(callbacks)
        self.planned = planned
        self.interrupted, self.error = False, None
        self._stopping = self._resumed = False
        started = time.perf_counter() - self.seconds
        latest = [self.seconds] * len(callbacks)  # of the latest ``on_step`` of each
        per_epoch = self.steps_per_epoch
        with self._interruptible(), self.group.guard(NotFinite), self._watched(callbacks):
            try:
                self._require_equal()
                while self.step < planned and not self._ends():
                    self._take_step()
                    self.seconds = time.perf_counter() - started
                    for index, callback in enumerate(callbacks):
                        if callback.every.due(self.step, per_epoch, self.seconds - latest[index]):
                            with self.group.guard():
                                callback.on_step(self)
                            latest[index] = time.perf_counter() - started
                self.history.read()  # on a GPU the last values are checked only here
            except NotFinite as error:
                error.args = (f"{error}: {self._reason(error)}",)
                raise
        return self.history

    def _require_equal(self) -> None:
        """Refuse networks that differ between ranks, which steps would not make equal."""
        if self.group.size == 1:
            return
        for who, network in self.networks.items():
            sums = np.zeros(self.group.size)
            sums[self.group.rank] = checksum(network.backend.to_numpy(network.parameters))
            if len(set(self.group.all_reduce(sums))) > 1:
                raise ValueError(
                    f"the parameters of the {who} differ between the ranks of the group: make it "
                    f"from the same seed in each, and resume from the same checkpoint in each"
                )

    def _ends(self) -> bool:
        """Whether one of the ranks wants to stop; the learning rates of rank 0 hold for all."""
        group = self.group
        if group.size > 1:
            outer = [n.optimizer for n in self.networks.values() if n.optimizer]
            optimizers = [found for optimizer in outer for _, found in optimizer.walk("")]
            rates = [0.0 if group.rank else optimizer.learning_rate for optimizer in optimizers]
            said = np.array([self._stopping, self.interrupted, *rates], np.float64)
            stopping, interrupted, *rates = group.all_reduce(said).tolist()
            self._stopping |= stopping > 0  # a signal that came meanwhile counts in the next sum
            self.interrupted |= interrupted > 0
            for optimizer, rate in zip(optimizers, rates, strict=True):
                if optimizer.learning_rate != rate:  # a callback has set it
                    optimizer.learning_rate = rate
            return stopping > 0
        return self._stopping

    def _note(self, values: Mapping[str, Any]) -> None:
        """Append the values of a step to the history: their means over all ranks."""
        if self.group.size > 1:
            means = np.array([float(value) for value in values.values()])
            self.group.average(means)
            values = dict(zip(values, means.tolist(), strict=True))
        self.history.append(**values)

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
        return advice({who: network.optimizer for who, network in self.networks.items()})

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


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"the metric {name!r} must be a number, got {value!r}") from None
