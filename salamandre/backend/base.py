"""The interface of an array backend, with every kernel in plain array code as the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from salamandre.backend.images import ImageKernels
from salamandre.backend.rows import RowKernels

Array = Any  # an array of the backend: numpy.ndarray, cupy.ndarray or one of your own
Rule = Callable[..., tuple[Any, ...]]


class RandomStream(Protocol):
    """Random numbers on the backend's device, with a state that can be saved and restored."""

    state: Any

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return standard Gaussian numbers."""

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return numbers uniform in [0, 1)."""


class Backend(ImageKernels, RowKernels):
    """An array namespace and the few operations that differ between devices.

    A backend of one's own sets ``name`` and ``xp``, implements :meth:`asarray`, :meth:`to_numpy`
    and :meth:`stream`, and may replace the other methods by faster ones; then
    :func:`salamandre.backend.register_backend` makes it known by name.
    """

    name: str
    xp: Any

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """Return ``array`` (on the host or already here) as an array of this backend."""
        raise NotImplementedError

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return an array of this backend as a NumPy array on the host."""
        raise NotImplementedError

    def stream(self, seed: int | Sequence[int]) -> RandomStream:
        """Return a stream of random numbers that depends on ``seed`` alone."""
        raise NotImplementedError

    def scalar(self, value: Array) -> Any:
        """Return a single number as a float; on a GPU, as an array that ``float`` waits for."""
        return float(value)

    def all_true(self, condition: Array) -> bool:
        """Whether ``condition`` holds everywhere; on a GPU, True without waiting to look."""
        return bool(condition.all())

    def all_finite(self, array: Array) -> bool:
        """Whether no element is NaN or infinite; on a GPU, True without waiting to look."""
        # A sum of squares is finite only if all terms are; one that is not needs a second look.
        flat, xp = array.reshape(-1), self.xp
        with np.errstate(over="ignore", invalid="ignore"):
            finite = bool(xp.isfinite(xp.dot(flat, flat)))
        return finite or bool(xp.isfinite(array).all())

    def sweep(
        self,
        rule: Rule,
        parameters: Array,
        gradients: Array,
        state: Sequence[Array],
        scalars: Sequence[float],
    ) -> None:
        """Update flat vectors in place: ``parameters, *state = rule(...)``, element by element.

        ``rule(p, g, *state, *scalars)`` is an optimizer's formula for one element, written with
        arithmetic and NumPy ufuncs only, so that the same text serves whole arrays here, blocks
        of them on a CPU, and one compiled loop where Numba is installed. Where its arguments are
        arrays it may change them in place.
        """
        results = rule(parameters, gradients, *state, *scalars)
        for array, result in zip((parameters, *state), results, strict=True):
            if result is not array:
                array[...] = result

    def synchronize(self) -> None:
        """Wait until the device has finished; nothing to do on a CPU."""
