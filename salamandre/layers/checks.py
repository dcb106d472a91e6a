"""What a container checks of the layers that it is made of; each error names the layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.checks import whole
from salamandre.layer import Layer, Linear, Shape
from salamandre.parts import held


def checked_output_shape(shape: Any) -> Shape:
    """Return the shape that a layer's build has returned, as a tuple."""
    if not isinstance(shape, (tuple, list)) or not shape:
        raise ValueError(
            f"its build must return the shape of one output, such as (3,), got {shape!r}"
        )
    return tuple(whole("each number of the shape that its build returns", size) for size in shape)


def with_children(layer: Layer) -> Layer:
    """Return a layer if the children of it, which may be a user's own, are layers."""
    children = layer.children
    if not (isinstance(children, Sequence) and all(isinstance(c, Layer) for c in children)):
        raise TypeError(
            f"{type(layer).__name__}.children must be a list of layers, got {children!r}"
        )
    return layer


def check_held(layer: Layer) -> None:
    """Check that a layer tells of the layers that it holds: others would not learn."""
    for name, inner in held(layer, Layer):
        known = inner.built or inner.owns_vectors or any(inner is c for c in layer.children)
        learns = not isinstance(inner, Linear) and "function" not in inner.required  # activations
        if learns and not known:
            raise ValueError(
                f"its attribute {name!r} holds {inner!r}, which is not among its children and "
                f"would not learn: derive the class from salamandre.Sequential, or set "
                f"self.children to the layers that it holds"
            )


def output_mistake(layer: Layer, method: str, found: Any, shape: Shape, dtype: Any) -> str:
    """Say what is wrong with what a method of a layer has returned; "" if nothing is.

    Args:
        layer: whose method it is.
        method: ``"compute"`` or ``"backprop"``.
        found: what it has returned, expected to be an array (N, *shape).
        shape: expected, of one example.
        dtype: expected.
    """
    if getattr(found, "shape", ())[1:] == shape and getattr(found, "dtype", None) == dtype:
        return ""
    if hasattr(found, "shape"):
        got = f"{getattr(found, 'dtype', 'values')} of shape {found.shape}"
    else:
        got = "None" if found is None else f"a {type(found).__name__}"
    what = "y, of the shape that build has returned" if method == "compute" else "dE/dx"
    expected = f"{np.dtype(dtype)} of shape (N, {', '.join(map(str, shape))})"
    mistake = f"{type(layer).__name__}.{method} must return {what}: {expected}, got {got}"
    if layer.is_standard(method) and getattr(found, "dtype", dtype) != dtype:
        mistake += " (a layer that it has to do with keeps no dtype: gradient_check names it)"
    return mistake
