"""Constraints that bound a critic's slope: how much scores change for a change of inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.backend.operations.affine import mixture
from salamandre.checks import real, whole
from salamandre.component import Component
from salamandre.layers.minibatch import Packing
from salamandre.layers.neuron import NeuronLayer
from salamandre.network import Network
from salamandre.passes import Pass

TINY = 1e-12  # below it a number is zero

Energy = Callable[[Array], tuple[Array, Array]]


class Lipschitz(Component):
    """Base of constraints. The base itself constrains nothing."""

    kind = "lipschitz"
    required = dict.fromkeys(("attach", "penalty", "step", "state"))

    def attach(self, critic: Network) -> None:
        """Prepare for a critic; called once."""
        self.critic = critic

    def penalty(self, real: Array, fake: Array, labels: Array | None = None) -> Any:
        """Return a loss that is added to the critic's; add its gradient to the critic's.

        Args:
            real: examples (N, ...).
            fake: examples (N, ...).
            labels: the labels (N,) of both, if there are any.
        """
        return 0.0

    def step(self) -> None:
        """Change the critic's parameters by its gradients, within the constraint."""
        self.critic.step()

    def state(self) -> dict[str, Array]:
        """Return the arrays of a checkpoint; they are restored in place."""
        return {}

    @property
    def penalises(self) -> bool:
        """Whether it has a :meth:`penalty`."""
        return type(self).penalty is not Lipschitz.penalty

    def advice(self, grown: Collection[str]) -> str:
        """Return how to change it after a game diverged; empty if it is not to blame.

        Args:
            grown: names of values in the history that had grown before, or may have.
        """
        return ""


class WeightClipping(Lipschitz):
    """Every parameter that learns in [-limit, limit] (Arjovsky et al. 2017, algorithm 1).

    The simplest constraint. It biases the critic towards simple functions, and a limit that is too
    small or too large makes gradients vanish or explode.

    Args:
        limit: the paper's c. Default 0.01.
    """

    def __init__(self, limit: float = 0.01) -> None:
        self.limit = real("WeightClipping limit", limit, 0, above=True)

    def attach(self, critic: Network) -> None:
        """Clip the initial parameters."""
        super().attach(critic)
        self._clip()

    def advice(self, grown: Collection[str]) -> str:
        """Blame a limit that is ten times the usual one."""
        if not grown or self.limit <= 0.1:
            return ""
        return f"lower the limit of the WeightClipping ({self.limit:g}; 0.01 is usual)"

    def step(self) -> None:
        """Step, then clip."""
        with self.critic.changing():
            self.critic.step()
            self._clip()

    def _clip(self) -> None:
        xp = self.critic.backend.xp
        for part in self.critic.learning:
            parameters = self.critic.parameters[part]
            xp.minimum(parameters, self.limit, out=parameters)
            xp.maximum(parameters, -self.limit, out=parameters)


class SlopePenalty(Lipschitz):
    """Base of penalties that are a function of ‖∇D(x)‖² at some points x.

    The gradient by the parameters takes one pass along dE/d∇D(x), and one back through it. The
    discriminator must not contain batch-norm.
    """

    def attach(self, critic: Network) -> None:
        """Let layers that have no second-order backprop refuse before the first round."""
        super().attach(critic)
        self._run = critic.new_pass(statistics=False, accumulate=True, shared=True)
        require_second_order(critic)

    def add(self, x: Array, labels: Array | None, energy: Energy, run: Pass | None = None) -> Array:
        """Return E of ‖∇D(x)‖² (N,), and add its gradient to the critic's.

        Args:
            x: points (N, ...).
            labels: theirs (N,), if there are any.
            energy: returns E and dE/d‖∇D(x)‖² (N,).
            run: a pass that accumulates. Default: the penalty's own.
        """
        critic, xp, count, run = self.critic, self.critic.backend.xp, len(x), run or self._run
        run.want(parameter_gradients=False)
        scores = critic.compute(x, run, labels=labels if critic.classes else None)
        mean = xp.full(scores.shape, count / scores.size, dtype=scores.dtype)  # of patches
        g = critic.backprop(mean, run)
        value, slope = energy((g * g).reshape(count, -1).sum(axis=1))
        run.want(input_gradient=False)
        critic.compute_tangent(g * (2 * slope).reshape(count, *(1,) * (x.ndim - 1)), run)
        critic.backprop_tangent(None, mean, run)
        return value

    def advice(self, grown: Collection[str]) -> str:
        """Blame the penalty, if it had grown."""
        return f"lower the weight of the {self!r}" if "penalty" in grown else ""


def unit_slope(xp: Any, weight: float, square: Array) -> tuple[Array, Array]:
    """Return E = weight · mean of (‖∇D‖ - 1)², and dE/d‖∇D‖² (N,), from ‖∇D‖² (N,)."""
    norm = xp.sqrt(square + 1e-12)  # whose slope is finite at 0
    excess = norm - 1
    return weight * (excess * excess).mean(), (weight / len(norm)) * excess / norm


class GradientPenalty(SlopePenalty):
    """E = weight · mean of (‖∇D(x̂)‖ - 1)² (Gulrajani et al. 2017, equation 3).

    Each x̂ is at a uniformly random position between a real and a fake example. With g = ∇D(x̂) and
    G = dE/dg, the derivative of E by a parameter is that of Σ ⟨G, g⟩ with G held fixed, and
    ⟨G, g⟩ is the derivative of D at x̂ along G. One forward pass along G and one backward
    pass through it compute it (Pearlmutter 1994): ``compute_tangent`` and ``backprop_tangent``.

    The most reliable constraint for perceptrons and convolutional critics. A step takes about twice
    as long. The critic must not contain batch-norm. In a game with conditions ∇D is the gradient by
    condition and picture together, of which both are what D sees.

    Args:
        weight: the paper's λ. Default 10.
    """

    _scored: Pass | None = None  # the pass that is followed

    def __init__(self, weight: float = 10.0) -> None:
        self.weight = real("GradientPenalty weight", weight, 0, above=True)

    def follow(self, scored: Pass) -> None:
        """Let :meth:`penalty_of_scored` complete each backprop of a pass, see :meth:`Pass.follow`.

        The pass is over N real examples and then N fake ones.
        """
        first = self.critic.children[0]
        self._following = self.critic.new_pass(statistics=False, accumulate=True)
        self._following.follow(scored, mixes=type(first) is NeuronLayer and not first.noise)
        self._scored = scored

    def penalty(self, real: Array, fake: Array, labels: Array | None = None) -> Any:
        """Return E; add its gradient."""
        if self._scored is not None and self._scored.owes:
            raise RuntimeError(
                "the critic's gradients lack products that penalty_of_scored adds: call that, or "
                "the penalty of the game's duel"
            )
        between = fake + self._share(real) * (real - fake)
        return self._add(between, self._run, labels)

    def penalty_of_scored(self, both: Array, labels: Array | None = None) -> Any:
        """As :meth:`penalty`, after a backprop of the pass that is followed.

        Args:
            both: its examples (2 N, ...), real ones and then fake ones.
            labels: (N,).
        """
        run = self._following
        run.share = self._share(both[: len(both) // 2])
        return self._add(mixture(run, both, "between"), run, labels)

    def _share(self, real: Array) -> Array:
        shape = len(real), *[1] * (real.ndim - 1)
        return self.critic.random.uniform(shape, self.critic.dtype)

    def _add(self, between: Array, run: Pass, labels: Array | None) -> Any:
        energy = partial(unit_slope, self.critic.backend.xp, self.weight)
        return self.add(between, labels, energy, run)

    def advice(self, grown: Collection[str]) -> str:
        """Blame a weight above the paper's, if the penalty had grown."""
        if "penalty" not in grown or self.weight <= 10:
            return ""
        return f"lower the weight of the GradientPenalty ({self.weight:g}; 10 is usual)"


def require_second_order(critic: Network) -> None:
    """Let layers that have no second-order backprop raise a ValueError; nothing changes."""
    trial = critic.new_pass(statistics=False)
    trial.draw_from(None)
    kept = critic.gradients + 0
    packs = [layer.size for _, layer in critic.walk() if isinstance(layer, Packing)]
    count = max([2, *packs])  # smaller batches have no packs
    x = critic.backend.xp.zeros((count, *critic.input_shape), dtype=critic.dtype)
    critic.compute(x, trial, labels=np.zeros(count, np.int64) if critic.classes else None)
    critic.backprop_tangent(None, critic.compute_tangent(x, trial), trial)
    critic.gradients[...] = kept


class SpectralNorm(Lipschitz):
    """Every weight matrix that learns divided by its largest singular value σ (Miyato et al. 2018).

    The optimizer changes free weights W; the critic computes with W / σ(W). σ is estimated by
    power iteration, one iteration a step (algorithm 1). The gradient of W is that of equation 12:
    (dE/dW̄ - ⟨dE/dW̄, W̄⟩ u vᵀ) / σ with W̄ = W / σ. Biases and other vectors stay as they are.

    Cheaper than a gradient penalty; it suits any objective, and is often used with :class:`Hinge`.

    Args:
        iterations: power iterations a step. Default 1.
    """

    def __init__(self, iterations: int = 1) -> None:
        self.iterations = whole("SpectralNorm iterations", iterations)

    def attach(self, critic: Network) -> None:
        """Start from the critic's parameters, with σ from 50 iterations."""
        super().attach(critic)
        xp = critic.backend.xp
        self._free = critic.parameters + 0
        self._matrices: list[tuple[str, slice]] = []
        self._u: dict[str, Array] = {}
        self._v: dict[str, Array] = {}
        self._sigma: dict[str, Array] = {}
        random = np.random.default_rng([critic.seed, 3])
        for name, part, _, declared in critic.declarations():
            if name.endswith(("weights", "embedding")):
                u = random.normal(size=declared.shape[0])
                self._u[name] = critic.backend.asarray(u / np.linalg.norm(u), dtype=critic.dtype)
                self._v[name] = xp.zeros(declared.size // len(u), dtype=critic.dtype)
                self._sigma[name] = xp.ones((), dtype=critic.dtype)
                self._matrices.append((name, part))
        self._normalise(50)

    def step(self) -> None:
        """Step with the free weights, then normalise them."""
        critic, xp = self.critic, self.critic.backend.xp
        critic.average_gradients()
        for name, part in self._matrices:
            if not critic.learns(part):
                continue
            u, v, sigma = self._u[name], self._v[name], self._sigma[name]
            g = critic.gradients[part]
            along = xp.dot(g, critic.parameters[part])
            g -= along * (u.reshape(-1, 1) * v).reshape(-1)
            g /= sigma
        assert critic.optimizer is not None
        with critic.changing():
            critic.optimizer.step(self._free, critic.gradients, critic.learning)
            self._normalise(self.iterations)

    def _normalise(self, iterations: int) -> None:
        critic, xp = self.critic, self.critic.backend.xp
        for part in critic.learning:
            critic.parameters[part] = self._free[part]
        for name, part in self._matrices:
            if not critic.learns(part):
                continue
            u = self._u[name]
            matrix = self._free[part].reshape(len(u), -1)
            for _ in range(iterations):
                v = xp.dot(matrix.T, u)
                v /= xp.sqrt(xp.dot(v, v)) + TINY
                w = xp.dot(matrix, v)
                sigma = xp.sqrt(xp.dot(w, w))
                # A matrix of zeros has no singular vectors: u is kept.
                u[...] = xp.where(sigma > TINY, w / (sigma + TINY), u)
                sigma = xp.where(sigma > TINY, sigma, xp.ones_like(sigma))
            self._v[name][...] = v
            self._sigma[name][...] = sigma
            critic.parameters[part] /= sigma

    def state(self) -> dict[str, Array]:
        """Return the free weights, and the singular vectors and values."""
        found = {"u": self._u, "v": self._v, "sigma": self._sigma}
        named = {
            f"{kind}/{name}": a for kind, arrays in found.items() for name, a in arrays.items()
        }
        return {"free": self._free, **named}
