"""Metrics of classes: which are confused, and how evenly and clearly they are generated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.checks import array, numbers, shortened, whole
from salamandre.class_names import Names, by_name


def confusion(labels: Any, guesses: Any, classes: int | Sequence[str]) -> np.ndarray:
    """Return counts (classes, classes): row the true label, column the guessed one.

    Args:
        labels: whole numbers (N,), names of classes, or rows (N, classes), of which the largest
            number counts: one-hot targets.
        guesses: likewise, or a network's outputs (N, classes).
        classes: how many there are, or their names.
    """
    names = None if isinstance(classes, (int, float, np.number)) else tuple(classes)
    count = whole("classes", len(names) if names else classes)
    true, guessed = (
        _labels(what, values, count, names)
        for what, values in (("labels", labels), ("guesses", guesses))
    )
    if len(true) != len(guessed):
        raise ValueError(
            f"confusion needs as many guesses as labels, got {len(guessed)} and {len(true)}"
        )
    return np.bincount(true * count + guessed, minlength=count**2).reshape(count, count)


def _labels(what: str, values: Any, classes: int, names: Names | None = None) -> np.ndarray:
    """Return labels (N,) in 0..classes-1, also from one-hot rows or names."""
    found = array(what, values)
    if names is None and found.dtype.kind == "U":
        raise ValueError(
            f"{what} are text: give whole numbers, or to confusion the names of the classes in "
            f"place of their number"
        )
    found = numbers(what, by_name(what, found, names))
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise ValueError(f"{what} must be finite, got NaN or infinity")
    if found.ndim == 2 and found.shape[1] == classes and classes > 1:
        found = found.argmax(axis=1)
    if found.ndim != 1 or not (found.dtype.kind in "iub" or (found == np.rint(found)).all()):
        raise ValueError(
            f"{what} must be whole numbers (N,) or rows (N, {classes}), got {found.dtype} of shape "
            f"{found.shape}"
        )
    if len(found) and not 0 <= found.min() <= found.max() < classes:
        raise ValueError(
            f"{what} must lie in 0..{classes - 1}, got values from {found.min():g} to "
            f"{found.max():g}"
        )
    return found.astype(np.int64)


def class_shares(labels: Any, classes: int) -> np.ndarray:
    """Return the share (classes,) of each class among labels (N,)."""
    found = _labels("labels", labels, whole("classes", classes))
    if not len(found):
        raise ValueError("class_shares needs at least one label")
    return np.bincount(found, minlength=classes) / len(found)


def class_divergence(shares: np.ndarray, reference: np.ndarray) -> float:
    """Return KL(shares ‖ reference) = Σ s ln(s / r) in nats; 0 if both agree.

    The measure of how evenly modes are drawn in Srivastava et al. 2017, section 4.1, and Lin et
    al. 2018, section 4.1. It is infinite if a class appears that the reference lacks.

    Args:
        shares: (classes,) of the generated examples.
        reference: (classes,) of the data.
    """
    shares, reference = numbers("shares", shares), numbers("shares", reference)
    if shares.shape != reference.shape:
        raise ValueError(f"both need a share for each class, got {shares.shape}, {reference.shape}")
    for values in (shares, reference):
        if not ((values >= 0) & (values < np.inf)).all():  # NaN is not
            raise ValueError(
                f"shares must be finite numbers of at least 0, got {shortened(values)}"
            )
        if not np.isclose(values.sum(), 1, atol=0.01):
            raise ValueError(f"shares must sum to 1, got {shortened(values)}: divide by their sum")
    seen = shares > 0
    with np.errstate(divide="ignore"):
        return float((shares[seen] * np.log(shares[seen] / reference[seen])).sum())


def classifier_score(probabilities: np.ndarray) -> float:
    """Return exp(mean KL(p(y | x) ‖ p(y))), from 1 to the number of classes.

    The formula of the Inception score (Salimans et al. 2016, section 4), for any classifier: large
    if each example clearly belongs to one class and all classes are equally frequent.

    Args:
        probabilities: p(y | x), (N, classes); rows sum to 1.
    """
    p = np.asarray(array("probabilities", probabilities), dtype=np.float64)
    if p.ndim != 2 or not len(p) or (p < 0).any() or not np.allclose(p.sum(axis=1), 1, atol=1e-4):
        raise ValueError(
            f"classifier_score needs rows (N, classes) of numbers of at least 0 that sum to 1, got "
            f"{shortened(p)}"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(p.mean(axis=0))), 0)
    return float(np.exp(terms.sum(axis=1).mean()))
