"""Figures that tell how well a network does."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from salamandre.evaluation.classes import class_divergence, class_shares, classifier_score
from salamandre.evaluation.classification import accuracy, confusion, predicted
from salamandre.evaluation.frechet import frechet_distance
from salamandre.evaluation.modes import mode_coverage
from salamandre.evaluation.neighbours import nearest, precision_recall

if TYPE_CHECKING:
    from salamandre.evaluation.judge import Judge

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
        raise AttributeError(f"module 'salamandre.evaluation' has no attribute {name!r}")
    return import_module("salamandre.evaluation.judge").Judge
