"""Triggers: how often something happens in a run, in steps, seconds or epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salamandre.checks import real, whole


@dataclass(frozen=True)
class Trigger:
    """Base of :class:`Steps`, :class:`Seconds` and :class:`Epochs`, which are plain values.

    Args:
        count: of steps, seconds or epochs.
    """

    count: float

    def __post_init__(self) -> None:
        whole(type(self).__name__, self.count)

    def due(self, step: int, steps_per_epoch: int, seconds: float) -> bool:
        """Return whether it is time after ``step`` steps, ``seconds`` after the last time."""
        raise NotImplementedError


class Steps(Trigger):
    """Every ``count`` steps; a game's step is a round."""

    def due(self, step: int, steps_per_epoch: int, seconds: float) -> bool:
        """Return whether ``step`` is a multiple of ``count``."""
        return step % self.count == 0


class Seconds(Trigger):
    """``count`` seconds after the last time or the start of the run; 0: after every step."""

    def __post_init__(self) -> None:
        real("Seconds", self.count, 0)

    def due(self, step: int, steps_per_epoch: int, seconds: float) -> bool:
        """Return whether enough seconds have passed."""
        return seconds >= self.count


class Epochs(Trigger):
    """Every ``count`` epochs."""

    def due(self, step: int, steps_per_epoch: int, seconds: float) -> bool:
        """Return whether ``step`` ends an epoch whose number is a multiple of ``count``."""
        return step % (self.count * steps_per_epoch) == 0


def trigger(what: str, every: Any) -> Trigger:
    """Return ``every`` if it is a trigger.

    Raises:
        TypeError: it is not; a plain number has no unit.
    """
    if isinstance(every, Trigger):
        return every
    hint = f": write Steps({every!r})" if isinstance(every, (int, float)) else ""
    raise TypeError(f"{what} must be Steps(n), Seconds(s) or Epochs(n), got {every!r}{hint}")
