"""Comparison of runs in one picture."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from salamandre.plots.figure import WIDTH, bare_figure, plot_means, save_figure, styled
from salamandre.runs.run import METRICS, TABLE, Run, read_rows

PANELS = {
    "d_loss": "discriminator's loss",
    "g_loss": "generator's loss",
    "loss": "loss",
    "test_loss": "loss on the test set",
    "accuracy": "accuracy on the test set",
}


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
    names = [name for name in PANELS if all(name in curves for curves in found)]
    if not names:
        raise ValueError(
            f"{', '.join(run.name for run in runs)} have no curve in common: compare games with "
            f"games, classifiers with classifiers"
        )
    columns = max(2, len(runs))
    figure = bare_figure(max(WIDTH, 3.2 * columns, 3.2 * len(names)), 7)
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    panels = above.subplots(1, len(names), squeeze=False)[0]
    units = " or ".join(dict.fromkeys(run.unit for run in runs))
    for ax, name in zip(panels, names, strict=True):
        for run, curves in zip(runs, found, strict=True):
            plot_means(ax, *curves[name], label=run.name)
        ax.set(xlabel=units, title=PANELS[name])
        ax.grid()
        ax.legend(fontsize=9)
    for ax, run in zip(below.subplots(1, columns, squeeze=False)[0], runs, strict=False):
        if run.samples:
            with Image.open(run.samples[-1]) as picture:
                ax.imshow(np.asarray(picture), cmap="gray", vmin=0, vmax=255)
        ax.set_title(f"{run.name}\n{run.played():.4g} {run.unit}", size=9)
    for ax in below.axes:
        ax.axis("off")
    save_figure(figure, path)


def _curves(run: Run) -> dict[str, tuple[list[float], list[float]]]:
    """Return the columns of both tables by name, each after the epochs or rounds of its rows."""
    tables = [read_rows(run.folder / name) for name in (METRICS, TABLE)]
    if not tables[1]:
        raise ValueError(f"{run.name} has not played a round: there is nothing to compare")
    return {
        name: ([run.played(row) for row in rows], [row[name] for row in rows])
        for rows in tables
        for name in (rows[0] if rows else ())
    }
