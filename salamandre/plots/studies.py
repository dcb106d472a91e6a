"""Pictures of many runs: curves by axis, heat maps, parallel coordinates, small multiples."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from salamandre.plots.figure import (
    LETTER,
    LINE,
    WIDTH,
    fitted,
    heads,
    key,
    legend_columns,
    name_ticks,
    new_figure,
    panel_width,
    plain_ticks,
    save_figure,
    styled,
)
from salamandre.recorded import alone, arrow

PathLike = str | os.PathLike[str]
LOG = 8  # times the smallest positive value of an axis, from which on it is logarithmic
TALL = 2  # inches that a label may have along a panel
SPREAD = 0.5  # of the room of a name of an axis, over which its curves are laid side by side


@styled
def plot_axes(panels: Mapping[str, Mapping[str, Any]], metric: str, path: PathLike) -> None:
    """Draw a metric against each axis, with bands.

    Args:
        panels: by the name of the axis, curves by label: (values, mean, low, high); a value is a
            number or a text.
        metric: its name.
        path: of the PNG file.
    """
    figure, axes = _panels(len(panels), panels.values())
    for ax, (axis, curves) in zip(axes, panels.items(), strict=True):
        values = list(dict.fromkeys(value for curve in curves.values() for value in curve[0]))
        places = _places(ax, values)
        for number, (label, (own, mean, low, high)) in enumerate(curves.items()):
            x = np.array([places[value] for value in own])
            if _numeric(values):
                (line,) = ax.plot(x, mean, marker="o", label=key(label))
                ax.fill_between(x, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
            else:  # nothing lies between two names
                ends = np.abs(np.array([low, high]) - mean)
                x = x + SPREAD * ((number + 0.5) / len(curves) - 0.5)
                ax.errorbar(x, mean, yerr=ends, fmt="o", ms=4, capsize=3, label=key(label))
        ax.set(xlabel=axis.replace("_", " "), ylabel=fitted(alone(metric), TALL))
        ax.grid()
    heads(figure, axes, [arrow(metric).strip()] * len(axes))
    save_figure(figure, path)


@styled
def plot_heat_maps(maps: Mapping[tuple[str, str], Any], metric: str, path: PathLike) -> None:
    """Draw the mean of a metric over pairs of axes, all in the same colours.

    Args:
        maps: by the names of two axes: the values of the first, of the second, and the means
            (second, first); NaN, where there is no run, is white.
        metric: its name.
        path: of the PNG file.
    """
    figure, axes = _panels(len(maps))
    means = np.concatenate([grid.ravel() for _, _, grid in maps.values()])
    low, high = np.nanmin(means), np.nanmax(means)
    for ax, ((one, other), (xs, ys, grid)) in zip(axes, maps.items(), strict=True):
        shown = ax.imshow(grid, origin="lower", aspect="auto", vmin=low, vmax=high)
        width = panel_width(ax) - 1
        name_ticks(ax.xaxis, [*map(_text, xs)], width)
        ax.set_yticks(range(len(ys)), map(_text, ys))
        ax.set(xlabel=one.replace("_", " "), ylabel=other.replace("_", " "))
        if len(xs) < 2 * width and grid.size <= 64:  # letters of each cell do not touch
            for (row, column), value in np.ndenumerate(grid):
                dark = value < low + 0.6 * (high - low)
                if np.isfinite(value):
                    style = {"ha": "center", "va": "center", "size": 10}
                    ax.text(column, row, f"{value:.3g}", color="w" if dark else "k", **style)
    bar = figure.colorbar(shown, ax=[*axes], label=alone(metric) + arrow(metric))
    bar.outline.set_visible(False)
    save_figure(figure, path)


@styled
def plot_parallel(
    axes: Sequence[str], points: Sequence[Sequence[Any]], metric: str, path: PathLike
) -> None:
    """Draw each point as a line through parallel axes, in the colour of its metric.

    Args:
        axes: their names.
        points: the values of the axes, and last the metric, of each.
        metric: its name.
        path: of the PNG file.
    """
    from matplotlib import colormaps

    width = max(WIDTH / (len(axes) + 1), 1.4)
    figure, (ax,) = new_figure(width * (len(axes) + 1), 4)
    paper = {"facecolor": figure.get_facecolor(), "edgecolor": "none", "alpha": 0.8, "pad": 1}
    heights = []
    for column in range(len(axes) + 1):
        values = [point[column] for point in points]
        ordered = sorted(set(values)) if _numeric(values) else list(dict.fromkeys(values))
        few = len(ordered) <= 8 and column < len(axes)
        if few or not _numeric(values):
            places = {v: n / max(1, len(ordered) - 1) for n, v in enumerate(ordered)}
            marks = ordered
        else:
            log = column < len(axes) and ordered[0] > 0 and ordered[-1] > LOG * ordered[0]
            scaled = np.log(ordered) if log else np.array(ordered)
            span = (scaled[-1] - scaled[0]) or 1
            places = dict(zip(ordered, (scaled - scaled[0]) / span, strict=True))
            marks = [ordered[0], ordered[-1]]
        heights.append([places[value] for value in values])
        for mark in marks:
            place = column + 0.04, places[mark]
            ax.text(*place, _text(mark), size=10, va="center", bbox=paper, zorder=3)
        ax.axvline(column, color="0.6", lw=1)
    lines = np.array(heights).T
    for line in lines[np.argsort(lines[:, -1])]:
        ax.plot(line, color=colormaps["viridis"](0.15 + 0.8 * line[-1]), lw=1, alpha=0.7)
    names = [*(name.replace("_", " ") for name in axes), alone(metric) + arrow(metric)]
    ax.set_xticks(range(len(names)), [fitted(name, width - LETTER) for name in names])
    ax.set(yticks=[], xlim=(-0.2, len(names) - 0.6))
    ax.spines[:].set_visible(False)
    save_figure(figure, path)


@styled
def plot_over_runs(
    panels: Mapping[str, Mapping[str, Any]], metric: str, unit: str, path: PathLike
) -> None:
    """Draw a metric over the steps of runs, with bands.

    Args:
        panels: by their titles, lines by label: the steps, and (mean, low, high) at each.
        metric: its name.
        unit: what a step is called.
        path: of the PNG file.
    """
    figure, axes = _panels(len(panels), panels.values())
    for ax, lines in zip(axes, panels.values(), strict=True):
        for label, (steps, (mean, low, high)) in lines.items():
            (line,) = ax.plot(steps, mean, label=key(label))
            ax.fill_between(steps, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
        ax.set(xlabel=unit, ylabel=fitted(alone(metric), TALL))
        ax.xaxis.get_major_locator().set_params(integer=True, nbins=5)
        ax.grid()
    heads(figure, axes, [title + arrow(metric) for title in panels])
    save_figure(figure, path)


@styled
def plot_pictures(tiles: Mapping[str, PathLike], path: PathLike) -> None:
    """Draw pictures side by side, each below its label.

    Args:
        tiles: files by label.
        path: of the PNG file.
    """
    from PIL import Image

    lines = max(label.count("\n") for label in tiles)
    columns = -(-len(tiles) // -(-len(tiles) // 3))  # four are two by two
    width = WIDTH / max(2, columns)
    figure, axes = new_figure(width, width + 0.3 + 0.15 * lines, len(tiles), columns)
    for ax, (label, file) in zip(axes, tiles.items(), strict=True):
        with Image.open(file) as picture:
            ax.imshow(np.asarray(picture), cmap="gray", vmin=0, vmax=255)
        ax.set_title(label)
        ax.axis("off")
    save_figure(figure, path)


def _panels(count: int, legends: Iterable[Iterable[str]] = ()) -> tuple[Any, Any]:
    """Return a figure of panels with room for the labels of their legends, and its axes."""
    columns = min(2, count)
    width, height = (WIDTH, 4.0) if count == 1 else (WIDTH / 2, 2.7)
    labels = [[*legend] for legend in legends]
    lines = max((-(-len(own) // legend_columns(own, width)) for own in labels), default=0)
    return new_figure(width, height + lines * LINE / 72, count, columns)


def _places(ax: Any, values: Sequence[Any]) -> dict[Any, float]:
    """Return where the values of an axis lie, which gets a logarithmic scale or names."""
    if not _numeric(values):
        name_ticks(ax.xaxis, [*map(_text, values)], panel_width(ax))
        ax.set_xlim(-0.5, len(values) - 0.5)
        return {value: float(number) for number, value in enumerate(values)}
    if min(values) > 0 and max(values) > LOG * min(values):
        ax.set_xscale("log")
        ax.set_xlim(min(values) / 1.2, max(values) * 1.2)
        plain_ticks(ax.xaxis)
    return {value: float(value) for value in values}


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, (int, float)) for value in values)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
