"""Figures that tell how well a network does."""

from salamandre.evaluation.classes import class_divergence, class_shares, classifier_score
from salamandre.evaluation.classification import confusion
from salamandre.evaluation.frechet import frechet_distance
from salamandre.evaluation.judge import Judge
from salamandre.evaluation.modes import mode_coverage
from salamandre.evaluation.neighbours import nearest, precision_recall
from salamandre.training.metrics import accuracy, predicted

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
