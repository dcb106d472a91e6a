"""What happened during a game."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np

FIGURES = ("d_loss", "g_loss", "d_real", "d_fake")


class GameHistory:
    """The figures of every round, and the metrics of every evaluation.

    Attributes:
        rounds: a list with a number for each round under each of ``d_loss``, ``g_loss``, ``d_real``
            (what the discriminator thinks of real examples), ``d_fake``, and for a
            :class:`WGanGame` ``distance``. On a GPU a number stays on the device until it is read.
        metrics: a record of each evaluation: ``round``, ``seconds`` and its figures.
    """

    def __init__(self, figures: tuple[str, ...] = FIGURES) -> None:
        self.rounds: dict[str, list[Any]] = {name: [] for name in figures}
        self.metrics: list[dict[str, float]] = []

    def __len__(self) -> int:
        return len(self.rounds["d_loss"])

    def append(self, **figures: Any) -> None:
        """Note the figures of a round."""
        for name, values in self.rounds.items():
            values.append(figures[name])

    def mean(self, name: str, last: int = 50) -> float:
        """Return the mean of a figure over the last rounds."""
        values = self._read(name, last)
        return math.fsum(values) / len(values) if values else math.nan

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the figures of all rounds as float64 arrays."""
        return {name: np.array(self._read(name, len(self))) for name in self.rounds}

    def _read(self, name: str, last: int) -> list[float]:
        """Return the last values as floats, which they then stay: each is read only once."""
        values = self.rounds[name]
        values[-last:] = map(float, values[-last:])
        return values[-last:]

    def to_csv(self) -> str:
        """Return a table of all rounds as comma-separated values with a header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        arrays = self.arrays()
        writer.writerow(["round", *arrays])
        for index, row in enumerate(zip(*arrays.values(), strict=True), start=1):
            writer.writerow([index, *(f"{value:.6g}" for value in row)])
        return text.getvalue()

    def metrics_csv(self) -> str:
        """Return a table of all evaluations as comma-separated values with a header."""
        text = io.StringIO()
        names = list(dict.fromkeys(name for record in self.metrics for name in record))
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.metrics)
        return text.getvalue()
