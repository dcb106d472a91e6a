"""Runs that end early because they are worse than those before them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from salamandre.studies.plan import missing
from salamandre.training import Callback


class Pruned(Exception):
    """A run is worse than half of those before it, and has ended."""


class Pruning(NamedTuple):
    """By what a run is pruned.

    Attributes:
        metric: that is compared.
        goal: ``"min"`` or ``"max"``.
        curves: the values that each finished run before it has reported, ``None`` for NaN. They
            are those of earlier batches of points, so that it does not depend on the pace of runs
            which of them end.
    """

    metric: str
    goal: str
    curves: Sequence[Sequence[float | None]]


class Reports:
    """Takes the metrics of a run while it lasts; Optuna's median rule says whether it goes on.

    The rule (Golovin et al. 2017, section 3.3): the best value so far is worse than the median of
    what finished runs had after as many reports. It needs five finished runs.

    Args:
        pruning: default ``None``: no run ends.

    Attributes:
        metrics: of the latest report.
        values: those of the metric that is compared; ``None`` for NaN or infinity.
    """

    def __init__(self, pruning: Pruning | None = None) -> None:
        self.pruning = pruning
        self.metrics: dict[str, Any] = {}
        self.values: list[float | None] = []
        self._trial: Any = None if pruning is None else _trial(pruning)

    def __call__(self, metrics: Mapping[str, float], last: bool = False) -> None:
        """Take the metrics at some moment of a run.

        Args:
            metrics: by name.
            last: whether the run is whole, so that it is not pruned. Default False.

        Raises:
            Pruned: the run is to end.
            TypeError: what is compared is no number.
        """
        self.metrics = dict(metrics)
        if self.pruning is None or self.pruning.metric not in metrics:
            return
        name = self.pruning.metric
        try:
            value = float(metrics[name])
        except (TypeError, ValueError):
            raise TypeError(
                f"a run must report numbers, got {metrics[name]!r} as {name!r}"
            ) from None
        finite = math.isfinite(value)  # else nothing is better or worse
        self.values.append(value if finite else None)
        if not finite:
            return
        self._trial.report(value, len(self.values))
        if self._trial.should_prune() and not last:
            raise Pruned(
                f"after {len(self.values)} of its reports {self.pruning.metric} was worse than the "
                f"median of finished runs"
            )


def _trial(pruning: Pruning) -> Any:
    """Return a trial of Optuna beside those that had the curves."""
    try:
        import optuna
    except ImportError:
        raise missing("Optuna", "the pruner median", "optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    goal: Any = f"{pruning.goal}imize"
    study = optuna.create_study(direction=goal, pruner=optuna.pruners.MedianPruner())
    for curve in pruning.curves:
        values = known(curve)
        if values:
            last = values[max(values)]
            study.add_trial(optuna.trial.create_trial(value=last, intermediate_values=values))
    return study.ask()


def known(curve: Sequence[float | None]) -> dict[int, float]:
    """Return what a run has reported by its number, from 1 on, without NaN and infinity."""
    return {number: value for number, value in enumerate(curve, 1) if value is not None}


class Reporting(Callback):
    """Reports each record of an engine or a game, those before a resume again.

    Args:
        reports: that takes them.
    """

    recorded = ()

    def __init__(self, reports: Reports) -> None:
        self.reports = reports

    def on_start(self, run: Any) -> None:
        """Report the records so far."""
        for record in run.history.records:
            self.reports(record, last=record[run.unit] >= run.planned)

    def on_record(self, run: Any) -> None:
        """Report the latest record."""
        self.reports(run.history.records[-1], last=run.step >= run.planned)
