"""Objectives of adversarial games: the losses of both players from the discriminator's scores.

A score s is any real number, larger for what looks real: the discriminator ends linearly, and
where a probability is wanted it is σ(s) = 1 / (1 + exp(-s)). Every objective is a mean over the
batch and over the P patches that each example has scores for; mostly P = 1, the whole example. Its
targets t are 1 for real and 0 for fake, or values between them where labels are smoothed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from salamandre.backend import Array
from salamandre.component import Component
from salamandre.stable import sigmoid, softplus


class Objective(Component, abstract=True):
    """Base of objectives: :meth:`discriminator` and :meth:`generator`.

    Where the discriminator's loss is a sum over real and fake scores, :meth:`loss` is enough.

    Attributes:
        bounded: whether the discriminator's loss has a lower bound. Without one its scores grow
            for ever, unless a constraint bounds its slope. Default True.
    """

    kind = "objectives"
    required = {
        **{"loss": "discriminator", "discriminator": None, "shown": None},
        **{"generator": "generator_against", "generator_against": None},
    }
    bounded: ClassVar[bool] = True

    def discriminator(
        self, real: Array, fake: Array, t_real: Any, t_fake: Any, xp: Any
    ) -> tuple[Array, Array, Array]:
        """Return the discriminator's loss, dE/dreal and dE/dfake.

        Args:
            real: the scores (N, P) of real examples.
            fake: the scores (N, P) of fake examples.
            t_real: the target t of real ones, a number or an array (N, 1).
            t_fake: the target t of fake ones, likewise.
            xp: the array namespace.
        """
        loss_real, d_real = self.loss(real, t_real, xp)
        loss_fake, d_fake = self.loss(fake, t_fake, xp)
        return loss_real + loss_fake, d_real, d_fake

    def loss(self, scores: Array, target: Any, xp: Any) -> tuple[Array, Array]:
        """Return the discriminator's loss on scores (N, P) of one kind, and dE/dscores."""
        raise NotImplementedError

    def generator(self, scores: Array, xp: Any) -> tuple[Array, Array]:
        """Return the generator's loss on the scores (N, P) of its examples, and dE/dscores."""
        raise NotImplementedError

    def generator_against(self, real: Array, fake: Array, xp: Any) -> tuple[Array, Array]:
        """Return the generator's loss on scores (N, P) of both kinds, and dE/dfake.

        Only for objectives that need real scores, which the game then computes for them.
        """
        return self.generator(fake, xp)

    @property
    def compares(self) -> bool:
        """Whether the generator's loss needs the scores of real examples."""
        return type(self).generator_against is not Objective.generator_against

    def checked(self, method: str, found: Any, scores: Sequence[Array]) -> Any:
        """Return what a method has found: a loss, and its gradient for each of the scores.

        Raises:
            TypeError: it is something else.
        """
        shapes, pairs = [s.shape for s in scores], isinstance(found, (tuple, list))
        if not pairs or [getattr(d, "shape", 0) for d in found[1:]] != shapes:
            raise TypeError(
                f"{type(self).__name__}.{method} must return a loss and its gradients for scores "
                f"of the shapes {shapes}, got {found!r}"
            )
        return found

    def shown(self, scores: Array, xp: Any) -> Array:
        """Return the mean of D(x) in histories and curves: here of the raw scores."""
        return scores.mean()


class Minimax(Objective):
    """The game of Goodfellow et al. 2014, equation 1; the generator's gradient may saturate.

    The discriminator minimises the cross-entropy -t log σ(s) - (1 - t) log(1 - σ(s)), the generator
    log(1 - σ(s)).
    """

    def loss(self, scores: Array, target: Any, xp: Any) -> tuple[Array, Array]:
        """Return softplus(s) - t s and σ(s) - t."""
        value = (softplus(xp, scores) - target * scores).mean()
        return value, (sigmoid(xp, scores) - target) / scores.size

    def generator(self, scores: Array, xp: Any) -> tuple[Array, Array]:
        """Return -softplus(s) and -σ(s)."""
        return -softplus(xp, scores).mean(), sigmoid(xp, scores) / -scores.size

    def shown(self, scores: Array, xp: Any) -> Array:
        """Return the mean of σ(s)."""
        return sigmoid(xp, scores).mean()


class NonSaturating(Minimax):
    """As :class:`Minimax`, but the generator minimises -log σ(s) (Goodfellow 2014, section 3)."""

    def generator(self, scores: Array, xp: Any) -> tuple[Array, Array]:
        """Return softplus(-s) and σ(s) - 1."""
        return softplus(xp, -scores).mean(), (sigmoid(xp, scores) - 1) / scores.size


class LeastSquares(Objective):
    """(s - t)² / 2 for the discriminator, (s - 1)² / 2 for the generator (Mao et al. 2017)."""

    def loss(self, scores: Array, target: Any, xp: Any) -> tuple[Array, Array]:
        """Return (s - t)² / 2 and s - t."""
        error = scores - target
        return (error * error).mean() / 2, error / scores.size

    def generator(self, scores: Array, xp: Any) -> tuple[Array, Array]:
        """Return (s - 1)² / 2 and s - 1."""
        return self.loss(scores, 1, xp)


class Hinge(Objective):
    """t max(0, 1 - s) + (1 - t) max(0, 1 + s); -s for the generator (Lim and Ye 2017)."""

    def loss(self, scores: Array, target: Any, xp: Any) -> tuple[Array, Array]:
        """Return the hinge losses and their gradient."""
        real, fake = xp.maximum(1 - scores, 0), xp.maximum(1 + scores, 0)
        value = (target * real + (1 - target) * fake).mean()
        gradient = (1 - target) * (fake > 0) - target * (real > 0)
        return value, gradient.astype(scores.dtype) / scores.size

    def generator(self, scores: Array, xp: Any) -> tuple[Array, Array]:
        """Return -s and -1."""
        return -scores.mean(), xp.full(scores.shape, -1 / scores.size, dtype=scores.dtype)


class Wasserstein(Objective):
    """The critic raises the real scores above the fake ones (Arjovsky et al. 2017, equation 3)."""

    bounded = False

    def loss(self, scores: Array, target: Any, xp: Any) -> tuple[Array, Array]:
        """Return (1 - 2 t) s and 1 - 2 t."""
        sign = (1 - 2 * target) * xp.ones_like(scores)
        return (sign * scores).mean(), sign / scores.size

    def generator(self, scores: Array, xp: Any) -> tuple[Array, Array]:
        """Return -s and -1."""
        return -scores.mean(), xp.full(scores.shape, -1 / scores.size, dtype=scores.dtype)
