"""The convolutional layer, and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from salamandre.activations import Activation, Identity
from salamandre.backend import Array
from salamandre.backend.operations.rectifier import add_bias
from salamandre.checks import whole
from salamandre.initializers import Initializer, Zeros
from salamandre.layer import Layer, Shape, mapwise, pixelwise
from salamandre.layers.products import Finish, products
from salamandre.layers.window import Pair, Window, pair, require_images


class _Correlation(Layer):
    """What a convolution and its transpose share.

    One reads an image and writes the places of a window, the other the reverse; the product of
    either is the other's gradient (:mod:`salamandre.layers.products`).
    """

    weights: Array
    bias: Array
    d_weights: Array
    d_bias: Array
    reads_image: ClassVar[bool]

    def __init__(
        self,
        maps: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | str | Sequence[int],
        activation: Activation | None,
        bias: bool,
        initializer: Initializer | None,
        bias_initializer: Initializer | None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.maps = whole(f"{name} maps", maps)
        self.window = Window(name, kernel, stride, padding)
        activation = Identity() if activation is None else activation
        if not isinstance(activation, Activation):
            raise TypeError(
                f"{name} activation must be an Activation such as salamandre.ReLU(), "
                f"got {activation!r}"
            )
        # One object may be given to several layers: each has an equal one of its own.
        self.activation = type(activation)(**activation.config())
        self._biased = bool(bias)
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.children = (self.activation,)

    @property
    def output_activation(self) -> Activation:
        """The activation f."""
        return self.activation

    def _declare(self, image: Shape, places: Shape) -> Shape:
        """Declare the weights and the bias for an image (C, H, W) and places (P, Ho, Wo)."""
        self._products = products(self, self.window, image, places)
        initializer = self.initializer or self.activation.initializer
        if not self.reads_image:
            initializer = _Swapped(initializer)
        shape = (places[0], image[0], *self.window.kernel)
        self.declare("weights", shape, initializer, memory=(0, 2, 3, 1))
        if self._biased:
            self.declare("bias", (self.maps,), self.bias_initializer or Zeros())
        self._output_shape = places if self.reads_image else image
        self.activation.build(self._output_shape)
        return self._output_shape

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return f(z)."""
        self._x = self.pixels("x", x)
        z = self.buffer("z", (len(x), *self._output_shape), channels_last=True)
        self._products.prepare(pixelwise(self.weights))
        self._product(self._x, pixelwise(z), self._add_bias)
        if self.activation.slope is not None and self._biased:  # rectified with the bias
            self._z, self._y = None, z
        elif self.activation.from_output:
            self._z, self._y = None, self.activation.function(z, z)
        else:
            self._z, self._y = z, self.activation.function(z, self.buffer_like("y", z))
        return self._y

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Dz = dy f'(z), then as :meth:`backprop_before_activation`."""
        if not isinstance(self.activation, Identity):
            dz = mapwise(self.workspace("dz", pixelwise(dy).shape))
            dy = self.activation.gradient(dy, self._z, self._y, dz)
        return self.backprop_before_activation(dy, update)

    def backprop_before_activation(self, dz: Array, update: bool = True) -> Array:
        """Write the gradients of the weights and of b = Σ dz; return dx."""
        dz = self.pixels("dz", dz)
        if update:
            self._write_d_weights(self._x, dz, add=False)
            if self._biased:
                self._write_d_bias(dz)
        if not self.input_gradient:
            return None
        dx = self.buffer("dx", self._x.shape)
        self._adjoint(dz, dx)
        return mapwise(dx)

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return f'(z) z_dot, where z_dot is the product of x_dot and the weights."""
        self._x_dot = self.pixels("x_dot", x_dot)
        z_dot = self.xp.empty((len(x_dot), *pixelwise(self._y).shape[1:]), dtype=self.dtype)
        self._product(self._x_dot, z_dot, _nothing)
        return self.activation.tangent(mapwise(z_dot), self._z, self._y)

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Write the gradients, summed over (x, dz) and (x_dot, dz_dot); return dx and dx_dot."""
        dz, dz_dot = self.activation.tangent_gradient(dy, dy_dot, self._z, self._y)
        dz_dot = self.pixels("dz_dot", dz_dot)
        self._write_d_weights(self._x_dot, dz_dot, add=False)
        dx_dot = self.xp.empty(self._x_dot.shape, dtype=self.dtype)
        self._adjoint(dz_dot, dx_dot)
        if dz is None:
            if self._biased:
                self.d_bias[...] = 0
            return None, mapwise(dx_dot)
        dz = self.pixels("dz", dz)
        self._write_d_weights(self._x, dz, add=True)
        if self._biased:
            self._write_d_bias(dz)
        dx = self.xp.empty(self._x.shape, dtype=self.dtype)
        self._adjoint(dz, dx)
        return mapwise(dx), mapwise(dx_dot)

    def _product(self, x: Array, z: Array, finish: Finish) -> None:
        (self._products.shrink if self.reads_image else self._products.spread)(x, z, finish)

    def _adjoint(self, dz: Array, dx: Array) -> None:
        write = self._products.spread if self.reads_image else self._products.shrink
        write(dz, dx, _nothing)

    def _write_d_weights(self, x: Array, dz: Array, add: bool) -> None:
        image, places = (x, dz) if self.reads_image else (dz, x)
        self._products.write_d_weights(image, places, pixelwise(self.d_weights), add)

    def _add_bias(self, z: Array) -> None:
        if self._biased:
            slope = self.activation.slope
            rows = z.reshape(-1, self.maps)
            add_bias(self.backend, rows, self.bias, 1.0 if slope is None else slope)

    def _write_d_bias(self, dz: Array) -> None:
        # A product with ones: several times faster than a sum over the batch.
        rows = dz.reshape(-1, self.maps)
        ones = self.workspace("ones", (len(rows),))
        ones[...] = 1
        self.xp.dot(rows.T, ones, out=self.d_bias)


class ConvolutionalLayer(_Correlation):
    """y = f(z), z[n, o, a, b] = bias[o] + Σ_cij weights[o, c, i, j] x[n, c, a s + i, b s + j].

    Every neuron of a map sees a window of the image, through the same weights (LeCun et al. 1998,
    "Gradient-based learning applied to document recognition", section II-A). x is padded with
    zeros; s is the stride. The product is one matrix product of the windows' columns.

    Shapes: x (N, C, H, W), weights (maps, C, kh, kw), bias (maps,), y (N, maps, Ho, Wo) with
    Ho = ⌊(H + 2 padding - kh) / stride⌋ + 1. In memory, images and weights lie pixel by pixel.

    Args:
        maps: the number of feature maps.
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves; a number or a pair. Default 1.
        padding: zeros on each side; a number, a pair, or ``"same"`` to keep the size at stride 1.
            Default 0.
        activation: f. Default :class:`Identity`.
        bias: whether there is a bias. Default True.
        initializer: of the weights. Default: :class:`He` before rectifiers, else
            :class:`Xavier`.
        bias_initializer: of the bias. Default zeros.
    """

    reads_image = True

    def __init__(
        self,
        maps: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        activation: Activation | None = None,
        bias: bool = True,
        initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
    ) -> None:
        super().__init__(
            maps, kernel, stride, padding, activation, bias, initializer, bias_initializer
        )

    def build(self, input_shape: Shape) -> Shape:
        """Declare the weights and the bias for images (C, H, W)."""
        require_images("ConvolutionalLayer", input_shape)
        return self._declare(input_shape, (self.maps, *self.window.outputs(input_shape[1:])))


class TransposedConvolutionalLayer(_Correlation):
    """The transpose of a convolution: each pixel of x adds a window of y, weighted.

    z[n, o, a s + i - padding, b s + j - padding] = bias[o] + Σ_c x[n, c, a, b] weights[c, o, i, j],
    summed over all (a, i) and (b, j) that meet there; y = f(z). With stride s it enlarges an image
    s times: the "fractionally strided" convolution of a DCGAN's generator (Radford, Metz,
    Chintala 2016, section 3; Dumoulin and Visin 2016, chapter 4).

    Shapes: x (N, C, H, W), weights (C, maps, kh, kw), bias (maps,), y (N, maps, Ho, Wo) with
    Ho = (H - 1) stride - 2 padding + kh + output_padding.

    Args:
        maps: the number of feature maps.
        kernel: the window's size: a number or a pair (vertical, horizontal).
        stride: how far the window moves; a number or a pair. Default 1.
        padding: pixels that are cut off on each side; a number or a pair. Default 0.
        activation: f. Default :class:`Identity`.
        bias: whether there is a bias. Default True.
        initializer: of the weights, drawn as (maps, C, kh, kw). Default: :class:`He` before
            rectifiers, else :class:`Xavier`.
        bias_initializer: of the bias. Default zeros.
        output_padding: pixels more at the bottom and at the right, fewer than the stride: of the
            sizes that a convolution would shrink to x's, which one. Default 0.
    """

    reads_image = False

    def __init__(
        self,
        maps: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        activation: Activation | None = None,
        bias: bool = True,
        initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
        output_padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(
            maps, kernel, stride, padding, activation, bias, initializer, bias_initializer
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
        image = self.window.image(input_shape[1:], self.output_padding)
        return self._declare((self.maps, *image), input_shape)


def _nothing(z: Array) -> None:
    """Leave a block of results as it is."""


class _Swapped(Initializer):
    """Weights (inputs, outputs, ...) as another initializer draws them (outputs, inputs, ...)."""

    def __init__(self, initializer: Initializer) -> None:
        self.initializer = initializer

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return its values with the first two axes exchanged."""
        return self.initializer.draw(random, (shape[1], shape[0], *shape[2:])).swapaxes(0, 1)
