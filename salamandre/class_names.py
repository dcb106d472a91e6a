"""Names of classes: what a label means where two sets, or a set and a network, meet.

Labels are whole numbers, label k is the class ``names[k]``. Two lists of names may differ in order;
then labels are translated by name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from salamandre.checks import array, nearest

Names = tuple[str, ...]
SIGNS: Names = ("-1", "1")  # of two classes whose labels are -1 and 1
TRUTHS: Names = ("False", "True")
SHOWN = 3  # names at each end of a list that is shortened


def checked_names(names: Sequence[str] | None) -> Names | None:
    """Return the names of a network's classes, different texts, or ``None``."""
    if names is None:
        return None
    given = several_texts(names)
    if len({*map(composed, given)}) < len(given):
        raise ValueError(f"class_names must be different names, got {listed(given)}")
    return tuple(map(str, given))


def several_texts(names: Any) -> Names:
    """Return names of classes in a tuple; refuse what is no sequence of texts."""
    given = () if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    if not given or not all(isinstance(name, str) for name in given):
        raise ValueError(f"class_names must be a sequence of texts, or None, got {names!r}")
    return given


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), in which names are compared."""
    return unicodedata.normalize("NFC", name)


def listed(names: Sequence[str]) -> str:
    """Return names in quotes; of many the first and the last ones."""
    quoted = [repr(name) for name in names]
    if len(quoted) > 2 * SHOWN + 1:
        quoted[SHOWN:-SHOWN] = ["..."]
    return ", ".join(quoted)


def matched(
    what: str, labels: np.ndarray, names: Sequence[str], whose: str, wanted: Sequence[str]
) -> np.ndarray:
    """Return labels of the classes ``names`` as those that the same classes have in another list.

    Args:
        what: has the labels, for the message.
        labels: whole numbers from 0 on, of any shape; returned as they are if both lists are the
            same, else with the smallest type of unsigned numbers that has all labels.
        names: what the labels stand for.
        whose: the classes ``wanted`` are, for the message.
        wanted: the names that labels shall stand for; there may be more of them.

    Raises:
        ValueError: a name that ``wanted`` lacks; both lists are named.
    """
    ours, theirs = [*map(composed, names)], [*map(composed, wanted)]
    if ours == theirs:
        return labels
    known = {name: label for label, name in reversed([*enumerate(theirs)])}
    if missing := [name for name in ours if name not in known]:
        raise ValueError(
            f"{what} has a class {listed(missing)} that {whose} lacks: its classes are "
            f"{listed(names)}, those of {whose} {listed(wanted)}"
        )
    kind = np.min_scalar_type(len(theirs) - 1)
    return np.array([known[name] for name in ours], kind)[labels]


def by_name(what: str, labels: Any, names: Names | None) -> Any:
    """Return labels as whole numbers where they are texts, or -1 and 1 for classes of these names.

    Other arrays, whole numbers among them, are returned as they are.

    Args:
        what: the labels are, for messages.
        labels: an array, or what :func:`salamandre.checks.array` takes.
        names: of the classes; ``None`` if they are not known.

    Raises:
        ValueError: text that is no class's name.
    """
    labels = array(what, labels)
    if names is None and labels.dtype.kind in "fiub":  # nearly always
        return labels
    if labels.dtype.kind == "U":
        if names is None:
            first = f"such as {str(labels.flat[0])!r}" if labels.size else "of none"
            raise ValueError(
                f"{what} are text {first}, and the network has no class_names yet: give whole "
                f"numbers, or set network.class_names"
            )
        known = {composed(name): label for label, name in enumerate(names)}
        found, places = np.unique(labels, return_inverse=True)
        for name in found:
            if composed(name) not in known:
                raise ValueError(
                    f"{what} hold {str(name)!r}{nearest(name, names)}: the classes are "
                    f"{listed(names)}"
                )
        return np.array([known[composed(name)] for name in found])[places].reshape(labels.shape)
    if names == SIGNS and labels.dtype.kind in "if":
        signs = abs(labels) == 1
        if isinstance(signs, np.ndarray) and signs.all():
            return (labels > 0).astype(np.int64)
    return labels


def names_within(labels: np.ndarray) -> Names | None:
    """Return the names that labels bring along: texts, -1 and 1, or truths; ``None`` for others."""
    kind = labels.dtype.kind
    if kind == "U":
        return tuple(sorted({composed(str(name)) for name in np.unique(labels)}))
    if kind == "b":
        return TRUTHS
    if kind in "if" and labels.size and labels.min() == -1 and (abs(labels) == 1).all():
        return SIGNS
    return None


def whole_labels(labels: Any) -> Any:
    """Return labels (N,) or (N, 1) that are whole numbers or truths as integers (N,).

    Other arrays are returned as they are.
    """
    kind = labels.dtype.kind
    if kind not in "fiub" or (labels.ndim != 1 and labels.shape[1:] != (1,)):
        return labels
    if kind in "fb":
        with np.errstate(invalid="ignore"):  # what is no number is not equal to itself
            numbers = labels.astype(np.int64)
        if not bool((numbers == labels).all()):
            return labels
        labels = numbers
    return labels if labels.ndim == 1 else labels.reshape(-1)
