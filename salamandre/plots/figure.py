"""What all pictures share: colours, and Matplotlib figures that are written to files."""

from __future__ import annotations

import functools
import io
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: The colour of each role in all pictures.
COLOURS = {
    "discriminator": "tab:blue",
    "generator": "tab:orange",
    "real": "tab:green",
    "fake": "tab:purple",
    "gradient": "tab:pink",
}


def new_figure(
    width: float, height: float, count: int = 1, columns: int = 1, axes: Any = None
) -> tuple[Any, Any]:
    """Return a figure of panels in rows, each of a size in inches, and the axes of ``count``.

    Args:
        width: of a panel.
        height: of a panel.
        count: of panels.
        columns: panels in a row. Default 1.
        axes: to draw into, one for each panel, in any arrangement. Default: those of a new figure.
    """
    from matplotlib.figure import Figure

    if axes is not None:
        given = np.ravel(axes)
        if len(given) != count:
            raise ValueError(f"the picture has {count} panels: give as many axes, not {len(given)}")
        return given[0].figure, given
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    # Notebooks show what has such a method. Those of pyplot would be kept until they are closed.
    figure._repr_png_ = functools.partial(_png, figure)  # type: ignore[attr-defined]
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for ax in axes[count:]:
        ax.axis("off")
    return figure, axes[:count]


def plot_means(ax: Any, x: Any, y: Any, **style: Any) -> None:
    """Draw means over windows of 1% of the points of a curve, each at the end of its window."""
    window = max(1, len(y) // 100)
    means = np.convolve(y, np.full(window, 1 / window), mode="valid")
    ax.plot(x[window - 1 :], means, lw=1, **style)


def save_figure(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Return a figure; with a path, write it as PNG at 120 dots an inch, wholly or not at all."""
    if path is not None:
        write_atomically(path, _png(figure))
    return figure


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a frame is drawn in its place
        figure.savefig(data, format="png", dpi=120)
    return data.getvalue()
