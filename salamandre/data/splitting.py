"""Choosing rows of a data set, with the same share of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import real, whole
from salamandre.texts import counted


def chosen_rows(labels: NDArray[np.integer], test_share: float, seed: int) -> NDArray[np.bool_]:
    """Return whether each row belongs to the smaller part; each class keeps one row at least.

    Args:
        labels: whole numbers (N,) from 0 on.
        test_share: the share of the rows that are chosen, above 0 and below 1.
        seed: of the choice.

    Raises:
        ValueError: a share that chooses none.
    """
    share = real("test_share", test_share, 0, 1, above=True, below=True)
    random = np.random.default_rng(whole("seed", seed, 0))
    counts = np.bincount(labels)
    most = np.maximum(counts - 1, 0)
    wanted = share * counts
    taken = np.minimum(np.floor(wanted).astype(int), most)
    # The rest goes to the classes with the largest remainders; chance decides between equals.
    by_chance = random.permutation(len(counts))
    order = by_chance[np.argsort(-(wanted % 1)[by_chance], kind="stable")]
    order = order[(taken < most)[order]]
    taken[order[: max(0, round(share * len(labels)) - taken.sum())]] += 1
    if not taken.any():
        raise ValueError(
            f"a share of {share:g} of {counted(len(labels), 'example')} leaves none to test with: "
            f"give a larger share, or more examples of each class"
        )
    shuffled = random.permutation(len(labels))
    shuffled = shuffled[np.argsort(labels[shuffled], kind="stable")]  # class after class
    rank = np.arange(len(labels)) - (np.cumsum(counts) - counts)[labels[shuffled]]
    test = np.zeros(len(labels), bool)
    test[shuffled[rank < taken[labels[shuffled]]]] = True
    return test


def spread_rows(count: int, length: int) -> NDArray[np.integer]:
    """Return the numbers of so many rows of a length, or of all, in equal steps."""
    count = min(whole("count", count), length)
    return np.arange(count) * length // max(1, count)
