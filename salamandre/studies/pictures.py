"""Pictures of a study."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salamandre.plots.studies import (
    plot_axes,
    plot_heat_maps,
    plot_over_runs,
    plot_parallel,
    plot_pictures,
)
from salamandre.runs.run import METRICS, TABLE, Run, read_rows
from salamandre.studies.results import Row
from salamandre.studies.statistics import mean_band
from salamandre.texts import file_name

MOST = 10  # lines of a picture, and tables of runs that are read for one
DRAWN = 40  # points of a curve over the steps of a run
TILES = 24  # samples in a picture
Groups = dict[tuple[Any, ...], list[float]]  # values of a metric by those of axes
Curve = tuple[list[Any], list[float], list[float], list[float]]


def plot_study(
    folder: Path, rows: Sequence[Row], axes: Sequence[str], metrics: Sequence[str], to: Path
) -> list[Path]:
    """Draw what there is of a study, and return the paths of the pictures.

    ``METRIC-axes.png``: the mean over the seeds at each value of an axis with its band, a panel
    for each axis; with two axes, a line for each value of the other one. ``METRIC-heat.png``: the
    means over two axes. ``METRIC-parallel.png``: a line for each point through all axes.
    ``METRIC-runs.png``: the metric over the runs, with bands. ``samples.png``: the last samples of
    a run of each point.

    Args:
        folder: of the study.
        rows: of its table.
        axes: their names.
        metrics: to be drawn.
        to: the folder of the pictures.
    """
    drawn: list[Path] = []

    def draw(plot: Callable[..., None], name: str, *arguments: Any) -> None:
        plot(*arguments, to / name)
        drawn.append(to / name)

    varied = [name for name in axes if len({row.point[name] for row in rows}) > 1]
    for metric in metrics:
        stem = file_name(metric)
        ended = [row for row in rows if row.result and metric in row.result.numbers]
        if not ended:
            continue
        if varied:
            draw(plot_axes, f"{stem}-axes.png", _panels(ended, varied, metric), metric)
        pairs = list(itertools.combinations(varied, 2))[:6]
        if pairs:
            maps = {pair: _means(ended, pair, metric) for pair in pairs}
            draw(plot_heat_maps, f"{stem}-heat.png", maps, metric)
        if len(varied) > 2:
            points = _by([*varied], ended, metric)
            means = [(*key, float(np.mean(values))) for key, values in points.items()]
            draw(plot_parallel, f"{stem}-parallel.png", varied, means, metric)
        panels, unit = _over_runs(folder, ended, varied, metric)
        if panels:
            draw(plot_over_runs, f"{stem}-runs.png", panels, metric, unit)
    if tiles := _samples(folder, rows, varied):
        draw(plot_pictures, "samples.png", tiles)
    return drawn


def _by(axes: Sequence[str], rows: Sequence[Row], metric: str) -> Groups:
    """Return the values of a metric by those of axes: numbers sorted, texts as in the plan."""
    found: Groups = defaultdict(list)
    for row in rows:
        assert row.result is not None
        found[tuple(row.point[name] for name in axes)].append(row.result.numbers[metric])
    numbers = all(isinstance(value, (int, float)) for key in found for value in key)
    return dict(sorted(found.items()) if numbers else found)


def _panels(rows: Sequence[Row], axes: Sequence[str], metric: str) -> dict[str, dict[str, Curve]]:
    """Return the curves of a panel for each axis, by their labels."""
    panels: dict[str, dict[str, Curve]] = {}
    for axis in axes:
        others = [name for name in axes if name != axis]
        values = list(dict.fromkeys(row.point[others[0]] for row in rows)) if others else []
        if len(others) == 1 and len(values) <= MOST:
            parts = {
                _label(part[0], others): part
                for part in ([row for row in rows if row.point[others[0]] == v] for v in values)
            }
        else:
            parts = {"": list(rows)}
        curves = [_curve(part, axis, metric) for part in parts.values()]
        panels[axis] = dict(zip(_shortened([*parts], others), curves, strict=True))
    return panels


def _shortened(labels: list[str], axes: Sequence[str]) -> list[str]:
    """Return labels of one axis with its name in the first of them alone."""
    if len(axes) != 1:
        return labels
    name = axes[0].replace("_", " ") + " "
    return labels[:1] + [label.removeprefix(name) for label in labels[1:]]


def _curve(rows: Sequence[Row], axis: str, metric: str) -> Curve:
    """Return the values of an axis, and the mean over the seeds at each with its band.

    Other axes are no chance: a seed counts with its mean over them, if it has ended at as many of
    their points as any.
    """
    values: list[Any] = []
    bands = []
    for (value,) in _by([axis], rows, metric):
        at_value = [row for row in rows if row.point[axis] == value]
        seeds = _seeds(at_value, metric)
        most = max(map(len, seeds))
        means = [np.mean(found) for found in seeds if len(found) == most]
        values.append(value)
        bands.append(mean_band(np.array(means), resamples=1000))
    mean, low, high = ([float(band[part]) for band in bands] for part in range(3))
    return values, mean, low, high


def _seeds(rows: Sequence[Row], metric: str) -> list[list[float]]:
    """Return the values of a metric of each seed."""
    found: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        assert row.result is not None
        found[row.seed].append(row.result.numbers[metric])
    return [*found.values()]


def _means(rows: Sequence[Row], pair: tuple[str, str], metric: str) -> Any:
    """Return the values of two axes, and the mean at each pair of them; NaN without runs."""
    found = _by(pair, rows, metric)
    ones = [key for (key,) in _by(pair[:1], rows, metric)]
    others = [key for (key,) in _by(pair[1:], rows, metric)]
    grid = np.full((len(others), len(ones)), np.nan)
    for (one, other), values in found.items():
        grid[others.index(other), ones.index(one)] = np.mean(values)
    return ones, others, grid


def _over_runs(
    folder: Path, rows: Sequence[Row], axes: Sequence[str], metric: str
) -> tuple[dict[str, dict[str, Any]], str]:
    """Return steps and band of a metric over the runs of each point, if their tables have it.

    Also what a step is called.

    There is a panel for each value of the first of several axes, and a line for each of the others.
    """
    points: dict[tuple[str, str], list[Row]] = defaultdict(list)
    first = axes[:1] if len(axes) > 1 else []
    for row in rows:
        points[_label(row, first), _label(row, axes[len(first) :])].append(row)
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    unit = "step"
    for (panel, label), members in points.items():
        if len(found[panel]) >= MOST or len(found) > MOST:
            continue
        tables = _tables([folder / row.run for row in members], metric)
        if not all(tables):
            continue
        unit = _unit(tables[0])
        curves = [{row[unit]: row[metric] for row in table} for table in tables]
        steps = sorted(set[float].intersection(*map(set[float], curves)))
        if len(steps) > 1:
            values = np.array([[curve[step] for step in steps] for curve in curves])
            found[panel][label] = np.array(steps), mean_band(values, resamples=1000)
    others = axes[len(first) :]
    short = {
        panel: dict(zip(_shortened([*lines], others), lines.values(), strict=True))
        for panel, lines in found.items()
        if lines
    }
    return short, unit


def _tables(runs: Sequence[Path], metric: str) -> list[list[dict[str, float]]]:
    """Return the rows of records that have a metric, else means over equal spans of steps."""

    def read(name: str) -> list[list[dict[str, float]]]:
        tables = [read_rows(run / name) for run in runs]
        return [
            [row for row in table if math.isfinite(row.get(metric, math.nan))] for table in tables
        ]

    records = read(METRICS)
    if any(records):
        return records
    tables = read(TABLE)
    if not all(tables):
        return tables
    unit = _unit(tables[0])
    end = min(table[-1][unit] for table in tables)
    width = max(1, math.ceil(end / DRAWN))
    return [_over_spans(table, metric, unit, width, end) for table in tables]


def _over_spans(
    rows: Sequence[dict[str, float]], metric: str, unit: str, width: int, end: float
) -> list[dict[str, float]]:
    """Return the mean of a metric over each span of so many steps, at its last step."""
    spans: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        spans[width * math.ceil(row[unit] / width)].append(row[metric])
    return [
        {unit: last, metric: math.fsum(values) / len(values)}
        for last, values in spans.items()
        if last <= end
    ]


def _unit(table: Sequence[dict[str, float]]) -> str:
    return "round" if "round" in table[0] else "step"


def _label(row: Row, axes: Sequence[str], between: str = ", ") -> str:
    """Return the values of axes of a run, with their names."""
    texts = (f"{v:g}" if isinstance(v, float) else str(v) for v in map(row.point.get, axes))
    names = (name.replace("_", " ") for name in axes)
    return between.join(f"{name} {text}" for name, text in zip(names, texts, strict=True))


def _samples(folder: Path, rows: Sequence[Row], axes: Sequence[str]) -> dict[str, Path]:
    """Return the last picture of samples of the first run of each point, by its label."""
    found: dict[str, Path] = {}
    for row in rows:
        label = _label(row, axes, "\n") or f"seed {row.seed}"
        if label not in found and len(found) < TILES:
            pictures = Run(folder / row.run, row.run).samples
            if pictures:
                found[label] = pictures[-1]
    return found
