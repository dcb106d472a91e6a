"""Curves of a run and of repeated runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.plots.figure import COLOURS, new_figure, plot_means, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The role that a value of a game belongs to, which has a colour of its own.
ROLES = {"d_loss": "discriminator", "g_loss": "generator", "d_real": "real", "d_fake": "fake"}


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
        metrics: (step, value) of each evaluation by name.
        path: of a PNG file. Default: none is written.
        unit: what a step is called. Default ``"step"``.
        panels: names that share a panel; each other name has its own panel.
        axes: to draw into, one for each panel. Default: a new figure.
    """
    known = {**steps, **metrics}
    alone = [[name] for name in known if not any(name in panel for panel in panels)]
    groups = [panel for panel in (*panels, *alone) if any(name in known for name in panel)]
    last = max(
        [len(values) for values in steps.values()]
        + [records[-1][0] for records in metrics.values() if records]
    )
    figure, axes = new_figure(5.5, 3.2, len(groups), 2, axes)
    for ax, group in zip(axes, groups, strict=True):
        for name in group:
            if name in steps:
                x, colour = range(1, len(steps[name]) + 1), COLOURS.get(ROLES.get(name, ""))
                plot_means(ax, x, steps[name], label=name, color=colour)
            if name in metrics:
                label = f"{name} (last {metrics[name][-1][1]:.4g})"
                ax.plot(*zip(*metrics[name], strict=True), marker=".", label=label)
        values = np.concatenate([line.get_ydata() for line in ax.get_lines()])
        if values.min() > 0 and values.max() > 100 * values.min():
            ax.set_yscale("log")
        ax.set(xlabel=unit, xlim=(0, 1.02 * last))  # metrics are beside the losses of their time
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
        ax.grid(alpha=0.3)
    return save_figure(figure, path)


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
    figure, (ax,) = new_figure(7, 4.5, axes=axes)
    for label, (mean, low, high) in bands.items():
        (line,) = ax.plot(x, mean, label=label)
        ax.fill_between(x, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(alpha=0.3)
    ax.legend()
    return save_figure(figure, path)


def plot_comparison(
    panels: Mapping[str, Sequence[tuple[str, float, float, float]]],
    path: str | os.PathLike[str] | None = None,
    axes: Any = None,
) -> Figure:
    """Draw metrics of several variants with their confidence bands, a panel for each metric.

    Args:
        panels: (variant, mean, low, high) of every variant, by the title of the panel.
        path: of a PNG file. Default: none is written.
        axes: to draw into, one for each panel. Default: a new figure.
    """
    count = max(len(rows) for rows in panels.values())
    width = 2.6 + 2 / len(panels)
    figure, axes = new_figure(width, 1 + 0.3 * count, len(panels), len(panels), axes)
    for index, (ax, (title, rows)) in enumerate(zip(axes, panels.items(), strict=True)):
        names, mean, low, high = (np.array(column) for column in zip(*rows, strict=True))
        heights = -np.arange(len(rows))
        ax.errorbar(mean, heights, xerr=[mean - low, high - mean], fmt="o", ms=5, capsize=3)
        ax.axvline(mean[0], color="0.7", lw=0.8, ls="--")
        ax.set_yticks(heights, names if index == 0 else [""] * len(rows), fontsize=8)
        ax.set_title(title, fontsize=9)
        ax.grid(alpha=0.3)
    return save_figure(figure, path)
