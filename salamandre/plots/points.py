"""Points in the plane that a generator makes, and what the discriminator thinks of the plane."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from salamandre.network import Network
from salamandre.plots.figure import new_figure, save_figure


def plot_points(
    points: Mapping[str, np.ndarray],
    path: str | os.PathLike[str],
    *,
    modes: np.ndarray | None = None,
    field: Network | None = None,
    reach: float = 1.5,
    columns: int = 5,
    resolution: int = 81,
) -> None:
    """Draw sets of points (N, 2), a panel each.

    Args:
        points: by the caption of their panels.
        path: of the PNG file.
        modes: (M, 2), drawn as circles where the points should be.
        field: a discriminator of points (2,): its score colours the plane, each panel alike.
        reach: both axes run from -reach to reach. Default 1.5.
        columns: of panels in a row.
        resolution: scores computed along an axis.
    """
    columns = min(columns, len(points))
    rows = -(-len(points) // columns)
    size = 4.0 if len(points) == 1 else 2.4
    figure, axes = new_figure(size * columns, (size + 0.2) * rows, rows, columns)
    picture = None
    if field is not None:
        line = np.linspace(-reach, reach, resolution)
        plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        scores = field.backend.to_numpy(field.predict(plane))
        low, high = np.quantile(scores, [0.02, 0.98])
        picture = scores.reshape(resolution, resolution)
    for ax in axes.flat[len(points) :]:
        ax.axis("off")
    for ax, (caption, drawn) in zip(axes.flat, points.items(), strict=False):
        if picture is not None:
            extent = (-reach, reach, -reach, reach)
            colours = {"cmap": "RdBu_r", "alpha": 0.6, "vmin": low, "vmax": high}
            ax.imshow(picture, origin="lower", extent=extent, **colours)
        if modes is not None:
            ax.plot(*modes.T, "o", mfc="none", mec="0.4", ms=8, mew=0.7, ls="none")
        ax.plot(*drawn.T, "k.", markersize=1.5, alpha=0.6)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        ax.set_title(caption, fontsize=8)
    save_figure(figure, path)
