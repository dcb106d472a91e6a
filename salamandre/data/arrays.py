"""Data sets as people have them: images with class names, or pairs of arrays, lists and tables."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from salamandre.backend import Array
from salamandre.checks import array
from salamandre.class_names import Names, by_name, matched, names_within, whole_labels
from salamandre.data.images import Images, checksum
from salamandre.data.paired_images import Pairs
from salamandre.data.rows import BLOCK, Rows, sampled
from salamandre.data.splitting import chosen_rows
from salamandre.inputs import Pixels, are_bytes
from salamandre.network import Network

Data = Images | tuple[Any, Any]


class Examples(NamedTuple):
    """A data set in arrays.

    Attributes:
        inputs: (N, ...).
        targets: (N, ...); class labels are whole numbers (N,).
        class_names: what the labels stand for, ``None`` if that is not known.
        pixels: how the inputs are scaled; ``None`` for those that are taken as they are.
        name: of the set, or a checksum of the arrays.
        reconstructed: whether the targets are the inputs, as the network gets them.
    """

    inputs: np.ndarray
    targets: np.ndarray
    class_names: Names | None
    pixels: Pixels | None
    name: str
    reconstructed: bool = False


def examples(
    data: Data, network: Network, names: Names | None, labelled: bool, pixels: Pixels
) -> Examples:
    """Return a data set in arrays, checked.

    Args:
        data: :class:`Images`, or a pair (inputs, targets), each what
            :func:`salamandre.checks.array` takes; (inputs, ``None``) for targets that are the
            inputs, as an autoencoder learns them.
        network: that learns from it.
        names: the classes that labels shall stand for. Default: those of the network, else of
            the set.
        labelled: whether -1 and 1, and truths, among the targets are labels of two classes.
        pixels: how bytes are scaled; of :class:`Images` their own ``white`` counts.

    Raises:
        ValueError: other classes than ``names``, an empty set, different numbers of inputs and
            targets, NaN or infinity.
    """
    names = names or network.class_names
    if isinstance(data, Images):
        wanted, pixels = names or data.classes, pixels._replace(white=data.white)
        name = f"{data.name} ({data.split})"
        what = f"the data set {name!r}"
        targets = matched(what, data.labels, data.classes, "the network", wanted)
        found = Examples(data.images, targets, wanted, pixels, name)
    else:
        inputs, given = _pair(data)
        if reconstructed := data[1] is None:
            labelled = False
        for what, values in (("inputs", inputs), ("targets", given)):
            if values.dtype.kind not in ("fiub" if what == "inputs" else "fiubU"):
                raise ValueError(f"the {what} must be real numbers, got dtype {values.dtype}")
            if values.dtype.kind == "f" and not _finite(sampled(values)):
                raise ValueError(f"the {what} of the data set hold NaN or infinity: clean them")
        targets, own = named_labels(given, names, labelled)
        if labelled and network.output_shape[-1] > 1:
            targets = whole_labels(targets)
        scaled = inputs.ndim > 0 and are_bytes(inputs)
        kept = targets if given.dtype.kind == "U" else given
        content = checksum(sampled(inputs), sampled(kept))
        name = f"{'images' if scaled else 'arrays'} {content:08x}"
        name += ", reconstructed" * reconstructed
        found = Examples(inputs, targets, own, pixels if scaled else None, name, reconstructed)
        _warn_of_pixels(found)
    return found


def require_one_set(data: Any) -> None:
    """Refuse several data sets in a row, as :func:`salamandre.data.load` returns them."""
    if isinstance(data, (tuple, list)) and any(isinstance(part, Images) for part in data):
        raise ValueError(
            "got several data sets where one is meant: train, test = data.load(...), then "
            "fit(train, validation_data=test), Engine(network, train, test) or a game of train"
        )


def _pair(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets as arrays with as many rows, at least one."""
    require_one_set(data)
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(
            f"a data set must be Images or a pair (inputs, targets), got {type(data).__name__}"
            + (f" of {len(data)}" if isinstance(data, (tuple, list)) else "")
            + (": write (x, y)" if hasattr(data, "shape") else "")
        )
    inputs = array("the inputs", data[0])
    targets = inputs if data[1] is None else array("the targets", data[1])
    if min(inputs.ndim, targets.ndim) == 0 or len(inputs) != len(targets) or len(inputs) == 0:
        inputs_given, given = (len(a) if a.ndim else "one" for a in (inputs, targets))
        raise ValueError(
            f"a data set needs as many targets as inputs and at least one, "
            f"got {inputs_given} inputs and {given} targets"
        )
    return inputs, targets


def _finite(values: np.ndarray) -> bool:
    """Return whether there is no NaN or infinity, with little memory: values may be mapped."""
    step = max(1, BLOCK // max(1, values[:1].nbytes))
    blocks = (values[first : first + step] for first in range(0, len(values), step))
    return all(np.isfinite(block).all() for block in blocks)


def named_labels(
    targets: np.ndarray, names: Names | None, labelled: bool
) -> tuple[np.ndarray, Names | None]:
    """Return targets that are class labels in words, signs or truths as whole numbers, and names.

    Args:
        targets: of a data set; other arrays than such labels are returned as they are.
        names: what labels shall stand for. Default: the labels, sorted.
        labelled: whether signs and truths are labels.
    """
    kind = targets.dtype.kind
    if kind != "U" and not labelled:
        return targets, names
    if targets.ndim == 2 and targets.shape[1] == 1 and (kind == "U" or names_within(targets)):
        targets = targets.reshape(-1)
    # Rows of signs or truths are answers to several questions, not classes.
    own = names_within(targets) if targets.ndim == 1 or kind == "U" else None
    if kind == "b":
        return targets.astype(np.uint8), names or own
    labels = by_name("the targets", targets, own or names)
    if own and names:
        labels = matched("the data set", labels, own, "the network", names)
    return labels, names or own


def _warn_of_pixels(found: Examples) -> None:
    """Warn of arrays that look like pixels with another value range than is expected."""
    inputs, targets, pixels = sampled(found.inputs), sampled(found.targets), found.pixels
    if not inputs.size or inputs.dtype.kind not in "fiu":
        return
    low, high, warning = inputs.min(), inputs.max(), ""
    if pixels is not None:
        if high < pixels.white / 8:
            warning = (
                f"images of unsigned bytes are divided by {pixels.white}, and these reach only "
                f"{high}: give floats, divided by what a white pixel has"
            )
        elif high > pixels.white:
            warning = (
                f"images of unsigned bytes are divided by {pixels.white} for this network, which "
                f"has learned such, and these reach {high}: set network.pixels = sal.inputs.BYTES"
            )
        elif not found.reconstructed and are_bytes(targets) and targets.max() > 1:
            warning = (
                f"the inputs are scaled to {pixels.low:g}..{pixels.high:g}, the targets are taken "
                f"as they are, in {targets.min()}..{targets.max()}: give them as floats of the "
                f"range that is meant"
            )
    elif low >= 0 and 128 <= high <= 255 and inputs[0].size >= 64:
        warning = (
            "the inputs look like pixels in 0..255, and are taken as they are: divide them by 255, "
            "or give images (N, C, H, W) of unsigned bytes, which are scaled"
        )
    if warning:
        warnings.warn(warning, stacklevel=5)


def are_one_hot(targets: Array) -> bool:
    """Return whether each row of targets (N, classes) is 1 at one class and 0 at the others.

    Rows in files are inputs that are targets too, and are not looked at.
    """
    if isinstance(targets, Rows) or targets.ndim != 2 or targets.shape[1] < 2:
        return False
    return all(  # the first rows tell most others apart
        ((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()
        for rows in (targets[:10], targets)
    )


def split(data: Any, test_share: float, seed: int = 0) -> tuple[Any, Any]:
    """Return two disjoint parts of a data set, such as for training and validation.

    Args:
        data: :class:`Images` (see :meth:`Images.train_test_split`), :class:`Pairs`, or a pair
            (inputs, targets).
            If the targets are labels, both parts have the same shares of each class.
        test_share: the share of the examples in the second part, above 0 and below 1.
        seed: of the choice. Default 0.

    Returns:
        Two data sets of the same kind; those of arrays are copies, in the order of the examples.

    Raises:
        ValueError: a share that leaves one of them empty.
    """
    if isinstance(data, (Images, Pairs)):
        return data.train_test_split(test_share, seed)
    inputs, targets = _pair(data)
    chosen = split_rows(data, test_share, seed)
    if data[1] is None:
        return (inputs[~chosen], None), (inputs[chosen], None)
    return (inputs[~chosen], targets[~chosen]), (inputs[chosen], targets[chosen])


def split_rows(data: Data, test_share: float, seed: int) -> np.ndarray:
    """Return whether each example (N,) is in the second part that :func:`split` returns."""
    if isinstance(data, Images):
        return chosen_rows(data.labels, test_share, seed)
    _, targets = _pair(data)
    labels = targets.argmax(axis=1) if are_one_hot(targets) else whole_labels(targets)
    classes = np.zeros(len(targets), np.int64)
    if labels.dtype.kind in "Uiub" and labels.shape in (classes.shape, (len(labels), 1)):
        found, numbers = np.unique(labels.reshape(-1), return_inverse=True)
        if 2 * len(found) <= len(labels):  # more are values, not classes
            classes = numbers
    return chosen_rows(classes, test_share, seed)
