"""The leaky rectifier, its gradient, and a bias that is added before it.

Below zero the slope is in [0, 1]; with 0 it is the rectifier max(x, 0), also of -∞.
"""

from __future__ import annotations

from typing import Any

from salamandre.backend.operation import Array, Elementwise, Operation


@Elementwise
def leaky_relu(xp: Any, x: Array, slope: float, out: Array) -> None:
    """Write x where x > 0, slope x elsewhere; ``out`` may be x."""
    xp.maximum(x, slope * x if slope else 0, out=out)


@leaky_relu.compiled
def _leaky_relu(x: Array, slope: float, out: Array) -> None:
    for i in range(x.size):  # slope 0 is no product: minus infinity becomes 0, not NaN
        out[i] = (slope * x[i] if slope > 0 else slope) if x[i] <= 0 else x[i]


@leaky_relu.in_place
def _rectify(x: Array, slope: float) -> None:
    for i in range(x.size):
        x[i] = (slope * x[i] if slope > 0 else slope) if x[i] <= 0 else x[i]


leaky_relu.cuda("T x, T slope", "T out", "out = x > 0 || x != x ? x : slope ? slope * x : T(0);")


@Elementwise
def leaky_relu_gradient(xp: Any, dy: Array, y: Array, slope: float, out: Array) -> None:
    """Write dy where y > 0, slope dy elsewhere; ``out`` may be dy."""
    slopes = (y > 0).astype(dy.dtype)
    if slope:
        xp.maximum(slopes, slope, out=slopes)
    xp.multiply(dy, slopes, out=out)


@leaky_relu_gradient.compiled
def _leaky_relu_gradient(dy: Array, y: Array, slope: float, out: Array) -> None:
    for i in range(y.size):
        out[i] = dy[i] if y[i] > 0 else slope * dy[i]


@leaky_relu_gradient.in_place
def _rectify_gradient(dy: Array, y: Array, slope: float) -> None:
    for i in range(y.size):
        dy[i] = dy[i] if y[i] > 0 else slope * dy[i]


leaky_relu_gradient.cuda("T dy, T y, T slope", "T out", "out = y > 0 ? dy : slope * dy;")


@Operation
def add_bias(xp: Any, z: Array, bias: Array, slope: float) -> None:
    """Add the bias (C,) to each row of z (M, C), then rectify z; slope 1 leaves the sum."""
    z += bias
    if slope != 1:
        leaky_relu.reference(xp, z, slope, z)


@add_bias.compiled
def _add_bias(z: Array, bias: Array, slope: float) -> None:
    for r in range(z.shape[0]):
        row = z[r]
        for c in range(bias.size):
            value = row[c] + bias[c]
            row[c] = (slope * value if slope > 0 else slope) if value <= 0 else value


SUM = """
    const T sum = z + bias;
    z = sum > 0 || sum != sum || slope == 1 ? sum : slope ? slope * sum : T(0);
"""

add_bias.cuda(
    "T bias, T slope",
    "T z",
    SUM,
    lambda z, bias, slope: (bias, slope, z),
)


@Operation
def add_bias_to_features(xp: Any, z: Array, bias: Array, slope: float) -> None:
    """As :func:`add_bias`, of features (C, M) in rows."""
    z += bias[:, None]
    if slope != 1:
        leaky_relu.reference(xp, z, slope, z)


@add_bias_to_features.compiled
def _add_bias_to_features(z: Array, bias: Array, slope: float) -> None:
    for c in range(bias.size):
        row, more = z[c], bias[c]
        for m in range(row.size):
            value = row[m] + more
            row[m] = (slope * value if slope > 0 else slope) if value <= 0 else value


add_bias_to_features.cuda(
    "T bias, T slope",
    "T z",
    SUM,
    lambda z, bias, slope: (bias.reshape(-1, 1), slope, z),
)
