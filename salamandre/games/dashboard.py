"""A game in one picture: what its generator makes, and its curves."""

from __future__ import annotations

import os

from salamandre.games.game import GanGame
from salamandre.texts import counted

COLUMNS = 12  # of images without classes
IMAGES = 36
POINTS = 1000


def draw_game(game: GanGame, path: str | os.PathLike[str]) -> None:
    """Draw examples of the latest generator above the values of all rounds and the metrics.

    Of a game with labels the columns are classes.

    Args:
        game: without conditions, of images or of points in the plane; other examples are not drawn.
        path: of the PNG file.
    """
    from salamandre.plots import plot_game

    images, history = len(game.image_shape) == 3 and game.image_shape[0] in (1, 3), game.history
    columns = game.classes or COLUMNS
    count = columns * max(1, -(-IMAGES // columns)) if images else POINTS
    examples = game.backend.to_numpy(game.generate(count))
    if images:
        low, high = game.value_range
        examples = (examples.reshape(-1, *game.image_shape) - low) / (high - low)
    plot_game(
        examples,
        history.arrays(),
        {
            name: [(r[history.unit], r[name]) for r in history.records if name in r]
            for name in history.metrics()
        },
        path,
        columns=columns,
        title=f"examples after {counted(game.rounds, 'round')}",
    )
