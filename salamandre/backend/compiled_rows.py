"""The kernels over rows as compiled loops (Numba); :mod:`rows` says what each one does.

Sums over many rows go by parts: few rows in the arrays' own precision, all of them in float64.
"""

from __future__ import annotations

import numpy as np

from salamandre.backend.compiled import kept
from salamandre.backend.rows import Array

PART = 64  # rows that stay in the nearest cache


@kept
def rectify(x: Array, slope: float, out: Array) -> None:
    for i in range(x.size):  # slope 0 is no product: minus infinity becomes 0, not NaN
        out[i] = (slope * x[i] if slope > 0 else slope) if x[i] <= 0 else x[i]


@kept
def rectify_gradient(dy: Array, y: Array, slope: float, out: Array) -> None:
    for i in range(y.size):
        out[i] = dy[i] if y[i] > 0 else slope * dy[i]


@kept
def add_bias(z: Array, bias: Array, slope: float) -> None:
    for r in range(z.shape[0]):
        row = z[r]
        for c in range(bias.size):
            value = row[c] + bias[c]
            row[c] = (slope * value if slope > 0 else slope) if value <= 0 else value


@kept
def moments(x: Array, mean: Array, variance: Array) -> None:
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


@kept
def normalise(
    x: Array, mean: Array, inverse_std: Array, gamma: Array, beta: Array, out: Array
) -> None:
    scale = gamma * inverse_std
    for r in range(x.shape[0]):
        row, result = x[r], out[r]
        for c in range(mean.size):
            result[c] = (row[c] - mean[c]) * scale[c] + beta[c]


@kept
def normalise_sums(
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


@kept
def normalise_gradient(
    dy: Array, x: Array, mean: Array, scale: Array, slope: Array, shift: Array, out: Array
) -> None:
    for r in range(x.shape[0]):
        row, given, result = x[r], dy[r], out[r]
        for c in range(mean.size):
            result[c] = scale[c] * given[c] + slope[c] * (row[c] - mean[c]) + shift[c]
