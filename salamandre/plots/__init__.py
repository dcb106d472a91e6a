"""Pictures: curves, grids of images, points, confusion matrices, decision maps."""

from typing import TYPE_CHECKING

from salamandre.parts import missing as _missing
from salamandre.plots.curves import (
    plot_bands as plot_bands,
    plot_comparison as plot_comparison,
    plot_curves as plot_curves,
)
from salamandre.plots.figure import theme as theme
from salamandre.plots.game import plot_game as plot_game
from salamandre.plots.images import (
    animate as animate,
    plot_confusion as plot_confusion,
    plot_images as plot_images,
    save_grid as save_grid,
)
from salamandre.plots.plane import (
    plot_decision_maps as plot_decision_maps,
    plot_points as plot_points,
)

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        raise _missing(__name__, name, globals())
