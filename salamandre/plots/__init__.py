"""Pictures: curves, grids of images, confusion matrices, decision maps."""

from salamandre.plots.classification import plot_confusion
from salamandre.plots.curves import plot_bands, plot_history
from salamandre.plots.decision import plot_decision_maps
from salamandre.plots.grids import plot_images

__all__ = ["plot_bands", "plot_confusion", "plot_decision_maps", "plot_history", "plot_images"]
