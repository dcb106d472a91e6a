"""The axes of a study: what its runs differ in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct

from salamandre.checks import real

DIGITS = 6  # of the values of a range
Count = Annotated[int, Meta(ge=1)]


class Range(Struct, forbid_unknown_fields=True, frozen=True):
    """Numbers from ``low`` to ``high``; whole ones if both ends are.

    Attributes:
        low: the first.
        high: the last.
        count: how many a grid has. Other samplers draw from the whole range.
        log: whether equal factors, rather than equal differences, lie between neighbours.
    """

    low: int | float
    high: int | float
    count: Count | None = None
    log: bool = False

    def __post_init__(self) -> None:
        real("high of a range", self.high, self.low, above=True)
        if self.log:
            real("low of a logarithmic range", self.low, 0, above=True)

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, share: float) -> int | float:
        """Return the number at a share, in [0, 1], of the way from low to high."""
        if self.log:
            number = math.exp((1 - share) * math.log(self.low) + share * math.log(self.high))
        else:
            number = (1 - share) * self.low + share * self.high
        if self.whole:
            return round(number)
        rounded = float(f"{number:.{DIGITS}g}")
        return min(float(self.high), max(float(self.low), rounded))

    def drawn(self, share: float) -> int | float:
        """Return the number of a share drawn evenly from [0, 1]; each whole one has its part."""
        if not self.whole:
            return self.at(share)
        low, end = self.low, self.high + 1
        number = low * (end / low) ** share if self.log else low + share * (end - low)
        return min(int(self.high), math.floor(number))


@dataclass(frozen=True)
class Axis:
    """The values of an option, or variants with options each.

    Attributes:
        name: of the option, or of the axis of variants.
        values: a list, the values of a range in a grid, or the names of variants.
        range: the range, if it is one.
        choices: the options of variants by their names; empty of others.
    """

    name: str
    values: list[Any]
    range: Range | None = None
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def at(self, share: float) -> Any:
        """Return the value of a share drawn evenly from [0, 1)."""
        if self.range is not None:
            return self.range.drawn(share)
        return self.values[int(share * len(self.values))]

    def options(self, value: Any) -> Mapping[str, Any]:
        """Return the options that a value sets."""
        return self.choices[value] if self.choices else {self.name: value}


def in_list(given: Any) -> Any:
    """Return the values of an axis as a list, which a file can hold; a description as it is."""
    if isinstance(given, np.ndarray):
        return given.tolist()
    several = isinstance(given, Iterable) and not isinstance(given, (Mapping, Range, str, bytes))
    return list(given) if several else given


def axis_of(name: str, given: Any, grid: bool) -> Axis:
    """Return the axis that a plan describes.

    Args:
        name: of the option, or of the axis of variants.
        given: a list, a range, or options by the names of variants.
        grid: whether all its values are wanted.

    Raises:
        ValueError: it is none of them.
    """
    if isinstance(given, Range):
        given = msgspec.to_builtins(given)
    if isinstance(given, Mapping) and given and all(isinstance(v, Mapping) for v in given.values()):
        choices = {variant: normalized(options) for variant, options in given.items()}
        return Axis(name, list(choices), None, choices)
    if isinstance(given, Mapping):
        try:
            found = msgspec.convert(given, Range)
        except msgspec.ValidationError as error:
            text = str(error).split(" - at")[0]
            raise ValueError(
                f"the axis {name} must be a list, or a range such as "
                f"{{low = 0.1, high = 10, count = 5, log = true}}: {text[0].lower()}{text[1:]}"
            ) from None
        if not grid:
            return Axis(name, [], found)
        if found.count is None:
            raise ValueError(f"the axis {name} of a grid must say how many values: count = 5")
        shares = np.linspace(0, 1, found.count) if found.count > 1 else [0.0]
        return Axis(name, list(dict.fromkeys(found.at(float(share)) for share in shares)), found)
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable) or not list(given):
        raise ValueError(f"the axis {name} must be a list of values or a range, got {given!r}")
    return Axis(name, list(given))


def normalized(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by their names in Python: ``-`` and ``_`` are the same."""
    return {name.replace("-", "_"): value for name, value in options.items()}
