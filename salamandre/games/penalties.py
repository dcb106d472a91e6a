"""Penalties on the discriminator's slope at real and at fake examples, or near real ones."""

from __future__ import annotations

from functools import partial
from typing import Any

from salamandre.backend import Array
from salamandre.checks import real as real_number, whole
from salamandre.games.constraints import SlopePenalty, unit_slope
from salamandre.schedules import Schedule


class ZeroCentredPenalty(SlopePenalty):
    """E = real/2 · mean of ‖∇D(x)‖² at real x + fake/2 · the same at fake x.

    The first term is R1, the second R2 (Mescheder, Geiger and Nowozin 2018, "Which training methods
    for GANs do actually converge?", equations 9 and 10): either makes a game converge near its
    equilibrium, where the discriminator is flat; both suit any objective. R1 with R2 and
    :class:`salamandre.games.RelativisticPairing` are the game of Huang et al. 2024.

    Args:
        real: weight γ of R1, or a :class:`salamandre.schedules.Schedule` of it by the steps of the
            discriminator (it falls in the games of Huang et al. 2024). Default 10, Mescheder's.
        fake: the same of R2. Default 0.
        every: steps of the discriminator from one penalty to the next; its weight is multiplied by
            as many (lazy regularisation: Karras et al. 2020, "Analyzing and improving the image
            quality of StyleGAN", appendix B; 16 there). In the history, which has the last one of
            a round's steps, it is 0 between. Default 1.
    """

    real: float | Schedule
    fake: float | Schedule

    def __init__(
        self, real: float | Schedule = 10.0, fake: float | Schedule = 0.0, every: int = 1
    ) -> None:
        for name, weight in (("real", real), ("fake", fake)):
            if not isinstance(weight, Schedule):
                weight = real_number(f"ZeroCentredPenalty {name}", weight, 0)
            setattr(self, name, weight)
        self.every = whole("ZeroCentredPenalty every", every)
        if not (real or fake):
            raise ValueError(
                "ZeroCentredPenalty needs a weight above 0: real=10 for R1, fake=10 for R2"
            )

    @property
    def repeats(self) -> bool:
        """Whether each step has the same penalty."""
        falls = isinstance(self.real, Schedule) or isinstance(self.fake, Schedule)
        return super().repeats and not falls and self.every == 1

    def penalty(self, real: Array, fake: Array, labels: Array | None = None) -> Any:
        """Return E times ``every``; add its gradient."""
        xp = self.critic.backend.xp
        assert self.critic.optimizer is not None
        step = 0 if self.repeats else self.critic.optimizer.steps  # no number of a recorded step
        weights = _at(self.real, step), _at(self.fake, step)
        parts = [(x, w) for x, w in zip((real, fake), weights, strict=True) if w]
        if step % self.every or not parts:
            return xp.zeros((), dtype=real.dtype)
        share = xp.concatenate(
            [xp.full(len(x), self.every * w / 2 / len(x), dtype=x.dtype) for x, w in parts]
        )
        x = xp.concatenate([x for x, _ in parts])
        if labels is not None:
            labels = xp.concatenate([labels] * len(parts))
        return self.add(x, labels, lambda square: ((share * square).sum(), share))


def _at(weight: float | Schedule, step: int) -> float:
    """Return the weight of a step."""
    if not isinstance(weight, Schedule):
        return weight
    return real_number(f"the weight of {weight!r} at step {step}", weight(step), 0)


class Dragan(SlopePenalty):
    """E = weight · mean of (‖∇D(x + δ)‖ - 1)², at real examples x with Gaussian noise δ.

    Near the data alone, not between real and fake examples as ``GradientPenalty``: so it suits
    objectives with probabilities too (Kodali et al. 2017, "On convergence and stability of GANs",
    section 2.4).

    Args:
        weight: λ. Default 10, the paper's.
        noise: the standard deviation of δ, as a share of that of the batch's elements. Default 0.5.
    """

    def __init__(self, weight: float = 10.0, noise: float = 0.5) -> None:
        self.weight = real_number("Dragan weight", weight, 0, above=True)
        self.noise = real_number("Dragan noise", noise, 0)

    def penalty(self, real: Array, fake: Array, labels: Array | None = None) -> Any:
        """Return E; add its gradient."""
        critic, xp = self.critic, self.critic.backend.xp
        centred = real - real.mean()
        spread = self.noise * xp.sqrt((centred * centred).mean())
        near = real + spread * critic.random.normal(real.shape, critic.dtype)
        return self.add(near, labels, partial(unit_slope, xp, self.weight))
