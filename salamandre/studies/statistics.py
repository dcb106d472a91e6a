"""Statistics of repeated runs: bands of means, and paired differences to a baseline."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salamandre.studies.plan import missing
from salamandre.studies.results import Row, shown
from salamandre.texts import counted

CONFIDENCE = 0.95
BLOCK = 256  # points whose resamples are in memory at once


@dataclass
class Comparison:
    """The paired differences of a point's runs to those of the baseline with the same seeds.

    Attributes:
        pairs: their number.
        mean: of the differences.
        low: the lower end of its confidence band.
        high: the upper end.
        p: of a permutation test that the mean is 0: the signs of the differences are changed at
            random, or in all ways if there are at most 9,999 (Good 2005, section 3.2).
        p_holm: corrected for the number of comparisons; see :func:`holm`.
    """

    pairs: int
    mean: float
    low: float
    high: float
    p: float
    p_holm: float = math.nan


@dataclass
class Summary:
    """A metric over the runs of a point.

    Attributes:
        point: the values of the axes.
        runs: with a value of the metric.
        lost: runs that have ended without one: they failed, diverged or were pruned.
        mean: NaN without runs.
        deviation: the standard deviation over the runs (n - 1); NaN of fewer than two.
        low: the lower end of the band of the mean, see :func:`mean_band`; NaN of fewer than two.
        high: the upper end.
        comparison: to the baseline. ``None`` of the baseline itself, or without one.
    """

    point: dict[str, Any]
    runs: int
    lost: int
    mean: float = math.nan
    deviation: float = math.nan
    low: float = math.nan
    high: float = math.nan
    comparison: Comparison | None = None


def summarize(
    rows: Sequence[Row], metric: str, baseline: Mapping[str, Any] | None = None
) -> list[Summary]:
    """Return the statistics of a metric for each point, in the order of the rows.

    Args:
        rows: of a study.
        metric: its name; also ``"duration"``, in seconds.
        baseline: values of axes that are those of one point, with which all others are compared.
            Default: no comparison.

    Raises:
        ValueError: no point, or several, have the values of the baseline.
        RuntimeError: there is a baseline, and SciPy is missing.
    """
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.point.values())].append(row)
    values = [
        {r.seed: r.result.numbers[metric] for r in group if r.result and metric in r.result.numbers}
        for group in groups.values()
    ]
    found = [
        Summary(group[0].point, len(own), sum(r.result is not None for r in group) - len(own))
        for group, own in zip(groups.values(), values, strict=True)
    ]
    for one, own in zip(found, values, strict=True):
        if own:
            one.mean = math.fsum(own.values()) / len(own)
    for members, block in _blocks([list(own.values()) for own in values]):
        deviations = block.std(axis=0, ddof=1)
        _, lows, highs = mean_band(block)
        for column, index in enumerate(members):
            one = found[index]
            one.deviation = float(deviations[column])
            one.low, one.high = float(lows[column]), float(highs[column])
    if baseline is not None:
        _compare(found, values, _the_point(found, baseline))
    return found


def _the_point(found: Sequence[Summary], baseline: Mapping[str, Any]) -> int:
    def points(spelled: Callable[[Any], Any]) -> list[int]:
        return [
            index
            for index, one in enumerate(found)
            if all(spelled(one.point.get(name)) == spelled(v) for name, v in baseline.items())
        ]

    fitting = points(shown) or points(_number)  # 1e-3 is 0.001, unless there is a text 1e-3
    if len(fitting) != 1:
        axes = ", ".join(found[0].point) if found else "none"
        raise ValueError(
            f"{counted(len(fitting), 'point')} of the study have the values of the baseline "
            f"{dict(baseline)}: give those of one point (axes: {axes})"
        )
    return fitting[0]


def _number(value: Any) -> Any:
    """Return the number that a value or text means, else the text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return shown(value)


def _compare(
    found: Sequence[Summary], values: Sequence[Mapping[int, float]], baseline: int
) -> None:
    base = values[baseline]
    differences = [
        [] if index == baseline else [own[seed] - base[seed] for seed in own if seed in base]
        for index, own in enumerate(values)
    ]
    compared: list[Comparison] = []
    for members, block in _blocks(differences):
        means, lows, highs = mean_band(block)
        for column, p in enumerate(permutation_test(block)):
            ends = float(means[column]), float(lows[column]), float(highs[column])
            compared.append(Comparison(len(block), *ends, float(p)))
            found[members[column]].comparison = compared[-1]
    for one, p in zip(compared, holm([one.p for one in compared]), strict=True):
        one.p_holm = p


def _blocks(samples: Sequence[Sequence[float]]) -> list[tuple[list[int], np.ndarray]]:
    """Return samples of two values or more as arrays (values, samples), with their indices."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        if len(sample) > 1:
            by_size[len(sample)].append(index)
    blocks = []
    for members in by_size.values():
        for first in range(0, len(members), BLOCK):
            part = members[first : first + BLOCK]
            blocks.append((part, np.array([samples[index] for index in part]).T))
    return blocks


def permutation_test(differences: np.ndarray) -> np.ndarray:
    """Return the two-sided p of the hypothesis that paired differences have the mean 0.

    Args:
        differences: (pairs, tests).

    Raises:
        RuntimeError: SciPy is missing.
    """
    try:
        from scipy import stats
    except ImportError:
        raise missing("SciPy", "comparisons with a baseline") from None
    test = stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        axis=0,
        batch=64,
        rng=np.random.default_rng(0),
    )
    return np.asarray(test.pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Return p of several tests, corrected so that any false one is unlikely (Holm 1979).

    The k-th smallest of n is multiplied by n - k + 1; none is smaller than those before it, or
    above 1.
    """
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p)[order] * factors))
    return [float(value) for value in corrected]


def mean_band(
    values: np.ndarray, confidence: float = CONFIDENCE, resamples: int = 2000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean over runs and the two ends of its confidence band.

    The band is the percentile bootstrap (Efron and Tibshirani 1993, chapter 13): the runs are
    drawn again with replacement, with a fixed seed, and the band holds the middle ``confidence``
    of the means. Unlike a Gaussian band it stays within the range of the values; of three runs or
    fewer it is that range, which holds the true mean of three Gaussian ones in 75% of cases.

    Args:
        values: (runs, ...).
        confidence: in (0, 1). Default 0.95.
        resamples: the number of bootstrap samples. Default 2000.

    Returns:
        mean, low, high, each of shape (...).
    """
    values = np.asarray(values, dtype=float)
    random = np.random.default_rng(0)
    counts = random.multinomial(len(values), np.full(len(values), 1 / len(values)), resamples)
    means = np.tensordot(counts / len(values), values, axes=1)
    tail = (1 - confidence) / 2
    mean, (low, high) = values.mean(axis=0), np.quantile(means, [tail, 1 - tail], axis=0)
    return mean, np.minimum(low, mean), np.maximum(high, mean)  # equal values differ by rounding
