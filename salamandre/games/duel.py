"""The passes of a discriminator in a game."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

from salamandre.backend import Array
from salamandre.games.constraints import GradientPenalty, Lipschitz
from salamandre.network import Network
from salamandre.passes import Pass


class Duel:
    """A discriminator with its passes over real and fake examples.

    Real and fake examples are one batch, unless outputs depend on the other examples of a batch,
    as with batch-norm: then there are two passes. A discriminator has a score for each of P patches
    of an example; P is 1 for one that looks at the whole.

    Args:
        discriminator: or a critic.
        constraint: attached to it.
    """

    def __init__(self, discriminator: Network, constraint: Lipschitz) -> None:
        self.network, self._constraint = discriminator, constraint
        self._coupled = any(layer.couples_examples for _, layer in discriminator.walk())
        made = functools.partial(discriminator.new_pass, shared=True)
        self._passes = [made(input_gradient=False)]
        if self._coupled:
            self._passes.append(made(input_gradient=False, accumulate=True))
            self._fooled = self._passes[1]  # the memory of a third pass of images would be large
        else:
            self._fooled = made(parameter_gradients=False, statistics=False)
        self._scored = self._passes[0]
        self._followed: Pass | None = None  # which leaves products to the penalty
        own = type(constraint).penalty is not GradientPenalty.penalty
        if isinstance(constraint, GradientPenalty) and not (own or self._coupled):
            self._followed = made(input_gradient=False)
            constraint.follow(self._followed)

    def sharing(self, batch_size: int) -> AbstractContextManager[None]:
        """As that of the network, for steps on so many real examples and as many fakes."""
        return self.network.sharing(batch_size * (1 if self._coupled else 2))

    def scores(self, real: Array, fake: Array, labels: Array | None) -> tuple[Array, Array]:
        """Return the scores (N, P) of real and of fake examples (N, ...) with the same labels."""
        d, concatenate = self.network, self.network.backend.xp.concatenate
        labels = labels if d.classes else None
        if self._coupled:
            first, second = self._passes
            first.statistics = second.statistics = True
            second.want(input_gradient=False)
            return self._scores(real, first, labels), self._scores(fake, second, labels)
        if labels is not None:
            labels = concatenate([labels, labels])
        self._both = concatenate([real, fake])
        run = self._followed
        if run is None or d.shares(len(self._both)):
            run = self._passes[0]
        self._scored, run.statistics = run, True
        scores = self._scores(self._both, run, labels)
        return scores[: len(real)], scores[len(real) :]

    def backprop(self, d_real: Array, d_fake: Array) -> None:
        """Write the discriminator's gradients from those of the scores."""
        if self._coupled:
            for gradient, run in zip((d_real, d_fake), self._passes, strict=True):
                self._back(gradient, run)
        else:
            self._back(self.network.backend.xp.concatenate([d_real, d_fake]), self._scored)

    def real_scores(self, real: Array, labels: Array | None) -> Array:
        """Return the scores of real examples, in the generator's step."""
        run = self._passes[0]
        run.statistics = False
        return self._scores(real, run, labels if self.network.classes else None)

    def penalty(self, real: Array, fake: Array, labels: Array | None) -> Any:
        """Return the constraint's penalty for the examples of the latest scores; add its gradient.

        It comes after :meth:`backprop`, which may leave products to it.
        """
        if self._scored is self._followed:
            assert isinstance(self._constraint, GradientPenalty)
            return self._constraint.penalty_of_scored(self._both, labels)
        return self._constraint.penalty(real, fake, labels)

    def fake_scores(self, fake: Array, labels: Array | None) -> Array:
        """Return the scores of fake examples, in the generator's step."""
        labels, run = labels if self.network.classes else None, self._fooled
        run.statistics = False
        run.want(parameter_gradients=False)
        return self._scores(fake, run, labels)

    def fake_gradient(self, gradient: Array) -> Array:
        """Return dE/dfake from dE/dscores; the discriminator stays as it is."""
        return self._back(gradient, self._fooled)

    def _scores(self, x: Array, run: Pass, labels: Array | None) -> Array:
        return self.network.compute(x, run, labels=labels).reshape(len(x), -1)

    def _back(self, gradient: Array, run: Pass) -> Array:
        return self.network.backprop(gradient.reshape(-1, *self.network.output_shape), run)
