"""Variational autoencoders: the layer that draws latent vectors, and the bound that they learn by.

Kingma and Welling 2014, "Auto-encoding variational Bayes". The encoder says by what normal
distribution q(z|x) = N(μ, σ²) a latent vector z is drawn, the decoder what z means. Since the loss
needs μ and σ beside the reconstruction, the network returns all three, by a :class:`Skip`::

    sal.Network(
        {
            "encoder": sal.Sequential([sal.NeuronLayer(500, sal.ReLU()), sal.NeuronLayer(2 * 20)]),
            "latent": sal.Skip(
                {
                    "sample": sal.GaussianSample(),
                    "decoder": sal.Sequential(
                        [sal.NeuronLayer(500, sal.ReLU()), sal.NeuronLayer(784, sal.Sigmoid())]
                    ),
                }
            ),
        },
        784,
        sal.VariationalBound(20),
        sal.Adam(),
    )
"""

from __future__ import annotations

from typing import Any

from salamandre.backend import Array, Backend
from salamandre.checks import whole
from salamandre.layer import Layer, Shape
from salamandre.layers.shape import require_vectors
from salamandre.losses import BinaryCrossEntropy, CrossEntropy, Loss
from salamandre.parts import given_part
from salamandre.passes import Context


class GaussianSample(Layer):
    """z = μ + σ ε, ε ~ N(0, 1), of x = [μ, log σ²] (Kingma, Welling 2014, section 2.4).

    So z is drawn from N(μ, σ²), and the gradient of what becomes of it reaches μ and σ. It is
    drawn without training too: ``predict`` draws by its seed.

    Shapes: x (N, 2k), z (N, k).
    """

    def build(self, input_shape: Shape) -> Shape:
        """Halve the features."""
        require_vectors("GaussianSample", input_shape)
        if input_shape[0] % 2:
            raise ValueError(
                f"GaussianSample takes as many means as logarithms of variances, got "
                f"{input_shape[0]} features: give it an even number"
            )
        return (input_shape[0] // 2,)

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return μ + σ ε; σ ε is kept."""
        mean, log_variance = _halves(x, x.shape[1] // 2)
        noise = ctx.random.normal(mean.shape, ctx.dtype)
        ctx.deviation = ctx.xp.exp(0.5 * log_variance) * noise
        return mean + ctx.deviation

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """dE/dμ = dE/dz, dE/dlog σ² = ½ σ ε dE/dz."""
        return ctx.xp.concatenate([dy, 0.5 * ctx.deviation * dy], axis=1)


class VariationalBound(Loss):
    """E = -log p(x|z) + KL(q(z|x) ‖ N(0, 1)), a mean over the batch, in nats.

    Its expectation is minus the evidence lower bound: at least -log p(x) (Kingma, Welling 2014,
    equation 10), with one z drawn for each x. In closed form (appendix B)

        KL = ½ Σ_j (μ_j² + σ_j² - log σ_j² - 1).

    Shapes: y = [μ, log σ², reconstruction] (N, 2 · latent + features), targets (N, ...) of as many
    features.

    Args:
        latent: coordinates of a latent vector z.
        reconstruction: the loss whose sum over the features is -log p(x|z), but for a constant:
            :class:`BinaryCrossEntropy` (the default) of pixels that are 0 or 1, or
            :class:`MeanSquaredError` of values with the standard deviation √½.
    """

    def __init__(self, latent: int, reconstruction: Loss | None = None) -> None:
        self.latent = whole("VariationalBound latent", latent)
        if reconstruction is None:
            reconstruction = BinaryCrossEntropy()
        self.reconstruction: Loss = given_part(self, "reconstruction", reconstruction, Loss)
        if isinstance(self.reconstruction, (CrossEntropy, VariationalBound)):
            raise ValueError(
                f"the reconstruction must be a loss that is a mean over the features, such as "
                f"BinaryCrossEntropy(), got {reconstruction!r}"
            )

    def check(self, target: Any, y_shape: Shape, dtype: Any, backend: Backend) -> Array:
        """Return targets that fit the reconstruction, as vectors."""
        features = y_shape[1] - 2 * self.latent if len(y_shape) == 2 else 0
        if features < 1:
            raise ValueError(
                f"VariationalBound of {self.latent} latent coordinates expects outputs "
                f"(N, {2 * self.latent} + features), got {y_shape}"
            )
        if getattr(target, "ndim", 0) > 2:
            target = target.reshape(len(target), -1)
        return self.reconstruction.check(target, (y_shape[0], features), dtype, backend)

    def check_outputs(self, y: Array, backend: Backend) -> None:
        """Refuse reconstructions that their loss is not defined of."""
        self.reconstruction.check_outputs(y[:, 2 * self.latent :], backend)

    def divergence(self, y: Array, xp: Any) -> Array:
        """Return KL(q(z|x) ‖ N(0, 1)) of each example (N,), in nats."""
        mean, log_variance = _halves(y, self.latent)
        terms = mean * mean + xp.exp(log_variance) - log_variance - 1
        return 0.5 * terms.sum(axis=1)

    def compute(
        self, y: Array, target: Array, xp: Any, weights: Array | None = None
    ) -> tuple[Array, Array]:
        """Return E and dE/dy: dE/dμ = μ / N, dE/dlog σ² = ½ (σ² - 1) / N, and as if by itself."""
        mean, log_variance = _halves(y, self.latent)
        dy = xp.empty_like(y)
        dy[:, : self.latent] = mean
        dy[:, self.latent : 2 * self.latent] = 0.5 * (xp.exp(log_variance) - 1)
        dy[:, : 2 * self.latent] /= len(y)
        divergence = self.divergence(y, xp)
        if weights is not None:
            divergence = divergence * weights
            dy[:, : 2 * self.latent] *= weights.reshape(-1, 1)
        weighted = () if weights is None else (weights,)
        # Theirs are means over the features too.
        shown = y[:, 2 * self.latent :]
        value, d_shown = self.reconstruction.compute(shown, target, xp, *weighted)
        xp.multiply(d_shown, shown.shape[1], out=dy[:, 2 * self.latent :])
        return value * shown.shape[1] + divergence.mean(), dy


def _halves(x: Array, latent: int) -> tuple[Array, Array]:
    """Return the means and the logarithms of the variances, which x begins with."""
    return x[:, :latent], x[:, latent : 2 * latent]
