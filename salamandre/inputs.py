"""What networks are given: shapes, batches and labels, checked before anything changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend import Array, Backend
from salamandre.checks import unmasked, whole
from salamandre.layer import Shape


def checked_shape(sizes: Any) -> tuple[Any, ...]:
    """Return the shape of an example, or a tuple of the shapes of several inputs."""
    sizes = sizes if isinstance(sizes, (list, tuple)) else (sizes,)
    if not sizes:
        raise ValueError("input_shape needs at least one dimension, got none")
    if isinstance(sizes[0], (list, tuple)):
        return tuple(checked_shape(part) for part in sizes)
    return tuple(whole("a dimension of input_shape", size) for size in sizes)


def checked_input(x: Any, shape: Any, dtype: Any, backend: Backend, finite: bool = True) -> Any:
    """Return a batch x (N, *shape), or a tuple of such, as an array of the backend and dtype.

    Args:
        x: an array of the backend or of the host; of several inputs a tuple.
        shape: of an example, or a tuple of the shapes of several inputs.
        dtype: of the result.
        backend: of the result.
        finite: whether x is searched for NaN and infinity. Default True.
    """
    if not (shape and isinstance(shape[0], tuple)):
        return _checked_array(x, shape, dtype, backend, finite)
    got = f"{len(x)} of them" if isinstance(x, (tuple, list)) else f"a {type(x).__name__}"
    if got != f"{len(shape)} of them":
        raise ValueError(f"expected a tuple of {len(shape)} inputs, got {got}")
    inputs = tuple(
        _checked_array(array, part, dtype, backend, finite)
        for array, part in zip(x, shape, strict=True)
    )
    if len({len(array) for array in inputs}) > 1:
        raise ValueError(
            f"expected as many examples in each input, got {[len(array) for array in inputs]}"
        )
    return inputs


def _checked_array(x: Any, shape: Shape, dtype: Any, backend: Backend, finite: bool) -> Array:
    x = backend.asarray(unmasked("the inputs", x))
    if x.dtype != dtype:
        if x.dtype.kind not in "fiub":
            raise ValueError(f"inputs must be real numbers, got dtype {x.dtype}")
        with np.errstate(over="ignore"):  # what is too large is found infinite below
            x = x.astype(dtype)
    if x.shape[1:] != shape or x.ndim == 0:
        raise ValueError(
            f"expected a batch of shape (N, {str(shape)[1:].rstrip(',)')}), got {x.shape}"
        )
    if len(x) == 0:
        raise ValueError(f"expected at least one example, got an empty batch {x.shape}")
    if finite and not backend.all_finite(x):
        raise ValueError("the inputs hold NaN or infinity: clean them first")
    return x


def example_count(x: Any) -> int:
    """Return the number of examples in a batch."""
    return len(x[0] if isinstance(x, tuple) else x)


def checked_labels(labels: Any, classes: int | None, count: int, backend: Backend) -> Array | None:
    """Return the labels (count,) of a batch, for a network that knows so many classes, if any."""
    if labels is None:
        if classes:
            raise ValueError(
                f"this network is conditional: it needs a label for each of {count} examples, "
                f"labels=..."
            )
        return None
    if not classes:
        raise ValueError("this network has no conditional layer: it takes no labels")
    if not hasattr(labels, "dtype"):
        labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise ValueError(
            f"labels must be whole numbers of shape ({count},), got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    known = (labels >= 0) & (labels < classes)
    # Those that are on the host are checked whatever the backend.
    if not (known.all() if isinstance(known, np.ndarray) else backend.all_true(known)):
        raise ValueError(f"labels must lie in 0..{classes - 1}")
    return backend.asarray(labels)


def checked_gradient(dy: Any, shape: Shape | None, dtype: Any, backend: Backend) -> Array:
    """Return dE/dy for outputs of ``shape``, which is ``None`` before there are any."""
    if shape is None:
        raise RuntimeError("backprop needs a compute before it: call compute(x) first")
    dy = backend.asarray(dy, dtype=dtype)
    if dy.shape != shape:
        raise ValueError(
            f"backprop expects dy of the latest outputs' shape {shape}, got {dy.shape}"
        )
    return dy
