"""What happened during a run."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """The losses of all steps and the records of all tests.

    Attributes:
        losses: the training loss of each step.
        tests: a record of each test: ``epoch`` (a fraction counts steps), ``step``,
            ``learning_rate``, ``loss`` (mean training loss since the record before), ``seconds``
            of the run so far, and where there is a test set ``test_loss`` and its metrics.
    """

    losses: list[Any] = field(default_factory=list)
    tests: list[dict[str, float]] = field(default_factory=list)

    def column(self, name: str) -> list[float]:
        """Return one figure of all records, such as ``"accuracy"``."""
        return [record[name] for record in self.tests if name in record]

    def best(self, name: str) -> dict[str, float]:
        """Return the first record with the best ``name``: least of a loss or error, else most."""
        records = [record for record in self.tests if name in record]
        if not records:
            raise ValueError(f"no test has recorded {name!r} yet")
        return min(
            records, key=lambda r: r[name] if "loss" in name or "error" in name else -r[name]
        )

    def to_csv(self) -> str:
        """Return the records as a table of comma-separated values with a header."""
        text = io.StringIO()
        names = list(dict.fromkeys(name for record in self.tests for name in record))
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.tests)
        return text.getvalue()
