"""An optimizer's step over flat vectors; each optimizer's rule makes an operation of its own.

A rule is the formula for one element, ``p, *state = rule(p, g, *state, *scalars)``, written with
arithmetic and NumPy's ufuncs only. So the same text serves blocks of arrays, which it may change in
place, one compiled loop over numbers, and CUDA code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from salamandre.backend.operation import Array, Operation, Runner

Rule = Callable[..., tuple[Any, ...]]

# Elements that array code works on at a time: its temporaries stay in the last-level cache, and are
# large enough (256 KiB) for NumPy to reuse their memory within an expression.
BLOCK = 2**18


def update(
    backend: Runner,
    rule: Rule,
    parameters: Array,
    gradients: Array,
    state: Sequence[Array],
    scalars: Sequence[Any],
) -> None:
    """Write ``parameters, *state = rule(parameters, gradients, *state, *scalars)``.

    Parameters, gradients and the arrays of the state are flat and of one size. The scalars are
    turned into numbers of their precision; arrays of no dimensions have it.
    """
    step = operation(rule, len(state), len(scalars))
    numbers = [s if isinstance(s, type(parameters)) else float(s) for s in scalars]
    arrays = parameters, gradients, *state
    backend.in_slices(
        parameters.size, lambda part: backend.run(step, (*(a[part] for a in arrays), *numbers))
    )


@functools.cache
def operation(rule: Rule, slots: int, scalars: int) -> Operation:
    """Return the operation ``(backend, parameters, gradients, *state, *scalars)`` of a rule.

    It has no loop for more than 3 slots, and no CUDA code for a rule that cannot be written so.
    """

    def update(xp: Any, parameters: Array, gradients: Array, *others: Any) -> None:
        arrays, numbers = (parameters, gradients, *others[:slots]), others[slots:]
        for start in range(0, parameters.size, BLOCK):
            p, g, *state = (array[start : start + BLOCK] for array in arrays)
            for array, result in zip((p, *state), rule(p, g, *state, *numbers), strict=True):
                if result is not array:
                    array[...] = result

    made = Operation(update)
    if slots < len(_LOOPS):
        made.compiled(FunctionType(_LOOPS[slots].__code__, {**globals(), "_rule": rule}))
    code = _cuda_code(rule, slots, scalars)
    if code is not None:
        made.cuda(*code, lambda p, g, *others: (g, *others[slots:], p, *others[:slots]))
    return made


def _rule(*arguments: float) -> tuple[float, ...]:
    """Stand for the rule, which takes this name when the loops are compiled."""
    raise NotImplementedError


def _loop0(p: Array, g: Array, *scalars: float) -> None:
    for i in range(p.size):
        (p[i],) = _rule(p[i], g[i], *scalars)


def _loop1(p: Array, g: Array, a: Array, *scalars: float) -> None:
    for i in range(p.size):
        p[i], a[i] = _rule(p[i], g[i], a[i], *scalars)


def _loop2(p: Array, g: Array, a: Array, b: Array, *scalars: float) -> None:
    for i in range(p.size):
        p[i], a[i], b[i] = _rule(p[i], g[i], a[i], b[i], *scalars)


def _loop3(p: Array, g: Array, a: Array, b: Array, c: Array, *scalars: float) -> None:
    for i in range(p.size):
        p[i], a[i], b[i], c[i] = _rule(p[i], g[i], a[i], b[i], c[i], *scalars)


_LOOPS = (_loop0, _loop1, _loop2, _loop3)

# NumPy's ufuncs in CUDA; NaN stays in maximum and minimum, as in NumPy.
_UFUNCS = {
    "positive": "{}",
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "square": "{0} * {0}",
    "sqrt": "sqrt({})",
    "absolute": "fabs({})",
    "sign": "{0} != {0} ? {0} : T(({0} > 0) - ({0} < 0))",
    "exp": "exp({})",
    "log": "log({})",
    "power": "pow({}, {})",
    "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}",
}


class _Number(NDArrayOperatorsMixin):
    """Stands for a number in CUDA code: what is done with it becomes a line of the code.

    It is of an ``array``, which is changed in place, or a scalar, which is not.
    """

    def __init__(self, name: str, lines: list[str], array: bool = True) -> None:
        self.name, self.lines, self.array = name, lines, array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Write the line; TypeError for what CUDA code is not known for."""
        changed = options.pop("out", (None,))[0]
        if method != "__call__" or options or ufunc.__name__ not in _UFUNCS:
            return NotImplemented
        if not all(isinstance(x, _Number) or np.isfinite(x) for x in inputs):
            return NotImplemented
        name = f"t{len(self.lines)}"
        terms = (x.name if isinstance(x, _Number) else f"T({float(x)!r})" for x in inputs)
        self.lines.append(f"const T {name} = {_UFUNCS[ufunc.__name__].format(*terms)};")
        if changed is None or not changed.array:
            array = any(isinstance(x, _Number) and x.array for x in inputs)
            return _Number(name, self.lines, array)
        changed.name = name
        return changed

    def __bool__(self) -> bool:
        raise TypeError("the value is not known yet")


def _cuda_code(rule: Rule, slots: int, scalars: int) -> tuple[str, str, str] | None:
    """Return inputs, outputs and body of a rule's kernel, or None if it cannot be written so.

    The rule is run once on what stands for its numbers. The kernel takes gradients and scalars, and
    changes parameters and slots.
    """
    lines: list[str] = []
    written = [_Number(f"x{k}", lines) for k in range(1 + slots)]
    given = [_Number(f"scalar{k}", lines, array=False) for k in range(scalars)]
    names = [number.name for number in written]
    try:
        results = rule(written[0], _Number("g", lines), *written[1:], *given)
        ends = [np.positive(result).name for result in results]
    except (TypeError, ValueError, AttributeError):
        return None
    lines += [f"{name} = {end};" for name, end in zip(names, ends, strict=True)]
    inputs = ["T g", *(f"T {scalar.name}" for scalar in given)]
    return ", ".join(inputs), ", ".join(f"T {name}" for name in names), "\n".join(lines)
