"""Normalization over rows of features (M, C): a row is an example, or a pixel of an image.

Arrays of features are (C,). Sums over many rows go by parts: few rows in the arrays' own
precision, all of them in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend.operation import Array, Operation

PART = 64  # rows that stay in the nearest cache


@Operation
def moments(xp: Any, x: Array, mean: Array, variance: Array) -> None:
    """Write the mean and the variance (with divisor M) of each feature."""
    # NumPy adds the rows of a column one by one: in float32 that loses digits.
    mean[...] = x.mean(axis=0, dtype="float64")
    centred = x - mean
    centred *= centred
    variance[...] = centred.mean(axis=0, dtype="float64")


@moments.compiled
def _moments(x: Array, mean: Array, variance: Array) -> None:
    count, features = x.shape
    # Chan, Golub, LeVeque 1983, equation 2.1: means and squares of parts become those of all.
    means, squares = np.zeros(features), np.zeros(features)
    part, square = np.empty(features, x.dtype), np.empty(features, x.dtype)
    for start in range(0, count, PART):
        stop = min(start + PART, count)
        part[:] = 0
        for r in range(start, stop):
            row = x[r]
            for c in range(features):
                part[c] += row[c]
        for c in range(features):
            part[c] /= stop - start
        square[:] = 0
        for r in range(start, stop):
            row = x[r]
            for c in range(features):
                centred = row[c] - part[c]
                square[c] += centred * centred
        share = (stop - start) / stop
        for c in range(features):
            delta = part[c] - means[c]
            means[c] += delta * share
            squares[c] += square[c] + delta * delta * start * share
    for c in range(features):
        mean[c] = means[c]
        variance[c] = squares[c] / count


@Operation
def normalize(
    xp: Any, x: Array, mean: Array, inverse_std: Array, gamma: Array, beta: Array, out: Array
) -> None:
    """Write gamma (x - mean) inverse_std + beta."""
    xp.subtract(x, mean, out=out)
    out *= gamma * inverse_std
    out += beta


@normalize.compiled
def _normalize(
    x: Array, mean: Array, inverse_std: Array, gamma: Array, beta: Array, out: Array
) -> None:
    scale = gamma * inverse_std
    for r in range(x.shape[0]):
        row, result = x[r], out[r]
        for c in range(mean.size):
            result[c] = (row[c] - mean[c]) * scale[c] + beta[c]


normalize.cuda(
    "T x, T mean, T inverse_std, T gamma, T beta",
    "T out",
    "out = (x - mean) * (gamma * inverse_std) + beta;",
)


@Operation
def normalize_sums(
    xp: Any, dy: Array, x: Array, mean: Array, inverse_std: Array, d_gamma: Array, d_beta: Array
) -> None:
    """Write Σ dy x̂ and Σ dy of each feature, with x̂ = (x - mean) inverse_std."""
    product = x - mean
    product *= dy
    d_gamma[...] = product.sum(axis=0, dtype="float64") * inverse_std
    d_beta[...] = dy.sum(axis=0, dtype="float64")


@normalize_sums.compiled
def _normalize_sums(
    dy: Array, x: Array, mean: Array, inverse_std: Array, d_gamma: Array, d_beta: Array
) -> None:
    count, features = x.shape
    sums, products = np.zeros(features), np.zeros(features)
    part, product = np.empty(features, x.dtype), np.empty(features, x.dtype)
    for start in range(0, count, PART):
        part[:] = 0
        product[:] = 0
        for r in range(start, min(start + PART, count)):
            row, given = x[r], dy[r]
            for c in range(features):
                part[c] += given[c]
                product[c] += given[c] * (row[c] - mean[c])
        for c in range(features):
            sums[c] += part[c]
            products[c] += product[c]
    for c in range(features):
        d_beta[c] = sums[c]
        d_gamma[c] = products[c] * inverse_std[c]


@Operation
def normalize_gradient(
    xp: Any, dy: Array, x: Array, mean: Array, scale: Array, slope: Array, shift: Array, out: Array
) -> None:
    """Write scale dy + slope (x - mean) + shift."""
    xp.subtract(x, mean, out=out)
    out *= slope
    out += shift
    out += scale * dy


@normalize_gradient.compiled
def _normalize_gradient(
    dy: Array, x: Array, mean: Array, scale: Array, slope: Array, shift: Array, out: Array
) -> None:
    for r in range(x.shape[0]):
        row, given, result = x[r], dy[r], out[r]
        for c in range(mean.size):
            result[c] = scale[c] * given[c] + slope[c] * (row[c] - mean[c]) + shift[c]


normalize_gradient.cuda(
    "T dy, T x, T mean, T scale, T slope, T shift",
    "T out",
    "out = scale * dy + slope * (x - mean) + shift;",
)
