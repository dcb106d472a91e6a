"""The optimizers: a formula each. Their averages that forget also have :data:`FLOOR` added."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy import float32, maximum, sqrt

from salamandre.checks import real
from salamandre.optimizer import CLIPS, Optimizer
from salamandre.schedules import Schedule

# Added to averages that forget: where gradients stay 0, of a pixel that is always black or a neuron
# that is dead, they would sink into the subnormal numbers, whose arithmetic is 14 times as slow.
# Of single precision: with a number of double precision, loops of float32 would compute in double.
FLOOR = float32(1e-30)


class SGD(Optimizer):
    """Stochastic gradient descent: p ← p - η g.

    Args:
        learning_rate: η. Default 0.1.
        options: see :class:`Optimizer`.
    """

    proportional = True

    def __init__(self, learning_rate: float | Schedule = 0.1, **options: float | None) -> None:
        super().__init__(learning_rate, **options)

    @property
    def descends(self) -> bool:
        """Whether there is no decay, no clipping and one rate."""
        options = self.weight_decay, self.clip_norm, self.clip_value, self.clip_weights, self._rates
        return type(self) is SGD and not any(options)

    @staticmethod
    def rule(p: Any, g: Any, rate: Any) -> tuple[Any, ...]:
        """p ← p - η g."""
        p -= rate * g
        return (p,)


class Momentum(Optimizer):
    """Gradient descent with momentum: v ← β v + g; p ← p - η v (Polyak 1964).

    Args:
        learning_rate: η. Default 0.01.
        beta: β in [0, 1). Default 0.9.
        options: see :class:`Optimizer`.
    """

    slots = ("velocity",)
    proportional = True

    def __init__(
        self, learning_rate: float | Schedule = 0.01, beta: float = 0.9, **options: float | None
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta = real("beta", beta, 0, 1, below=True)

    def scalars(self) -> tuple[float, ...]:
        """Return η and β."""
        return self.learning_rate, self.beta

    @staticmethod
    def rule(p: Any, g: Any, v: Any, rate: Any, beta: Any) -> tuple[Any, ...]:
        """v ← β v + g; p ← p - η v."""
        v *= beta
        v += g + FLOOR
        p -= rate * v
        return p, v


class Nesterov(Momentum):
    """Nesterov's momentum: v ← β v + g; p ← p - η (g + β v) (Sutskever et al. 2013, section 2).

    Args:
        learning_rate: η. Default 0.01.
        beta: β in [0, 1). Default 0.9.
        options: see :class:`Optimizer`.
    """

    @staticmethod
    def rule(p: Any, g: Any, v: Any, rate: Any, beta: Any) -> tuple[Any, ...]:
        """v ← β v + g; p ← p - η (g + β v)."""
        v *= beta
        v += g + FLOOR
        p -= rate * (g + beta * v)
        return p, v


class AdaGrad(Optimizer):
    """s ← s + g²; p ← p - η g / (√s + ε) (Duchi, Hazan, Singer 2011, figure 1, diagonal form).

    Args:
        learning_rate: η. Default 0.01.
        eps: ε. Default 1e-10.
        options: see :class:`Optimizer`.
    """

    slots = ("squares",)

    def __init__(
        self, learning_rate: float | Schedule = 0.01, eps: float = 1e-10, **options: float | None
    ) -> None:
        super().__init__(learning_rate, **options)
        self.eps = real("eps", eps, 0, above=True)

    def scalars(self) -> tuple[float, ...]:
        """Return η and ε."""
        return self.learning_rate, self.eps

    @staticmethod
    def rule(p: Any, g: Any, s: Any, rate: Any, eps: Any) -> tuple[Any, ...]:
        """s ← s + g²; p ← p - η g / (√s + ε)."""
        s += g * g
        p -= rate * g / (sqrt(s) + eps)
        return p, s


class _MovingAverages(Optimizer, abstract=True):
    """What RMSProp and Adadelta share: averages of g² (and of g if centred) that forget."""

    def __init__(
        self,
        learning_rate: float | Schedule,
        rho: float,
        eps: float,
        centred: bool,
        options: dict[str, float | None],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = real("rho", rho, 0, 1, below=True)
        self.eps = real("eps", eps, 0, above=True)
        self.centred = bool(centred)
        if self.centred:  # a centred rule remembers one vector more
            self.slots, self.rule = self._centred_slots, self._centred_rule  # type: ignore[misc, method-assign]

    _centred_slots: ClassVar[tuple[str, ...]]

    def scalars(self) -> tuple[float, ...]:
        """Return η, 1 - ρ and ε."""
        return self.learning_rate, 1 - self.rho, self.eps

    @staticmethod
    def _centred_rule(p: Any, g: Any, *arguments: Any) -> tuple[Any, ...]:
        raise NotImplementedError


class RMSProp(_MovingAverages):
    """s ← ρ s + (1 - ρ) g²; p ← p - η g / (√s + ε) (Tieleman and Hinton 2012, lecture 6e).

    Centred (Graves 2013, equations 38 to 41): √s becomes √(s - m²), with m the average of g.

    Args:
        learning_rate: η. Default 0.001.
        rho: ρ in [0, 1). Default 0.99.
        eps: ε. Default 1e-8.
        centred: divide by the standard deviation, not the root mean square. Default False.
        options: see :class:`Optimizer`.
    """

    slots = ("squares",)
    _centred_slots = ("squares", "mean")

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        rho: float = 0.99,
        eps: float = 1e-8,
        centred: bool = False,
        **options: float | None,
    ) -> None:
        super().__init__(learning_rate, rho, eps, centred, options)

    @staticmethod
    def rule(p: Any, g: Any, s: Any, rate: Any, rest: Any, eps: Any) -> tuple[Any, ...]:
        """s ← ρ s + (1 - ρ) g²; p ← p - η g / (√s + ε)."""
        s += rest * (g * g - s) + FLOOR
        p -= rate * g / (sqrt(s) + eps)
        return p, s

    @staticmethod
    def _centred_rule(
        p: Any, g: Any, s: Any, m: Any, rate: Any, rest: Any, eps: Any
    ) -> tuple[Any, ...]:
        s += rest * (g * g - s) + FLOOR
        m += rest * (g - m) + FLOOR
        variance = maximum(s - m * m, float32(0))  # rounding may leave it just below 0
        p -= rate * g / (sqrt(variance) + eps)
        return p, s, m


class Adadelta(_MovingAverages):
    """Steps in units of the parameter itself (Zeiler 2012, algorithm 1).

    s ← ρ s + (1 - ρ) g²;  δ = g √(d + ε) / √(s + ε);  d ← ρ d + (1 - ρ) δ²;  p ← p - η δ.

    Centred, as for RMSProp: s + ε becomes s - m² + ε, with m the average of g.

    Args:
        learning_rate: η; Zeiler's is 1. Default 1.
        rho: ρ in [0, 1). Default 0.9.
        eps: ε. Default 1e-6.
        centred: divide by the standard deviation, not the root mean square. Default False.
        options: see :class:`Optimizer`.
    """

    slots = ("squares", "changes")
    _centred_slots = ("squares", "changes", "mean")

    def __init__(
        self,
        learning_rate: float | Schedule = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        centred: bool = False,
        **options: float | None,
    ) -> None:
        super().__init__(learning_rate, rho, eps, centred, options)

    @staticmethod
    def rule(p: Any, g: Any, s: Any, d: Any, rate: Any, rest: Any, eps: Any) -> tuple[Any, ...]:
        """δ = g √(d + ε) / √(s + ε); p ← p - η δ."""
        s += rest * (g * g - s) + FLOOR
        delta = g * sqrt((d + eps) / (s + eps))
        d += rest * (delta * delta - d) + FLOOR
        p -= rate * delta
        return p, s, d

    @staticmethod
    def _centred_rule(
        p: Any, g: Any, s: Any, d: Any, m: Any, rate: Any, rest: Any, eps: Any
    ) -> tuple[Any, ...]:
        s += rest * (g * g - s) + FLOOR
        m += rest * (g - m) + FLOOR
        variance = maximum(s - m * m, float32(0))  # rounding may leave it just below 0
        delta = g * sqrt((d + eps) / (variance + eps))
        d += rest * (delta * delta - d) + FLOOR
        p -= rate * delta
        return p, s, d, m


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²;  with the corrections m̂ = m / (1 - β₁ᵗ) and
    v̂ = v / (1 - β₂ᵗ):  p ← p - η m̂ / (√v̂ + ε).

    Args:
        learning_rate: η. Default 0.001.
        beta1: β₁ in [0, 1). Default 0.9.
        beta2: β₂ in [0, 1). Default 0.999.
        eps: ε. Default 1e-8.
        options: see :class:`Optimizer`.
    """

    slots = ("mean", "squares")

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        **options: float | None,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta1 = real("beta1", beta1, 0, 1, below=True)
        self.beta2 = real("beta2", beta2, 0, 1, below=True)
        self.eps = real("eps", eps, 0, above=True)

    def scalars(self) -> tuple[float, ...]:
        """Return η r / (1 - β₁ᵗ), 1 - β₁, 1 - β₂ and ε r, where r = √(1 - β₂ᵗ).

        Multiplied through by r, the corrections leave the formula: p ← p - η' m / (√v + ε').
        """
        t = self.steps + 1
        root = (1 - self.beta2**t) ** 0.5
        rate = self.learning_rate * root / (1 - self.beta1**t)
        return rate, 1 - self.beta1, 1 - self.beta2, self.eps * root

    @staticmethod
    def rule(
        p: Any, g: Any, m: Any, v: Any, rate: Any, a: Any, b: Any, eps: Any
    ) -> tuple[Any, ...]:
        """p ← p - η m̂ / (√v̂ + ε), the corrections folded into η and ε."""
        m += a * (g - m) + FLOOR
        v += b * (g * g - v) + FLOOR
        p -= rate * m / (sqrt(v) + eps)
        return p, m, v


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

    As :class:`Adam`, but p is first multiplied by 1 - η decay, and g is left alone.

    Args:
        learning_rate: η. Default 0.001.
        beta1: β₁ in [0, 1). Default 0.9.
        beta2: β₂ in [0, 1). Default 0.999.
        eps: ε. Default 1e-8.
        decay: the decoupled weight decay. Default 0.01.
        options: see :class:`Optimizer`, but for ``weight_decay``, which is not decoupled.
    """

    _OPTIONS = CLIPS

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        decay: float = 0.01,
        **options: float | None,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, eps, **options)
        self.decay = real("decay", decay, 0)

    def scalars(self) -> tuple[float, ...]:
        """Return Adam's numbers and 1 - η decay."""
        return *super().scalars(), 1 - self.learning_rate * self.decay

    @staticmethod
    def rule(  # type: ignore[override]
        p: Any, g: Any, m: Any, v: Any, rate: Any, a: Any, b: Any, eps: Any, keep: Any
    ) -> tuple[Any, ...]:
        """p ← keep p - η m̂ / (√v̂ + ε)."""
        m += a * (g - m) + FLOOR
        v += b * (g * g - v) + FLOOR
        p *= keep
        p -= rate * m / (sqrt(v) + eps)
        return p, m, v
