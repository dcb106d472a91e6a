"""Runs that end early because they are worse than those before them."""

from __future__ import annotations

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
        curves: the values that each finished run before it has reported. They are those of earlier
            batches of points, so that it does not depend on the pace of runs which of them end.
    """

    metric: str
    goal: str
    curves: Sequence[Sequence[float]]


class Reports:
    """Takes the metrics of a run while it lasts; Optuna's median rule says whether it goes on.

    The rule (Golovin et al. 2017, section 3.3): the best value so far is worse than the median of
    what finished runs had after as many reports. It needs five finished runs.

    Args:
        pruning: default ``None``: no run ends.

    Attributes:
        metrics: of the latest report.
        values: those of the metric that is compared.
    """

    def __init__(self, pruning: Pruning | None = None) -> None:
        self.pruning = pruning
        self.metrics: dict[str, float] = {}
        self.values: list[float] = []
        self._trial: Any = None if pruning is None else _trial(pruning)

    def __call__(self, metrics: Mapping[str, float], last: bool = False) -> None:
        """Take the metrics at some moment of a run.

        Args:
            metrics: by name.
            last: whether the run is whole, so that it is not pruned. Default False.

        Raises:
            Pruned: the run is to end.
        """
        self.metrics = dict(metrics)
        if self.pruning is None or self.pruning.metric not in metrics:
            return
        self.values.append(float(metrics[self.pruning.metric]))
        self._trial.report(self.values[-1], len(self.values))
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
    for curve in filter(None, pruning.curves):
        values = dict(enumerate(map(float, curve), 1))
        study.add_trial(optuna.trial.create_trial(value=curve[-1], intermediate_values=values))
    return study.ask()


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
