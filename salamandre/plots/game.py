"""The picture of a game: its latest examples, and below them its curves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.plots.curves import ROW, draw_panel, grouped, plot_curves
from salamandre.plots.figure import COLOURS, WIDTH, bare_figure, head, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def plot_game(
    examples: np.ndarray | None,
    steps: Mapping[str, np.ndarray],
    metrics: Mapping[str, Sequence[tuple[float, float]]],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "",
    columns: int = 12,
    real: np.ndarray | None = None,
) -> Figure:
    """Draw examples of a generator above the curves of its game.

    Args:
        examples: images (N, 1 or 3, H, W) with values from 0 to 1, points (N, 2), or
            ``None``.
        steps: the values of every round by name.
        metrics: (round, value) of each evaluation by name, as for :func:`plot_curves`.
        path: of a PNG file. Default: none is written.
        title: above the examples.
        columns: images side by side. Default 12.
        real: points (N, 2), drawn below the others. Default none.
    """
    groups = grouped(steps, metrics)
    rows = -(-len(groups) // 2)
    if examples is None:
        return plot_curves(steps, metrics, path, unit="round")
    images = examples.ndim == 4
    tall = 0.4 + WIDTH * -(-len(examples) // columns) / columns if images else 4.0
    figure = bare_figure(WIDTH, tall + ROW * rows)
    above: Any = figure
    below: Any = None
    if rows:
        parts: Any = figure.subfigures(2, 1, height_ratios=[tall, ROW * rows])
        above, below = parts
    ax = above.subplots()
    ax.set(xticks=[], yticks=[], aspect="equal")
    if images:
        ax.axis("off")
        ax.imshow(_tiled(examples, columns), cmap="gray_r", vmin=0, vmax=1)
    else:
        for points, who, label in ((real, "real", "real examples"), (examples, "fake", "fakes")):
            if points is not None:
                ax.plot(*points.T, ".", ms=2, color=COLOURS[who])
                ax.plot([], [], ".", ms=8, color=COLOURS[who], label=label)
    head(ax, title)
    panels = below.subplots(rows, 2, squeeze=False).ravel() if rows else []
    for panel, (name, names) in zip(panels, groups.items(), strict=False):
        draw_panel(panel, name, names, steps, metrics)
        panel.set_xlabel("round")
    for panel in panels[len(groups) :]:
        panel.axis("off")
    return save_figure(figure, path)


def _tiled(images: np.ndarray, columns: int) -> np.ndarray:
    """Return images (N, C, H, W) side by side, with a margin of paper."""
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    paper = 0.0 if channels == 1 else 1.0  # of grey images, which are drawn as ink
    sheet = np.full((rows * columns, height + 2, width + 2, channels), paper)
    sheet[:count, 1:-1, 1:-1] = images.transpose(0, 2, 3, 1).clip(0, 1)
    sheet = sheet.reshape(rows, columns, height + 2, width + 2, channels).transpose(0, 2, 1, 3, 4)
    return sheet.reshape(rows * (height + 2), columns * (width + 2), channels).squeeze()
