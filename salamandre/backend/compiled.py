"""Compiled loops (Numba): optimizer formulas in one pass over memory each, and what keeps them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numba

from salamandre.backend.base import Rule

# Reassociation and contraction let the compiler vectorize; NaN and infinity keep their meaning.
OPTIONS: dict[str, Any] = {
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
    "error_model": "numpy",
}


def kept(function: Callable[..., None]) -> Callable[..., None]:
    """Return the compiled function, its machine code kept on disk between runs."""
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no folder that the machine code could be kept in
        return inlined(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function compiled for use in other compiled ones."""
    return numba.njit(**OPTIONS)(function)


def rule(*arguments: float) -> tuple[float, ...]:
    """Stand for the formula: :func:`loop` puts the real one in its place."""
    raise NotImplementedError


def _loop0(p: Any, g: Any, *scalars: float) -> None:
    for i in range(p.size):
        (p[i],) = rule(p[i], g[i], *scalars)


def _loop1(p: Any, g: Any, a: Any, *scalars: float) -> None:
    for i in range(p.size):
        p[i], a[i] = rule(p[i], g[i], a[i], *scalars)


def _loop2(p: Any, g: Any, a: Any, b: Any, *scalars: float) -> None:
    for i in range(p.size):
        p[i], a[i], b[i] = rule(p[i], g[i], a[i], b[i], *scalars)


def _loop3(p: Any, g: Any, a: Any, b: Any, c: Any, *scalars: float) -> None:
    for i in range(p.size):
        p[i], a[i], b[i], c[i] = rule(p[i], g[i], a[i], b[i], c[i], *scalars)


_LOOPS = (_loop0, _loop1, _loop2, _loop3)


@functools.cache
def loop(formula: Rule, slots: int) -> Callable[..., None]:
    """Return the compiled loop of ``formula`` over parameters, gradients and ``slots`` vectors.

    The machine code of the library's own rules is kept on disk between runs. Numba tells kept
    functions apart by file, name and line, so the name carries a digest of the formula: a changed
    formula is compiled anew.
    """
    compiled = inlined(formula)
    name = f"{formula.__qualname__.replace('.', '_')}_{_digest(formula.__code__)}"
    plain = FunctionType(_LOOPS[slots].__code__, {**globals(), "rule": compiled}, name)
    plain.__qualname__ = name
    # A rule of one's own may use globals, whose values no digest sees: it is compiled each time.
    ours = formula.__module__.startswith("salamandre.")
    return kept(plain) if ours else inlined(plain)


def _digest(code: CodeType) -> str:
    text = repr((code.co_code, code.co_consts, code.co_names, code.co_varnames))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
