"""The CuPy backend: the same array code on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.backend.base import Array, Backend, RandomStream
from salamandre.backend.operation import Operation, in_order
from salamandre.backend.random import SplitMixStream

INSTALL = "pip install 'salamandre[cuda12x]' (or [cuda13x], after your driver's CUDA version)"


class CupyBackend(Backend):
    """Arrays on the current CUDA device.

    Nothing here waits for the device unless a number is asked for: checks that would have to look
    at values answer True, and a loss stays on the device until ``float`` is called on it.

    Raises:
        RuntimeError: CuPy is not installed, or no CUDA device can be used.
    """

    name = "cupy"

    def __init__(self) -> None:
        try:
            import cupy
        except ImportError as error:
            absent = isinstance(error, ModuleNotFoundError) and error.name == "cupy"
            why = "is not installed" if absent else f"cannot be imported ({error})"
            raise RuntimeError(f"backend 'cupy' needs CuPy, which {why}: {INSTALL}") from None
        try:
            why = "" if cupy.cuda.runtime.getDeviceCount() else "this machine shows none"
        except cupy.cuda.runtime.CUDARuntimeError as error:
            why = f"CuPy finds none ({error})"
        if why:
            raise RuntimeError(
                f"backend 'cupy' needs a CUDA GPU and its driver, and {why}: use backend 'numpy', "
                f"or install for your driver with {INSTALL}"
            )
        self.xp = cupy
        self._kernels: dict[Operation, Any] = {}

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """Return ``array`` on the device."""
        return self.xp.asarray(array, dtype=dtype)

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return a copy on the host."""
        return self.xp.asnumpy(array)

    def stream(self, seed: int | Sequence[int]) -> RandomStream:
        """Return a SplitMix64 stream, computed on the device."""
        return SplitMixStream(self, seed)

    def scalar(self, value: Array) -> Any:
        """Return ``value`` as it is: a device array of no dimensions, read by ``float``."""
        return value

    def all_true(self, condition: Array) -> bool:
        """Return True: a look would force a synchronisation with the device."""
        return True

    def all_finite(self, array: Array) -> bool:
        """Return True: a look would force a synchronisation with the device."""
        return True

    def run(self, operation: Operation, arguments: tuple[Any, ...]) -> None:
        """Run the operation's kernel, compiled at its first use, or the reference without one."""
        if operation.steps is not None:
            operation.steps(self, *arguments)
            return
        if operation.kernel is None:
            operation.reference(self.xp, *arguments)
            return
        inputs, outputs, body, bind = operation.kernel
        if operation not in self._kernels:
            name = f"salamandre_{operation.name}"
            self._kernels[operation] = self.xp.ElementwiseKernel(inputs, outputs, body, name)
        if operation.elementwise:  # neighbouring threads then read neighbouring memory
            arguments = tuple(in_order(arguments, self.xp.ndarray, elementwise=True) or arguments)
        self._kernels[operation](*bind(*arguments))
