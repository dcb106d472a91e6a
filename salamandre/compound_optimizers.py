"""Optimizers of matrices, and of another optimizer: more than a formula for each number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from salamandre.backend import Array, Backend
from salamandre.checks import real, whole
from salamandre.optimizer import CLIPS, Optimizer, divided
from salamandre.optimizers import AdamW
from salamandre.parts import given_part
from salamandre.schedules import Schedule

QUINTIC = 3.4445, -4.7750, 2.0315  # steepest at 0: small singular values grow fastest
ITERATIONS = 5


class Muon(Optimizer):
    """Momentum whose step is made orthogonal, matrix by matrix: p ← p - η s O(g + β v).

    v ← β v + g. With G = U S Vᵀ, O(G) is about U Vᵀ: all directions of a layer learn equally fast,
    not only those of large gradients. It is found by five steps X ← a X + (b A + c A²) X with
    A = X Xᵀ, from X = G / ‖G‖, which leave singular values between about 0.7 and 1.2; s is
    √(max(1, rows / columns)) (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

    The matrices are the weights of hidden layers, those of a convolution as (outputs, inputs ·
    window), of a transposed one as (inputs, outputs · window). Embeddings, the last layer
    of several, biases and scales learn by another optimizer.

    Args:
        learning_rate: η. Default 0.02.
        beta: β in [0, 1). Default 0.95.
        decay: each matrix is multiplied by 1 - η decay first. Default 0.
        others: of all that is no such matrix. Default ``AdamW(0.001)``; it has a rate of its own.
        options: of the matrices, see :class:`Optimizer`, but for ``weight_decay``, which is not
            decoupled; all gradients are clipped together.
    """

    slots = ("velocity",)
    inner = ("others",)
    repeats = False  # the host multiplies by the rate
    _OPTIONS = CLIPS

    def __init__(
        self,
        learning_rate: float | Schedule = 0.02,
        beta: float = 0.95,
        decay: float = 0.0,
        others: Optimizer | None = None,
        **options: float | None,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta = real("beta", beta, 0, 1, below=True)
        self.decay = real("decay", decay, 0)
        self.others = given_part(self, "others", others or AdamW(0.001), Optimizer)
        self._matrices: list[tuple[slice, tuple[int, float]]] = []

    def require_free(self) -> None:
        """Refuse others that a network has already."""
        super().require_free()
        self.others.require_free()

    def check_rule(self) -> None:
        """Try the rule of the others."""
        self.others.check_rule()

    def attach(self, backend: Backend, parameters: Array, declarations: Iterable[Any] = ()) -> None:
        """Allocate the memory; note which parameters are matrices of hidden layers."""
        super().attach(backend, parameters)
        self.others.attach(backend, parameters, declarations := list(declarations))
        self.memory |= {f"others/{name}": array for name, array in self.others.memory.items()}
        last = None  # of the layer that makes the scores, which may be a single row
        for _, part, layer, declared in declarations:
            if declared.name != "weights":
                continue
            last, rows = part, declared.shape[0]
            if not hasattr(layer, "classes") and min(rows, declared.size // rows) > 1:
                self._matrices.append((part, (rows, declared.rate)))
        if len(self._matrices) > 1:
            self._matrices = [matrix for matrix in self._matrices if matrix[0] != last]

    def step(
        self, parameters: Array, gradients: Array, parts: Sequence[slice] = (slice(None),)
    ) -> None:
        """Change the matrices, then the other parameters."""
        if self._backend is None:
            raise ValueError("this Muon is not attached to a network yet")
        xp = self._backend.xp
        self.clip(gradients)
        rest = []
        for part, matrix in divided(parts, self._matrices, parameters.size):
            if matrix is None:
                rest.append(part)
                continue
            rows, rate = matrix[0], matrix[1] * self.learning_rate
            p, g, v = (x[part] for x in (parameters, gradients, self.memory["velocity"]))
            v *= self.beta
            v += g
            flat = orthogonal(xp, (g + self.beta * v).reshape(rows, -1))
            scale = max(1.0, rows / flat.shape[1]) ** 0.5
            p *= 1 - rate * self.decay
            p -= (rate * scale) * flat.reshape(-1)
            if self.clip_weights is not None:
                xp.minimum(p, self.clip_weights, out=p)
                xp.maximum(p, -self.clip_weights, out=p)
        self.others.steps = self.steps
        self.others.step(parameters, gradients, rest)
        self.steps += 1


def orthogonal(xp: Any, g: Array) -> Array:
    """Return about U Vᵀ of a matrix g = U S Vᵀ, by Newton-Schulz iterations of fifth order.

    Each iterate is a polynomial of A = X Xᵀ, times X: what X is multiplied by is found first, with
    products of the smaller size only. Directions below some 1e-5 of the largest have noise.
    """
    a, b, c = QUINTIC
    wide = g.shape[0] <= g.shape[1]
    x = g if wide else g.T
    x = x / (xp.abs(x).max() + 1e-30)  # squares of large numbers would overflow
    x = x / (xp.sqrt((x * x).sum()) + 1e-7)
    square, identity = xp.dot(x, x.T), xp.eye(len(x), dtype=x.dtype)
    total = None
    for left in reversed(range(ITERATIONS)):
        fourth = xp.dot(square, square.T)  # symmetric: half the work
        factor = a * identity + b * square + c * fourth
        total = factor if total is None else xp.dot(factor, total)
        if left:
            square = xp.dot(factor, xp.dot(square, factor))
    x = xp.dot(total, x)
    return x if wide else x.T


class Lookahead(Optimizer):
    """Another optimizer's parameters, drawn back towards slow ones.

    After each ``every`` steps: slow ← slow + share · (p - slow); p ← slow (Zhang et al. 2019,
    "Lookahead optimizer: k steps forward, 1 step back", algorithm 1). Less depends on the rate.

    Args:
        optimizer: the fast one; its learning rate is this one's.
        every: the paper's k. Default 5.
        share: the paper's α. Default 0.5.
    """

    inner = ("fast",)
    repeats = False  # the host counts the steps

    def __init__(self, optimizer: Optimizer, every: int = 5, share: float = 0.5) -> None:
        self.fast = given_part(self, "optimizer", optimizer, Optimizer)
        if isinstance(self.fast, Lookahead):  # whose slow parameters would have the same name
            raise TypeError(f"Lookahead takes an optimizer of another kind, got {self.fast!r}")
        super().__init__(self.fast.schedule)
        self.every = whole("Lookahead every", every)
        self.share = real("Lookahead share", share, 0, 1, above=True)
        self.clip_norm, self.clip_value = self.fast.clip_norm, self.fast.clip_value
        self.proportional = self.fast.proportional  # type: ignore[misc]

    def require_free(self) -> None:
        """Refuse an optimizer that a network has already."""
        super().require_free()
        self.fast.require_free()

    def check_rule(self) -> None:
        """Try the rule of the fast one."""
        self.fast.check_rule()

    def attach(self, backend: Backend, parameters: Array, declarations: Iterable[Any] = ()) -> None:
        """Allocate the memory of both."""
        super().attach(backend, parameters)
        self.fast.attach(backend, parameters, declarations)
        self.memory = {**self.fast.memory, "slow": parameters + 0}

    def follow(self, parameters: Array) -> None:
        """Let the slow ones be those that were set, too."""
        super().follow(parameters)
        self.memory["slow"][...] = parameters

    def step(
        self, parameters: Array, gradients: Array, parts: Sequence[slice] = (slice(None),)
    ) -> None:
        """Take a step of the fast one; draw back if it is due."""
        if self._backend is None:
            raise ValueError("this Lookahead is not attached to a network yet")
        slow, edge = self.memory["slow"], 0
        if self.steps == 0:  # they may have been loaded since
            slow[...] = parameters
        for part in (*parts, slice(slow.size, None)):
            start, stop, _ = part.indices(slow.size)
            slow[edge:start] = parameters[edge:start]  # frozen ones may be set
            edge = stop
        self.fast.steps, self.fast.schedule = self.steps, self.schedule
        self.fast.step(parameters, gradients, parts)
        self.steps = self.fast.steps
        if self.steps % self.every == 0:
            for part in parts:
                slow[part] += self.share * (parameters[part] - slow[part])
                parameters[part] = slow[part]
