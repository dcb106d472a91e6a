"""Layers that know the labels of the batch: ``network.compute(x, labels=labels)``."""

from __future__ import annotations

from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.initializers import Constant, Gaussian, Initializer, Zeros
from salamandre.layer import Layer, Shape
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.shape import require_images, require_vectors
from salamandre.passes import Context


class Conditional(Layer, abstract=True):
    """Base of layers with a parameter for each class.

    Args:
        classes: how many there are; labels are whole numbers below it.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = whole(f"{type(self).__name__} classes", classes)

    def _choice(self, x: Array, ctx: Context) -> Array:
        """Return the labels of the batch x one-hot, (N, classes).

        Products with it gather rows of a parameter and add gradients up to them, in an order that
        is always the same.
        """
        labels = ctx.labels
        if labels is None or len(labels) != len(x):
            given = "none" if labels is None else f"{len(labels)}"
            raise ValueError(
                f"{type(self).__name__} needs a label for each of {len(x)} examples, got {given}: "
                f"network.compute(x, labels=labels)"
            )
        return (labels[:, None] == ctx.xp.arange(self.classes)).astype(ctx.dtype)


class _Appending(Conditional, abstract=True):
    """y = [x, E[label]]: numbers that are learned for each class, after those of the example."""

    weights: Array
    d_weights: Array
    extra: Shape  # of what is learned for a class

    @property
    def learning_outputs(self) -> slice:
        """The numbers of the class, which are the last ones."""
        return slice(-self.extra[0], None)

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return x with the class's numbers beside it."""
        ctx.chosen = self._choice(x, ctx)
        learned = ctx.xp.dot(ctx.chosen, self.weights)
        return ctx.xp.concatenate([x, learned.reshape(len(x), *self.extra)], axis=1)

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """dE[k] = Σ dy over the examples of class k; the rest is dx."""
        dx, d_learned = self._parts(dy)
        if ctx.parameter_gradients:
            self.d_weights[...] = ctx.xp.dot(ctx.chosen.T, d_learned)
        return dx

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return x_dot with zeros beside it: labels stay as they are."""
        zeros = ctx.xp.zeros((len(x_dot), *self.extra), dtype=x_dot.dtype)
        return ctx.xp.concatenate([x_dot, zeros], axis=1)

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """As :meth:`backprop`; the tangent does not depend on E."""
        dx_dot, _ = self._parts(dy_dot)
        if dy is not None:
            return self.backprop(dy, ctx), dx_dot
        if ctx.parameter_gradients:
            self.d_weights[...] = 0
        return None, dx_dot

    def _parts(self, dy: Array) -> tuple[Array, Array]:
        own = -self.extra[0]
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
        require_vectors("Embedding", input_shape, "use a LabelMap() for images")
        self.extra = (self.size,)
        self.declare("weights", (self.classes, self.size), self.initializer or Gaussian())
        return (input_shape[0] + self.size,)


class LabelMap(_Appending):
    """A learned image for each class as one more channel (Mirza and Osindero 2014).

    Shapes: x (N, channels, H, W), weights (classes, H · W), y (N, channels + 1, H, W).

    Args:
        classes: how many.
        initializer: of the weights. Default N(0, 1).
    """

    def __init__(self, classes: int, initializer: Initializer | None = None) -> None:
        super().__init__(classes)
        self.initializer = initializer

    def build(self, input_shape: Shape) -> Shape:
        """Declare the weights for inputs of shape (channels, H, W)."""
        require_images("LabelMap", input_shape, "use an Embedding() for vectors")
        channels, height, width = input_shape
        self.extra = (1, height, width)
        self.declare("weights", (self.classes, height * width), self.initializer or Gaussian())
        return (channels + 1, height, width)


class ConditionalBatchNorm(Conditional):
    """Batch normalisation whose gamma and beta belong to classes (de Vries et al. 2017, section 4).

    y = gamma[label] x̂ + beta[label], with x̂ and the running statistics of :class:`BatchNorm`.

    Shapes: x and y (N, features) or (N, channels, H, W); gamma and beta (classes, features), or
    (classes, channels).

    Args:
        classes: how many.
        momentum: the weight of the newest batch in the running statistics. Default 0.1.
        eps: added to the variance. Default 1e-5.
    """

    couples_examples = fresh_output = fresh_gradient = True

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
        self.row = (-1, input_shape[0]) + (1,) * (len(input_shape) - 1)
        self._pixels = tuple(range(2, len(input_shape) + 1))
        return self._norm.build(input_shape)

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return gamma[label] x̂ + beta[label]."""
        xp = ctx.xp
        ctx.chosen = self._choice(x, ctx)
        ctx.x_hat = self._norm.compute(x, ctx.parts[0])
        ctx.gamma = xp.dot(ctx.chosen, self.gamma).reshape(self.row)
        beta = xp.dot(ctx.chosen, self.beta).reshape(self.row)
        return ctx.gamma * ctx.x_hat + beta

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Write the gradients of each class's gamma and beta; return dx."""
        if ctx.parameter_gradients:
            self.d_gamma[...] = ctx.xp.dot(ctx.chosen.T, self._summed(dy * ctx.x_hat))
            self.d_beta[...] = ctx.xp.dot(ctx.chosen.T, self._summed(dy))
        return self._norm.backprop(dy * ctx.gamma, ctx.parts[0])

    def _summed(self, values: Array) -> Array:
        return values.sum(axis=self._pixels) if self._pixels else values

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Refuse, as :class:`BatchNorm` does."""
        return self._norm.compute_tangent(x_dot, ctx.parts[0])


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
        require_vectors("Projection", input_shape)
        std = Gaussian(input_shape[0] ** -0.5)
        self.declare("weights", (1, input_shape[0]), std)
        self.declare("bias", (1,), Zeros())
        self.declare("embedding", (self.classes, input_shape[0]), std)
        return (1,)

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return the scores."""
        ctx.x, ctx.chosen = x, self._choice(x, ctx)
        ctx.rows = self.weights + ctx.xp.dot(ctx.chosen, self.embedding)
        return (x * ctx.rows).sum(axis=1, keepdims=True) + self.bias

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Write dw = Σ dy x, dE[k] = the same over class k, db = Σ dy; return dy (w + E[label])."""
        if ctx.parameter_gradients:
            self._write(dy * ctx.x, ctx)
            self.d_bias[...] = dy.sum(axis=0)
        return dy * ctx.rows

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return ⟨w + E[label], x_dot⟩."""
        ctx.x_dot = x_dot
        return (x_dot * ctx.rows).sum(axis=1, keepdims=True)

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Write dw = Σ (dy x + dy_dot x_dot), and so on."""
        if ctx.parameter_gradients:
            rows = dy_dot * ctx.x_dot
            self._write(rows if dy is None else dy * ctx.x + rows, ctx)
            self.d_bias[...] = 0 if dy is None else dy.sum(axis=0)
        return None if dy is None else dy * ctx.rows, dy_dot * ctx.rows

    def _write(self, rows: Array, ctx: Context) -> None:
        self.d_weights[...] = rows.sum(axis=0)
        self.d_embedding[...] = ctx.xp.dot(ctx.chosen.T, rows)
