"""Loops as machine code (Numba), kept on disk between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numba
import numpy as np

# Reassociation and contraction let the compiler vectorize; NaN and infinity keep their meaning.
OPTIONS: dict[str, Any] = {
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
    "error_model": "numpy",
    "nogil": True,  # other threads compute at the same time
}


def compiled(function: Any, kept: bool = True) -> Callable[..., Any]:
    """Return the function compiled, together with all plain functions that it calls.

    Its machine code is ``kept`` on disk if it is the library's own. Functions of other modules may
    use globals that Numba would take for unchanged: they are compiled in each run.

    Numba finds kept code by file, name and line, and compiles again what its file changed. That
    does not see a change of the functions it calls, nor of numbers that these take from their
    modules, so the name carries a digest of both.
    """
    calls = _calls(function)
    name = "_".join([function.__name__, *(_digest(call) for call in calls.values())])
    inlined = {called: compiled(call, kept=False) for called, call in calls.items()}
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **inlined},
        name,
        function.__defaults__,
        function.__closure__,
    )
    copy.__qualname__ = name
    if kept and all(f.__module__.startswith("salamandre.") for f in (function, *calls.values())):
        try:
            return numba.njit(cache=True, **OPTIONS)(copy)
        except RuntimeError:  # no folder that the machine code could be kept in
            pass
    return numba.njit(**OPTIONS)(copy)


def _calls(function: Any) -> dict[str, FunctionType]:
    """Return the plain functions that the function calls, by name."""
    named = ((name, function.__globals__.get(name)) for name in function.__code__.co_names)
    return {name: value for name, value in named if isinstance(value, FunctionType)}


def _digest(function: Any) -> str:
    code: CodeType = function.__code__
    called = [_digest(call) for call in _calls(function).values()]
    used = (function.__globals__.get(name) for name in code.co_names)
    numbers = [repr(value) for value in used if isinstance(value, (int, float, np.number))]
    text = repr((code.co_code, code.co_consts, code.co_names, code.co_varnames, called, numbers))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
