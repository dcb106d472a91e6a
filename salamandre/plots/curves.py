"""Curves of a run and of repeated runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from salamandre.games.history import GameHistory
from salamandre.plots.figure import new_figure, save_figure
from salamandre.training.history import History

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
        bands: (mean, low, high) by label, as :func:`salamandre.studies.mean_band` gives them.
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


def plot_game(history: GameHistory, path: str | os.PathLike[str]) -> None:
    """Draw scores, losses and metrics of a game over its rounds, smoothed over 1% of them.

    Args:
        history: of a game.
        path: of the PNG file.
    """
    arrays, metrics = history.arrays(), history.metrics
    figures = [
        name for name in (metrics[-1] if metrics else ()) if name not in ("round", "seconds")
    ]
    panels: list[tuple[str, ...]] = [("d_real", "d_fake"), ("d_loss", "g_loss")]
    panels += [("distance",)] if "distance" in arrays else []
    count = len(panels) + len(figures)
    rows = -(-count // 2)
    figure, axes = new_figure(11, 3 * rows, rows, 2)
    window = max(1, len(history) // 100)
    kernel = np.full(window, 1 / window)
    rounds = np.arange(window, len(history) + 1)
    for ax, names in zip(axes.flat, panels, strict=False):
        for name in names:
            ax.plot(rounds, np.convolve(arrays[name], kernel, mode="valid"), label=name, lw=1)
        ax.set(xlabel="round")
        ax.legend()
    for ax, name in zip(axes.flat[len(panels) :], figures, strict=False):
        known = [(record["round"], record[name]) for record in metrics if name in record]
        ax.plot(*zip(*known, strict=True), marker=".")
        ax.set(xlabel="round", title=name)
    for ax in axes.flat:
        ax.grid(alpha=0.3)
    for ax in axes.flat[count:]:
        ax.axis("off")
    save_figure(figure, path)


def plot_comparison(
    panels: Mapping[str, Sequence[tuple[str, float, float, float]]], path: str | os.PathLike[str]
) -> None:
    """Draw figures of several variants with their confidence bands, a panel for each figure.

    Args:
        panels: (variant, mean, low, high) of every variant, by the title of the panel.
        path: of the PNG file.
    """
    count = max(len(rows) for rows in panels.values())
    figure, axes = new_figure(2 + 2.6 * len(panels), 1 + 0.3 * count, 1, len(panels))
    for index, (ax, (title, rows)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        names, mean, low, high = (np.array(column) for column in zip(*rows, strict=True))
        places = -np.arange(len(rows))
        ax.errorbar(mean, places, xerr=[mean - low, high - mean], fmt="o", ms=5, capsize=3)
        ax.axvline(mean[0], color="0.7", lw=0.8, ls="--")
        ax.set_yticks(places, names if index == 0 else [""] * len(rows), fontsize=8)
        ax.set_title(title, fontsize=9)
        ax.grid(alpha=0.3)
    save_figure(figure, path)
