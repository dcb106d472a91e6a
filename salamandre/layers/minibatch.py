"""Layers that let a discriminator compare the examples of a batch, against mode collapse."""

from __future__ import annotations

import math

from salamandre.backend import Array
from salamandre.checks import real, whole
from salamandre.initializers import Gaussian, Initializer
from salamandre.layer import Layer, Shape
from salamandre.layers.shape import require_vectors
from salamandre.passes import Context


class _Coupling(Layer, abstract=True):
    """Base: outputs depend on the whole batch, so a gradient penalty has no meaning."""

    couples_examples = True

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Refuse: a penalty on each example's gradient needs examples that are independent."""
        raise ValueError(
            f"{type(self).__name__} cannot be part of a critic with a gradient penalty: it makes "
            f"each output depend on the whole batch; leave it out, or use another constraint"
        )


class MinibatchDiscrimination(_Coupling):
    """y = [x, o(x)]: x beside how close it is to the other examples of the batch.

    With M_i = x_i T, an array (features, depth), the closeness of two examples in feature b is
    c_b(x_i, x_j) = exp(-‖M_ib - M_jb‖₁), and o(x_i)_b = Σ_{j ≠ i} c_b(x_i, x_j) (Salimans et al.
    2016, section 3.2; the term j = i, which is always 1, is left out). A generator that draws one
    thing over and over betrays itself by large o.

    Shapes: x (N, inputs), weights T (inputs, features · depth), y (N, inputs + features). Time and
    memory grow with N² · features · depth.

    Args:
        features: how many ways of being close are learned. Default 16.
        depth: numbers that each of them compares. Default 8.
        initializer: of T. Default ``Gaussian(0.05)``.
    """

    weights: Array
    d_weights: Array

    def __init__(
        self, features: int = 16, depth: int = 8, initializer: Initializer | None = None
    ) -> None:
        super().__init__()
        self.features = whole("MinibatchDiscrimination features", features)
        self.depth = whole("MinibatchDiscrimination depth", depth)
        self.initializer = initializer

    def build(self, input_shape: Shape) -> Shape:
        """Declare T for inputs of shape (inputs,)."""
        require_vectors("MinibatchDiscrimination", input_shape)
        (self._inputs,) = input_shape
        shape = (self._inputs, self.features * self.depth)
        self.declare("weights", shape, self.initializer or Gaussian(0.05))
        return (self._inputs + self.features,)

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return x with o(x) beside it."""
        xp = ctx.xp
        ctx.x = x
        m = xp.dot(x, self.weights).reshape(len(x), self.features, self.depth)
        difference = m[:, None] - _of_all_shares(m, ctx)[None]  # (i, j, features, depth)
        ctx.sign = xp.sign(difference)
        ctx.closeness = xp.exp(-xp.abs(difference).sum(axis=3))  # (i, j, features)
        return xp.concatenate([x, ctx.closeness.sum(axis=1) - 1], axis=1)

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """dE/dM_i = -Σ_j (do_i + do_j) c(x_i, x_j) sign(M_i - M_j); then as for a product."""
        xp = ctx.xp
        do = dy[:, self._inputs :]
        pull = (do[:, None] + _of_all_shares(do, ctx)[None]) * ctx.closeness
        dm = -(pull[..., None] * ctx.sign).sum(axis=1).reshape(len(dy), -1)
        if ctx.parameter_gradients:
            self.d_weights[...] = xp.dot(ctx.x.T, dm)
        return dy[:, : self._inputs] + xp.dot(dm, self.weights.T)


class MinibatchDeviation(_Coupling):
    """One more feature (or channel), the same for all examples: how much the batch varies.

    s = the mean over all elements of an example of √(variance over the batch + eps)
    (Karras et al. 2018, section 3). Cheaper than :class:`MinibatchDiscrimination`: no parameters.

    Shapes: x (N, features) becomes (N, features + 1), x (N, channels, H, W) becomes
    (N, channels + 1, H, W).

    Args:
        eps: added to the variance. Default 1e-8.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = real("MinibatchDeviation eps", eps, 0, above=True)

    def build(self, input_shape: Shape) -> Shape:
        """Add one feature."""
        return (input_shape[0] + 1, *input_shape[1:])

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return x with s beside it."""
        xp = ctx.xp
        count = len(x)
        if ctx.group.size > 1:
            count = int(ctx.group.all_reduce(xp.asarray(count)))
        ctx.count = count
        ctx.centred = x - self._mean(x, ctx)
        ctx.std = xp.sqrt(self._mean(ctx.centred * ctx.centred, ctx) + self.eps)
        extra = xp.zeros((len(x), 1, *x.shape[2:]), dtype=x.dtype) + ctx.std.mean()
        return xp.concatenate([x, extra], axis=1)

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """dx = its share of dy + ds (x - mean) / (std · N · elements)."""
        ds = ctx.group.all_reduce(dy[:, -1].sum())
        scale = ds / (ctx.count * math.prod(ctx.std.shape))
        return dy[:, :-1] + scale * ctx.centred / ctx.std

    def _mean(self, x: Array, ctx: Context) -> Array:
        """Return the mean over the examples of all shares."""
        return ctx.group.all_reduce(x.sum(axis=0)) / ctx.count


def _of_all_shares(rows: Array, ctx: Context) -> Array:
    """Return the rows (N, ...) of all shares of the batch, in order."""
    xp, group = ctx.xp, ctx.group
    if group.size == 1:
        return rows
    counts = xp.zeros(group.size, dtype="int64")
    counts[group.rank] = len(rows)
    counts = group.all_reduce(counts)
    start = int(counts[: group.rank].sum())
    found = xp.zeros((int(counts.sum()), *rows.shape[1:]), dtype=rows.dtype)
    found[start : start + len(rows)] = rows
    return group.all_reduce(found)


class Packing(_Coupling):
    """y_i = [x_i, x_{i+1}, ..., x_{i+size-1}], counted round: packs of examples, as channels.

    The first layer of a discriminator, whose scores are then of packs: one that has always seen
    ``size`` different real examples knows a pack of equal fakes at once (Lin et al. 2018, "PacGAN:
    the power of two samples in generative adversarial networks", section 2). Here N examples make N
    packs, each example being in ``size`` of them; the paper makes N packs of N · size examples,
    which a generator has to draw. It comes after :class:`Augmentation`, which is of single images;
    in a conditional discriminator also after ``Embedding`` or ``LabelMap``: before them, only the
    first example of each pack would have its label beside it.

    Shapes: x (N, features), y (N, size · features), or x (N, C, H, W), y (N, size · C, H, W).

    Args:
        size: examples in a pack. Default 2.
    """

    whole_batch = True

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.size = whole("Packing size", size)

    def build(self, input_shape: Shape) -> Shape:
        """Multiply the channels."""
        return (self.size * input_shape[0], *input_shape[1:])

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return the packs."""
        require_packs(self, len(x) if ctx.training else self.size)
        return ctx.xp.concatenate([ctx.xp.roll(x, -i, axis=0) for i in range(self.size)], axis=1)

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """dx_i = the sum of what all packs say of x_i."""
        channels = dy.shape[1] // self.size
        dx = dy[:, :channels]
        for i in range(1, self.size):
            dx = dx + ctx.xp.roll(dy[:, i * channels : (i + 1) * channels], i, axis=0)
        return dx


def require_packs(layer: Layer, count: int) -> None:
    """Refuse batches of so many examples if a layer makes larger packs."""
    if isinstance(layer, Packing) and layer.size > count:
        raise ValueError(
            f"Packing({layer.size}) makes packs of {layer.size} different examples, and a batch "
            f"has {count}: make the packs smaller or the batches larger"
        )
