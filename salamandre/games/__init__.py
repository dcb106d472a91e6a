"""Adversarial games: the players, what they gain, and what keeps them in balance."""

from salamandre.games.architectures import ARCHITECTURES, new_game
from salamandre.games.callbacks import EpochNetworks, Evaluation, Film, SampleGrids
from salamandre.games.constraints import GradientPenalty, Lipschitz, SpectralNorm, WeightClipping
from salamandre.games.game import GanGame
from salamandre.games.latent import Gaussian, Latent, Uniform
from salamandre.games.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Wasserstein,
)
from salamandre.games.wgan import WGanGame

__all__ = [
    "ARCHITECTURES",
    "EpochNetworks",
    "Evaluation",
    "Film",
    "GanGame",
    "Gaussian",
    "GradientPenalty",
    "Hinge",
    "Latent",
    "LeastSquares",
    "Lipschitz",
    "Minimax",
    "NonSaturating",
    "Objective",
    "SampleGrids",
    "SpectralNorm",
    "Uniform",
    "WGanGame",
    "Wasserstein",
    "WeightClipping",
    "new_game",
]
