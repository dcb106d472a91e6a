"""Pictures of the plane: the outputs of networks with two inputs, and generated points."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.network import Network
from salamandre.plots.figure import (
    COLOURS,
    WIDTH,
    columns_for,
    new_figure,
    save_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAINT = 0.2  # of the other side's outputs: smaller ones are not in full colour


@styled
def plot_decision_maps(
    networks: Mapping[str, Network],
    path: str | os.PathLike[str] | None = None,
    *,
    points: np.ndarray | None = None,
    resolution: int = 101,
    axes: Any = None,
) -> Figure:
    """Draw the output of networks with inputs (2,) and one output over the square from -1 to 1.

    Outputs above 0 are red, those below blue; a line is drawn where the output is 0. Each network
    has its own scale: half of the outputs of the weaker side are in full colour, unless they are
    less than a fifth of those of the other side.

    Args:
        networks: by the caption of their panels.
        path: of a PNG file. Default: none is written.
        points: (N, 2), drawn as dots.
        resolution: points computed along an axis.
        axes: to draw into, one for each network. Default: a new figure.
    """
    pictures = [_outputs(network, 1, resolution) for network in networks.values()]
    place = {"origin": "lower", "extent": (-1, 1, -1, 1)}
    columns = columns_for([*networks])
    width = WIDTH / max(2, columns)
    figure, axes = new_figure(width, width + 0.1, len(networks), columns, axes)
    for ax, name, picture in zip(axes, networks, pictures, strict=True):
        sides = [side for side in (-picture[picture < 0], picture[picture > 0]) if side.size]
        medians = [np.median(side) for side in sides] or [1]
        full = max(min(medians), FAINT * max(medians))
        ax.imshow(picture, cmap="RdBu_r", vmin=-full, vmax=full, **place)
        if len(sides) == 2:
            ax.contour(picture, levels=[0], colors="black", linewidths=1, **place)
        if points is not None:
            ax.plot(*points.T, "k.", markersize=4)
        ax.set_title(name)
        ax.set(xticks=[-1, 1], yticks=[-1, 1])
        ax.label_outer()
    return save_figure(figure, path)


def _outputs(network: Network, reach: float, resolution: int) -> np.ndarray:
    """Return the outputs (resolution, resolution) of a network from -reach to reach."""
    line = np.linspace(-reach, reach, resolution)
    plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    outputs = network.backend.to_numpy(network.predict(plane, batch_size=len(plane)))
    if outputs.size != len(plane):
        raise ValueError(
            f"a map of the plane is of a network with one output, got {outputs.shape[1:]}"
        )
    return outputs.reshape(resolution, resolution)


@styled
def plot_points(
    points: Mapping[str, np.ndarray],
    path: str | os.PathLike[str] | None = None,
    *,
    modes: np.ndarray | None = None,
    field: Network | None = None,
    reach: float = 1.5,
    axes: Any = None,
) -> Figure:
    """Draw sets of points (N, 2), a panel each.

    Args:
        points: by the caption of their panels.
        path: of a PNG file. Default: none is written.
        modes: (M, 2), the modes of the real points, drawn as circles.
        field: a discriminator of points (2,): its scores colour the plane of each panel, from the
            colour of fake points (low) to that of real ones (high).
        reach: both axes run from -reach to reach. Default 1.5.
        axes: to draw into, one for each set. Default: a new figure.
    """
    columns = columns_for([*points])
    width = WIDTH / max(1.5, columns)
    figure, axes = new_figure(width, width + 0.2, len(points), columns, axes)
    real, fake = COLOURS["real"], COLOURS["fake"]
    if field is not None:
        from matplotlib.colors import LinearSegmentedColormap

        shades = LinearSegmentedColormap.from_list("scores", [fake, "white", real])
        picture = _outputs(field, reach, 81)
        low, high = np.quantile(picture, [0.02, 0.98])
    for ax, (caption, drawn) in zip(axes, points.items(), strict=True):
        if field is not None:
            extent = (-reach, reach, -reach, reach)
            colours = {"cmap": shades, "alpha": 0.4, "vmin": low, "vmax": high}
            ax.imshow(picture, origin="lower", extent=extent, **colours)
        if modes is not None:
            ax.plot(*modes.T, "o", mfc="none", mec=real, ms=8, mew=0.7, ls="none")
        ax.plot(*drawn.T, ".", color=fake, markersize=1.5)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        ax.set_title(caption)
    return save_figure(figure, path)
