"""Layers that know the labels of the batch: ``network.compute(x, labels=labels)``."""

from __future__ import annotations

from typing import Any

from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.initializers import Constant, Gaussian, Initializer, Zeros
from salamandre.layer import Layer, Shape
from salamandre.layers.normalization import BatchNorm


class Conditional(Layer):
    """Base of layers with a parameter for each class.

    Args:
        classes: how many there are; labels are whole numbers below it.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = whole(f"{type(self).__name__} classes", classes)
        self.labels: Any = None

    def _choice(self, x: Array) -> Array:
        """Return the labels of the batch x one-hot, (N, classes).

        Products with it gather rows of a parameter and add gradients up to them, in an order that
        is always the same.
        """
        if self.labels is None or len(self.labels) != len(x):
            given = "none" if self.labels is None else f"{len(self.labels)}"
            raise ValueError(
                f"{type(self).__name__} needs a label for each of {len(x)} examples, got {given}: "
                f"network.compute(x, labels=labels)"
            )
        classes = self.xp.arange(self.classes)
        return (self.labels[:, None] == classes).astype(self.dtype)


class _Appending(Conditional):
    """y = [x, E[label]]: numbers that are learned for each class, after those of the example."""

    weights: Array
    d_weights: Array
    _extra: Shape  # of what is learned for a class

    @property
    def learning_outputs(self) -> slice:
        """The numbers of the class, which stand last."""
        return slice(-self._extra[0], None)

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return x with the class's numbers beside it."""
        self._chosen = self._choice(x)
        learned = self.xp.dot(self._chosen, self.weights)
        return self.xp.concatenate([x, learned.reshape(len(x), *self._extra)], axis=1)

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """dE[k] = Σ dy over the examples of class k; the rest is dx."""
        dx, d_learned = self._parts(dy)
        if update:
            self.d_weights[...] = self.xp.dot(self._chosen.T, d_learned)
        return dx

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return x_dot with zeros beside it: labels stay as they are."""
        zeros = self.xp.zeros((len(x_dot), *self._extra), dtype=x_dot.dtype)
        return self.xp.concatenate([x_dot, zeros], axis=1)

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """As :meth:`backprop`; the tangent does not depend on E."""
        dx_dot, _ = self._parts(dy_dot)
        if dy is None:
            self.d_weights[...] = 0
            return None, dx_dot
        return self.backprop(dy), dx_dot

    def _parts(self, dy: Array) -> tuple[Array, Array]:
        own = -self._extra[0]
        return dy[:, :own], dy[:, own:].reshape(len(dy), -1)


class Embedding(_Appending):
    """y = [x, E[label]]: a learned vector for each class, concatenated with the input.

    Shapes: x (N, inputs), weights E (classes, size), y (N, inputs + size).

    Args:
        classes: how many.
        size: of the vector. Default: as many as classes.
        initializer: of E. Default N(0, 1).
    """

    def __init__(
        self, classes: int, size: int | None = None, initializer: Initializer | None = None
    ) -> None:
        super().__init__(classes)
        self.size = whole("Embedding size", classes if size is None else size)
        self.initializer = initializer

    def build(self, input_shape: Shape) -> Shape:
        """Declare E for inputs of shape (inputs,)."""
        if len(input_shape) != 1:
            raise ValueError(
                f"Embedding takes vectors, shape (inputs,), got examples of shape {input_shape}: "
                f"use a LabelMap() for images"
            )
        self._extra = (self.size,)
        self.declare("weights", (self.classes, self.size), self.initializer or Gaussian())
        return (input_shape[0] + self.size,)


class LabelMap(_Appending):
    """A learned map for each class as one more map of an image (Mirza and Osindero 2014).

    Shapes: x (N, maps, H, W), weights (classes, H · W), y (N, maps + 1, H, W).

    Args:
        classes: how many.
        initializer: of the maps. Default N(0, 1).
    """

    def __init__(self, classes: int, initializer: Initializer | None = None) -> None:
        super().__init__(classes)
        self.initializer = initializer

    def build(self, input_shape: Shape) -> Shape:
        """Declare the maps for inputs of shape (maps, H, W)."""
        if len(input_shape) != 3:
            raise ValueError(
                f"LabelMap takes images, shape (maps, height, width), got examples of shape "
                f"{input_shape}: use an Embedding() for vectors"
            )
        maps, height, width = input_shape
        self._extra = (1, height, width)
        self.declare("weights", (self.classes, height * width), self.initializer or Gaussian())
        return (maps + 1, height, width)


class ConditionalBatchNorm(Conditional):
    """Batch normalisation whose gamma and beta belong to classes (de Vries et al. 2017, section 4).

    y = gamma[label] x̂ + beta[label], with x̂ and the running statistics of :class:`BatchNorm`.

    Shapes: x and y (N, features) or (N, maps, H, W); gamma and beta (classes, features or maps).

    Args:
        classes: how many.
        momentum: the weight of the newest batch in the running statistics. Default 0.1.
        eps: added to the variance. Default 1e-5.
    """

    couples_examples = True

    gamma: Array
    beta: Array
    d_gamma: Array
    d_beta: Array

    def __init__(self, classes: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(classes)
        self._norm = BatchNorm(momentum, eps, affine=False)
        self.children = (self._norm,)

    def build(self, input_shape: Shape) -> Shape:
        """Declare gamma and beta for each class."""
        shape = (self.classes, input_shape[0])
        self.declare("gamma", shape, Constant(1))
        self.declare("beta", shape, Zeros())
        self._row = (-1, input_shape[0]) + (1,) * (len(input_shape) - 1)
        self._pixels = tuple(range(2, len(input_shape) + 1))
        return self._norm.build(input_shape)

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return gamma[label] x̂ + beta[label]."""
        xp = self.xp
        self._chosen = self._choice(x)
        self._x_hat = self._norm.compute(x, training)
        self._gamma = xp.dot(self._chosen, self.gamma).reshape(self._row)
        beta = xp.dot(self._chosen, self.beta).reshape(self._row)
        return self._gamma * self._x_hat + beta

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Write the gradients of each class's gamma and beta; return dx."""
        if update:
            self.d_gamma[...] = self.xp.dot(self._chosen.T, self._summed(dy * self._x_hat))
            self.d_beta[...] = self.xp.dot(self._chosen.T, self._summed(dy))
        return self._norm.backprop(dy * self._gamma, update)

    def _summed(self, values: Array) -> Array:
        return values.sum(axis=self._pixels) if self._pixels else values

    def compute_tangent(self, x_dot: Array) -> Array:
        """Refuse, as :class:`BatchNorm` does."""
        return self._norm.compute_tangent(x_dot)


class Projection(Conditional):
    """y = x wᵀ + b + ⟨E[label], x⟩: the last layer of a projection discriminator.

    Miyato and Koyama 2018, equation 3: beside the score of an example, how well it agrees with its
    class.

    Shapes: x (N, features), weights w (1, features), bias (1,), embedding E (classes, features),
    y (N, 1).

    Args:
        classes: how many.
    """

    weights: Array
    bias: Array
    embedding: Array
    d_weights: Array
    d_bias: Array
    d_embedding: Array

    def build(self, input_shape: Shape) -> Shape:
        """Declare w, b and E for inputs of shape (features,)."""
        if len(input_shape) != 1:
            raise ValueError(
                f"Projection takes vectors, shape (features,), got examples of shape "
                f"{input_shape}: put a Flatten() before it"
            )
        std = Gaussian(input_shape[0] ** -0.5)
        self.declare("weights", (1, input_shape[0]), std)
        self.declare("bias", (1,), Zeros())
        self.declare("embedding", (self.classes, input_shape[0]), std)
        return (1,)

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return the scores."""
        self._x, self._chosen = x, self._choice(x)
        self._rows = self.weights + self.xp.dot(self._chosen, self.embedding)
        return (x * self._rows).sum(axis=1, keepdims=True) + self.bias

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Write dw = Σ dy x, dE[k] = the same over class k, db = Σ dy; return dy (w + E[label])."""
        if update:
            self._write(dy * self._x)
            self.d_bias[...] = dy.sum(axis=0)
        return dy * self._rows

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return ⟨w + E[label], x_dot⟩."""
        self._x_dot = x_dot
        return (x_dot * self._rows).sum(axis=1, keepdims=True)

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Write dw = Σ (dy x + dy_dot x_dot), and so on."""
        self._write(dy_dot * self._x_dot if dy is None else dy * self._x + dy_dot * self._x_dot)
        self.d_bias[...] = 0 if dy is None else dy.sum(axis=0)
        return None if dy is None else dy * self._rows, dy_dot * self._rows

    def _write(self, rows: Array) -> None:
        self.d_weights[...] = rows.sum(axis=0)
        self.d_embedding[...] = self.xp.dot(self._chosen.T, rows)
