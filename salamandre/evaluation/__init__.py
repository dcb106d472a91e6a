"""Metrics: how well a network classifies, and how good and varied generated examples are."""

from salamandre.evaluation.classes import (
    class_divergence,
    class_shares,
    classifier_score,
    confusion,
)
from salamandre.evaluation.distances import (
    frechet_distance,
    mode_coverage,
    nearest,
    precision_recall,
)
from salamandre.evaluation.judge import Judge
from salamandre.evaluation.pairs import l1, of_pairs, psnr, similarity, ssim
from salamandre.training.metrics import accuracy
