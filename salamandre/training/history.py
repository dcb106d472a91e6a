"""The history of a run: values of every step, and records of tests and evaluations."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre import html
from salamandre.checks import one_of, whole
from salamandre.texts import counted
from salamandre.told import Told
from salamandre.training.divergence import NotFinite
from salamandre.training.metrics import direction, refuse_val

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The entries of a record that are no metrics.
NOT_METRICS = ("epoch", "step", "round", "learning_rate", "loss", "seconds")


def _listed(values: Mapping[str, float]) -> str:
    return ": " * bool(values) + ", ".join(f"{name} {v:.4g}" for name, v in values.items())


def require_free(metrics: Iterable[str], taken: Iterable[str] = NOT_METRICS) -> None:
    """Raise ValueError for a name of a metric that other entries of a record have."""
    for name in metrics:
        if name in taken:
            raise ValueError(f"a metric cannot be called {name!r}: the history has one already")


class Records(list[dict[str, float]]):
    """A list of records that says why there is none."""

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            if self:
                raise
        raise IndexError(
            "the history has no record: an Engine makes them by tests (it needs a test set, and "
            "test_every says how often), a game by an Evaluation among its callbacks"
        )


class History(Told):
    """The values of all steps by name, and a record of each test or evaluation.

    Args:
        unit: what a step is called: ``"step"``, or ``"round"`` in a game.
        steps: values of the steps by name. Default none yet.
        records: default none yet.

    Attributes:
        records: a mapping for each test of an engine or evaluation of a game: the number of steps
            (under the name ``unit``), the metrics, ``seconds`` of the run so far; for an engine
            also ``epoch`` (a fraction counts steps), ``learning_rate`` and ``loss`` (the mean
            training loss since the record before).
    """

    ways = {
        "history": "history['loss'] has a number for each step, history['test_loss'] of each test",
        **dict.fromkeys(("predict", "score", "transform"), "it is the network that has learned"),
        **dict.fromkeys(
            ("keys", "items", "values"), "steps is a dictionary, records a list of them"
        ),
    }

    def __init__(
        self,
        unit: str = "step",
        steps: Mapping[str, Iterable[float]] | None = None,
        records: Iterable[dict[str, float]] = (),
    ) -> None:
        self.unit = unit
        self.records: list[dict[str, float]] = Records(records)
        self._steps: dict[str, list[Any]] = {n: list(values) for n, values in (steps or {}).items()}
        self._read = len(self)

    def __len__(self) -> int:
        return len(next(iter(self._steps.values()), ()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self}>"

    def _repr_html_(self) -> str:
        curves = html.figure(self.plot(), "curves of the run") if len(self) else ""
        return html.paragraph(str(self)) + curves

    def __str__(self) -> str:
        """Return the number of steps and records, and the latest of each."""
        latest = {name: float(values[-1]) for name, values in self._steps.items() if values}
        text = f"{counted(len(self), self.unit)}{_listed(latest)}"
        if not self.records:
            return f"{text}; no records"
        last = self.records[-1]
        metrics = {self.unit: last[self.unit]} | self.metrics()
        return f"{text}; {counted(len(self.records), 'record')}, the latest{_listed(metrics)}"

    @property
    def steps(self) -> dict[str, list[float]]:
        """A list with a number for each step under each name, such as ``steps["loss"]``.

        On a GPU a value stays on the device until it is first read.

        Raises:
            NotFinite: see :meth:`read`.
        """
        self.read()
        return self._steps

    def __getitem__(self, name: str) -> list[float]:
        """Return the values of all steps under a name, else those of all records."""
        known = dict.fromkeys(name for record in self.records for name in record)
        if isinstance(name, str) and name not in known:
            refuse_val(name)
        one_of("entry of the history", name, {**self.steps, **known})
        return self.steps[name] if name in self.steps else self.column(name)

    def read(self) -> None:
        """Read the new values from the device.

        Raises:
            NotFinite: one of them is NaN or infinite; since each is read once, it is raised once.
        """
        start, self._read = self._read, len(self)
        if start < self._read:
            for values in self._steps.values():
                values[start:] = map(float, values[start:])
            for number in range(start, self._read):
                self._require_finite(number, {n: v[number] for n, v in self._steps.items()})

    def append(self, **values: Any) -> None:
        """Note the values of a step.

        Args:
            values: numbers by name; on a GPU arrays that ``float`` reads.

        Raises:
            NotFinite: one is NaN or infinite; nothing is noted.
        """
        count = len(self)
        self._require_finite(count, values)
        if not values.keys() <= self._steps.keys():  # earlier steps have no such value
            self.read()
            self._steps |= {n: [math.nan] * count for n in values if n not in self._steps}
        for name, value in values.items():
            self._steps[name].append(value)

    def _require_finite(self, number: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise NotFinite(f"{name} became {value} in {self.unit} {number + 1}", number)

    def mean(self, name: str, last: int = 50) -> float:
        """Return the mean of a value over the last steps; NaN if there are none."""
        values = self.steps.get(name, [])
        values = values[max(0, len(values) - last) :]
        return math.fsum(values) / len(values) if values else math.nan

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the values of all steps as float64 arrays."""
        return {name: np.array(values, dtype=np.float64) for name, values in self.steps.items()}

    def column(self, name: str) -> list[float]:
        """Return one entry of all records, such as ``"accuracy"``."""
        return [record[name] for record in self.records if name in record]

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the latest record; empty if there is none."""
        latest = self.records[-1] if self.records else {}
        return {name: value for name, value in latest.items() if name not in NOT_METRICS}

    def best(self, metric: str, mode: str | None = None) -> dict[str, float]:
        """Return the first record with the best value of a metric; NaN is never the best.

        Args:
            metric: such as ``"accuracy"``.
            mode: ``"min"`` or ``"max"``: whether smaller or larger values are better. Default: that
                of :data:`salamandre.training.metrics.DIRECTIONS`.

        Raises:
            ValueError: no record has a value of it, or its direction is not known.
        """
        sign = 1 if direction(metric, mode) == "min" else -1
        records = [r for r in self.records if not math.isnan(r.get(metric, math.nan))]
        if not records:
            raise ValueError(f"no record has a value of {metric!r} yet")
        return min(records, key=lambda record: sign * record[metric])

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        panels: Sequence[Sequence[str]] = (),
        axes: Any = None,
    ) -> Figure:
        """Draw the values of all steps and the metrics of the records; notebooks show the figure.

        Args:
            path: of a PNG file. Default: none is written.
            panels: names that share a panel, beside those that always do. Default none.
            axes: see :func:`salamandre.plots.plot_curves`.
        """
        from salamandre.plots import plot_curves

        if not len(self):
            raise ValueError("the history has no steps yet: there is nothing to draw")
        drawn = self.arrays(), self.metric_curves()
        return plot_curves(*drawn, path, unit=self.unit, panels=panels, axes=axes)

    def metric_curves(self) -> dict[str, list[tuple[float, float]]]:
        """Return (step, value) of each record that has a metric, by its name."""
        names = dict.fromkeys(name for record in self.records for name in record)
        return {
            name: [(r[self.unit], r[name]) for r in self.records if name in r]
            for name in names
            if name not in NOT_METRICS
        }

    def to_csv(self, start: int = 0) -> str:
        """Return a table of the steps after the first ``start``, with a header if that is 0."""
        whole("to_csv returns a text; the number of steps that it leaves out", start, 0)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if start == 0:
            writer.writerow([self.unit, *self.steps])
        columns = [values[start:] for values in self.steps.values()]
        for number, row in enumerate(zip(*columns, strict=True), start + 1):
            writer.writerow([number, *(f"{value:.6g}" for value in row)])
        return text.getvalue()

    def records_csv(self) -> str:
        """Return a table of all records with a header; NaN for what a record lacks."""
        text = io.StringIO()
        names = list(dict.fromkeys(name for record in self.records for name in record))
        writer = csv.DictWriter(text, names, restval="nan", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records)
        return text.getvalue()
