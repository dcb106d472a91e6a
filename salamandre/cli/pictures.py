"""Pictures of what a generator draws of its classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MANY = 20  # classes; more do not fit side by side
ROWS = 8


def sample_layout(classes: int) -> tuple[int, int]:
    """Return how many samples a picture of a run has, and in how many columns.

    A column is a class; of very many classes there is one sample each.
    """
    if classes <= MANY:
        return ROWS * classes, classes
    return classes, math.ceil(math.sqrt(classes))


def drawer(shape: tuple[int, ...], columns: int) -> Callable[[np.ndarray, Path], None]:
    """Return ``draw(examples, path)`` for examples (N, ...) with values in -1..1."""

    def draw(examples: np.ndarray, path: Path) -> None:
        from salamandre.plots import save_grid

        zoom = max(1, round(48 / shape[1]))  # so that small images can be seen
        save_grid((examples.reshape(-1, *shape) + 1) / 2, path, columns, zoom)

    return draw
