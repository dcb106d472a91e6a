"""Why a run diverged: what had grown before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from salamandre.learnable import Diverged

GROWN, HUGE, SHOWN = 10.0, 1e6, 3


class NotFinite(Diverged):
    """A value of a step is NaN or infinite; the loop adds why.

    Args:
        message: names the value and the step.
        before: the number of steps before that one.
        found: what is known of that step alone. Default nothing.
        cure: what to do if nothing had grown. Default: what the loop advises.
    """

    def __init__(self, message: str, before: int = 0, found: str = "", cure: str = "") -> None:
        super().__init__(message)
        self.before, self.found, self.cure = before, found, cure


def grown(steps: Mapping[str, Sequence[float]], before: int) -> dict[str, tuple[float, float]]:
    """Return the usual and the last magnitude of each value that had grown.

    The usual one is the median over the first half of the steps. A value has grown if the last
    one is ten times as large or above a million.

    Args:
        steps: values by name.
        before: the number of steps to look at, which are finite.
    """
    found = {}
    for name, values in steps.items():
        sizes = [abs(value) for value in values[:before] if math.isfinite(value)]
        if sizes:
            usual, last = median(sizes[: (len(sizes) + 1) // 2]), sizes[-1]
            if last > GROWN * usual or last > HUGE:
                found[name] = usual, last
    return dict(sorted(found.items(), key=lambda item: -item[1][1])[:SHOWN])


def told(
    found: Mapping[str, tuple[float, float]],
    steps: Mapping[str, Sequence[float]],
    before: int,
    unit: str,
) -> str:
    """Return what :func:`grown` has found as a clause."""
    if not before:
        return "nothing was learned before"
    if found:
        changes = (
            f"{name} from {usual:.3g} to {last:.3g}" for name, (usual, last) in found.items()
        )
        return f"in the {unit}s before, {', '.join(changes)} had grown"
    latest = (f"{name} {steps[name][before - 1]:.3g}" for name in list(steps)[:SHOWN])
    return f"nothing had grown in the {unit}s before ({', '.join(latest)})"
