"""Confusion matrices."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from salamandre.plots.figure import new_figure, save_figure


def plot_confusion(
    counts: np.ndarray, classes: Sequence[str], path: str | os.PathLike[str], title: str = ""
) -> None:
    """Draw a confusion matrix (row the true class, column the guess), shaded by row shares."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = np.where(np.eye(len(classes), dtype=bool), 0, shares)
    size = 2.5 + 0.5 * len(classes)
    figure, (ax,) = new_figure(size, size)
    ax.imshow(mistakes, cmap="Reds", vmin=0, vmax=max(mistakes.max(), 1e-9))
    for row, column in np.ndindex(*counts.shape):
        right = row == column
        dark = mistakes[row, column] > 0.6 * mistakes.max() > 0
        ax.text(
            column,
            row,
            f"{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=9,
            color="tab:green" if right else "white" if dark else "black",
            fontweight="bold" if right else "normal",
        )
    angle = 45 if max(map(len, classes)) > 2 else 0
    ax.set_xticks(range(len(classes)), classes, rotation=angle, ha="right" if angle else "center")
    ax.set_yticks(range(len(classes)), classes)
    ax.set(xlabel="guessed", ylabel="true", title=title)
    save_figure(figure, path)
