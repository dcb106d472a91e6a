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
from salamandre.plots.figure import WIDTH, columns_for, fitted, new_figure, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LETTER = 16  # pixels: the height of letters above a grid
SEEN = 400  # pixels: so wide is a grid of small images at least
ROUNDING = 1e-3  # by which values may lie outside of their range


@styled
def plot_images(
    images: np.ndarray,
    path: str | os.PathLike[str] | None = None,
    *,
    captions: Sequence[Any] | None = None,
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
        captions: one above each image, such as its label. Default none.
        columns: of the grid. Default: about as many as rows, fewer if captions are long.
        title: above the grid.
        ink: draw grey values dark on white instead of light on black. Default False.
        white: the value of white in bytes, such as that of :class:`salamandre.data.Images`.
            Default 255.
        axes: to draw into, one for each image. Default: a new figure.

    Raises:
        ValueError: another shape, type or range of values, no images, or other than a caption for
            each.
    """
    images = _shades(images, white)
    captions = [] if captions is None else [str(caption) for caption in captions]
    if captions and len(captions) != len(images):
        raise ValueError(f"{len(images)} images need as many captions, got {len(captions)}")
    square = math.ceil(math.sqrt(len(images)))
    columns = columns or (columns_for(captions, square) if captions else square)
    width = WIDTH / max(5, columns)
    figure, axes = new_figure(width, width + 0.25 * bool(captions), len(images), columns, axes)
    for index, (ax, image) in enumerate(zip(axes, images, strict=True)):
        ax.axis("off")
        picture = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        ax.imshow(picture, cmap="gray_r" if ink else "gray", vmin=0, vmax=1)
        if captions:
            ax.set_title(captions[index], size=10, pad=2, parse_math=False)
    if title:
        figure.suptitle(fitted(title, 0.9 * figure.get_figwidth()), parse_math=False)
    return save_figure(figure, path)


def save_grid(
    images: np.ndarray,
    path: str | os.PathLike[str],
    columns: int | None = None,
    zoom: int | None = None,
    *,
    captions: Sequence[str] = (),
    title: str = "",
) -> None:
    """Write images side by side as a PNG file, pixel by pixel.

    Grey images are drawn as ink: dark on white.

    Args:
        images: (N, 1, H, W) grey or (N, 3, H, W) colour: bytes from 0 to 255, or floats from 0 to
            1, which others are clipped to.
        path: of the file.
        columns: of the grid. Default: about as many as rows.
        zoom: pixels of the file for each pixel of an image, along each axis. Default: at least 2,
            and as many as make the grid 400 pixels wide.
        captions: one above each column.
        title: above the grid.
    """
    write_atomically(path, grid_png(images, columns, zoom, captions, title))


def grid_png(
    images: np.ndarray,
    columns: int | None = None,
    zoom: int | None = None,
    captions: Sequence[str] = (),
    title: str = "",
) -> bytes:
    """Return what :func:`save_grid` writes."""
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
    zoom = zoom or max(2, -(-SEEN // picture.shape[1]))
    pixels = np.rint(255 * picture).astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1)
    drawn = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    if captions or title:
        drawn = _captioned(drawn, captions, columns, title)
    data = io.BytesIO()
    drawn.save(data, format="PNG")
    return data.getvalue()


def _captioned(grid: Any, captions: Sequence[str], columns: int, title: str) -> Any:
    """Return a grid of columns with a line for its title and one for its captions above it."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(LETTER)
    lines = bool(title) + bool(captions)
    height = LETTER + 6
    sheet = Image.new(grid.mode, (grid.width, grid.height + lines * height), "white")
    sheet.paste(grid, (0, lines * height))
    draw = ImageDraw.Draw(sheet)
    draw.text((3, height / 2), title, "black", font, anchor="lm")
    width = grid.width / columns
    for column, caption in enumerate(captions):
        room = max(1, int(1.7 * width / LETTER))  # letters that fit
        place = (column + 0.5) * width, (lines - 0.5) * height
        draw.text(place, caption[:room], "black", font, anchor="mm")
    return sheet


def _pictures(images: np.ndarray) -> np.ndarray:
    """Return images of a shape and type that can be drawn, or raise ValueError."""
    images = np.asarray(images)
    if images.ndim and not len(images):
        raise ValueError("there are no images to draw: give at least one")
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
        if images.max() > real("white", white, 0, above=True):
            raise ValueError(
                f"the images reach {images.max()}, above their white of {white:g}: give white=255"
            )
        images = images / np.float32(white)
    low, high = float(images.min()), float(images.max())
    if low < 0:
        images = (images + 1) / 2
    if not (low >= -1 - ROUNDING and high <= 1 + ROUNDING):
        raise ValueError(
            f"images of floats must have values from 0 to 1, or from -1 to 1, got some from "
            f"{low:.4g} to {high:.4g}: scale them"
        )
    return np.clip(images, 0, 1)


@styled
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
    if np.shape(counts) != (len(classes),) * 2:
        raise ValueError(
            f"counts must be of shape {(len(classes),) * 2}, got {np.shape(counts)}: "
            f"evaluation.confusion(labels, outputs, classes) counts them"
        )
    counts = np.asarray(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = np.where(np.eye(len(classes), dtype=bool), 0, shares)
    size = min(2 * WIDTH, max(WIDTH, 0.5 * len(classes)))
    figure, (ax,) = new_figure(size, 0.95 * size, axes=axes)
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
            color="tab:green" if right else "white" if dark else "black",
            fontweight="bold" if right else "normal",
            alpha=1 if counts[row, column] else 0.3,
        )
    angle = 45 if max(map(len, classes)) > 2 else 0
    side = "right" if angle else "center"
    ax.set_xticks(range(len(classes)), classes, rotation=angle, ha=side, parse_math=False)
    ax.set_yticks(range(len(classes)), classes, parse_math=False)
    ax.set(xlabel="guessed class", ylabel="true class")
    ax.set_title(title, parse_math=False)
    return save_figure(figure, path)


def animate(pictures: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str]) -> None:
    """Write pictures of one size as an animated GIF of ten seconds, at most half a second each.

    Args:
        pictures: files in order; of more than 100, evenly spread ones are chosen. The last one is
            shown for two seconds.
        path: of the GIF file.
    """
    from PIL import Image

    if not len(pictures):
        raise ValueError("an animation needs at least one picture")
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(100, len(pictures))).astype(int))
    images: list[Any] = []
    for index in chosen:
        with Image.open(pictures[index]) as image:
            last = image.convert("RGB")
            if images and last.size != images[0].size:  # an earlier version drew them smaller
                last = last.resize(images[0].size, Image.Resampling.NEAREST)
            images.append(last.convert("P", palette=Image.Palette.ADAPTIVE))
    each = int(1000 * min(0.5, 10 / len(images)))
    data = io.BytesIO()
    durations = [each] * (len(images) - 1) + [2000]
    images[0].save(
        data, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0
    )
    write_atomically(path, data.getvalue())
