"""Maps of what a network with two inputs decides where."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from salamandre.network import Network
from salamandre.plots.figure import new_figure, save_figure


def plot_decision_maps(
    networks: Mapping[str, Network],
    path: str | os.PathLike[str],
    *,
    low: float = -1.0,
    high: float = 1.0,
    threshold: float = 0.0,
    columns: int = 5,
    points: np.ndarray | None = None,
    resolution: int = 101,
) -> None:
    """Draw the output of networks with inputs (2,) and one output over a square.

    Args:
        networks: by the caption of their maps.
        path: of the PNG file.
        low: of both axes.
        high: of both axes.
        threshold: where the decision changes; drawn as a line.
        columns: of maps in a row.
        points: (N, 2), drawn as dots.
        resolution: points computed along an axis.
    """
    line = np.linspace(low, high, resolution)
    plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    maps = {
        name: network.backend.to_numpy(network.predict(plane, batch_size=len(plane)))
        for name, network in networks.items()
    }
    reach = max(np.abs(values - threshold).max() for values in maps.values())
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    figure, axes = new_figure(2.4 * columns, 2.5 * rows, rows, columns)
    for ax in axes.flat[len(maps) :]:
        ax.axis("off")
    for ax, (name, values) in zip(axes.flat, maps.items(), strict=False):
        picture = values.reshape(resolution, resolution)
        ax.imshow(
            picture,
            origin="lower",
            extent=(low, high, low, high),
            cmap="RdBu_r",
            vmin=threshold - reach,
            vmax=threshold + reach,
        )
        if picture.min() < threshold < picture.max():
            ax.contour(line, line, picture, levels=[threshold], colors="black", linewidths=1)
        if points is not None:
            ax.plot(*points.T, "k.", markersize=4)
        ax.set_title(name, fontsize=8)
        ax.set_xticks([low, high])
        ax.set_yticks([low, high])
    save_figure(figure, path)
