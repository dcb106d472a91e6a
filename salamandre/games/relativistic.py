"""Relativistic objectives: scores count beside those of the other kind, not alone.

The generator then also learns from real examples, and the loss of two separated kinds has no flat
region: what the discriminator says of a real example falls when fakes get better
(Jolicoeur-Martineau 2019, "The relativistic discriminator", section 3). With pairs and zero-centred
penalties on both kinds (:class:`salamandre.games.ZeroCentredPenalty`) it is the game of Huang et
al. 2024, "The GAN is dead; long live the GAN!", which converges locally.
"""

from __future__ import annotations

from typing import Any

from salamandre.backend import Array
from salamandre.games.objectives import NonSaturating, Objective
from salamandre.parts import given_part


class _Relativistic(Objective, abstract=True):
    """Base: a score function of differences.

    Args:
        score: f, an objective whose loss on differences is taken: ``NonSaturating()`` (the
            default; f(d) = log(1 + exp(-d))), ``Hinge()`` or ``LeastSquares()``.
    """

    def __init__(self, score: Objective | None = None) -> None:
        name = type(self).__name__
        score = given_part(self, "score", score or NonSaturating(), Objective)
        if not score.bounded:
            raise ValueError(
                f"{name} with a {type(score).__name__} score is {type(score).__name__} itself, in "
                f"which differences of scores add up to the same: give NonSaturating() or Hinge()"
            )
        if type(score).loss is Objective.loss:
            raise ValueError(
                f"{name} takes a score that has a loss(scores, target, xp), such as "
                f"NonSaturating(), got {score!r}"
            )
        self.score = score


class RelativisticPairing(_Relativistic):
    """f(real - fake) for the discriminator, f(fake - real) for the generator.

    Each fake example is compared with one real example of the batch (Jolicoeur-Martineau 2019,
    section 4.1; Huang et al. 2024, equation 2).

    Args:
        score: f, see the base: ``NonSaturating()`` (default), ``Hinge()`` or ``LeastSquares()``.
    """

    def discriminator(
        self, real: Array, fake: Array, t_real: Any, t_fake: Any, xp: Any
    ) -> tuple[Array, Array, Array]:
        """Return f(real - fake), whose target is the mean of t_real and 1 - t_fake."""
        loss, gradient = self.score.loss(real - fake, (t_real + 1 - t_fake) / 2, xp)
        return loss, gradient, -gradient

    def generator_against(self, real: Array, fake: Array, xp: Any) -> tuple[Array, Array]:
        """Return f(fake - real)."""
        return self.score.loss(fake - real, 1, xp)


class RelativisticAverage(_Relativistic):
    """f(real - mean fake) + f(mean real - fake); for the generator with real and fake exchanged.

    Each example is compared with the mean of the other kind (Jolicoeur-Martineau 2019, section
    4.3).

    Args:
        score: f, see the base: ``NonSaturating()`` (default), ``Hinge()`` or ``LeastSquares()``.
    """

    def discriminator(
        self, real: Array, fake: Array, t_real: Any, t_fake: Any, xp: Any
    ) -> tuple[Array, Array, Array]:
        """Return the sum of both terms."""
        loss_real, d_real = self.score.loss(real - fake.mean(axis=0), t_real, xp)
        loss_fake, d_fake = self.score.loss(real.mean(axis=0) - fake, 1 - t_fake, xp)
        return (
            loss_real + loss_fake,
            d_real + d_fake.sum(axis=0) / len(real),
            -d_fake - d_real.sum(axis=0) / len(fake),
        )

    def generator_against(self, real: Array, fake: Array, xp: Any) -> tuple[Array, Array]:
        """Return f(fake - mean real) + f(mean fake - real)."""
        loss, d_fake, _ = self.discriminator(fake, real, 1, 0, xp)
        return loss, d_fake
