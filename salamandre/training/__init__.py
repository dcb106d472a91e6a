"""Supervised learning: an engine that runs epochs, and callbacks that watch it."""

from salamandre.training.callbacks import Callback, Checkpoint, Curves, EarlyStopping, ProgressBar
from salamandre.training.engine import Engine
from salamandre.training.history import History

__all__ = [
    "Callback",
    "Checkpoint",
    "Curves",
    "EarlyStopping",
    "Engine",
    "History",
    "ProgressBar",
]
