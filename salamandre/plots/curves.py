"""Curves of a run and of repeated runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from salamandre.learning.history import History
from salamandre.plots.figure import new_figure, save_figure

_NOT_METRICS = {"epoch", "step", "learning_rate", "loss", "test_loss", "seconds"}


def plot_history(history: History, path: str | os.PathLike[str], title: str = "") -> None:
    """Draw the losses of steps and tests, and beside them the metrics, over the steps."""
    names = [name for name in (history.tests or [{}])[-1] if name not in _NOT_METRICS]
    panels = 1 + bool(names)
    figure, axes = new_figure(6 * panels, 4, 1, panels)
    left = axes[0, 0]
    losses = np.array([float(loss) for loss in history.losses])
    left.plot(np.arange(1, len(losses) + 1), losses, color="C0", alpha=0.25, linewidth=0.8)
    steps = history.column("step")
    left.plot(steps, history.column("loss"), color="C0", marker="o", label="training")
    if history.column("test_loss"):
        left.plot(steps, history.column("test_loss"), color="C1", marker="o", label="test")
    if steps:
        left.legend()
    if len(losses) and losses.min() > 0:
        left.set_yscale("log")
    left.set(xlabel="step", ylabel="loss", title=title)
    if names:
        right = axes[0, 1]
        for name in names:
            values = history.column(name)
            right.plot(steps, values, marker="o", label=f"{name} (last {values[-1]:.4f})")
        right.set(xlabel="step", ylabel="test set")
        right.legend()
        right.grid(alpha=0.3)
    left.grid(alpha=0.3)
    save_figure(figure, path)


def plot_bands(
    x: Sequence[float] | np.ndarray,
    bands: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    path: str | os.PathLike[str],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
) -> None:
    """Draw mean curves with their confidence bands.

    Args:
        x: what all curves run over.
        bands: (mean, low, high) by label, as :func:`salamandre.experiments.mean_band` gives them.
        path: of the PNG file.
        xlabel: of the x axis.
        ylabel: of the y axis.
        title: above the picture.
    """
    figure, axes = new_figure(7, 4.5)
    for label, (mean, low, high) in bands.items():
        (line,) = axes[0, 0].plot(x, mean, label=label)
        axes[0, 0].fill_between(x, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
    axes[0, 0].set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes[0, 0].grid(alpha=0.3)
    axes[0, 0].legend()
    save_figure(figure, path)
