"""Grids of images, with captions or pixel by pixel, and of counts; animations."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.atomic import write_atomically
from salamandre.checks import real
from salamandre.plots.figure import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDING = 1e-3  # by which values may lie outside of their range


def plot_images(
    images: np.ndarray,
    path: str | os.PathLike[str] | None = None,
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    title: str = "",
    ink: bool = False,
    white: float = 255,
    axes: Any = None,
) -> Figure:
    """Draw images in a grid.

    Args:
        images: (N, 1, H, W) grey or (N, 3, H, W) colour: bytes from 0 to ``white``, or floats from
            0 to 1, or from -1 to 1 if one is below 0.
        path: of a PNG file. Default: none is written.
        captions: one above each image. Default none.
        columns: of the grid. Default: about as many as rows.
        title: above the grid.
        ink: draw grey values dark on white instead of light on black. Default False.
        white: the value of white in bytes, such as that of :class:`salamandre.data.Images`.
            Default 255.
        axes: to draw into, one for each image. Default: a new figure.

    Raises:
        ValueError: another shape, type or range of values, or no images.
    """
    images = _shades(images, white)
    columns = columns or math.ceil(math.sqrt(len(images)))
    figure, axes = new_figure(1.05, 1.35 if captions else 1.1, len(images), columns, axes)
    for index, (ax, image) in enumerate(zip(axes, images, strict=True)):
        ax.axis("off")
        picture = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        ax.imshow(picture, cmap="gray_r" if ink else "gray", vmin=0, vmax=1)
        if captions:
            ax.set_title(captions[index], fontsize=7, pad=2, parse_math=False)
    if title:
        figure.suptitle(title, fontsize=10, parse_math=False)
    return save_figure(figure, path)


def save_grid(
    images: np.ndarray, path: str | os.PathLike[str], columns: int | None = None, zoom: int = 2
) -> None:
    """Write images side by side as a PNG file.

    Args:
        images: (N, 1, H, W) grey or (N, 3, H, W) colour: bytes from 0 to 255, or floats from 0 to
            1, which others are clipped to.
        path: of the file.
        columns: of the grid. Default: about as many as rows.
        zoom: pixels of the file for each pixel of an image, along each axis. Default 2.
    """
    from PIL import Image

    images = _pictures(images)
    if images.dtype == np.uint8:
        images = images / np.float32(255)
    count, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    sheet = np.ones((rows * columns, height + 2, width + 2, channels))
    values = np.clip(images, 0, 1).transpose(0, 2, 3, 1)
    sheet[:count, 1:-1, 1:-1] = 1 - values if channels == 1 else values  # grey: dark on white
    sheet = sheet.reshape(rows, columns, height + 2, width + 2, channels)
    picture = sheet.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 2), -1, channels)
    pixels = np.rint(255 * picture).astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1)
    data = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(data, format="PNG")
    write_atomically(path, data.getvalue())


def _pictures(images: np.ndarray) -> np.ndarray:
    """Return images of a shape and type that can be drawn, or raise ValueError."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise ValueError(
            f"images must be of shape (N, 1, H, W) or (N, 3, H, W), got {images.shape}"
        )
    if images.dtype not in (np.uint8, bool) and images.dtype.kind != "f":
        raise ValueError(
            f"images must be bytes (uint8) from 0 to 255, or floats from 0 to 1, got {images.dtype}"
        )
    return images


def _shades(images: np.ndarray, white: float) -> np.ndarray:
    """Return images with values from 0 to 1, or raise ValueError."""
    images = _pictures(images)
    if images.dtype == np.uint8:
        images = images / np.float32(real("white", white, 0, above=True))
    low, high = float(images.min()), float(images.max())
    if low < 0:
        images = (images + 1) / 2
    if not (low >= -1 - ROUNDING and high <= 1 + ROUNDING):
        raise ValueError(
            f"images of floats must have values from 0 to 1, or from -1 to 1, got some from "
            f"{low:.4g} to {high:.4g}: scale them"
        )
    return np.clip(images, 0, 1)


def plot_confusion(
    counts: np.ndarray,
    classes: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    title: str = "",
    axes: Any = None,
) -> Figure:
    """Draw a confusion matrix (row the true class, column the guess), shaded by row shares.

    Args:
        counts: (classes, classes), whole numbers.
        classes: their names.
        path: of a PNG file. Default: none is written.
        title: above the picture.
        axes: to draw into. Default: a new figure.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = np.where(np.eye(len(classes), dtype=bool), 0, shares)
    size = 2.5 + 0.5 * len(classes)
    figure, (ax,) = new_figure(size, size, axes=axes)
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
    return save_figure(figure, path)


def animate(pictures: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str]) -> None:
    """Write pictures of one size as an animated GIF of ten seconds, at most half a second each.

    Args:
        pictures: files in order; of more than 100, evenly spread ones are chosen. The last one is
            shown for two seconds.
        path: of the GIF file.
    """
    from PIL import Image

    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(100, len(pictures))).astype(int))
    images = []
    for index in chosen:
        with Image.open(pictures[index]) as image:
            images.append(image.convert("P", palette=Image.Palette.ADAPTIVE))
    each = int(1000 * min(0.5, 10 / len(images)))
    data = io.BytesIO()
    durations = [each] * (len(images) - 1) + [2000]
    images[0].save(
        data, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0
    )
    write_atomically(path, data.getvalue())
