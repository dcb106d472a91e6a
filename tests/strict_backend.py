"""A backend that refuses on a CPU what CuPy refuses on a GPU.

Its arrays hide a NumPy array and come out only through ``to_numpy``: NumPy functions, NumPy arrays
beside them and silent conversions are TypeErrors. Like CuPy it answers checks of values without
looking, and keeps losses as arrays of no dimensions.
"""

from __future__ import annotations

import operator
from types import SimpleNamespace
from typing import Any

import numpy as np

from salamandre.backend.base import Backend
from salamandre.backend.random import SplitMixStream

ATTRIBUTES = {"shape", "dtype", "ndim", "size", "flags", "strides", "nbytes", "itemsize"}
METHODS = {"reshape", "sum", "mean", "max", "min", "astype", "argmax", "take", "all", "any", "copy"}
METHODS |= {"transpose"}
FUNCTIONS = {
    *("empty", "zeros", "ones", "zeros_like", "ones_like", "empty_like", "full", "arange", "eye"),
    *("array", "concatenate", "stack", "dot", "matmul", "abs", "sign", "negative", "sqrt"),
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "exp", "expm1", "log"),
    *("log1p", "tanh", "cos", "sin", "isfinite", "clip", "roll", "diff", "argsort"),
    "broadcast_to",
}


def unwrap(value: Any) -> Any:
    """Return the hidden array; a NumPy array where one of ours belongs is refused."""
    if isinstance(value, StrictArray):
        return value.hidden
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: convert with asarray first")
    if isinstance(value, (tuple, list)):
        return type(value)(unwrap(item) for item in value)
    return value


def wrap(result: Any, out: Any = None) -> Any:
    if out is not None:
        return out
    return (
        StrictArray(np.asarray(result)) if isinstance(result, (np.ndarray, np.generic)) else result
    )


def execute(function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)


class Device:
    """What calls functions of NumPy; a recording puts itself in its place."""

    execute = staticmethod(execute)
    may_be_read = True


def call(function: Any, *args: Any, **kwargs: Any) -> Any:
    out = kwargs.get("out")
    if isinstance(out, tuple):
        (out,) = out
        kwargs["out"] = out
    named = {name: unwrap(value) for name, value in kwargs.items()}
    return wrap(Device.execute(function, [*map(unwrap, args)], named), out)


def read(array: StrictArray) -> np.ndarray:
    if not Device.may_be_read:
        raise RuntimeError("a number is read while a step is recorded")
    return array.hidden


class StrictArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on a device that nothing can look into."""

    __slots__ = ("hidden",)

    def __init__(self, hidden: np.ndarray) -> None:
        self.hidden = hidden

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed: use to_numpy")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"CuPy has no {ufunc.__name__}.{method}")
        return call(ufunc, *inputs, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in ATTRIBUTES:
            return getattr(self.hidden, name)
        if name in METHODS:
            return lambda *args, **kwargs: call(getattr(np.ndarray, name), self, *args, **kwargs)
        if name == "T":
            return StrictArray(self.hidden.T)
        raise AttributeError(f"the strict array has no {name!r}")

    def __getitem__(self, index: Any) -> StrictArray:
        return call(operator.getitem, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        call(operator.setitem, self, index, value)

    def __len__(self) -> int:
        return len(self.hidden)

    def __float__(self) -> float:
        return float(read(self))

    def __int__(self) -> int:
        return int(read(self))

    def __bool__(self) -> bool:
        return bool(read(self))


def _function(name: str) -> Any:
    return lambda *args, **kwargs: call(getattr(np, name), *args, **kwargs)


def _where(condition: Any, x: Any, y: Any) -> Any:
    if not isinstance(condition, StrictArray):
        raise TypeError(f"where takes an array as its condition, got {condition!r}")
    return call(np.where, condition, x, y)


class StrictBackend(Backend):
    """The backend of :class:`StrictArray`."""

    name = "strict"

    def __init__(self) -> None:
        self.xp = SimpleNamespace(
            **{name: _function(name) for name in FUNCTIONS},
            where=_where,
            finfo=np.finfo,
            uint64=np.uint64,
            float32=np.float32,
            float64=np.float64,
        )

    def asarray(self, array: Any, dtype: Any = None) -> Any:
        if isinstance(array, StrictArray):
            return array if dtype in (None, array.dtype) else array.astype(dtype)
        return StrictArray(np.array(array, dtype=dtype))

    def to_numpy(self, array: Any) -> np.ndarray:
        if not isinstance(array, StrictArray):
            raise TypeError(f"to_numpy takes arrays of the backend, got {type(array).__name__}")
        return read(array).copy()

    def stream(self, seed: Any) -> Any:
        return SplitMixStream(self, seed)

    def scalar(self, value: Any) -> Any:
        return value

    def all_true(self, condition: Any) -> bool:
        return True

    def all_finite(self, array: Any) -> bool:
        return True
