"""The NumPy backend, with Numba loops where Numba is installed."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.backend.base import Array, Backend, RandomStream, Rule
from salamandre.backend.images import ImageKernels
from salamandre.backend.rows import RowKernels

# Elements an update works on at a time: its temporaries stay in the last-level cache, and are large
# enough (256 KiB) for NumPy to reuse their memory within an expression.
BLOCK = 2**18

# Elements below which NumPy's own passes are done before a compiled loop is called.
SMALL = 2**12


class NumpyStream:
    """Random numbers from NumPy's PCG64."""

    def __init__(self, seed: int | Sequence[int]) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    @property
    def state(self) -> dict[str, Any]:
        """The state as plain values that JSON can hold."""
        return dict(self._generator.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._generator.bit_generator.state = state

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return standard Gaussian numbers."""
        return self._generator.standard_normal(shape, dtype=dtype)

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return numbers uniform in [0, 1)."""
        return self._generator.random(shape, dtype=dtype)


@functools.cache
def _loop(module: str, name: str) -> Any:
    """Return a compiled loop; Numba is imported when the first one is asked for."""
    return getattr(importlib.import_module(f"salamandre.backend.{module}"), name)


def _compiled(kernels: type[ImageKernels] | type[RowKernels], name: str) -> Any:
    """Return a method that runs the compiled loop of a kernel, or the reference without it."""
    reference = getattr(kernels, name)
    module = "compiled_images" if kernels is ImageKernels else "compiled_rows"

    @functools.wraps(reference)
    def kernel(self: NumpyBackend, *arguments: Any) -> None:
        arrays = [array for array in arguments if isinstance(array, np.ndarray)]
        if self.compiled and all(array.flags.c_contiguous for array in arrays):
            loop = _loop(module, name)
            number = arrays[0].dtype.type  # a Python float would make the loop's numbers float64
            loop(*(number(a) if isinstance(a, float) else a for a in arguments))
        else:
            reference(self, *arguments)

    return kernel


def _elementwise(name: str) -> Any:
    """As _compiled, for arrays of any shape that lie alike in memory without gaps."""
    reference = getattr(RowKernels, name)
    loop = _compiled(RowKernels, name)

    @functools.wraps(reference)
    def kernel(self: NumpyBackend, *arguments: Any) -> None:
        first = arguments[0]
        if self.compiled and first.size >= SMALL:
            axes = next((axes for axes in _orders(first.ndim) if _lies(first, axes)), None)
            arrays = [array for array in arguments if isinstance(array, np.ndarray)]
            if axes is not None and all(_lies(array, axes) for array in arrays):
                lying = (
                    a.transpose(axes).reshape(-1) if isinstance(a, np.ndarray) else a
                    for a in arguments
                )
                loop(self, *lying)
                return
        reference(self, *arguments)

    return kernel


def _orders(ndim: int) -> list[tuple[int, ...]]:
    """Return the orders of axes in memory that layers use."""
    ahead = tuple(range(ndim))
    return [ahead, (0, 2, 3, 1) if ndim == 4 else ahead[::-1]]


def _lies(array: Array, axes: tuple[int, ...]) -> bool:
    return bool(array.transpose(axes).flags.c_contiguous)


class NumpyBackend(Backend):
    """Arrays in main memory.

    Args:
        compiled: run optimizer updates and the kernels over images as Numba loops. ``None`` uses
            Numba where it is installed, unless the environment variable ``SALAMANDRE_NUMBA`` is
            ``0``.
    """

    name = "numpy"
    xp = np

    def __init__(self, compiled: bool | None = None) -> None:
        if compiled is None:
            compiled = os.environ.get("SALAMANDRE_NUMBA", "1") != "0" and _numba_installed()
        self.compiled = compiled

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """Return ``array`` as a NumPy array."""
        return np.asarray(array, dtype=dtype)

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return ``array`` itself: it is on the host already."""
        return array

    def stream(self, seed: int | Sequence[int]) -> RandomStream:
        """Return a PCG64 stream."""
        return NumpyStream(seed)

    def sweep(
        self,
        rule: Rule,
        parameters: Array,
        gradients: Array,
        state: Sequence[Array],
        scalars: Sequence[float],
    ) -> None:
        """Update in one compiled loop, or block by block so that temporaries stay in cache."""
        if self.compiled and len(state) <= 3:
            from salamandre.backend.compiled import loop

            number = parameters.dtype.type
            loop(rule, len(state))(parameters, gradients, *state, *map(number, scalars))
            return
        for start in range(0, parameters.size, BLOCK):
            block = slice(start, start + BLOCK)
            super().sweep(
                rule, parameters[block], gradients[block], [s[block] for s in state], scalars
            )

    im2col = _compiled(ImageKernels, "im2col")
    col2im = _compiled(ImageKernels, "col2im")
    image_to_tiles = _compiled(ImageKernels, "image_to_tiles")
    tiles_to_image = _compiled(ImageKernels, "tiles_to_image")
    expand = _compiled(ImageKernels, "expand")
    contract = _compiled(ImageKernels, "contract")
    max_pool = _compiled(ImageKernels, "max_pool")
    add_chosen = _compiled(ImageKernels, "add_chosen")
    sum_pool = _compiled(ImageKernels, "sum_pool")
    spread_pool = _compiled(ImageKernels, "spread_pool")

    rectify = _elementwise("rectify")
    rectify_gradient = _elementwise("rectify_gradient")
    add_bias = _compiled(RowKernels, "add_bias")
    moments = _compiled(RowKernels, "moments")
    normalise = _compiled(RowKernels, "normalise")
    normalise_sums = _compiled(RowKernels, "normalise_sums")
    normalise_gradient = _compiled(RowKernels, "normalise_gradient")


def _numba_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("numba") is not None
