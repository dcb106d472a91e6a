"""The kernels over rows of features (M, C), in plain array code: activations and normalisation.

A row is an example, or a pixel of an image; memory of any order is taken.
"""

from __future__ import annotations

from typing import Any

Array = Any


class RowKernels:
    """What layers do element by element, or feature by feature over all rows."""

    xp: Any

    def rectify(self, x: Array, slope: float, out: Array) -> None:
        """Write x where x > 0, slope x elsewhere; any shape, slope in [0, 1]."""
        self.xp.maximum(x, slope * x if slope else 0, out=out)

    def rectify_gradient(self, dy: Array, y: Array, slope: float, out: Array) -> None:
        """Write dy where y > 0, slope dy elsewhere; any shape."""
        slopes = (y > 0).astype(dy.dtype)
        if slope:
            self.xp.maximum(slopes, slope, out=slopes)
        self.xp.multiply(dy, slopes, out=out)

    def add_bias(self, z: Array, bias: Array, slope: float) -> None:
        """Add the bias to each row, then rectify; the slope 1 leaves the sum as it is."""
        z += bias
        if slope != 1:
            self.rectify(z, slope, z)

    def moments(self, x: Array, mean: Array, variance: Array) -> None:
        """Write the mean and the variance (with divisor M) of each feature."""
        # NumPy adds the rows of a column one by one: in float32 that loses digits.
        mean[...] = x.mean(axis=0, dtype="float64")
        centred = x - mean
        centred *= centred
        variance[...] = centred.mean(axis=0, dtype="float64")

    def normalise(
        self, x: Array, mean: Array, inverse_std: Array, gamma: Array, beta: Array, out: Array
    ) -> None:
        """Write gamma (x - mean) inverse_std + beta."""
        self.xp.subtract(x, mean, out=out)
        out *= gamma * inverse_std
        out += beta

    def normalise_sums(
        self, dy: Array, x: Array, mean: Array, inverse_std: Array, d_gamma: Array, d_beta: Array
    ) -> None:
        """Write Σ dy x̂ and Σ dy of each feature, with x̂ = (x - mean) inverse_std."""
        product = x - mean
        product *= dy
        d_gamma[...] = product.sum(axis=0, dtype="float64") * inverse_std
        d_beta[...] = dy.sum(axis=0, dtype="float64")

    def normalise_gradient(
        self,
        dy: Array,
        x: Array,
        mean: Array,
        scale: Array,
        slope: Array,
        shift: Array,
        out: Array,
    ) -> None:
        """Write scale dy + slope (x - mean) + shift."""
        self.xp.subtract(x, mean, out=out)
        out *= slope
        out += shift
        out += scale * dy
