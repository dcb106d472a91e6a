"""Losses: how far outputs are from targets, and in which direction to mend it.

Every loss is a mean over the batch. ``value, dy = loss.compute(y, target, xp)`` gives the number
and its gradient with respect to y at once, since they share most of their work. With weights of the
examples it is the weighted mean Σ_i w_i E_i / Σ_i w_i, E_i the loss of example i.

The cross-entropies take probabilities by default. Where a network ends in the activation that
belongs to a loss (Softmax or Sigmoid), :meth:`Loss.on_logits` gives the same loss of what comes
into that activation. Its gradient has the closed form y - t, which neither divides by small
probabilities nor loses digits, and learning uses it. With ``from_logits=True`` the network ends
linearly and the loss includes the activation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np

from salamandre import stable
from salamandre.activations import Activation, Identity, Sigmoid, Softmax
from salamandre.backend import Array, Backend, get_backend
from salamandre.backend.operations.cross_entropy import cross_entropy
from salamandre.checks import array, numbers, real
from salamandre.class_names import whole_labels
from salamandre.component import Component
from salamandre.layer import Shape


class Loss(Component, abstract=True):
    """Base of losses. Your own one needs :meth:`compute`.

    Attributes:
        takes_labels: whether targets may be the labels of classes. Default False.
    """

    kind = "losses"
    takes_labels = False
    required = {"compute": ""}

    def check(self, target: Any, y_shape: Shape, dtype: Any, backend: Backend) -> Array:
        """Return ``target`` as an array that fits outputs of ``y_shape``, or raise ValueError.

        Targets (N,) fit outputs (N, 1).
        """
        with np.errstate(over="ignore"):  # what is too large is found infinite below
            target = backend.asarray(numbers("the targets", target), dtype=dtype)
        if target.ndim == 1 and y_shape == (len(target), 1):
            target = target.reshape(-1, 1)
        if target.shape != y_shape:
            raise ValueError(
                f"{type(self).__name__} expects targets of the outputs' shape {y_shape}, "
                f"got {target.shape}"
            )
        if not backend.all_finite(target):
            raise ValueError(
                f"the targets hold NaN or infinity, or more than {target.dtype} holds: clean them"
            )
        return target

    def require_weights(self) -> None:
        """Raise ValueError for a loss of one's own that takes no weights of examples."""
        if not self._takes_weights():
            raise ValueError(
                f"{type(self).__name__} takes no weights of examples: give its compute an argument "
                f"weights=None, or leave the weights out"
            )

    @classmethod
    @cache  # asked for in each step
    def _takes_weights(cls) -> bool:
        return "weights" in inspect.signature(cls.compute).parameters

    def compute(self, y: Array, target: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (a scalar array) and dE/dy.

        A loss whose examples may have weights takes them as a further argument ``weights=None``:
        (N,), with mean 1, or ``None`` if all are 1.

        Args:
            y: (N, outputs).
            target: as :meth:`check` returns it.
            xp: the array namespace.
        """
        raise NotImplementedError

    def __call__(self, y: Any, target: Any) -> float:
        """Return the loss of outputs y (N, ...) on the host, as a number."""
        backend = get_backend("numpy")
        y = np.asarray(numbers("the outputs", y)) * np.float32(1)  # of whole numbers too
        return float(self.evaluate(y, self.check(target, y.shape, y.dtype, backend), backend)[0])

    def evaluate(
        self, y: Array, target: Array, backend: Backend, weights: Array | None = None
    ) -> tuple[Array, Array]:
        """Return what :meth:`compute` does, the gradient in y's precision.

        Raises:
            ValueError: outputs that the loss is not defined of.
            TypeError: compute returned something else.
        """
        self.check_outputs(y, backend)
        weighted = () if weights is None else (weights,)
        found = self.compute(y, target, backend.xp, *weighted)
        if not (isinstance(found, (tuple, list)) and len(found) == 2):
            raise TypeError(
                f"{type(self).__name__}.compute must return two things, the loss and its gradient "
                f"dE/dy, got {'nothing' if found is None else f'a {type(found).__name__}'}"
            )
        value, dy = found
        if getattr(value, "shape", ()) != () or getattr(dy, "shape", None) != y.shape:
            shapes = [getattr(a, "shape", f"a {type(a).__name__}") for a in found]
            raise TypeError(
                f"{type(self).__name__}.compute must return a mean over the batch (a number) and "
                f"dE/dy of the outputs' shape {y.shape}, got shapes {shapes[0]} and {shapes[1]}"
            )
        return value, dy if dy.dtype == y.dtype else dy.astype(y.dtype)

    def advice(self, activation: Any, output_shape: Shape) -> str:
        """Say why a network of such outputs cannot learn this loss; "" if it may.

        Args:
            activation: of the network's outputs, ``None`` if it is not known.
            output_shape: of one example.
        """
        if type(activation) is Softmax and output_shape == (1,):
            return (
                "Softmax of one output is always 1: use BinaryCrossEntropy and Sigmoid, or one "
                "output for each class"
            )
        return ""

    def check_outputs(self, y: Array, backend: Backend) -> None:
        """Refuse outputs that no loss is defined of, where the activation did not tell."""

    def on_logits(self, activation: Any) -> Loss | None:
        """Return this loss of z where y = activation(z), or ``None`` if there is no closed form."""
        return None

    def _changed(self, **attributes: Any) -> Loss:
        """Return the same loss with other attributes; asked for at each step, so made quickly."""
        loss: Loss = object.__new__(type(self))
        loss.__dict__.update(self.__dict__, **attributes)
        return loss


class MeanSquaredError(Loss):
    """E = mean of (y - t)² over batch and outputs."""

    def compute(
        self, y: Array, target: Array, xp: Any, weights: Array | None = None
    ) -> tuple[Array, Array]:
        """Return E and dE/dy = 2 (y - t) / count."""
        error = y - target
        value = _mean(error * error, weights)
        error *= 2 / error.size
        return value, _weighted(error, weights)


class MeanAbsoluteError(Loss):
    """E = mean of |y - t| over batch and outputs; the derivative at 0 is taken as 0."""

    def compute(
        self, y: Array, target: Array, xp: Any, weights: Array | None = None
    ) -> tuple[Array, Array]:
        """Return E and dE/dy = sign(y - t) / count."""
        error = y - target
        value = _mean(xp.abs(error), weights)
        return value, _weighted(xp.sign(error) / error.size, weights)


class _OfProbabilities(Loss, abstract=True):
    """What the cross-entropies share: outputs are probabilities, or logits.

    Attributes:
        from_logits: which of the two.
        activation: the class of activations that makes the probabilities.
    """

    from_logits = False
    activation: ClassVar[type[Activation]]

    def advice(self, activation: Any, output_shape: Shape) -> str:
        """Say so if an activation of this package gives other outputs than the loss takes."""
        if type(self).compute.__module__ != __name__ or not (
            isinstance(activation, Activation) and activation.is_standard("function")
        ):
            return ""  # a user's own, or unknown: nobody can be sure
        name, right = type(self).__name__, self.activation.__name__
        given = "no activation" if isinstance(activation, Identity) else repr(activation)
        probable = isinstance(activation, (Sigmoid, Softmax))
        if self.from_logits and probable:
            return (
                f"{name}(from_logits=True) includes the {right}, but the outputs have passed "
                f"through {given} already: leave one of them out"
            )
        if not self.from_logits and not probable:
            return (
                f"{name} takes probabilities, but the last layer has {given}: give it "
                f"{right}(), or the loss from_logits=True"
            )
        if isinstance(activation, Sigmoid) and isinstance(self, CrossEntropy):
            return (
                f"{name} takes a distribution over the classes, but {given} gives each a "
                f"probability of its own, which would all become 1: use Softmax(), or "
                f"BinaryCrossEntropy"
            )
        return super().advice(activation, output_shape)

    def check_outputs(self, y: Array, backend: Backend) -> None:
        """Refuse what cannot be probabilities; NaN, of a run that diverges, gives a NaN loss."""
        if not self.from_logits and not backend.all_true(lambda: ~((y < -1e-3) | (y > 1 + 1e-3))):
            raise ValueError(
                f"{type(self).__name__} takes probabilities, but the network's outputs go from "
                f"{float(y.min()):g} to {float(y.max()):g}: let it end in "
                f"{self.activation.__name__}(), or give the loss from_logits=True"
            )


class BinaryCrossEntropy(_OfProbabilities):
    """E = mean of -t log p - (1 - t) log(1 - p) over batch and outputs, targets t in [0, 1].

    Args:
        from_logits: y is a logit z, p = 1 / (1 + exp(-slope z)), instead of a probability. Default
            False.
        slope: of the logistic function, for logits. Default 1.
    """

    takes_labels = True
    activation = Sigmoid
    slope = 1.0

    def __init__(self, from_logits: bool = False, slope: float = 1.0) -> None:
        self.from_logits = bool(from_logits)
        self.slope = real("BinaryCrossEntropy slope", slope, 0, above=True)

    def check(self, target: Any, y_shape: Shape, dtype: Any, backend: Backend) -> Array:
        """Return targets in [0, 1] of the outputs' shape; labels (N,) fit outputs (N, 1)."""
        target = super().check(target, y_shape, dtype, backend)
        if not backend.all_true(lambda: (target >= 0) & (target <= 1)):
            raise ValueError(
                f"BinaryCrossEntropy expects targets in [0, 1], got values from "
                f"{float(target.min()):g} to {float(target.max()):g}"
            )
        return target

    def compute(
        self, y: Array, target: Array, xp: Any, weights: Array | None = None
    ) -> tuple[Array, Array]:
        """Return E and dE/dp = (p - t) / (p (1 - p) count), or dE/dz = slope (p - t) / count."""
        if self.from_logits:
            # E = log(1 + exp(-|z|)) + max((1 - t) z, -t z), dE/dz = (1 - t) s(z) - t s(-z), with
            # s(z) = p: nothing is subtracted from 1, so that small values keep their digits.
            z, other = y if self.slope == 1 else self.slope * y, 1 - target
            least, p, rest = stable.logistic(xp, z)
            value, dz = least + xp.maximum(other * z, -target * z), other * p - target * rest
            return _mean(value, weights), _weighted(dz * (self.slope / y.size), weights)
        info = xp.finfo(y.dtype)  # p is kept from 0 and 1 by the smallest steps there
        p = xp.minimum(xp.maximum(y, float(info.tiny)), 1 - float(info.epsneg))
        value = -_mean(target * xp.log(p) + (1 - target) * xp.log1p(-p), weights)
        return value, _weighted((p - target) / (p * (1 - p) * y.size), weights)

    def on_logits(self, activation: Any) -> Loss | None:
        """Return the loss of logits where a Sigmoid makes the probabilities."""
        if self.from_logits or (type(self), type(activation)) != (BinaryCrossEntropy, Sigmoid):
            return None
        return self._changed(from_logits=True, slope=activation.mu)


class CrossEntropy(_OfProbabilities):
    """E = mean over the batch of -Σ_j t_j log p_j, p a distribution over classes.

    Targets are labels, whole numbers (N,) or (N, 1), or rows of probabilities (N, classes).

    Args:
        from_logits: y are logits z, p = softmax(z), instead of probabilities. Default False.
        label_smoothing: s in [0, 1) mixes the targets with the uniform distribution,
            t ← (1 - s) t + s / classes (Szegedy et al. 2016, section 7). Default 0.
    """

    takes_labels = True
    activation = Softmax
    label_smoothing = 0.0

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        self.from_logits = bool(from_logits)
        self.label_smoothing = real("label_smoothing", label_smoothing, 0, 1, below=True)

    def check(self, target: Any, y_shape: Shape, dtype: Any, backend: Backend) -> Array:
        """Return labels in 0..classes-1 of shape (N,), or rows of probabilities."""
        if len(y_shape) != 2:
            raise ValueError(f"CrossEntropy expects outputs (N, classes), got shape {y_shape}")
        labels = backend.asarray(whole_labels(array("the targets", target)))
        if labels.ndim == 2:
            target = super().check(target, y_shape, dtype, backend)
            xp = backend.xp
            if not backend.all_true(lambda: target >= 0) or not backend.all_true(
                lambda: xp.abs(target.sum(axis=1) - 1) <= 1e-3
            ):
                raise ValueError(
                    "CrossEntropy expects rows of probabilities in [0, 1] that sum to 1"
                )
            return target
        if labels.dtype.kind not in "iu":
            kind = str(labels.dtype) + " with fractions" * (labels.dtype.kind == "f")
            raise ValueError(f"CrossEntropy expects whole-number labels of shape (N,), got {kind}")
        if labels.shape != y_shape[:1]:
            raise ValueError(
                f"CrossEntropy expects one label for each of the {y_shape[0]} outputs, got "
                f"labels of shape {labels.shape}"
            )
        if not backend.all_true(lambda: (labels >= 0) & (labels < y_shape[1])):
            raise ValueError(
                f"labels must lie in 0..{y_shape[1] - 1} for {y_shape[1]} classes, got values "
                f"from {int(labels.min())} to {int(labels.max())}"
            )
        return labels

    def compute(
        self, y: Array, target: Array, xp: Any, weights: Array | None = None
    ) -> tuple[Array, Array]:
        """Return E and dE/dp_j = -t_j / (p_j N); from logits, dE/dz = (p - t) / N."""
        if self.from_logits and target.ndim == 1:
            return self._of_labels(y, target, xp, partial(cross_entropy.reference, xp), weights)
        if self.from_logits:
            log_p = stable.log_softmax(xp, y)
            value = self._mean_minus(log_p, target, xp, weights)
            dz = self._minus_target(xp.exp(log_p, out=log_p), target, xp)
            return value, _weighted(dz, weights)
        p = xp.maximum(y, float(xp.finfo(y.dtype).tiny))
        t = self._minus_target(xp.zeros_like(p), target, xp)
        return self._mean_minus(xp.log(p), target, xp, weights), _weighted(t / p, weights)

    def evaluate(
        self, y: Array, target: Array, backend: Backend, weights: Array | None = None
    ) -> tuple[Array, Array]:
        """As the base; of labels and logits the backend computes both at once."""
        if (
            not self.from_logits
            or target.ndim > 1
            or type(self).compute is not CrossEntropy.compute
        ):
            return super().evaluate(y, target, backend, weights)
        return self._of_labels(y, target, backend.xp, partial(cross_entropy, backend), weights)

    def _of_labels(
        self, z: Array, labels: Array, xp: Any, run: Callable[..., None], weights: Array | None
    ) -> tuple[Array, Array]:
        """Return E of logits and dE/dz; ``run`` is the operation."""
        if labels.shape != (len(z),):
            raise ValueError(f"labels must have the shape ({len(z)},), got {labels.shape}")
        losses, dz = xp.empty(len(z), z.dtype), xp.empty(z.shape[::-1], z.dtype)
        run(z.T, labels, self.label_smoothing, losses, dz)
        return _weighted(losses, weights).sum() / len(z), _weighted(dz.T, weights)

    def on_logits(self, activation: Any) -> Loss | None:
        """Return the loss of logits where a Softmax makes the probabilities."""
        if self.from_logits or (type(self), type(activation)) != (CrossEntropy, Softmax):
            return None
        return self._changed(from_logits=True)

    def _mean_minus(self, log_p: Array, target: Array, xp: Any, weights: Array | None) -> Array:
        """Return the mean over the batch of -Σ_j t_j log p_j, t smoothed."""
        smoothing, classes = self.label_smoothing, log_p.shape[1]
        if target.ndim == 2:
            total = _weighted(target * log_p, weights).sum()
        else:
            total = _weighted(log_p[xp.arange(len(log_p)), target], weights).sum()
        if smoothing:
            uniform = _weighted(log_p, weights).sum()
            total = (1 - smoothing) * total + smoothing / classes * uniform
        return -total / len(log_p)

    def _minus_target(self, p: Array, target: Array, xp: Any) -> Array:
        """Return (p - t) / N with t smoothed, written over p."""
        smoothing, (count, classes) = self.label_smoothing, p.shape
        if target.ndim == 2:
            p -= (1 - smoothing) * target
        else:
            p[xp.arange(count), target] -= 1 - smoothing
        if smoothing:
            p -= smoothing / classes
        p *= 1 / count
        return p


def _weighted(values: Array, weights: Array | None) -> Array:
    """Return values (N, ...) times the weights (N,) of their examples, if there are any."""
    if weights is None:
        return values
    return values * weights.reshape(-1, *[1] * (values.ndim - 1))


def _mean(values: Array, weights: Array | None) -> Array:
    """Return the mean of values (N, ...), each example with its weight."""
    return _weighted(values, weights).mean()
