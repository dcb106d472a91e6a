"""Checks of what users pass in; each raises one sentence that says what was given and expected."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any


def closest(name: Any, names: Iterable[str]) -> str | None:
    """Return the known name nearest to ``name``, or ``None`` if none is near."""
    import difflib

    by_lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None


def nearest(name: Any, names: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known name nearest to ``name``, or nothing."""
    close = closest(name, names)
    return f", did you mean {close!r}?" if close else ""


def one_of(what: str, name: Any, names: Iterable[str]) -> Any:
    """Return ``name`` if it is among ``names``."""
    names = list(names)
    if name not in names:
        raise ValueError(
            f"unknown {what} {name!r}{nearest(name, names)} (known: {', '.join(names)})"
        )
    return name


def whole(what: str, value: Any, least: int = 1) -> int:
    """Return ``value`` as an int of at least ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise ValueError(f"{what} must be a whole number of at least {least}, got {value!r}")
    return number


def real(
    what: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> float:
    """Return ``value`` as a finite float in [low, high]; ``above``/``below`` exclude an end."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    inside = (number > low if above else number >= low) and (
        number < high if below else number <= high
    )
    if not (inside and math.isfinite(number)) or isinstance(value, (bool, str)):
        ends = [f"{'above' if above else 'at least'} {low:g}"] if low > -math.inf else []
        ends += [f"{'below' if below else 'at most'} {high:g}"] if high < math.inf else []
        expected = " and ".join(ends)
        raise ValueError(f"{what} must be a finite number {expected}".rstrip() + f", got {value!r}")
    return number


def unmasked(what: str, array: Any) -> Any:
    """Return ``array`` unless it is a masked one: what is masked would be computed with."""
    if hasattr(array, "mask") and hasattr(array, "filled"):
        raise ValueError(f"{what} are a masked array: fill or drop what is masked first")
    return array
