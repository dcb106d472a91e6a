"""Figures that tell how well a network does."""

from salamandre.metrics.classification import accuracy, confusion, predicted

__all__ = ["accuracy", "confusion", "predicted"]
