"""Products that are added to an array: BLAS's ``gemm``, of which NumPy's ``dot`` lets one write."""

from __future__ import annotations

import ctypes
import functools
import itertools
import sys
from typing import Any

import numpy as np

ROWS, PLAIN, TRANSPOSED = 101, 111, 112  # CBLAS's numbers for how matrices are stored


@functools.cache
def gemm(kind: str) -> Any:
    """Return ``gemm`` of the library that NumPy uses; ``None`` if it is not known under a name.

    Args:
        kind: the character of float32 or float64; there is none for other numbers.
    """
    letter, number = {"f": ("s", ctypes.c_float), "d": ("d", ctypes.c_double)}.get(kind, ("", None))
    if number is None:
        return None
    try:
        # NumPy's own code; names are looked for in what it is linked to as well.
        library = ctypes.CDLL(sys.modules["numpy._core._multiarray_umath"].__file__)
    except (KeyError, OSError):
        return None
    for prefix, suffix in itertools.product(("scipy_", ""), ("64_", "_64", "")):
        found: Any = getattr(library, f"{prefix}cblas_{letter}gemm{suffix}", None)
        if found is not None:
            size = ctypes.c_int64 if suffix else ctypes.c_int
            enum, pointer = ctypes.c_int, ctypes.c_void_p
            factors = [enum, enum, enum, size, size, size, number]
            found.argtypes = [*factors, pointer, size, pointer, size, number, pointer, size]
            found.restype = None
            return found
    return None


def add_product(a: np.ndarray, b: np.ndarray, factor: float, out: np.ndarray) -> bool:
    """Add ``factor`` a b to ``out``; return False if this cannot be done, with nothing changed.

    ``out`` must not share memory with a or b.
    """
    product = gemm(out.dtype.char)
    left, right = _stored(a), _stored(b)
    usable = out.flags.c_contiguous and out.flags.writeable and out.dtype.isnative
    if not (product and left and right and usable):
        return False
    if not (a.dtype == b.dtype == out.dtype and a.shape[1] == len(b)):
        return False
    if out.shape != (len(a), b.shape[1]):
        return False
    product(
        *(ROWS, left[0], right[0], *out.shape, len(b), factor),
        *(left[2], left[1], right[2], right[1], 1.0, _address(out), out.shape[1]),
    )
    return True


def _stored(x: np.ndarray) -> tuple[int, int, int] | None:
    """Return how a matrix is stored, the numbers from one row or column to the next, its address.

    ``None``: there are gaps in both directions.
    """
    if x.ndim == 2:
        if x.flags.c_contiguous:
            return PLAIN, max(1, x.shape[1]), _address(x)
        if x.flags.f_contiguous:
            return TRANSPOSED, max(1, x.shape[0]), _address(x.T)
    return None


def _address(x: np.ndarray) -> int:
    """Return where the numbers of a C-contiguous array are."""
    memory: Any = x
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(memory))
    except (TypeError, ValueError):  # read-only or empty; this takes several times as long
        return x.ctypes.data
