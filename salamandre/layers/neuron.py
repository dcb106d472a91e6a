"""The fully connected layer of neurons."""

from __future__ import annotations

from salamandre.activations import ActivatedLayer, Activation
from salamandre.backend import Array
from salamandre.backend.operations.affine import (
    affine,
    affine_input,
    affine_parameters,
    affine_product,
    descend,
    mixture,
    sum_of_rows,
)
from salamandre.checks import whole
from salamandre.initializers import Initializer, Zeros
from salamandre.layer import Shape
from salamandre.layers.shape import require_vectors
from salamandre.passes import Context


class NeuronLayer(ActivatedLayer):
    """y = f(x Wᵀ + b): every neuron sees every input.

    Shapes: x (N, inputs), weights (outputs, inputs + noise), bias (outputs,), y (N, outputs).

    Args:
        outputs: the number of neurons.
        activation: f, or its name, such as ``"relu"``. Default :class:`Identity`.
        bias: whether there is a b. Default True.
        noise: concatenate this many fresh Gaussian inputs to x at every compute (Goodfellow et
            al. 2014 feed noise to their generators; here any layer may get some). Default 0.
        initializer: of the weights. Default: :class:`He` if the activation is a rectifier, else
            :class:`Xavier`.
        bias_initializer: of b. Default zeros.
    """

    fresh_gradient = True
    fresh_output = ActivatedLayer.is_linear
    adds_gradients = True

    weights: Array
    d_weights: Array
    bias: Array = None
    d_bias: Array = None

    def __init__(
        self,
        outputs: int,
        activation: Activation | str | None = None,
        bias: bool = True,
        noise: int = 0,
        initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
    ) -> None:
        super().__init__(activation)
        self.outputs = whole("NeuronLayer outputs", outputs)
        self.noise = whole("NeuronLayer noise", noise, least=0)
        self.biased = bool(bias)
        self.initializer = initializer
        self.bias_initializer = bias_initializer

    def build(self, input_shape: Shape) -> Shape:
        """Declare the weights and the bias for inputs of shape (inputs,)."""
        require_vectors("NeuronLayer", input_shape)
        weights = (self.outputs, input_shape[0] + self.noise)
        self.declare("weights", weights, self.initializer or self.activation.initializer)
        if self.biased:
            self.declare("bias", (self.outputs,), self.bias_initializer or Zeros())
        self.activation.build((self.outputs,))
        return (self.outputs,)

    def plan(self, ctx: Context) -> None:
        """As the base; a rectifier is left to the operation that adds the bias."""
        super().plan(ctx)
        whole = not (ctx.keeps_z or ctx.parts[0].logits)
        ctx.rectifies = whole and self.biased and self.has_rectifier

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return f(x Wᵀ + b)."""
        if self.noise:
            noise = ctx.random.normal((len(x), self.noise), ctx.dtype)
            x = ctx.xp.concatenate([x, noise], axis=1)
        ctx.x = x
        if ctx.before is not None and ctx.before.keeps_z:  # x is a mixture: so is x Wᵀ + b
            ctx.z = mixture(ctx, ctx.before.z, "z")
            return self.activation.compute(ctx.z, ctx.parts[0])
        if not ctx.rectifies:
            ctx.z = affine(ctx, x, self.weights, self.bias)
            return self.activation.compute(ctx.z, ctx.parts[0])
        ctx.z = affine(ctx, x, self.weights, self.bias, self.activation.slope)
        ctx.parts[0].x, ctx.parts[0].y = None, ctx.z
        return ctx.z

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Write dW = dzᵀ x and db = Σ_n dz with dz = dy f'(z); return dx = dz W, without noise."""
        dz = self.activation.backprop(dy, ctx.parts[0])
        if ctx.parameter_gradients:
            affine_parameters(ctx, dz, ctx.x, self.d_weights, self.d_bias)
        return affine_input(ctx, dz, self._input_weights()) if ctx.input_gradient else None

    def descend(self, rate: float, ctx: Context) -> None:
        """W ← W - η dzᵀ x and b ← b - η Σ_n dz."""
        ((dz, x),) = ctx.postponed
        descend(ctx, dz, x, self.weights, self.bias, rate)

    def complete(self, ctx: Context) -> None:
        """Write dW = dzᵀ x and db = Σ_n dz."""
        affine_product(ctx, ctx.postponed, self.d_weights)
        if self.biased:
            sum_of_rows(ctx, ctx.postponed[0][0], self.d_bias)

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return f'(z) x_dot Wᵀ; noise inputs stay where they are."""
        if self.noise:
            still = ctx.xp.zeros((len(x_dot), self.noise), ctx.dtype)
            x_dot = ctx.xp.concatenate([x_dot, still], axis=1)
        ctx.x_dot = x_dot
        z_dot = affine(ctx, x_dot, self.weights, name="z_dot")
        return self.activation.compute_tangent(z_dot, ctx.parts[0])

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Write dW = dzᵀ x + dz_dotᵀ x_dot and db = Σ_n dz; return dz W and dz_dot W."""
        dz, dz_dot = self.activation.backprop_tangent(dy, dy_dot, ctx.parts[0])
        if ctx.parameter_gradients:
            tangent = dz_dot, ctx.x_dot
            affine_parameters(ctx, dz, ctx.x, self.d_weights, self.d_bias, tangent)
        if not ctx.input_gradient:
            return None, None
        weights = self._input_weights()
        dx = None if dz is None else affine_input(ctx, dz, weights)
        return dx, affine_input(ctx, dz_dot, weights, "dx_dot")

    def _input_weights(self) -> Array:
        """Return the weights of the inputs, without those of the noise."""
        return self.weights[:, : self.weights.shape[1] - self.noise] if self.noise else self.weights
