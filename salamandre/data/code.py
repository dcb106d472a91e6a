"""A checksum of what a user's function does, to tell another one under the same name."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import textwrap
import types
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

STANDARD = (os.path.dirname(os.__file__) + os.sep, "<frozen ")  # files of Python's own modules
PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, range, slice)


def code_checksum(function: Any) -> int:
    """Return a checksum (CRC-32) of a function, or of an object that can be called.

    It covers the code without comments, default values, values that the function took along from
    the function around it, the numbers, texts, arrays and functions of its module that it names,
    and the attributes of objects. Of Python itself and installed packages it covers names alone, so
    that an update changes nothing. Lambdas, and functions without source, have another one in
    another version of Python.
    """
    value = 0
    for piece in _pieces(function, set()):
        value = zlib.crc32(piece.encode("utf-8", "surrogatepass") + b"\n", value)
    return value


def _pieces(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield texts that together say what a value is or does."""
    if isinstance(value, PLAIN):
        yield f"{type(value).__name__} {value!r}"
        return
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        yield f"array {value.dtype} {value.shape} {zlib.crc32(value.tobytes())}"
        return
    if isinstance(value, (set, frozenset)):
        yield f"set {sorted(text for item in value for text in _pieces(item, seen))}"
        return
    if id(value) in seen:  # a function that calls itself
        return
    seen.add(id(value))
    yield type(value).__name__
    if isinstance(value, (list, tuple)):
        parts: Any = value
    elif isinstance(value, dict):
        parts = [part for item in value.items() for part in item]
    elif isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
    elif isinstance(value, types.MethodType):
        parts = (value.__func__, value.__self__)
    elif isinstance(value, types.CodeType):
        parts = (value.co_code.hex(), value.co_names, value.co_consts)
    elif isinstance(value, types.FunctionType):
        parts = _of_function(value)
    else:
        parts = _of_object(value)
    for part in parts:
        yield from _pieces(part, seen)


def _of_function(function: types.FunctionType) -> Iterator[Any]:
    yield function.__qualname__
    code = function.__code__
    if _is_installed(function.__module__, code.co_filename):
        return
    yield _source(function) or code
    yield function.__defaults__
    yield function.__kwdefaults__
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it is not filled yet
            continue
    for name in sorted(_names(code)):
        found = function.__globals__.get(name)
        if isinstance(found, (*PLAIN, tuple, np.ndarray, types.FunctionType)):
            yield name
            yield found


def _source(function: types.FunctionType) -> str:
    """Return the code in one form for all versions of Python; "" if there is none of its own."""
    if function.__name__ == "<lambda>":  # its line holds other things too
        return ""
    try:
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError):
        return ""


def _names(code: types.CodeType) -> set[str]:
    """Return the names that code, and the functions in it, look up."""
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _of_object(value: Any) -> Iterator[Any]:
    if isinstance(value, (type, types.ModuleType, types.BuiltinFunctionType, np.ufunc)):
        yield getattr(value, "__qualname__", value.__name__)
        return
    yield type(value).__qualname__
    yield getattr(value, "__dict__", {})
    for kind in type(value).__mro__:
        for name, method in vars(kind).items():
            if isinstance(method, types.FunctionType):
                yield name
                yield method


def _is_installed(module: str | None, file: str) -> bool:
    ours = (module or "").partition(".")[0] == "salamandre"
    return ours or file.startswith(STANDARD) or "site-packages" in file or "dist-packages" in file
