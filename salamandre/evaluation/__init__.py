"""Metrics: how well a network classifies, and how good and varied generated examples are."""

from typing import TYPE_CHECKING

from salamandre.evaluation.classes import (
    class_divergence as class_divergence,
    class_shares as class_shares,
    classifier_score as classifier_score,
    confusion as confusion,
)
from salamandre.evaluation.distances import (
    frechet_distance as frechet_distance,
    mode_coverage as mode_coverage,
    nearest as nearest,
    precision_recall as precision_recall,
)
from salamandre.evaluation.features import (
    density_coverage as density_coverage,
    intra_class_frechet as intra_class_frechet,
    kernel_distance as kernel_distance,
)
from salamandre.evaluation.judge import Judge as Judge
from salamandre.evaluation.learned import (
    classification_accuracy_score as classification_accuracy_score,
    critic_gap as critic_gap,
    critic_gap_of as critic_gap_of,
)
from salamandre.evaluation.pairs import (
    l1 as l1,
    of_pairs as of_pairs,
    psnr as psnr,
    similarity as similarity,
    ssim as ssim,
)
from salamandre.evaluation.transport import (
    sliced_wasserstein_distance as sliced_wasserstein_distance,
    wasserstein_distance as wasserstein_distance,
)
from salamandre.parts import missing as _missing
from salamandre.training.metrics import accuracy as accuracy

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        raise _missing(__name__, name, globals())
