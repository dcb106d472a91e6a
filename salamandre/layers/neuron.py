"""The fully connected layer of neurons."""

from __future__ import annotations

from salamandre.activations import Activation, Identity
from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.initializers import Initializer, Zeros
from salamandre.layer import Layer, Shape


class NeuronLayer(Layer):
    """y = f(x Wᵀ + b): every neuron sees every input.

    Shapes: x (N, inputs), weights (outputs, inputs + noise), bias (outputs,), y (N, outputs).

    Vectors lie transposed in memory, feature by feature: zᵀ = W xᵀ is the faster way round for
    matrix products with few rows, and sums over the batch run along the memory.

    Args:
        outputs: the number of neurons.
        activation: f. Default :class:`Identity`.
        bias: whether there is a b. Default True.
        noise: concatenate this many fresh Gaussian inputs to x at every compute (Goodfellow et
            al. 2014 feed noise to their generators; here any layer may get some). Default 0.
        initializer: of the weights. Default: :class:`He` before rectifiers, else
            :class:`Xavier`.
        bias_initializer: of b. Default zeros.
    """

    weights: Array
    bias: Array
    d_weights: Array
    d_bias: Array

    def __init__(
        self,
        outputs: int,
        activation: Activation | None = None,
        bias: bool = True,
        noise: int = 0,
        initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
    ) -> None:
        super().__init__()
        self.outputs = whole("NeuronLayer outputs", outputs)
        activation = Identity() if activation is None else activation
        if not isinstance(activation, Activation):
            raise TypeError(
                f"NeuronLayer activation must be an Activation such as salamandre.ReLU(), "
                f"got {activation!r}"
            )
        # One object may be given to several layers: each has an equal one of its own.
        self.activation = type(activation)(**activation.config())
        self._biased = bool(bias)
        self.noise = whole("NeuronLayer noise", noise, least=0)
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.children = (self.activation,)

    @property
    def output_activation(self) -> Activation:
        """The activation f."""
        return self.activation

    def build(self, input_shape: Shape) -> Shape:
        """Declare the weights and the bias for inputs of shape (inputs,)."""
        if len(input_shape) != 1:
            raise ValueError(
                f"NeuronLayer takes vectors, shape (inputs,), got examples of shape "
                f"{input_shape}: put a Flatten() before it"
            )
        weights = (self.outputs, input_shape[0] + self.noise)
        self.declare("weights", weights, self.initializer or self.activation.initializer)
        if self._biased:
            self.declare("bias", (self.outputs,), self.bias_initializer or Zeros())
        self.activation.build((self.outputs,))
        return (self.outputs,)

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return f(x Wᵀ + b)."""
        xp = self.xp
        if self.noise:
            fresh = self.random.normal((len(x), self.noise), self.dtype)
            x = xp.concatenate([x, fresh], axis=1)
        self._x = x
        z = self.buffer("z", (len(x), self.outputs), by_feature=True)
        xp.dot(self.weights, x.T, out=z.T)
        if self._biased:
            z += self.bias
        if self.activation.from_output:
            self._z, self._y = None, self.activation.function(z, z)
        else:
            self._z, self._y = z, self.activation.function(z, self.buffer_like("y", z))
        return self._y

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Dz = dy f'(z), then as :meth:`backprop_before_activation`."""
        dz = self.activation.gradient(dy, self._z, self._y, self.buffer_like("dz", dy))
        return self.backprop_before_activation(dz, update)

    def backprop_before_activation(self, dz: Array, update: bool = True) -> Array:
        """Write dW = dzᵀ x and db = Σ_n dz; return dx = dz W (without the noise inputs)."""
        xp = self.xp
        if update:
            xp.dot(dz.T, self._x, out=self.d_weights)
            if self._biased:
                # A product with ones: several times faster than a sum over the batch.
                ones = self.buffer("ones", (len(dz),))
                ones[...] = 1
                xp.dot(dz.T, ones, out=self.d_bias)
        if not self.input_gradient:
            return None
        weights = self.weights[:, : self._x.shape[1] - self.noise]
        if self.input_gradient is not True:
            weights = weights[:, self.input_gradient]
        dx = self.buffer("dx", (len(dz), weights.shape[1]), by_feature=True)
        return xp.dot(weights.T, dz.T, out=dx.T).T

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return f'(z) x_dot Wᵀ; noise inputs stay where they are."""
        self._x_dot = x_dot
        weights = self.weights[:, : x_dot.shape[1]] if self.noise else self.weights
        return self.activation.tangent(self.xp.dot(weights, x_dot.T).T, self._z, self._y)

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Write dW = dzᵀ x + dz_dotᵀ x_dot and db = Σ_n dz; return dz W and dz_dot W."""
        xp, inputs = self.xp, self._x_dot.shape[1]
        dz, dz_dot = self.activation.tangent_gradient(dy, dy_dot, self._z, self._y)
        weights = self.weights[:, :inputs]
        if dz is None:
            self.d_weights[...] = 0
            if self._biased:
                self.d_bias[...] = 0
        else:
            self.d_weights[...] = xp.dot(dz.T, self._x)
            if self._biased:
                self.d_bias[...] = dz.sum(axis=0)
        self.d_weights[:, :inputs] += xp.dot(dz_dot.T, self._x_dot)
        dx = None if dz is None else xp.dot(weights.T, dz.T).T
        return dx, xp.dot(weights.T, dz_dot.T).T
