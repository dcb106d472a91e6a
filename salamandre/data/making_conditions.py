"""Conditions that are made from images: a game learns the way back.

Each takes images, uint8 (N, C, H, W) with 255 as white, and returns conditions of the same number,
height and width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from salamandre.data.conversion import with_channels
from salamandre.data.transforms import bilinear

Bytes = NDArray[np.uint8]

SMOOTHING, DIFFERENCE = np.array([1, 2, 1]), np.array([-1, 0, 1])


def grey(images: Bytes) -> Bytes:
    """Return the luminance (N, 1, H, W), by ITU-R BT.601."""
    return with_channels(images, 1)


def edges(images: Bytes) -> Bytes:
    """Return dark edges on white (N, 1, H, W): 255 - |∇ luminance|, by the windows of Sobel.

    A step from black to white along a row or a column makes a black edge.
    """
    x = np.pad(grey(images)[:, 0].astype(np.float32), ((0, 0), (1, 1), (1, 1)), "edge")
    down = _along(_along(x, SMOOTHING, 2), DIFFERENCE, 1)
    right = _along(_along(x, DIFFERENCE, 2), SMOOTHING, 1)
    slope = np.hypot(down, right) / SMOOTHING.sum()
    return np.rint(255 - np.minimum(slope, 255)).astype(np.uint8)[:, None]


def _along(x: np.ndarray, window: np.ndarray, axis: int) -> np.ndarray:
    """Return the correlation of x with a window of three along an axis, without padding."""
    x = np.moveaxis(x, axis, -1)
    y = window[0] * x[..., :-2] + window[1] * x[..., 1:-1] + window[2] * x[..., 2:]
    return np.moveaxis(y, -1, axis)


def small(images: Bytes) -> Bytes:
    """Return images reduced to half their height and width, and enlarged again (N, C, H, W).

    So networks for images of equal size learn to enlarge, as in Dong et al. 2014, section 3.1.
    """
    rows, columns = (
        bilinear(max(1, length // 2), length) @ bilinear(length, max(1, length // 2))
        for length in images.shape[2:]
    )
    return np.rint(rows @ images.astype(np.float32) @ columns.T).astype(np.uint8)


def masked(images: Bytes) -> Bytes:
    """Return images whose middle, half as high and wide, is grey (Pathak et al. 2016, section 3.3).

    The grey is 128 in all channels.
    """
    y = images.copy()
    (top, bottom), (left, right) = (
        (length // 4, length // 4 + (length + 1) // 2) for length in images.shape[2:]
    )
    y[:, :, top:bottom, left:right] = 128
    return y


#: How conditions are made of images, by name.
CONDITIONS: dict[str, Callable[[Bytes], Bytes]] = {
    "edges": edges,
    "grey": grey,
    "small": small,
    "masked": masked,
}
