"""Pictures of many runs: curves by axis, heat maps, parallel coordinates, small multiples."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salamandre.plots.figure import WIDTH, new_figure, plain_ticks, save_figure, styled

PathLike = str | os.PathLike[str]
LOG = 8  # times the smallest positive value of an axis, from which on it is logarithmic
SIZE = 9  # of small letters


@styled
def plot_axes(panels: Mapping[str, Mapping[str, Any]], metric: str, path: PathLike) -> None:
    """Draw a metric against each axis, with bands.

    Args:
        panels: by the name of the axis, curves by label: (values, mean, low, high); a value is a
            number or a text.
        metric: its name.
        path: of the PNG file.
    """
    figure, axes = new_figure(*_panel(len(panels)), len(panels), min(2, len(panels)))
    for ax, (axis, curves) in zip(axes, panels.items(), strict=True):
        values = list(dict.fromkeys(value for curve in curves.values() for value in curve[0]))
        places = _places(ax, values)
        for label, (own, mean, low, high) in curves.items():
            x = [places[value] for value in own]
            if _numeric(values):
                (line,) = ax.plot(x, mean, marker=".", label=label)
                ax.fill_between(x, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
            else:  # nothing lies between two names
                ends = np.abs(np.array([low, high]) - mean)
                ax.errorbar(x, mean, yerr=ends, fmt="o", ms=4, capsize=3, label=label)
        ax.set(xlabel=axis.replace("_", " "), ylabel=metric.replace("_", " "))
        ax.grid()
        if any(curves):
            ax.legend(fontsize=SIZE)
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
    figure, axes = new_figure(*_panel(len(maps)), len(maps), min(2, len(maps)))
    means = np.concatenate([grid.ravel() for _, _, grid in maps.values()])
    low, high = np.nanmin(means), np.nanmax(means)
    for ax, ((one, other), (xs, ys, grid)) in zip(axes, maps.items(), strict=True):
        shown = ax.imshow(grid, origin="lower", aspect="auto", vmin=low, vmax=high)
        ax.set_xticks(range(len(xs)), map(_text, xs), rotation=45 if len(xs) > 6 else 0)
        ax.set_yticks(range(len(ys)), map(_text, ys))
        ax.set(xlabel=one.replace("_", " "), ylabel=other.replace("_", " "))
        if grid.size <= 64:
            for (row, column), value in np.ndenumerate(grid):
                dark = value < low + 0.6 * (high - low)
                if np.isfinite(value):
                    style = {"ha": "center", "va": "center", "size": SIZE}
                    ax.text(column, row, f"{value:.3g}", color="w" if dark else "k", **style)
        figure.colorbar(shown, ax=ax, label=metric.replace("_", " "))
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

    figure, (ax,) = new_figure(2.2 * (len(axes) + 1), 4.5)
    heights = []
    for column in range(len(axes) + 1):
        values = [point[column] for point in points]
        ordered = sorted(set(values)) if _numeric(values) else list(dict.fromkeys(values))
        few = len(ordered) <= 8 and column < len(axes)
        if few or not _numeric(values):
            places = {v: n / max(1, len(ordered) - 1) for n, v in enumerate(ordered)}
            marks = ordered
        else:
            first, last = ordered[0], ordered[-1]
            places = {v: (v - first) / ((last - first) or 1) for v in ordered}
            marks = [first, last]
        heights.append([places[value] for value in values])
        for mark in marks:
            ax.text(column + 0.03, places[mark], _text(mark), size=SIZE, va="center")
        ax.axvline(column, color="0.6", lw=1)
    lines = np.array(heights).T
    for line in lines[np.argsort(lines[:, -1])]:
        ax.plot(line, color=colormaps["viridis"](line[-1]), lw=1, alpha=0.7)
    names = [name.replace("_", " ") for name in (*axes, metric)]
    ax.set_xticks(range(len(names)), names)
    ax.set(yticks=[], xlim=(-0.1, len(names) - 0.6))
    save_figure(figure, path)


@styled
def plot_over_runs(panels: Mapping[str, Mapping[str, Any]], metric: str, path: PathLike) -> None:
    """Draw a metric over the steps of runs, with bands.

    Args:
        panels: by their titles, lines by label: the steps, and (mean, low, high) at each.
        metric: its name.
        path: of the PNG file.
    """
    figure, axes = new_figure(*_panel(len(panels)), len(panels), min(2, len(panels)))
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for label, (steps, (mean, low, high)) in lines.items():
            (line,) = ax.plot(steps, mean, label=label)
            ax.fill_between(steps, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
        ax.set(xlabel="step", ylabel=metric.replace("_", " "), title=title)
        ax.grid()
        if any(lines):
            ax.legend(fontsize=SIZE)
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
    figure, axes = new_figure(2.1, 2.4 + 0.15 * lines, len(tiles), min(3, len(tiles)))
    figure.get_layout_engine().set(h_pad=0.08)  # the layout is computed before pictures are square
    for ax, (label, file) in zip(axes, tiles.items(), strict=True):
        with Image.open(file) as picture:
            ax.imshow(np.asarray(picture), cmap="gray", vmin=0, vmax=255)
        ax.set_title(label, size=SIZE)
        ax.axis("off")
    save_figure(figure, path)


def _panel(count: int) -> tuple[float, float]:
    """Return the width and height of each of some panels."""
    return (WIDTH, 4.0) if count == 1 else (WIDTH / 2, 2.8)


def _places(ax: Any, values: Sequence[Any]) -> dict[Any, float]:
    """Return where the values of an axis lie, which gets a logarithmic scale or names."""
    if not _numeric(values):
        ax.set_xticks(range(len(values)), map(_text, values), size=SIZE)
        ax.margins(x=0.2)
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
