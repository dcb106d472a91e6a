"""Supervised learning: an engine that runs epochs, and callbacks that watch it."""

from salamandre.learning.callbacks import Callback, Checkpoint, Curves, EarlyStopping, ProgressBar
from salamandre.learning.engine import Engine
from salamandre.learning.history import History

__all__ = [
    "Callback",
    "Checkpoint",
    "Curves",
    "EarlyStopping",
    "Engine",
    "History",
    "ProgressBar",
]
