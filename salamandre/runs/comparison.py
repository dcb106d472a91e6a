"""Runs side by side in one picture."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from salamandre.runs.run import TABLE, Run, read_rows
from salamandre.plots.figure import save_figure

PANELS = {"d_loss": "discriminator's loss", "g_loss": "generator's loss"}


def compare_runs(runs: Sequence[Run], path: str | os.PathLike[str]) -> None:
    """Draw the losses of runs over their epochs, and below them their latest samples.

    Args:
        runs: with a table of rounds each.
        path: of the PNG file.

    Raises:
        ValueError: a run that has not played a round.
    """
    from matplotlib.figure import Figure
    from PIL import Image

    columns = max(2, len(runs))
    figure = Figure(figsize=(4 * columns, 8), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    curves = above.subplots(1, len(PANELS), squeeze=False)[0]
    for run in runs:
        table = _table(run)
        window = max(1, len(table["round"]) // 100)
        kernel = np.full(window, 1 / window)
        epochs = table["round"][window - 1 :] / run.rounds_per_epoch
        for ax, name in zip(curves, PANELS, strict=True):
            smooth = np.convolve(table[name], kernel, mode="valid")
            ax.plot(epochs, smooth, lw=1, label=run.name)
    for ax, title in zip(curves, PANELS.values(), strict=True):
        ax.set(xlabel="epoch", title=title)
        ax.grid(alpha=0.3)
        ax.legend(fontsize=7)
    for ax, run in zip(below.subplots(1, columns, squeeze=False)[0], runs, strict=False):
        if run.samples:
            with Image.open(run.samples[-1]) as picture:
                ax.imshow(np.asarray(picture), cmap="gray", vmin=0, vmax=255)
        options = run.options
        ax.set_title(f"{run.name}\n{options['architecture']}, {run.epochs():.4g} epochs", size=8)
    for ax in below.axes:
        ax.axis("off")
    save_figure(figure, path)


def _table(run: Run) -> dict[str, np.ndarray]:
    """Return the columns of the table of rounds."""
    rows = read_rows(run.folder / TABLE)
    if not rows:
        raise ValueError(f"{run.name} has not played a round: there is nothing to compare")
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
