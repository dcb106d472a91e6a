"""Matrix products by cuBLAS. CuPy's own refuse to be recorded; these do not."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

from salamandre.backend.operation import Array

WORKSPACE = 32 * 2**20  # bytes, what cuBLAS takes by itself on recent devices

_Layout = tuple[int, int, int]  # pointer, leading dimension, whether it is stored by columns


class Cublas:
    """``dot`` and ``matmul`` as NumPy's, for arrays of one dtype, float32 or float64.

    Others, and products of more than three dimensions, are left to CuPy.

    Args:
        cupy: the module.
    """

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._threads = threading.local()  # each has a handle, and a stream that it was set to
        handle = cupy.cuda.device.get_cublas_handle()
        version = cupy.cuda.cublas.getVersion(handle)
        major = version // 10000 if version >= 100000 else version // 1000
        self._library = ctypes.CDLL(f"libcublas.so.{major}")  # which CuPy has loaded
        number, pointer = ctypes.c_int, ctypes.c_void_p
        head = [pointer, *[number] * 5, pointer]
        plain, batched = [pointer, number], [pointer, number, ctypes.c_longlong]
        self._functions, self._numbers = {}, {}
        for dtype, letter, real in (("f", "S", ctypes.c_float), ("d", "D", ctypes.c_double)):
            one, many = (
                getattr(self._library, f"cublas{letter}gemm{kind}")
                for kind in ("_v2", "StridedBatched")
            )
            one.argtypes = [*head, *plain, *plain, pointer, *plain]
            many.argtypes = [*head, *batched, *batched, pointer, *batched, number]
            self._functions[dtype] = one, many
            factors = real(1), real(0)
            self._numbers[dtype] = factors, *(ctypes.addressof(factor) for factor in factors)

    def use(self, stream: int, workspace: Array | None = None) -> None:
        """Let the thread's products run on a stream, with memory of its own if it is recorded."""
        threads, library = self._threads, self._library
        if not hasattr(threads, "handle"):
            threads.handle, threads.stream = ctypes.c_void_p(), None
            self._checked(library.cublasCreate_v2(ctypes.byref(threads.handle)))
        if stream != threads.stream or workspace is not None:
            handle = threads.handle
            self._checked(library.cublasSetStream_v2(handle, ctypes.c_void_p(stream)))
            threads.stream = stream
            if workspace is not None:
                memory = ctypes.c_void_p(workspace.data.ptr), ctypes.c_size_t(workspace.nbytes)
                self._checked(library.cublasSetWorkspace_v2(handle, *memory))

    def dot(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """Return the product of vectors or matrices."""
        if not (self._fits(a, b, out) and 0 < a.ndim < 3 and 0 < b.ndim < 3):
            return self._cupy.dot(a, b, out=out)
        shape = (*a.shape[:-1], *b.shape[1:])
        if out is None:
            out = self._cupy.empty(shape, a.dtype)
        matrix = out
        if len(shape) < 2:
            a = a.reshape(1, -1) if a.ndim == 1 else a
            b = b.reshape(-1, 1) if b.ndim == 1 else b
            matrix = out.reshape(len(a), b.shape[1])
        self._multiply(a, b, matrix)
        return out

    def matmul(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """Return the product of two matrices, or of as many pairs of them."""
        if not (self._fits(a, b, out) and a.ndim == b.ndim in (2, 3)):
            return self._cupy.matmul(a, b, out=out)
        if a.ndim == 3 and len(a) != len(b):
            return self._cupy.matmul(a, b, out=out)
        if out is None:
            out = self._cupy.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
        self._multiply(a, b, out)
        return out

    def _fits(self, a: Array, b: Array, out: Array | None) -> bool:
        dtype = a.dtype
        same = dtype == b.dtype and (out is None or dtype == out.dtype)
        return same and dtype.char in self._functions and a.size > 0 and b.size > 0

    def _multiply(self, a: Array, b: Array, out: Array) -> None:
        """Write the product of matrices, or of as many pairs of them."""
        target = _layout(out)
        if target is None or out.shape[-2:] != (a.shape[-2], b.shape[-1]):
            raise ValueError(f"no product of shapes {a.shape} and {b.shape} fits {out.shape}")
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"shapes {a.shape} and {b.shape} do not fit a product")
        if target[2]:  # outᵀ = bᵀ aᵀ is stored by rows
            a, b, out = (x.swapaxes(-1, -2) for x in (b, a, out))
        left, right = (_layout(x) for x in (a, b))
        if left is None:
            left = _layout(a := self._cupy.ascontiguousarray(a))
        if right is None:
            right = _layout(b := self._cupy.ascontiguousarray(b))
        assert left and right
        # cuBLAS takes what is stored by rows for its transpose, and outᵀ = bᵀ aᵀ again.
        self.use(self._cupy.cuda.get_current_stream().ptr)
        one, many = self._functions[a.dtype.char]
        _, factor, nothing = self._numbers[a.dtype.char]
        sizes = out.shape[-1], out.shape[-2], a.shape[-1]
        head = self._threads.handle, right[2], left[2], *sizes, factor
        if out.ndim == 2:
            self._checked(one(*head, *right[:2], *left[:2], nothing, *target[:2]))
        else:
            step_a, step_b, step = (x.strides[0] // x.itemsize for x in (a, b, out))
            given = *right[:2], step_b, *left[:2], step_a, nothing, *target[:2], step
            self._checked(many(*head, *given, len(out)))

    def _checked(self, status: int) -> None:
        if status:
            raise RuntimeError(f"cuBLAS reports error {status}")


def _layout(x: Array) -> _Layout | None:
    """Return how the last two axes are stored; ``None``: neither by rows nor by columns."""
    rows, columns = x.shape[-2:]
    down, along = (stride // x.itemsize for stride in x.strides[-2:])
    if (along == 1 or columns == 1) and (down >= columns or rows == 1):
        return x.data.ptr, max(down, columns), 0
    if (down == 1 or rows == 1) and (along >= rows or columns == 1):
        return x.data.ptr, max(along, rows), 1
    return None
