"""Grids of images."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from salamandre.plots.figure import new_figure, save_figure


def plot_images(
    images: np.ndarray,
    path: str | os.PathLike[str],
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    title: str = "",
    ink: bool = False,
) -> None:
    """Draw images in a grid.

    Args:
        images: (N, 1, H, W) grey or (N, 3, H, W) colour, values from 0 to 1.
        path: of the PNG file.
        captions: one above each image.
        columns: of the grid. Default: as many as rows, about.
        title: above the grid.
        ink: draw grey values as ink on white paper instead of light on black.
    """
    count = len(images)
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    height = 1.25 if captions else 1.0
    figure, axes = new_figure(columns * 1.0 + 0.2, rows * height + 0.5, rows, columns)
    for ax in axes.flat:
        ax.axis("off")
    for index, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        picture = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        ax.imshow(picture, cmap="gray_r" if ink else "gray", vmin=0, vmax=1)
        if captions:
            ax.set_title(captions[index], fontsize=7, pad=2)
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)
