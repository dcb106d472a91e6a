"""Points that Optuna suggests, from the results of those before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from salamandre.checks import one_of
from salamandre.studies.plan import Plan, Planned, missing
from salamandre.studies.pruning import known
from salamandre.studies.results import Result
from salamandre.training.metrics import direction

#: Points that are played before their results are told. With a fixed number the points are the
#: same however many processes play, and a study that goes on gets those that it had.
BATCH = 4
Tell = Callable[[Sequence[Planned], Mapping[str, Result]], None]


def suggested(plan: Plan) -> Iterator[tuple[list[dict[str, Any]], Tell]]:
    """Return batches of points, each with the function to be told their results.

    The sampler is the tree-structured Parzen estimator (Bergstra et al. 2011), with the seed 0.
    A point's value is the mean of the first metric over its seeds. Optuna ranks points with a run
    that was pruned by how far it came, after all that finished.

    Raises:
        RuntimeError: Optuna is missing.
        ValueError: whether a smaller or larger metric is better is not known; or, when results are
            told, a run has returned other metrics.
    """
    try:
        import optuna
    except ImportError:
        raise missing("Optuna", "the points of --sampler optuna", "optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    metric = plan.metrics[0]
    goals = optuna.study.StudyDirection
    goal = goals.MINIMIZE if direction(metric, plan.mode) == "min" else goals.MAXIMIZE
    study = optuna.create_study(direction=goal, sampler=optuna.samplers.TPESampler(seed=0))
    kinds: dict[str, Any] = {}
    for way in plan.ways:
        if way.range is None:
            kinds[way.name] = optuna.distributions.CategoricalDistribution(range(len(way.values)))
        else:
            kinds[way.name] = optuna.distributions.FloatDistribution(0.0, 1.0)
    assert plan.points is not None
    for first in range(0, plan.points, BATCH):
        trials = [study.ask(kinds) for _ in range(min(BATCH, plan.points - first))]
        points = [_point(plan, trial.params) for trial in trials]

        def tell(
            runs: Sequence[Planned],
            results: Mapping[str, Result],
            trials: Sequence[Any] = trials,
            points: Sequence[dict[str, Any]] = points,
        ) -> None:
            for trial, point in zip(trials, points, strict=True):
                ends = [results.get(run.key) for run in runs if run.point == point]
                for end in ends:
                    if end and end.state == "finished":
                        one_of("metric", metric, end.numbers)
                pruned = [end.reported for end in ends if end and end.state == "pruned"]
                values = [end.numbers[metric] for end in ends if end and metric in end.numbers]
                if pruned:
                    for number, value in [*known(min(pruned, key=len)).items()][-1:]:
                        trial.report(value, number)
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                elif values and len(values) == len(ends):
                    study.tell(trial, sum(values) / len(values))
                else:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)

        yield points, tell


def _point(plan: Plan, shares: Mapping[str, Any]) -> dict[str, Any]:
    """Return the point of a trial: shares of ranges, numbers of listed values."""
    return {
        way.name: way.values[shares[way.name]] if way.range is None else way.at(shares[way.name])
        for way in plan.ways
    }
