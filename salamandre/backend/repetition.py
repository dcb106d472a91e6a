"""Steps that launch the same device work each time: recorded once, then replayed as a whole.

A step of a small network takes a GPU less time than Python needs to launch its kernels one by one.
A recording is launched at once. It holds pointers and numbers as they were, so a step is recorded
only if nothing else can change: its work must be a function of its arrays, of arrays that stay in
their place (parameters, running statistics, the state of random streams), of what ``key`` says, and
of numbers that are asked for anew at each replay (the learning rate): :meth:`Backend.numbers`.
"""

from __future__ import annotations

import functools
import threading
import warnings
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol

import numpy as np

from salamandre.backend.base import Array, Backend

EAGER = 2  # calls before a step is recorded: they compile its kernels
KEPT = 4  # recordings of a step: each has memory of its own
ASKED = 256  # numbers that the host may give to a recording, or get of it

Numbers = Mapping[str, Any]  # results of a step by name: arrays of no dimensions, or floats


class Recorder(Protocol):
    """Records what a thread asks the device to do; nothing is done meanwhile."""

    def active(self) -> AbstractContextManager[None]:
        """Let arrays that the thread makes within the block be memory of the recording."""

    def begin(self) -> None:
        """Begin to record."""

    def end(self) -> Callable[[], Any]:
        """Return what does all that was recorded."""

    def copy(self, own: Array, given: Array) -> None:
        """Write an array of the same shape and dtype, of the device or of the host."""


class Recording:
    """A step that was recorded.

    Args:
        backend: of the arrays.
        recorder: makes the recording.
        function: ``function(*arrays)`` returns numbers by name.
        arrays: arrays of the backend, tuples of them, and ``None``.
    """

    def __init__(
        self,
        backend: RecordingBackend,
        recorder: Recorder,
        function: Callable[..., Numbers],
        arrays: Sequence[Any],
    ) -> None:
        xp = backend.xp
        self._xp, self._recorder = xp, recorder
        self.calls: list[Callable[[], Any]] = []  # of the host, before the work is done
        with recorder.active(), backend.recorded_by(self) as self._read:  # arrays of before
            # What is made later shares its memory with what is no longer used by then.
            self._inputs = [xp.empty_like(given) for given in _leaves(arrays)]
            self._numbers = [_Asked(xp, dtype) for dtype in ("float32", "float64")]
            self._results = xp.empty(ASKED, dtype="float64")
            recorder.begin()
            found = function(*_like(arrays, iter(self._inputs)))
            self._names = tuple(found)
            pack(found, self._results)
            self._work = recorder.end()
        self._results = self._results[: len(found)]
        self._numbers = [asked for asked in self._numbers if asked.count]

    def ask(self, function: Callable[[], Sequence[float]], count: int, dtype: Any) -> Array:
        """Return a vector that holds what the function returns before each replay."""
        (asked,) = (asked for asked in self._numbers if asked.values.dtype == dtype)
        part = slice(asked.count, asked.count + count)
        asked.count = part.stop
        if asked.count > ASKED:
            raise RuntimeError(f"a recorded step asks for at most {ASKED} numbers")

        def ask_again() -> None:
            asked.values[part] = function()

        self.calls.append(ask_again)
        return asked.vector[part]

    def replay(self, arrays: Sequence[Any]) -> Numbers:
        """Do the work on other arrays of the same shapes; return its numbers."""
        copy = self._recorder.copy
        for own, given in zip(self._inputs, _leaves(arrays), strict=True):
            copy(own, given)
        for call in self.calls:
            call()
        for asked in self._numbers:
            copy(asked.vector, asked.values)
        self._work()
        found = self._xp.empty_like(self._results)
        copy(found, self._results)
        return unpacked(self._names, found)


class _Asked:
    """Numbers of one precision that the host gives to a recording."""

    def __init__(self, xp: Any, dtype: str) -> None:
        self.values, self.vector = np.zeros(ASKED, dtype), xp.empty(ASKED, dtype=dtype)
        self.count = 0


class Repeated:
    """A step, and its recordings.

    Args:
        backend: of the arrays.
    """

    def __init__(self, backend: RecordingBackend) -> None:
        self._backend = backend
        self._key: tuple[Hashable, ...] = ()
        self._known: dict[Hashable, Any] = {}  # by shapes: how often it was called, or a recording

    def __call__(
        self,
        function: Callable[..., Numbers],
        arrays: Sequence[Any],
        key: tuple[Hashable, ...],
        gates: Sequence[AbstractContextManager[Any]],
    ) -> Numbers:
        """Return ``function(*arrays)``; see :meth:`Backend.repeat`."""
        if key != self._key:
            self._key, self._known = key, {}
        shapes = tuple(map(_signature, arrays))
        state = self._known.get(shapes, 0)
        if state == EAGER:
            state = self._known[shapes] = self._recorded(function, arrays)
        if isinstance(state, Recording):
            with ExitStack() as entered:
                for gate in gates:
                    entered.enter_context(gate)
                return state.replay(arrays)
        if state is None:
            return function(*arrays)
        self._known[shapes] = state + 1
        with self._backend.rehearsed():  # so that all kernels are compiled
            found = function(*arrays)
            results = self._backend.xp.empty(len(found), dtype="float64")
            pack(found, results)
            return unpacked(tuple(found), results)

    def _recorded(
        self, function: Callable[..., Numbers], arrays: Sequence[Any]
    ) -> Recording | None:
        """Return a recording, or ``None`` if there can be none."""
        owner = function.__self__  # type: ignore[attr-defined]
        recorder = self._backend.recorder()
        if recorder is None or not all(getattr(p, "repeats", True) for p in (owner, *self._key)):
            return None
        kept = [shapes for shapes, state in self._known.items() if isinstance(state, Recording)]
        if len(kept) == KEPT:
            del self._known[kept[0]]
        try:
            return Recording(self._backend, recorder, function, arrays)
        except Exception as error:  # nothing was done yet
            warnings.warn(
                f"steps of a {type(owner).__name__} cannot be recorded and run kernel by kernel: "
                f"{type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return None


class RecordingBackend(Backend):
    """Base of backends that can record steps: :meth:`recorder` says how."""

    def recorder(self) -> Recorder | None:
        """Return what records a step, ``None`` if none is to be recorded."""
        raise NotImplementedError

    @property
    def recording(self) -> Recording | None:
        """What records the device work of the calling thread, if something does."""
        return getattr(self._threads, "recording", None)

    @contextmanager
    def recorded_by(self, recording: Recording) -> Iterator[list[Array]]:
        """Let the thread's work be recorded within the block, with no workspace from before.

        Yields:
            The arrays from before that may be read.
        """
        memory = self._memory.__dict__
        kept = dict(memory)
        for name in [name for name in memory if name[0] != "1"]:  # the vectors of ones stay
            del memory[name]
        self._threads.recording = recording
        try:
            yield list(memory.values())
        finally:
            self._threads.recording = None
            memory.clear()
            memory.update(kept)

    @contextmanager
    def rehearsed(self) -> Iterator[None]:
        """Let :meth:`numbers` of the thread be arrays within the block, as in a recording."""
        before = getattr(self._threads, "rehearsing", False)
        self._threads.rehearsing = True
        try:
            yield
        finally:
            self._threads.rehearsing = before

    def numbers(self, function: Callable[[], Sequence[float]], dtype: Any) -> Sequence[Any]:
        """Return the numbers; as arrays of no dimensions, if a step is recorded or will be."""
        recording = self.recording
        if recording is not None:
            self._threads.recording = None  # the function may look at the host
            try:
                count = len(function())
            finally:
                self._threads.recording = recording
            vector = recording.ask(function, count, dtype)
        elif getattr(self._threads, "rehearsing", False):
            vector = self.asarray(np.array(function(), dtype))
        else:
            return function()
        return [vector[index, ...] for index in range(len(vector))]

    def outside(self, function: Callable[[], None]) -> None:
        """Call the function, or let it be called at each replay."""
        if self.recording is not None:
            self.recording.calls.append(function)
        else:
            function()

    def repeat(
        self,
        function: Callable[..., Numbers],
        arrays: Sequence[Any],
        key: tuple[Hashable, ...] = (),
        gates: Sequence[AbstractContextManager[Any]] = (),
    ) -> Numbers:
        """Return ``function(*arrays)``; from the third time on by a recording, if there can be."""
        if self.recording is not None:  # a part of another step
            return function(*arrays)
        steps = self._steps.setdefault(function.__self__, {})  # type: ignore[attr-defined]
        name = function.__name__
        if name not in steps:
            steps[name] = Repeated(self)
        return steps[name](function, arrays, key, gates)

    @functools.cached_property
    def _threads(self) -> threading.local:
        return threading.local()

    @functools.cached_property
    def _steps(self) -> Any:
        return weakref.WeakKeyDictionary()  # by their owner, and their name


def pack(numbers: Numbers, vector: Array) -> None:
    """Write the numbers into a vector that is at least as long."""
    for index, number in enumerate(numbers.values()):
        vector[index] = number


def unpacked(names: Sequence[str], vector: Array) -> Numbers:
    """Return the elements of a vector by name, as arrays of no dimensions."""
    return {name: vector[index, ...] for index, name in enumerate(names)}


def _signature(given: Any) -> Hashable:
    if given is None:
        return None
    if isinstance(given, tuple):
        return tuple(map(_signature, given))
    return given.shape, given.dtype.char


def _leaves(given: Sequence[Any]) -> Iterator[Array]:
    """Yield the arrays in nested tuples that have some."""
    for value in given:
        if isinstance(value, tuple):
            yield from _leaves(value)
        elif value is not None:
            yield value


def _like(given: Sequence[Any], leaves: Iterator[Array]) -> tuple[Any, ...]:
    """Return the nested tuples with other arrays."""
    return tuple(
        _like(value, leaves)
        if isinstance(value, tuple)
        else value
        if value is None
        else next(leaves)
        for value in given
    )
