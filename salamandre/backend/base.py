"""The interface of an array backend, and backends by name."""

from __future__ import annotations

import functools
import math
import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from salamandre.backend.operation import Array as Array, Operation
from salamandre.checks import one_of


class RandomStream(Protocol):
    """Random numbers on the backend's device, with a state that can be saved and restored."""

    state: Any

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return standard Gaussian numbers."""

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return numbers uniform in [0, 1)."""


class Backend:
    """An array namespace, and what runs the operations on its arrays.

    A backend of one's own sets ``name`` and ``xp``, implements :meth:`asarray`, :meth:`to_numpy`
    and :meth:`stream`, and may replace the other methods by faster ones; then
    :func:`register_backend` makes it known by name. A copy of a backend is the backend itself; it
    is pickled by its name, or by :meth:`arguments` if it is not registered.
    """

    name: str
    xp: Any
    shares_batches = False  # whether several threads compute sooner than one
    compiled = False  # whether operations run as loops of Numba's
    #: Examples of a batch up to which plain gradient descent is sooner done without writing the
    #: gradient; what a layer was given is then copied for it.
    few = 0

    #: What records the device work of the calling thread, ``None``: it is done at once.
    recording: Any = None

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """Return ``array`` (on the host or already here) as an array of this backend."""
        raise NotImplementedError

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return an array of this backend as a NumPy array on the host."""
        raise NotImplementedError

    def stream(self, seed: int | Sequence[int]) -> RandomStream:
        """Return a stream of random numbers that depends on ``seed`` alone."""
        raise NotImplementedError

    def run(self, operation: Operation, arguments: tuple[Any, ...]) -> None:
        """Run an operation by its reference, or by what is faster here."""
        operation.reference(self.xp, *arguments)

    def repeat(
        self,
        function: Callable[..., Mapping[str, Any]],
        arrays: Sequence[Any],
        key: tuple[Hashable, ...] = (),
        gates: Sequence[AbstractContextManager[Any]] = (),
    ) -> Mapping[str, Any]:
        """Return ``function(*arrays)``, a step of training.

        On a GPU the step is recorded and then replayed, for as long as ``key`` and the shapes are
        the same; see :mod:`salamandre.backend.repetition`. The function must then do nothing on the
        host but by :meth:`numbers` and
        :meth:`outside`.

        Args:
            function: a method. It returns numbers by name.
            arrays: arrays of the backend, tuples of them, and ``None``.
            key: what the work depends on besides. Objects that have an attribute ``repeats``, and
                whose method it is, must say True.
            gates: entered while a recording is replayed, since parameters and state change.
        """
        return function(*arrays)

    def numbers(self, function: Callable[[], Sequence[float]], dtype: Any) -> Sequence[Any]:
        """Return the numbers that a function of the host returns, for arrays of a dtype.

        They are asked for anew whenever a recording is replayed. In a recorded step they are arrays
        of no dimensions.
        """
        return function()

    def require_no_recording(self, what: str) -> None:
        """Raise RuntimeError if the thread records a step, which would keep a number of today."""
        if self.recording is not None:
            raise RuntimeError(
                f"{what} cannot be part of a recorded step: ask backend.numbers(...)"
            )

    def outside(self, function: Callable[[], None]) -> None:
        """Call a function that changes what is on the host; at each replay of a recording, too."""
        function()

    def in_slices(self, count: int, work: Callable[[slice], None]) -> None:
        """Call ``work`` on all of ``count`` numbers, or on slices of them at the same time."""
        work(slice(None))

    def add_product(self, a: Array, b: Array, factor: float, out: Array) -> None:
        """Add ``factor`` a b to ``out``; all three are matrices."""
        product = self.workspace("product", out.shape, out.dtype)
        self.xp.dot(a, b, out=product)
        if factor != 1:
            product *= factor
        out += product

    def scalar(self, value: Array) -> Any:
        """Return a single number as a float; on a GPU, as an array that ``float`` waits for."""
        return float(value)

    def all_true(self, condition: Callable[[], Array]) -> bool:
        """Whether ``condition()`` holds everywhere; on a GPU always True, unchecked."""
        return bool(condition().all())

    def all_finite(self, array: Array) -> bool:
        """Whether no element is NaN or infinite; on a GPU always True, unchecked."""
        xp = self.xp
        if array.size < 2**10:
            return bool(xp.isfinite(array).all())
        # A sum of squares is finite only if all terms are; one that is not needs a second look.
        flat = array.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            finite = bool(xp.isfinite(xp.dot(flat, flat)))
        return finite or bool(xp.isfinite(array).all())

    def workspace(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an uninitialised contiguous array for one operation.

        It is the calling thread's, and its memory is used again when the thread next asks for the
        same name and dtype.
        """
        memory: dict[Any, Any] = self._memory.__dict__
        size = math.prod(shape)
        memory.pop(("made", name), None)
        return _grown(memory, name, size, dtype, self.xp.empty).reshape(shape)

    def made_of(
        self,
        source: Array,
        part: slice,
        name: str,
        shape: tuple[int, ...],
        make: Callable[[Array], None],
        known: dict[str, Any],
    ) -> Array:
        """Return a workspace that ``make`` has filled from a part of the array ``source``.

        It is filled once for calls that follow each other, as long as the thread asks for no other
        workspace of that name: so products of the same tiles share them.

        Args:
            source: the array.
            part: the rows of it that are used.
            name: of the workspace.
            shape: of the workspace.
            make: fills it.
            known: where it is noted what the workspace was filled from; as long as it is the same
                dictionary, the array must not change.
        """
        memory: dict[Any, Any] = self._memory.__dict__
        made, space = memory.get(("made", name), (None, None))
        seen, *rest = known.get(name, (None,))
        if made is None or seen is not source or rest != [part.start, shape, made]:
            space, made = self.workspace(name, shape, source.dtype), object()
            make(space)
            memory["made", name] = made, space
            known[name] = source, part.start, shape, made
        return space

    def ones(self, count: int, dtype: Any) -> Array:
        """Return a vector of ones, which is not to be written to."""
        return _grown(self._memory.__dict__, "1", count, dtype, self.xp.ones)

    @functools.cached_property
    def _memory(self) -> threading.local:
        return threading.local()

    def arguments(self) -> tuple[Any, ...]:
        """Return the constructor's arguments."""
        return ()

    def __eq__(self, other: object) -> bool:
        """Return whether arrays of one are arrays of the other; each unpickled one is its own."""
        return type(other) is type(self) and other.arguments() == self.arguments()

    def __hash__(self) -> int:
        return hash((type(self), self.arguments()))

    def __repr__(self) -> str:
        maker, arguments = self.__reduce__()
        return f"{maker.__name__}({', '.join(map(repr, arguments))})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Backend:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        for name, made in _made.items():
            if made is self:
                return get_backend, (name,)
        return type(self), self.arguments()


def _grown(
    kept: dict[Any, Array], name: str, size: int, dtype: Any, make: Callable[..., Array]
) -> Array:
    """Return the kept vector of a name and dtype, made anew if it is smaller than ``size``."""
    key = name, np.dtype(dtype)
    array = kept.get(key)
    if array is None or array.size < size:
        kept.pop(key, None)  # the memory of the smaller one is free before more is taken
        array = kept[key] = make(size, dtype=dtype)
    return array if array.size == size else array[:size]


_makers: dict[str, Callable[[], Backend]] = {}
_made: dict[str, Backend] = {}


def register_backend(name: str, make: Callable[[], Backend]) -> None:
    """Make a backend known by ``name``; ``make()`` is called when it is first asked for."""
    _makers[name] = make
    _made.pop(name, None)


def get_backend(backend: str | Backend | None = None) -> Backend:
    """Return a backend by name.

    Args:
        backend: a name, a :class:`Backend` (returned as it is), or ``None`` for the one that the
            environment variable ``SALAMANDRE_BACKEND`` names, ``numpy`` if it is not set.

    Raises:
        ValueError: an unknown name.
        RuntimeError: ``cupy`` where CuPy or a GPU is missing; the message says how to install it.
    """
    if isinstance(backend, Backend):
        return backend
    name = backend or os.environ.get("SALAMANDRE_BACKEND") or "numpy"
    one_of("backend", name, _makers)
    if name not in _made:
        _made[name] = _makers[name]()
    return _made[name]
