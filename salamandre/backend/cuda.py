"""The CuPy backend: the same array code on an NVIDIA GPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import numpy as np

from salamandre.backend.base import Array, RandomStream
from salamandre.backend.cublas import WORKSPACE, Cublas
from salamandre.backend.operation import Operation, in_order
from salamandre.backend.random import SplitMixStream
from salamandre.backend.repetition import Recorder, RecordingBackend

INSTALL = "pip install 'salamandre[cuda12x]' (or [cuda13x], after your driver's CUDA version)"


class CupyBackend(RecordingBackend):
    """Arrays on the current CUDA device.

    Nothing here waits for the device unless a number is asked for: checks that would have to look
    at values answer True, and a loss stays on the device until ``float`` is called on it.

    Args:
        graphs: record steps of training as CUDA graphs. ``None``: unless the environment variable
            ``SALAMANDRE_GRAPHS`` is ``0``.

    Raises:
        RuntimeError: CuPy is not installed, or no CUDA device can be used.
    """

    name = "cupy"

    def __init__(self, graphs: bool | None = None) -> None:
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
        self.cupy = self.xp = cupy
        self.products: Cublas | None = None
        with suppress(OSError, AttributeError):  # of CuPy for other makers' devices
            self.products = Cublas(cupy)
            own = {"dot": self.products.dot, "matmul": self.products.matmul}
            self.xp = SimpleNamespace(**{**vars(cupy), **own})
        if graphs is None:
            graphs = os.environ.get("SALAMANDRE_GRAPHS", "1") != "0"
        self.graphs = graphs and self.products is not None
        self.lock = threading.Lock()  # of the thread that records
        self._kernels: dict[Operation, Any] = {}

    def arguments(self) -> tuple[bool]:
        """Return whether steps are recorded."""
        return (self.graphs,)

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """Return ``array`` on the device."""
        if self.recording is not None and not isinstance(array, self.cupy.ndarray):
            raise RuntimeError("an array of the host cannot be part of a recorded step")
        return self.xp.asarray(array, dtype=dtype)

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return a copy on the host."""
        return self.xp.asnumpy(array)

    def stream(self, seed: int | Sequence[int]) -> RandomStream:
        """Return a SplitMix64 stream, computed on the device."""
        return SplitMixStream(self, seed)

    def recorder(self) -> Recorder | None:
        """Return what records a step as CUDA graphs."""
        return GraphRecorder(self) if self.graphs else None

    def scalar(self, value: Array) -> Any:
        """Return ``value`` as it is: a device array of no dimensions, read by ``float``."""
        return value

    def all_true(self, condition: Callable[[], Array]) -> bool:
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


class GraphRecorder:
    """Records work as a CUDA graph, in memory that nobody else is given."""

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend
        cuda = backend.cupy.cuda
        self._pool = cuda.MemoryPool()
        self._stream = cuda.Stream(non_blocking=True)  # others' work on the default one goes on
        self._recording = False
        self._copy, self._current = cuda.runtime.memcpyAsync, cuda.get_current_stream
        self._kinds = cuda.runtime.memcpyDeviceToDevice, cuda.runtime.memcpyHostToDevice

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let arrays be of the recording's memory, and products be on its stream."""
        backend = self._backend
        products = backend.products
        assert products is not None
        allocator = backend.cupy.cuda.using_allocator(self._pool.malloc)
        with backend.lock, allocator, self._stream:
            self._workspace = backend.xp.empty(WORKSPACE, dtype="uint8")
            products.use(self._stream.ptr, self._workspace)
            try:
                yield
            finally:
                if self._recording:  # something was refused
                    with suppress(Exception):
                        self._stream.end_capture()

    def begin(self) -> None:
        """Begin a graph; memory may be taken from the device meanwhile."""
        self._stream.begin_capture()  # the mode is the relaxed one
        self._recording = True

    def end(self) -> Callable[[], Any]:
        """End the graph; it is launched on the stream that is then the current one."""
        self._recording = False
        launch: Callable[[], Any] = self._stream.end_capture().launch
        return launch

    def copy(self, own: Array, given: Array) -> None:
        """Copy memory, where it has one layout: faster than a kernel is launched."""
        if own.strides != given.strides or not own.flags.forc:
            own[...] = given
            return
        on_host = isinstance(given, np.ndarray)  # small: it is read before the call returns
        source = given.ctypes.data if on_host else given.data.ptr
        self._copy(own.data.ptr, source, own.nbytes, self._kinds[on_host], self._current().ptr)
