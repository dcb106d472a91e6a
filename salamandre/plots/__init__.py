"""Pictures: curves, grids of images, points, confusion matrices, decision maps."""

from salamandre.plots.curves import plot_bands, plot_comparison, plot_curves
from salamandre.plots.figure import theme
from salamandre.plots.game import plot_game
from salamandre.plots.images import animate, plot_confusion, plot_images, save_grid
from salamandre.plots.plane import plot_decision_maps, plot_points
