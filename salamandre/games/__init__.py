"""Adversarial games: objectives, constraints, remedies, latent spaces, architectures."""

from salamandre.games.architectures import ARCHITECTURES, OBJECTIVES, new_game
from salamandre.games.callbacks import EpochNetworks, Evaluation, Film, SampleGrids
from salamandre.games.constraints import GradientPenalty, Lipschitz, SpectralNorm, WeightClipping
from salamandre.games.game import GanGame
from salamandre.games.inversion import Inversion, invert
from salamandre.games.latent import Gaussian, Latent, Uniform
from salamandre.games.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Wasserstein,
)
from salamandre.games.penalties import Dragan, ZeroCentredPenalty
from salamandre.games.relativistic import RelativisticAverage, RelativisticPairing
from salamandre.games.remedies import (
    FeatureMatching,
    InstanceNoise,
    LabelFlipping,
    LabelSmoothing,
    MovingAverage,
    Reconstruction,
    Remedy,
    TopK,
)
from salamandre.games.walks import principal_directions, truncated
from salamandre.games.wgan import WGanGame
