"""Pictures of what the other functions of this room return."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from salamandre.plots.figure import WIDTH, fitted, new_figure, save_figure, styled
from salamandre.plots.images import save_grid

Path = str | os.PathLike[str]


@styled
def draw_maps(
    pictures: np.ndarray,
    maps: dict[str, np.ndarray],
    path: Path,
    *,
    captions: Sequence[str] | None = None,
) -> None:
    """Draw pictures, each with its maps in a row.

    Args:
        pictures: (N, 1 or 3, H, W), values from 0 to 1.
        maps: by name, (N, H, W), as from :func:`saliency`; bright is large, each on its own scale,
            cut at the 99.5th percentile. Those whose name begins with ``"Grad-CAM"`` are laid
            over the picture.
        path: of the PNG file.
        captions: one above each picture. Default none.
    """
    columns = 1 + len(maps)
    width = max(1.2, WIDTH / columns)
    above = [fitted(text, width) for text in captions or [""] * len(pictures)]
    names = [fitted(name, width) for name in maps]
    lines = 1 + max(text.count("\n") for text in (*above, *names))
    figure, axes = new_figure(width, width + 0.2 * lines, len(pictures) * columns, columns)
    for row, picture in enumerate(pictures):
        own = axes[row * columns : (row + 1) * columns]
        shown = [picture, *(values[row] for values in maps.values())]
        titles = [above[row], *names]
        for ax, image, title in zip(own, shown, titles, strict=True):
            ax.axis("off")
            ax.set_title(title, size=10, pad=2, parse_math=False)
            if image is picture:
                _show(ax, picture)
                continue
            limit = np.percentile(image, 99.5) or 1.0
            if title.startswith("Grad-CAM"):
                _show(ax, picture)
                ax.imshow(image, cmap="jet", vmin=0, vmax=limit, alpha=0.5)
            else:
                ax.imshow(image, cmap="gray", vmin=0, vmax=limit)
    save_figure(figure, path)


@styled
def draw_adversarial(
    before: np.ndarray,
    after: np.ndarray,
    path: Path,
    *,
    captions: Sequence[tuple[str, str]] | None = None,
) -> None:
    """Draw each image, its adversarial one, their difference, and ten times their difference.

    Where that would be beyond black or white, it is fewer times; it is left out if it is once
    in all rows.

    Args:
        before: (N, 1 or 3, H, W), values from 0 to 1.
        after: likewise; a difference of 0 is grey.
        path: of the PNG file.
        captions: above each image and its adversarial one. Default none.
    """
    largest = [float(np.abs(difference).max()) for difference in np.subtract(after, before)]
    times = [int(np.clip(0.5 / max(size, 1e-6), 1, 10)) for size in largest]
    columns = 4 if max(times) > 1 else 3
    width = WIDTH / columns
    figure, axes = new_figure(width, width + 0.2, columns * len(before), columns)
    for row, (image, changed) in enumerate(zip(before, after, strict=True)):
        difference = changed - image
        own, other = captions[row] if captions else ("", "")
        panels = (
            (image, own),
            (changed, other),
            (0.5 + difference, f"change, ≤ {255 * largest[row]:.3g}/255"),
            (0.5 + times[row] * difference, f"change × {times[row]}"),
        )
        for ax, (shown, title) in zip(axes[columns * row :], panels[:columns], strict=False):
            ax.axis("off")
            ax.set_title(fitted(title, width), size=10, pad=2, parse_math=False)
            _show(ax, np.clip(shown, 0, 1))
    save_figure(figure, path)


@styled
def draw_images(images: np.ndarray, path: Path, *, captions: Sequence[str]) -> None:
    """Draw images with captions, each on its own scale, such as what a class looks like.

    Args:
        images: (N, C, H, W); three channels are colours, of others the mean is drawn.
        path: of the PNG file.
        captions: one above each.
    """
    rows = math.ceil(len(images) / 3)
    figure, axes = new_figure(WIDTH / 3, 2.3, len(images), math.ceil(len(images) / rows))
    for ax, image, caption in zip(axes, images, captions, strict=True):
        ax.axis("off")
        ax.set_title(fitted(caption, WIDTH / 3), size=10, pad=2, parse_math=False)
        _show(ax, stretched(image))
    save_figure(figure, path)


def draw_sheet(images: np.ndarray, path: Path, columns: int | None = None, side: int = 64) -> None:
    """Write many images side by side, each on its own scale, such as filters or channels.

    Args:
        images: (N, C, H, W), as for :func:`draw_images`.
        path: of the PNG file.
        columns: default about as many as rows.
        side: pixels of the file for an image, at least. Default 64.
    """
    zoom = max(1, -(-side // images.shape[3]))  # of the images, not of the lines between them
    shown = np.stack([np.broadcast_to(stretched(x), (3, *x.shape[1:])) for x in images])
    save_grid(shown.repeat(zoom, axis=2).repeat(zoom, axis=3), path, columns, zoom=1)


def stretched(image: np.ndarray) -> np.ndarray:
    """Return an image (1 or 3, H, W) whose 0.5th and 99.5th percentiles are 0 and 1.

    Of one with other numbers of channels, their mean.
    """
    image = image if len(image) == 3 else image.mean(axis=0, keepdims=True)
    low, high = np.percentile(image, (0.5, 99.5))
    return np.clip((image - low) / ((high - low) or 1.0), 0, 1)


def _show(ax: object, image: np.ndarray) -> None:
    picture = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1)  # type: ignore[attr-defined]
