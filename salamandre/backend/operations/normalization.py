"""Normalization over rows of features (M, C): a row is an example, or a pixel of an image.

Arrays of features are (C,). Sums over many rows go by parts: few rows in the arrays' own
precision, all of them in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend.operation import Array, Operation
from salamandre.backend.operations.windows import INDEX

PART = 64  # rows that stay in the nearest cache
PARTS = 64  # of the rows, most that a GPU adds up side by side


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


@moments.in_steps
def _moments_in_steps(backend: Any, x: Array, mean: Array, variance: Array) -> None:
    means, squares = _part_spaces(backend, x)
    part_moments(backend, x, means, squares)
    join_moments(backend, means, squares, (len(x),), mean, variance)


def _part_spaces(backend: Any, x: Array) -> tuple[Array, Array]:
    """Return two arrays (parts, C); all parts of the rows have some, and all but the last equally.

    Neighbouring threads of a GPU read neighbouring features: a sum over all rows at once would have
    as few threads as features.
    """
    rows = max(PART // 2, -(-len(x) // PARTS))
    shape = -(-len(x) // rows), x.shape[1]
    return tuple(backend.workspace(name, shape, x.dtype) for name in ("parts", "squares"))


@Operation
def part_moments(xp: Any, x: Array, means: Array, squares: Array) -> None:
    """Write the mean of each part of the rows, and the sum of squares about it, (parts, C)."""
    for p, rows in enumerate(_parts(x, len(means))):
        means[p] = rows.mean(axis=0)
        centred = rows - means[p]
        squares[p] = (centred * centred).sum(axis=0)


def _parts(x: Array, count: int) -> list[Array]:
    size = -(-len(x) // count)
    return [x[start : start + size] for start in range(0, len(x), size)]


# A part of the rows; i is the index in (parts, C).
_PART = f"""{INDEX}
    const int c = e % features, size = (rows + parts - 1) / parts;
    const int first = e / features * size, last = first + size < rows ? first + size : rows;
"""

part_moments.cuda(
    "raw T x, int32 rows, int32 features, int32 parts",
    "T mean, T square",
    f"""{_PART}
    T sum = 0;
    for (int r = first; r < last; ++r) sum += x[(ptrdiff_t)r * features + c];
    mean = sum / (last - first);
    T squares = 0;
    for (int r = first; r < last; ++r) {{
        const T centred = x[(ptrdiff_t)r * features + c] - mean;
        squares += centred * centred;
    }}
    square = squares;
    """,
    lambda x, means, squares: (x, *x.shape, len(means), means, squares),
)


@Operation
def join_moments(
    xp: Any, means: Array, squares: Array, count: tuple[int], mean: Array, variance: Array
) -> None:
    """Write the mean and the variance of all rows, whose number is ``count``, from their parts'."""
    size = -(-count[0] // len(means))
    mean[...] = 0
    for p in range(len(means)):
        mean += min(size, count[0] - p * size) / count[0] * means[p]
    variance[...] = 0
    for p in range(len(means)):
        delta = means[p] - mean
        variance += squares[p] + min(size, count[0] - p * size) * delta * delta
    variance /= count[0]


join_moments.cuda(
    "raw T means, raw T squares, int32 features, int32 parts, int32 rows",
    "T mean, T variance",
    """
    const int size = (rows + parts - 1) / parts;
    double sum = 0, square = 0;
    for (int p = 0; p < parts; ++p) {
        const int count = (p + 1) * size < rows ? size : rows - p * size;
        sum += count * (double)means[p * features + i];
    }
    sum /= rows;
    for (int p = 0; p < parts; ++p) {
        const int count = (p + 1) * size < rows ? size : rows - p * size;
        const double delta = means[p * features + i] - sum;
        square += squares[p * features + i] + count * delta * delta;
    }
    mean = sum;
    variance = square / rows;
    """,
    lambda means, squares, count, mean, variance: (
        *(means, squares, means.shape[1], len(means)),
        *(*count, mean, variance),
    ),
)


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


@normalize_sums.in_steps
def _normalize_sums_in_steps(
    backend: Any, dy: Array, x: Array, mean: Array, inverse_std: Array, *sums: Array
) -> None:
    products, parts = _part_spaces(backend, x)
    part_sums(backend, dy, x, mean, products, parts)
    join_sums(backend, products, parts, inverse_std, *sums)


@Operation
def part_sums(xp: Any, dy: Array, x: Array, mean: Array, products: Array, sums: Array) -> None:
    """Write Σ dy (x - mean) and Σ dy of each part of the rows, (parts, C)."""
    parts = zip(_parts(x, len(sums)), _parts(dy, len(sums)), strict=True)
    for p, (rows, given) in enumerate(parts):
        products[p] = (given * (rows - mean)).sum(axis=0)
        sums[p] = given.sum(axis=0)


part_sums.cuda(
    "raw T dy, raw T x, raw T mean, int32 rows, int32 features, int32 parts",
    "T product, T sum",
    f"""{_PART}
    const T centre = mean[c];
    T products = 0, sums = 0;
    for (int r = first; r < last; ++r) {{
        const ptrdiff_t at = (ptrdiff_t)r * features + c;
        products += dy[at] * (x[at] - centre);
        sums += dy[at];
    }}
    product = products;
    sum = sums;
    """,
    lambda dy, x, mean, products, sums: (dy, x, mean, *x.shape, len(sums), products, sums),
)


@Operation
def join_sums(
    xp: Any, products: Array, sums: Array, inverse_std: Array, d_gamma: Array, d_beta: Array
) -> None:
    """Write the sums of the products, times ``inverse_std``, and of the sums of all parts."""
    d_gamma[...] = products.sum(axis=0) * inverse_std
    d_beta[...] = sums.sum(axis=0)


join_sums.cuda(
    "raw T products, raw T sums, int32 features, int32 parts, T inverse_std",
    "T d_gamma, T d_beta",
    """
    double product = 0, sum = 0;
    for (int p = 0; p < parts; ++p) {
        product += products[p * features + i];
        sum += sums[p * features + i];
    }
    d_gamma = product * inverse_std;
    d_beta = sum;
    """,
    lambda products, sums, inverse_std, d_gamma, d_beta: (
        *(products, sums, products.shape[1], len(products)),
        *(inverse_std, d_gamma, d_beta),
    ),
)


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
