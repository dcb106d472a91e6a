"""The 8×8 digits that come with the package, so that a first network needs no download.

See ``digits.md`` beside this file for where they come from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salamandre.data.catalogue import BUNDLED_DIGITS

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def read_digits() -> tuple[Pair, Pair]:
    """Return images and labels: the first 1,437 to learn from, the last 360 to judge by.

    The set is in the order of its 13 writers, so the last fifth is mostly by people that the first
    part has not seen: a harder and more honest test than a shuffled one.
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    end = BUNDLED_DIGITS.train
    return (images[:end], labels[:end]), (images[end:], labels[end:])
