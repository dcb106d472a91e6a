"""Adversarial games: objectives, constraints, remedies, latent spaces, architectures."""

from salamandre.games.architectures import (
    ARCHITECTURES as ARCHITECTURES,
    OBJECTIVES as OBJECTIVES,
    new_game as new_game,
)
from salamandre.games.callbacks import (
    EpochNetworks as EpochNetworks,
    Evaluation as Evaluation,
    Film as Film,
    SampleGrids as SampleGrids,
)
from salamandre.games.constraints import (
    GradientPenalty as GradientPenalty,
    Lipschitz as Lipschitz,
    SpectralNorm as SpectralNorm,
    WeightClipping as WeightClipping,
)
from salamandre.games.game import GanGame as GanGame
from salamandre.games.inversion import Inversion as Inversion, invert as invert
from salamandre.games.latent import Gaussian as Gaussian, Latent as Latent, Uniform as Uniform
from salamandre.games.objectives import (
    Hinge as Hinge,
    LeastSquares as LeastSquares,
    Minimax as Minimax,
    NonSaturating as NonSaturating,
    Objective as Objective,
    Wasserstein as Wasserstein,
)
from salamandre.games.penalties import Dragan as Dragan, ZeroCentredPenalty as ZeroCentredPenalty
from salamandre.games.relativistic import (
    RelativisticAverage as RelativisticAverage,
    RelativisticPairing as RelativisticPairing,
)
from salamandre.games.remedies import (
    FeatureMatching as FeatureMatching,
    InstanceNoise as InstanceNoise,
    LabelFlipping as LabelFlipping,
    LabelSmoothing as LabelSmoothing,
    MovingAverage as MovingAverage,
    Reconstruction as Reconstruction,
    Remedy as Remedy,
    TopK as TopK,
)
from salamandre.games.walks import (
    principal_directions as principal_directions,
    truncated as truncated,
)
from salamandre.games.wgan import WGanGame as WGanGame
