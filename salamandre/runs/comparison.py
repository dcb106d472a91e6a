"""Comparison of runs in one picture."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from salamandre.plots.curves import ROW
from salamandre.plots.figure import (
    WIDTH,
    bare_figure,
    fitted,
    heads,
    key,
    plot_means,
    save_figure,
    styled,
)
from salamandre.recorded import alone, arrow
from salamandre.runs.run import METRICS, TABLE, Run, read_rows

DRAWN = ("d_loss", "g_loss", "loss", "test_loss", "accuracy")  # if all runs have them


@styled
def compare_runs(runs: Sequence[Run], path: str | os.PathLike[str]) -> None:
    """Draw the curves that all runs have, and below them their latest samples.

    Args:
        runs: with a table each.
        path: of the PNG file.

    Raises:
        ValueError: a run that has not played a round, or runs without a curve in common.
    """
    from PIL import Image

    found = [_curves(run) for run in runs]
    names = [name for name in DRAWN if all(name in curves for curves in found)]
    if not names:
        raise ValueError(
            f"{', '.join(run.name for run in runs)} have no curve in common: compare games with "
            f"games, classifiers with classifiers"
        )
    rows = -(-len(names) // 2)
    shown = [run for run in runs if run.samples]
    columns = min(3, len(shown))
    lines = [_lines(run, columns) for run in shown]
    tall = WIDTH / columns + 0.2 * max(text.count("\n") + 2 for text in lines) if shown else 0
    below = -(-len(shown) // columns) if shown else 0
    heights = [ROW * rows + 0.3, tall * below] if shown else [ROW * rows + 0.3]
    figure = bare_figure(WIDTH, sum(heights))
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes = parts[0].subplots(rows, 2, squeeze=False).ravel()
    units = " or ".join(dict.fromkeys(run.unit for run in runs))
    for ax, name in zip(axes, names, strict=False):
        for run, curves in zip(runs, found, strict=True):
            plot_means(ax, *curves[name], label=key(run.name))
        ax.set(xlabel=units)
        ax.grid()
    for ax in axes[len(names) :]:
        ax.axis("off")
    heads(parts[0], axes[: len(names)], [alone(name) + arrow(name) for name in names])
    if shown:
        places = parts[1].subplots(below, columns, squeeze=False).ravel()
        for ax, run, text in zip(places, shown, lines, strict=False):
            with Image.open(run.samples[-1]) as picture:
                ax.imshow(np.asarray(picture), cmap="gray", vmin=0, vmax=255)
            ax.set_title(text)
        for ax in places:
            ax.axis("off")
    save_figure(figure, path)


def _lines(run: Run, columns: int) -> str:
    """Return the name of a run, and how long it has played, in lines that fit into a column."""
    return fitted(f"{run.name}\n{run.played():.4g} {run.unit}", WIDTH / columns)


def _curves(run: Run) -> dict[str, tuple[list[float], list[float]]]:
    """Return the columns of both tables by name, each after the epochs or rounds of its rows."""
    tables = [read_rows(run.folder / name) for name in (METRICS, TABLE)]
    if not tables[1]:
        raise ValueError(f"{run.name} has not played a round: there is nothing to compare")
    curves = {}
    for rows in tables:
        for name in rows[0] if rows else ():
            # Several evaluations leave out each other's names.
            known = [row for row in rows if not math.isnan(row[name])] or rows
            curves[name] = [run.played(row) for row in known], [row[name] for row in known]
    return curves
