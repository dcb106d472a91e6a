"""Checks of what users pass in; each raises one sentence that says what was given and expected."""

from __future__ import annotations

import math
import operator
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np


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


def shortened(value: Any) -> str:
    """Return a value as a text of one line with 300 characters at most."""
    return textwrap.shorten(str(value), 300, placeholder="...")


def reason(error: Exception) -> str:
    """Return the first line of an error's message, shortened; its kind if there is none."""
    return shortened(str(error).split("\n")[0].rstrip(":.")) or type(error).__name__


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
        got = shortened(repr(value))
        raise ValueError(f"{what} must be a whole number of at least {least}, got {got}")
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
        got = shortened(repr(value))
        raise ValueError(f"{what} must be a finite number {expected}".rstrip() + f", got {got}")
    return number


def array(what: str, values: Any) -> Any:
    """Return what people have as an array: lists, pandas, PyTorch on a CPU, NumPy.

    Arrays of a GPU stay there. The dtype is what it was; text is ``U``, never ``object``.

    Args:
        what: the values are, in the plural, for messages.
        values: one array, not a tuple of several.

    Raises:
        ValueError: a masked or sparse array, missing values, rows of different lengths, or what
            is no array at all.
    """
    if type(values) is np.ndarray and values.dtype.kind not in "OST":  # nearly always
        # Compiled loops take no numbers whose bytes are in another order than the machine's.
        return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
    parts = values if isinstance(values, (list, tuple)) else ()
    if any(hasattr(part, "mask") and hasattr(part, "filled") for part in (values, *parts)):
        # What is masked would be computed with.
        raise ValueError(f"{what} are a masked array: fill or drop what is masked first")
    if hasattr(values, "toarray"):
        raise ValueError(f"{what} are a sparse matrix: give x.toarray()")
    if hasattr(values, "detach"):  # PyTorch
        values = values.detach().cpu()
        values = (values.float() if "bfloat16" in str(values.dtype) else values).numpy()
    elif hasattr(values, "to_numpy"):  # pandas and its likes
        values = values.to_numpy()
    if not hasattr(values, "dtype") or isinstance(values, np.ndarray):
        try:
            values = np.asarray(values)
        except ValueError:
            raise ValueError(f"{what} must be rows of equal lengths") from None
    if values.dtype.kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{what} are bytes that are no text in UTF-8: decode them") from None
    if values.dtype.kind == "T":  # NumPy's strings of any length
        values = values.astype(object)
    return _without_objects(what, values) if values.dtype.kind == "O" else values


def numbers(what: str, values: Any) -> Any:
    """Return what people have as an array of real numbers, see :func:`array`."""
    found = array(what, values)
    if found.dtype.kind not in "fiub":
        raise ValueError(f"{what} must be real numbers, got dtype {found.dtype}")
    return found


def _without_objects(what: str, values: np.ndarray) -> np.ndarray:
    """Return an array of Python objects as one of text or of numbers."""
    if values.ndim == 0:
        raise ValueError(f"{what} must be an array, got a {type(values.item()).__name__}")
    if all(isinstance(value, str) for value in values.flat):
        return values.astype(str)
    try:  # ``None`` and what pandas has for it become NaN, or cannot become a number
        numbers = values.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.full(1, np.nan)
    if np.isnan(numbers).any():
        kinds = sorted({type(value).__name__ for value in values.flat})
        raise ValueError(
            f"{what} must be numbers or text without missing values, got {', '.join(kinds)}: leave "
            f"out or encode what differs"
        )
    return numbers
