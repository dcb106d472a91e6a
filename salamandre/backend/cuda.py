"""The CuPy backend: the same array code on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.backend.base import Array, Backend, RandomStream, Rule
from salamandre.backend.cuda_kernels import KERNELS, Kernel, update
from salamandre.backend.images import Pair
from salamandre.backend.random import SplitMixStream

INSTALL = "pip install 'salamandre[cuda12x]' (or [cuda13x], after your driver's CUDA version)"


def _window(x: Array, y: Array, kernel: Pair, stride: Pair, corner: Pair) -> tuple[int, ...]:
    """Return where windows stand in images x and give y, as the kernels are told it."""
    return (*x.shape[1:], *y.shape[1:3], *kernel, *stride, *corner)


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
            devices = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise RuntimeError(
                f"backend 'cupy' needs a CUDA GPU and its driver, and CuPy finds none ({error}): "
                f"use backend 'numpy', or install for your driver with {INSTALL}"
            ) from None
        if devices == 0:
            raise RuntimeError(
                f"backend 'cupy' needs a CUDA GPU and this machine shows none: use backend "
                f"'numpy', or install for your driver with {INSTALL}"
            )
        self.xp = cupy
        self._compiled: dict[str | Rule, Any] = {}

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """Return ``array`` on the device."""
        return self.xp.asarray(array, dtype=dtype)

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return a copy on the host."""
        return self.xp.asnumpy(array)

    def stream(self, seed: int | Sequence[int]) -> RandomStream:
        """Return a SplitMix64 stream, computed on the device."""
        return SplitMixStream(self.xp, seed)

    def scalar(self, value: Array) -> Any:
        """Return ``value`` as it is: a device array of no dimensions, read by ``float``."""
        return value

    def all_true(self, condition: Array) -> bool:
        """Return True: to look would be to wait."""
        return True

    def all_finite(self, array: Array) -> bool:
        """Return True: to look would be to wait."""
        return True

    def sweep(
        self,
        rule: Rule,
        parameters: Array,
        gradients: Array,
        state: Sequence[Array],
        scalars: Sequence[float],
    ) -> None:
        """Update in one kernel, written from the rule; a rule too unusual runs as array code."""
        if rule not in self._compiled:
            kernel = update(rule, len(state), len(scalars))
            self._compiled[rule] = kernel and self._compile(kernel, "rule")
        if self._compiled[rule]:
            self._compiled[rule](gradients, *map(float, scalars), parameters, *state)
        else:
            super().sweep(rule, parameters, gradients, state, scalars)

    def _run(self, name: str, *arguments: Any) -> None:
        """Run a kernel of :mod:`salamandre.backend.cuda_kernels`, compiled at its first use."""
        if name not in self._compiled:
            self._compiled[name] = self._compile(KERNELS[name], name)
        self._compiled[name](*arguments)

    def _compile(self, kernel: Kernel, name: str) -> Any:
        return self.xp.ElementwiseKernel(*kernel, f"salamandre_{name}")

    def im2col(self, x: Array, columns: Array, stride: Pair, corner: Pair) -> None:
        """See :class:`ImageKernels`."""
        self._run("im2col", x, *x.shape[1:], *columns.shape[1:5], *stride, *corner, columns)

    def col2im(self, columns: Array, x: Array, stride: Pair, corner: Pair) -> None:
        """See :class:`ImageKernels`."""
        self._run("col2im", columns, *x.shape[1:], *columns.shape[1:5], *stride, *corner, x)

    def image_to_tiles(self, x: Array, tiles: Array, stride: Pair, corner: Pair) -> None:
        """See :class:`ImageKernels`."""
        self._run("image_to_tiles", x, *x.shape[1:], *tiles.shape[1:4], *stride, *corner, tiles)

    def tiles_to_image(self, tiles: Array, x: Array, stride: Pair, corner: Pair) -> None:
        """See :class:`ImageKernels`."""
        self._run("tiles_to_image", tiles, *x.shape[1:], *tiles.shape[1:4], *stride, *corner, x)

    def expand(self, y: Array, tiles: Array) -> None:
        """See :class:`ImageKernels`."""
        self._run("expand", y, *y.shape[1:], *tiles.shape[1:4], tiles)

    def contract(self, tiles: Array, y: Array) -> None:
        """See :class:`ImageKernels`."""
        self._run("contract", tiles, *y.shape[1:], *tiles.shape[1:4], y)

    def max_pool(
        self, x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair
    ) -> None:
        """See :class:`ImageKernels`."""
        self._run("max_pool", x, *_window(x, y, kernel, stride, corner), y, chosen)

    def take_chosen(
        self, x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair
    ) -> None:
        """See :class:`ImageKernels`."""
        self._run("take_chosen", x, chosen, *_window(x, y, kernel, stride, corner), y)

    def add_chosen(
        self, y: Array, x: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair
    ) -> None:
        """See :class:`ImageKernels`."""
        self._run("add_chosen", y, chosen, *_window(x, y, kernel, stride, corner), x)

    def sum_pool(self, x: Array, y: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
        """See :class:`ImageKernels`."""
        self._run("sum_pool", x, *_window(x, y, kernel, stride, corner), y)

    def spread_pool(self, y: Array, x: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
        """See :class:`ImageKernels`."""
        self._run("spread_pool", y, *_window(x, y, kernel, stride, corner), x)

    def rectify(self, x: Array, slope: float, out: Array) -> None:
        """See :class:`RowKernels`."""
        self._run("rectify", x, slope, out)

    def rectify_gradient(self, dy: Array, y: Array, slope: float, out: Array) -> None:
        """See :class:`RowKernels`."""
        self._run("rectify_gradient", dy, y, slope, out)

    def add_bias(self, z: Array, bias: Array, slope: float) -> None:
        """See :class:`RowKernels`."""
        self._run("add_bias", bias, slope, z)

    def normalise(
        self, x: Array, mean: Array, inverse_std: Array, gamma: Array, beta: Array, out: Array
    ) -> None:
        """See :class:`RowKernels`."""
        self._run("normalise", x, mean, inverse_std, gamma, beta, out)

    def normalise_gradient(
        self,
        dy: Array,
        x: Array,
        mean: Array,
        scale: Array,
        slope: Array,
        shift: Array,
        out: Array,
    ) -> None:
        """See :class:`RowKernels`."""
        self._run("normalise_gradient", dy, x, mean, scale, slope, shift, out)

    def synchronize(self) -> None:
        """Wait for the current stream."""
        self.xp.cuda.get_current_stream().synchronize()
