"""What all pictures share: colours, and Matplotlib figures that are written to files."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

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


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """Return a figure of a size in inches, and its axes as an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG at 120 dots an inch, wholly or not at all."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomically(path, data.getvalue())
