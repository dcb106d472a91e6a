"""Pictures: curves, grids of images, points, confusion matrices, decision maps."""

from salamandre.plots.classification import plot_confusion
from salamandre.plots.curves import plot_bands, plot_comparison, plot_curves
from salamandre.plots.decision import plot_decision_maps
from salamandre.plots.grids import plot_images
from salamandre.plots.pixels import animate, save_grid
from salamandre.plots.points import plot_points

__all__ = [
    "animate",
    "plot_bands",
    "plot_comparison",
    "plot_confusion",
    "plot_curves",
    "plot_decision_maps",
    "plot_images",
    "plot_points",
    "save_grid",
]
