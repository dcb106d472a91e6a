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
from salamandre.evaluation.features import (
    density_coverage,
    intra_class_frechet,
    kernel_distance,
)
from salamandre.evaluation.judge import Judge
from salamandre.evaluation.learned import (
    classification_accuracy_score,
    critic_gap,
    critic_gap_of,
)
from salamandre.evaluation.pairs import l1, of_pairs, psnr, similarity, ssim
from salamandre.evaluation.transport import sliced_wasserstein_distance, wasserstein_distance
from salamandre.training.metrics import accuracy
