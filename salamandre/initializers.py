"""Initial values of parameters. They are drawn on the host: equal seeds start equal everywhere."""

from __future__ import annotations

import math

import numpy as np

from salamandre.checks import one_of, real
from salamandre.component import Component


class Initializer(Component, abstract=True):
    """Base of initializers."""

    kind = "initializers"
    __setattr__ = object.__setattr__  # type: ignore[assignment]  # no step holds its attributes
    required = {"draw": ""}

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return float64 values of ``shape``; weights are (outputs, inputs, ...)."""
        raise NotImplementedError


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many inputs an output sees and how many outputs an input feeds."""
    if len(shape) < 2:
        raise ValueError(
            f"weights of two axes or more are drawn by their inputs and outputs, got the shape "
            f"{shape}: use Zeros(), Constant(), Gaussian() or Uniform()"
        )
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


class Constant(Initializer):
    """The same value everywhere."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = real("Constant value", value)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return ``value`` everywhere."""
        return np.full(shape, self.value)


class Zeros(Initializer):
    """Zero everywhere: the usual start of biases."""

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return zeros."""
        return np.zeros(shape)


class Gaussian(Initializer):
    """N(mean, std²). The default, N(0, 1), is the original work's."""

    def __init__(self, std: float = 1.0, mean: float = 0.0) -> None:
        self.std = real("Gaussian std", std, 0)
        self.mean = real("Gaussian mean", mean)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return independent Gaussian values."""
        return random.normal(self.mean, self.std, shape)


class Uniform(Initializer):
    """Uniform in [low, high)."""

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low = real("Uniform low", low)
        self.high = real("Uniform high", high, self.low)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return independent uniform values."""
        return random.uniform(self.low, self.high, shape)


class _Scaled(Initializer, abstract=True):
    """Zero-mean values whose variance depends on the numbers of inputs and outputs."""

    def __init__(self, distribution: str = "uniform", gain: float = 1.0) -> None:
        self.distribution = one_of("distribution", distribution, ("uniform", "normal"))
        self.gain = real(f"{type(self).__name__} gain", gain, 0, above=True)

    def variance(self, inputs: int, outputs: int) -> float:
        raise NotImplementedError

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return values of standard deviation gain √variance."""
        std = self.gain * math.sqrt(self.variance(*fans(shape)))
        if self.distribution == "normal":
            return random.normal(0, std, shape)
        return random.uniform(-math.sqrt(3) * std, math.sqrt(3) * std, shape)


class Xavier(_Scaled):
    """Variance 2 / (inputs + outputs) (Glorot and Bengio 2010, equation 16)."""

    def variance(self, inputs: int, outputs: int) -> float:
        """Return 2 / (inputs + outputs)."""
        return 2 / (inputs + outputs)


class He(_Scaled):
    """Variance 2 / inputs, for rectifiers (He et al. 2015, equation 10)."""

    def variance(self, inputs: int, outputs: int) -> float:
        """Return 2 / inputs."""
        return 2 / inputs


class LeCun(_Scaled):
    """Variance 1 / inputs (LeCun et al. 1998, "Efficient BackProp", equation 16)."""

    def variance(self, inputs: int, outputs: int) -> float:
        """Return 1 / inputs."""
        return 1 / inputs


class Identity(Initializer):
    """Ones on the diagonal, zeros elsewhere, times gain (Le, Jaitly, Hinton 2015, section 3).

    The layer starts by passing on its inputs as they are.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = real("Identity gain", gain, 0, above=True)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return gain times the identity matrix, cut or filled with zeros to its shape."""
        return self.gain * np.eye(shape[0], math.prod(shape[1:])).reshape(shape)


class Dirac(Initializer):
    """The first outputs of a convolution are its inputs, each unchanged, times gain.

    1 in the middle of the window of w[i, i], of even ones before it, 0 elsewhere (Zagoruyko and
    Komodakis 2017, "DiracNets", section 2). The outputs beyond the number of inputs are drawn as
    for rectifiers, so that they differ (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", section
    3.3).

    Args:
        gain: Default 1.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = real("Dirac gain", gain, 0, above=True)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return weights (outputs, inputs, ...)."""
        weights = He().draw(random, shape)
        middle = tuple((side - 1) // 2 for side in shape[2:])
        weights[: shape[1]] = 0
        for i in range(min(shape[:2])):
            weights[(i, i, *middle)] = self.gain
        return weights


class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns, times gain (Saxe et al. 2014)."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = real("Orthogonal gain", gain, 0, above=True)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return Q of the QR decomposition of a Gaussian matrix, made unique by R's signs."""
        rows, columns = shape[0], math.prod(shape[1:])
        q, r = np.linalg.qr(random.normal(size=(max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))
        return self.gain * (q if rows >= columns else q.T).reshape(shape)
