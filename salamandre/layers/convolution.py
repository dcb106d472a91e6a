"""The convolutional layer, and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from salamandre.activations import ActivatedLayer, Activation
from salamandre.backend import Array
from salamandre.backend.operations.affine import sum_of_rows
from salamandre.backend.operations.convolution import products
from salamandre.backend.operations.layout import channels_first, images, pixels
from salamandre.checks import whole
from salamandre.initializers import Initializer, Zeros
from salamandre.layer import Shape
from salamandre.layers.shape import require_images
from salamandre.layers.window import Pair, Window, pair
from salamandre.passes import Context


class _Convolution(ActivatedLayer, abstract=True):
    """What a convolution and its transpose share: y = f(z), z = product of x and the weights + b.

    The product of one is the adjoint of the other; with x and dz exchanged they have the same
    gradient of the weights (:mod:`salamandre.backend.operations.products`).
    """

    renamed = {"maps": "channels"}

    weights: Array
    d_weights: Array
    bias: Array = None
    d_bias: Array = None

    _place: tuple[Any, ...]  # the arguments of its products
    transposed: ClassVar[bool]

    def __init__(
        self,
        channels: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | str | Sequence[int],
        activation: Activation | str | None,
        bias: bool,
        initializer: Initializer | None,
        bias_initializer: Initializer | None,
    ) -> None:
        super().__init__(activation)
        name = type(self).__name__
        self.channels = whole(f"{name} channels", channels)
        self.window = Window(name, kernel, stride, padding)
        self.biased = bool(bias)
        self.initializer = initializer
        self.bias_initializer = bias_initializer

    def _declare(self, weights: Shape, initializer: Initializer, output_shape: Shape) -> Shape:
        """Declare weights, channels last in memory, and the bias."""
        self.declare("weights", weights, initializer, memory=(0, 2, 3, 1))
        if self.biased:
            self.declare("bias", (self.channels,), self.bias_initializer or Zeros())
        self._output_shape = output_shape
        self._rectifies = self.biased and self.has_rectifier  # looked up once
        self.activation.build(output_shape)
        return output_shape

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return f(z)."""
        ctx.x = pixels(ctx, "x", x)
        z = images(ctx, "z", len(x), self._output_shape)
        ctx.products = products(ctx, len(x), *self._place)
        ctx.products.prepare(ctx, self.weights)
        slope = self.activation.slope if self._rectifies else 1.0
        self._product(ctx, ctx.x, z, self.bias, slope)
        part, z = ctx.parts[0], channels_first(z)
        if self._rectifies:  # with the bias
            part.x, part.y = None, z
            return z
        return self.activation.compute(z, part)

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Write the gradients of the weights and of b = Σ dz with dz = dy f'(z); return dx."""
        dz = pixels(ctx, "dz", self.activation.backprop(dy, ctx.parts[0]))
        if ctx.parameter_gradients:
            self._weight_gradient(ctx, ctx.x, dz)
            self._bias_gradient(ctx, dz)
        return self._input_gradient(ctx, dz, "dx") if ctx.input_gradient else None

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return f'(z) z_dot, where z_dot is the product of x_dot and the weights."""
        ctx.x_dot = pixels(ctx, "x_dot", x_dot)
        z_dot = images(ctx, "z_dot", len(x_dot), self._output_shape)
        self._product(ctx, ctx.x_dot, z_dot)
        return self.activation.compute_tangent(channels_first(z_dot), ctx.parts[0])

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Write the gradients, summed over (x, dz) and (x_dot, dz_dot); return dx and dx_dot."""
        dz, dz_dot = self.activation.backprop_tangent(dy, dy_dot, ctx.parts[0])
        dz = None if dz is None else pixels(ctx, "dz", dz)
        dz_dot = pixels(ctx, "dz_dot", dz_dot)
        if ctx.parameter_gradients:
            self._weight_gradient(ctx, ctx.x_dot, dz_dot)
            if dz is not None:
                self._weight_gradient(ctx, ctx.x, dz, add=True)
                self._bias_gradient(ctx, dz)
            elif self.biased:
                self.d_bias[...] = 0
        if not ctx.input_gradient:
            return None, None
        dx = None if dz is None else self._input_gradient(ctx, dz, "dx")
        return dx, self._input_gradient(ctx, dz_dot, "dx_dot")

    def _product(self, ctx: Context, x: Array, z: Array, *bias: Any) -> None:
        """Write z."""
        write = ctx.products.transpose if self.transposed else ctx.products.correlate
        write(ctx, x, z, *bias)

    def _weight_gradient(self, ctx: Context, x: Array, dz: Array, add: bool = False) -> None:
        """Write the gradient of the weights, or add it."""
        image, outputs = (dz, x) if self.transposed else (x, dz)
        ctx.products.weight_gradient(ctx, image, outputs, self.d_weights, add)

    def _input_gradient(self, ctx: Context, dz: Array, name: str) -> Array:
        dx = ctx.buffer(name, (len(dz), *ctx.x.shape[1:]))
        write = ctx.products.correlate if self.transposed else ctx.products.transpose
        write(ctx, dz, dx)
        return channels_first(dx)

    def _bias_gradient(self, ctx: Context, dz: Array) -> None:
        if self.biased:
            sum_of_rows(ctx, dz.reshape(-1, self.channels), self.d_bias)


class ConvolutionalLayer(_Convolution):
    """y = f(z), z[n, o, a, b] = bias[o] + Σ_cij weights[o, c, i, j] x[n, c, a s + i, b s + j].

    Every neuron of a channel sees a window of the image, through the same weights (LeCun et al.
    1998, "Gradient-based learning applied to document recognition", section II-A). x is padded
    with zeros; s is the stride.

    Shapes: x (N, C, H, W), weights (channels, C, kh, kw), bias (channels,), y (N, channels, Ho, Wo)
    with Ho = ⌊(H + 2 padding - kh) / stride⌋ + 1.

    Args:
        channels: of the output.
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves; a number or a pair. Default 1.
        padding: zeros on each side; a number, a pair, or ``"same"`` to keep the size at stride 1.
            Default 0.
        activation: f. Default :class:`Identity`.
        bias: whether there is a bias. Default True.
        initializer: of the weights. Default: :class:`He` if the activation is a rectifier, else
            :class:`Xavier`.
        bias_initializer: of the bias. Default zeros.
    """

    transposed = False
    fresh_gradient = True
    fresh_output = ActivatedLayer.is_linear

    def __init__(
        self,
        channels: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        activation: Activation | str | None = None,
        bias: bool = True,
        initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
    ) -> None:
        super().__init__(
            channels, kernel, stride, padding, activation, bias, initializer, bias_initializer
        )

    def build(self, input_shape: Shape) -> Shape:
        """Declare the weights and the bias for images (C, H, W)."""
        require_images("ConvolutionalLayer", input_shape)
        outputs = (self.channels, *self.window.outputs(input_shape[1:]))
        self._place = (*self.window.geometry, input_shape, outputs)
        initializer = self.initializer or self.activation.initializer
        weights = (self.channels, input_shape[0], *self.window.kernel)
        return self._declare(weights, initializer, outputs)


class TransposedConvolutionalLayer(_Convolution):
    """The transpose of a convolution: each pixel of x adds a window of y, weighted.

    z[n, o, a s + i - padding, b s + j - padding] = bias[o] + Σ_c x[n, c, a, b] weights[c, o, i, j],
    summed over all (a, i) and (b, j) that meet there; y = f(z). With stride s it enlarges an image
    s times: the "fractionally strided" convolution of a DCGAN's generator (Radford, Metz,
    Chintala 2016, section 3; Dumoulin and Visin 2016, chapter 4).

    Shapes: x (N, C, H, W), weights (C, channels, kh, kw), bias (channels,), y (N, channels, Ho, Wo)
    with Ho = (H - 1) stride - 2 padding + kh + output_padding.

    Args:
        channels: of the output.
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves; a number or a pair. Default 1.
        padding: pixels that are cut off on each side; a number or a pair. Default 0.
        activation: f. Default :class:`Identity`.
        bias: whether there is a bias. Default True.
        initializer: of the weights, drawn as (channels, C, kh, kw). Default: :class:`He` before
            rectifiers, else :class:`Xavier`.
        bias_initializer: of the bias. Default zeros.
        output_padding: pixels more at the bottom and at the right, fewer than the stride: of the
            sizes that a convolution would shrink to x's, which one. Default 0.
    """

    transposed = True
    fresh_gradient = True
    fresh_output = ActivatedLayer.is_linear

    def __init__(
        self,
        channels: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        activation: Activation | str | None = None,
        bias: bool = True,
        initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
        output_padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(
            channels, kernel, stride, padding, activation, bias, initializer, bias_initializer
        )
        name = "TransposedConvolutionalLayer output_padding"
        self.output_padding: Pair = pair(name, output_padding, least=0)
        if any(self.output_padding[d] >= self.window.stride[d] for d in (0, 1)):
            raise ValueError(
                f"{name} must be smaller than the stride {self.window.stride}, "
                f"got {self.output_padding}"
            )

    def build(self, input_shape: Shape) -> Shape:
        """Declare the weights and the bias for images (C, H, W)."""
        require_images("TransposedConvolutionalLayer", input_shape)
        image = (self.channels, *self.window.image(input_shape[1:], self.output_padding))
        self._place = (*self.window.geometry, image, input_shape)
        initializer = _Swapped(self.initializer or self.activation.initializer)
        weights = (input_shape[0], self.channels, *self.window.kernel)
        return self._declare(weights, initializer, image)


class _Swapped(Initializer, abstract=True):
    """Weights (inputs, outputs, ...) as another initializer draws them (outputs, inputs, ...)."""

    def __init__(self, initializer: Initializer) -> None:
        self.initializer = initializer

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return its values with the first two axes exchanged."""
        return self.initializer.draw(random, (shape[1], shape[0], *shape[2:])).swapaxes(0, 1)
