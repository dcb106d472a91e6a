"""Figures that tell how well a network does."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from salamandre.metrics.classes import class_divergence, class_shares, classifier_score
from salamandre.metrics.classification import accuracy, confusion, predicted
from salamandre.metrics.frechet import frechet_distance
from salamandre.metrics.modes import mode_coverage
from salamandre.metrics.neighbours import nearest, precision_recall

if TYPE_CHECKING:
    from salamandre.metrics.judge import Judge

__all__ = [
    "Judge",
    "accuracy",
    "class_divergence",
    "class_shares",
    "classifier_score",
    "confusion",
    "frechet_distance",
    "mode_coverage",
    "nearest",
    "precision_recall",
    "predicted",
]


def __getattr__(name: str) -> Any:
    if name != "Judge":  # it teaches a network, and engines use metrics
        raise AttributeError(f"module 'salamandre.metrics' has no attribute {name!r}")
    return import_module("salamandre.metrics.judge").Judge
