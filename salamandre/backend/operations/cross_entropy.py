"""The cross-entropy of logits and labels: losses and gradient in one loop over the examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend.operation import Array, Operation


@Operation
def cross_entropy(
    xp: Any, z: Array, labels: Array, smoothing: float, losses: Array, dz: Array
) -> None:
    """Write E = -Σ_j t_j log p_j of each example, and the derivative (p - t) / N of their mean.

    p = softmax(z), t = (1 - smoothing) at the label, plus smoothing / classes everywhere. Shapes: z
    and dz (classes, N), labels and losses (N,).
    """
    classes, count = z.shape
    log_p = z - z.max(axis=0)
    log_p -= xp.log(xp.exp(log_p).sum(axis=0))
    every = xp.arange(count)
    losses[...] = (smoothing - 1) * log_p[labels, every]
    xp.exp(log_p, out=dz)
    if smoothing:
        losses -= smoothing / classes * log_p.sum(axis=0)
        dz -= smoothing / classes
    dz[labels, every] -= 1 - smoothing
    dz *= 1 / count


@cross_entropy.compiled
def _cross_entropy(z: Array, labels: Array, smoothing: float, losses: Array, dz: Array) -> None:
    classes, count = z.shape
    one = z.dtype.type(1)
    share, rest = one / z.dtype.type(count), smoothing / z.dtype.type(classes)
    for n in range(count):
        label = labels[n]
        if not 0 <= label < classes:  # a loop looks at no bounds
            losses[n] = dz[0, n] = np.nan
            for c in range(1, classes):
                dz[c, n] = np.nan
            continue
        largest = z[0, n]
        for c in range(1, classes):
            largest = max(largest, z[c, n])
        total = shifts = one - one
        for c in range(classes):
            shift = z[c, n] - largest
            dz[c, n] = np.exp(shift)
            total += dz[c, n]
            shifts += shift
        log = np.log(total)
        right = z[label, n] - largest - log
        losses[n] = (smoothing - one) * right
        if smoothing > 0:  # of one logit far below the others the shift may be infinite
            losses[n] -= rest * (shifts - z.dtype.type(classes) * log)
        for c in range(classes):
            dz[c, n] = (dz[c, n] / total - rest) * share
        dz[label, n] -= (one - smoothing) * share


# A thread for each example: neighbouring ones read neighbouring logits.
cross_entropy.cuda(
    "raw T z, L label, T smoothing, int32 classes, int32 count",
    "raw T dz, T loss",
    """
    T largest = z[i];
    for (int c = 1; c < classes; ++c) {
        const T logit = z[(ptrdiff_t)c * count + i];
        if (!(logit <= largest)) largest = logit;
    }
    T total = 0, shifts = 0;
    for (int c = 0; c < classes; ++c) {
        const T shift = z[(ptrdiff_t)c * count + i] - largest, power = exp(shift);
        dz[(ptrdiff_t)c * count + i] = power;
        total += power;
        shifts += shift;
    }
    const T logarithm = log(total), rest = smoothing / classes;
    const bool known = label >= 0 && label < classes;
    const T right = known ? z[(ptrdiff_t)label * count + i] - largest - logarithm : T(0) / T(0);
    loss = (smoothing - 1) * right;
    if (smoothing > 0) loss -= rest * (shifts - classes * logarithm);
    for (int c = 0; c < classes; ++c) {
        const T target = known ? rest + (c == label ? 1 - smoothing : T(0)) : T(0) / T(0);
        dz[(ptrdiff_t)c * count + i] = (dz[(ptrdiff_t)c * count + i] / total - target) / count;
    }
    """,
    lambda z, labels, smoothing, losses, dz: (z, labels, smoothing, *z.shape, dz, losses),
)
