"""Weights of examples, from those of their classes and their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salamandre.checks import array, one_of, real, shortened
from salamandre.class_names import SIGNS, TRUTHS, Names, composed, listed, whole_labels
from salamandre.data.arrays import Examples, are_one_hot


def example_weights(
    found: Examples,
    classes: int,
    class_weights: Mapping[Any, float] | Sequence[float] | str | None,
    sample_weights: Any = None,
) -> np.ndarray | None:
    """Return the weight (N,) of each example, the product of both kinds; ``None`` without them.

    Args:
        found: the data set; its targets are labels or one-hot, for class weights.
        classes: how many the network has.
        class_weights: numbers by class names or labels, 1 for the others; one for each class; or
            ``"balanced"``, N / (classes · count of the class), where classes are those with
            examples (as in scikit-learn).
        sample_weights: a number of at least 0 for each example.
    """
    weights = None
    if sample_weights is not None:
        weights = array("sample_weights", sample_weights)
        if weights.shape != found.targets.shape[:1]:
            raise ValueError(
                f"sample_weights must be one number for each of the {len(found.targets)} examples, "
                f"got shape {weights.shape}"
            )
        real_numbers = weights.dtype.kind in "fiub"
        if not (real_numbers and np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(
                f"sample_weights must be finite numbers of at least 0, got {shortened(weights)}"
            )
        weights = weights.astype(np.float64)
    if class_weights is not None:
        targets = found.targets
        labels = targets.argmax(axis=1) if are_one_hot(targets) else whole_labels(targets)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError("class_weights need targets that are labels or one-hot")
        known = max(classes, 2)
        if labels.min() < 0 or labels.max() >= known:
            raise ValueError(
                f"labels must lie in 0..{known - 1}, got {labels.min()}..{labels.max()}"
            )
        of_class = _by_class(class_weights, labels, found.class_names, classes)[labels]
        weights = of_class if weights is None else weights * of_class
    if weights is not None and not weights.any():
        raise ValueError("the weights of all examples are 0: nothing would be learned")
    return weights


def _by_class(given: Any, labels: np.ndarray, names: Names | None, classes: int) -> np.ndarray:
    """Return the weight of each class."""
    counts = np.bincount(labels, minlength=classes)
    if isinstance(given, str):
        one_of("class_weights", given, ["balanced"])
        return len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    weights = np.ones(len(counts))
    if isinstance(given, Mapping):
        by_name = {composed(name): label for label, name in enumerate(names or ())}
        for name, weight in given.items():
            spoken = isinstance(name, str) or names in (SIGNS, TRUTHS)  # -1 and True are names
            label: Any = by_name.get(composed(str(name)), name) if spoken else name
            whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
            if not whole or not 0 <= label < len(weights):
                known = listed(names) if names else f"0..{len(weights) - 1}"
                raise ValueError(f"class_weights name {name!r}: the classes are {known}")
            weights[label] = real(f"the weight of class {name!r}", weight, 0)
        return weights
    given = np.atleast_1d(array("class_weights", given)).tolist()
    if len(given) != len(weights):
        raise ValueError(
            f"class_weights must be one number for each of the {len(weights)} classes, got "
            f"{len(given)}"
        )
    return np.array([real("a class weight", weight, 0) for weight in given])
