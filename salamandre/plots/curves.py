"""Curves of a run and of repeated runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.plots.figure import (
    COLOURS,
    LETTER,
    WIDTH,
    fitted,
    head,
    key,
    new_figure,
    plain_ticks,
    plot_means,
    save_figure,
    styled,
)
from salamandre.recorded import RECORDED, Recorded, alone, arrow, panel, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OTHERS = ("tab:red", "tab:cyan", "tab:olive", "tab:brown")  # colours of values without a role
ROW = 2.3  # inches: the height of a panel


@styled
def plot_curves(
    steps: Mapping[str, np.ndarray],
    metrics: Mapping[str, Sequence[tuple[float, float]]],
    path: str | os.PathLike[str] | None = None,
    *,
    unit: str = "step",
    panels: Sequence[Sequence[str]] = (),
    axes: Any = None,
) -> Figure:
    """Draw the values of all steps of a run, as means over windows of 1% of them, and its metrics.

    Args:
        steps: the values of every step by name.
        metrics: (step, value) of each evaluation by name. Panels of metrics that were evaluated
            once are left out, if there are others.
        path: of a PNG file. Default: none is written.
        unit: what a step is called. Default ``"step"``.
        panels: names that share a panel; each other name has its own panel.
        axes: to draw into, one for each panel. Default: a new figure.
    """
    steps = {name: values for name, values in steps.items() if len(values)}
    metrics = {name: values for name, values in metrics.items() if len(values)}
    if not steps and not metrics:
        raise ValueError("there are no values to draw: give some for a name at least")
    groups = grouped(steps, metrics, panels)
    columns = min(2, len(groups))
    figure, axes = new_figure(WIDTH / columns, ROW, len(groups), columns, axes)
    for ax, (title, names) in zip(axes, groups.items(), strict=True):
        draw_panel(ax, title, names, steps, metrics)
        ax.set_xlabel(unit)
    return save_figure(figure, path)


def draw_panel(
    ax: Any,
    title: str,
    names: Sequence[str],
    steps: Mapping[str, np.ndarray],
    metrics: Mapping[str, Sequence[tuple[float, float]]],
) -> None:
    """Draw the values of some names into one panel; see :func:`plot_curves`."""
    others = iter(OTHERS * len(names))
    for name in names:
        colour = COLOURS.get(RECORDED.get(name, Recorded("")).role) or next(others)
        if name in steps:
            x = range(1, len(steps[name]) + 1)
            plot_means(ax, x, steps[name], label=words(name), color=colour)
        if name in metrics:
            last = f"{words(name) if len(names) > 1 else 'last'}: {metrics[name][-1][1]:.3g}"
            ax.plot(*zip(*metrics[name], strict=True), marker="o", label=last, color=colour)
    values = np.concatenate([line.get_ydata() for line in ax.get_lines()])
    if values.min() > 0 and values.max() > 100 * np.quantile(values, 0.05):
        ax.set_yscale("log")
        plain_ticks(ax.yaxis)
    lengths = [len(steps[name]) for name in steps]
    ends = [records[-1][0] for records in metrics.values() if records]
    ax.set(xlim=(0, 1.02 * max(lengths + ends)))  # metrics are beside the losses of their time
    ax.xaxis.get_major_locator().set_params(integer=True, nbins=4)
    head(ax, title + arrow(*names), legend=len(names) > 1 or names[0] in metrics)
    ax.grid()


def grouped(
    steps: Mapping[str, np.ndarray],
    metrics: Mapping[str, Sequence[tuple[float, float]]],
    panels: Sequence[Sequence[str]] = (),
) -> dict[str, list[str]]:
    """Return the names of each panel by its title, without panels of single points if it can."""
    groups: dict[str, list[str]] = {}
    names = dict.fromkeys([*steps, *metrics])
    for name in names:
        mates = next((mates for mates in panels if name in mates), (name,))
        titles = dict.fromkeys(panel(mate) for mate in mates if mate in names)
        groups.setdefault(" and ".join(titles), []).append(name)
    groups = {title if own[1:] else alone(own[0]): own for title, own in groups.items()}
    curves = {
        title: own
        for title, own in groups.items()
        if any(name in steps or len(metrics[name]) > 1 for name in own)
    }
    return curves or groups


@styled
def plot_bands(
    x: Sequence[float] | np.ndarray,
    bands: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    path: str | os.PathLike[str] | None = None,
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    axes: Any = None,
) -> Figure:
    """Draw mean curves with their confidence bands.

    Args:
        x: the horizontal axis of all curves.
        bands: (mean, low, high) by label, as :func:`salamandre.studies.mean_band` gives them.
        path: of a PNG file. Default: none is written.
        xlabel: of the x axis.
        ylabel: of the y axis.
        title: above the picture.
        axes: to draw into. Default: a new figure.
    """
    figure, (ax,) = new_figure(WIDTH, 4, axes=axes)
    for label, (mean, low, high) in bands.items():
        (line,) = ax.plot(x, mean, label=key(label))
        ax.fill_between(x, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    head(ax, title)
    if all(float(value).is_integer() for value in x):
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid()
    return save_figure(figure, path)


@styled
def plot_rates(
    rates: np.ndarray, losses: np.ndarray, suggestion: float, path: str | os.PathLike[str]
) -> None:
    """Draw losses against learning rates, and the rate that is suggested."""
    figure, (ax,) = new_figure(WIDTH, 4)
    ax.semilogx(rates, losses)
    plain_ticks(ax.xaxis)
    ax.axvline(suggestion, color="0.5", linestyle=":", label=f"suggested: {suggestion:.2g}")
    ax.set(xlabel="learning rate", ylabel="loss")
    head(ax)
    ax.grid()
    save_figure(figure, path)


@styled
def plot_comparison(
    panels: Mapping[str, Sequence[tuple[str, float, float, float]]],
    path: str | os.PathLike[str] | None = None,
    axes: Any = None,
) -> Figure:
    """Draw metrics of several variants with their confidence bands, a panel for each in a row.

    Args:
        panels: (variant, mean, low, high) of every variant, by the title of the panel.
        path: of a PNG file. Default: none is written.
        axes: to draw into, one for each panel. Default: a new figure, 2 inches wider with each
            panel.
    """
    count = max(len(rows) for rows in panels.values())
    longest = LETTER * max(len(row[0]) for rows in panels.values() for row in rows)
    width = max(WIDTH, longest + 2 * len(panels))  # of all panels in a row, with names at the left
    room = (width - longest) / len(panels) - 2 * LETTER
    shape = width / len(panels), 1 + 0.25 * count
    figure, axes = new_figure(*shape, len(panels), len(panels), axes)
    for index, (ax, (title, rows)) in enumerate(zip(axes, panels.items(), strict=True)):
        names, mean, low, high = (np.array(column) for column in zip(*rows, strict=True))
        heights = -np.arange(len(rows))
        ax.errorbar(mean, heights, xerr=[mean - low, high - mean], fmt="o", ms=5, capsize=3)
        ax.axvline(mean[0], color="0.7", lw=0.8, ls="--")
        spec = ax.get_subplotspec()
        begins_row = index == 0 or spec is None or spec.is_first_col()
        ax.set_yticks(heights, names if begins_row else [""] * len(rows))
        ax.set(title=fitted(title, room), ylim=(0.5 - len(rows), 0.5))
        ax.grid()
    return save_figure(figure, path)
