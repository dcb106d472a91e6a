"""Networks in files, architecture and weights, and parts of networks as networks of their own."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from salamandre.backend import get_backend
from salamandre.checks import one_of
from salamandre.class_names import checked_names
from salamandre.component import decode, encode
from salamandre.inputs import BYTES, checked_pixels, checked_shape
from salamandre.layer import Layer
from salamandre.layers.containers import Sequential
from salamandre.learnable import Diverged
from salamandre.storage import StoredFile, read_file, write_file


def save(network: Any, path: str | os.PathLike[str]) -> None:
    """See :meth:`Network.save`."""
    description = encode(network)
    if network.class_names is not None:
        description["class_names"] = list(network.class_names)
    if network.pixels != BYTES:
        description["pixels"] = list(network.pixels)
    tensors = network.tensors()
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise Diverged(
                f"the network's array {name!r} holds NaN or infinity: it is not saved, and {path} "
                f"stays as it was"
            )
    write_file(path, "network", description, tensors)


def load(cls: Any, path: str | os.PathLike[str], backend: Any) -> Any:
    """See :meth:`Network.load`."""
    stored = read_file(path, "network")
    get_backend(backend)  # what is missing here is no fault of the file
    with stored.blame():
        description = stored.architecture
        if not isinstance(description, dict) or description.get("class") != "layers.Network":
            raise ValueError("it does not describe a Network")
        names = checked_names(description.pop("class_names", None))
        pixels = checked_pixels(description.pop("pixels", BYTES))
        _compare_sizes(description, stored)
        placed = _changed(description, backend=backend)
        network = cls(**{name: decode(v) for name, v in placed.items() if name != "class"})
        network.load_tensors(stored.tensors)
        network.class_names, network.pixels = names, pixels
    return network


def _compare_sizes(description: dict[str, Any], stored: StoredFile) -> None:
    """Compare sizes with the tensors that there are before memory is taken for them."""
    parts = _changed(description, input_shape=None, optimizer=None, loss=None, frozen=[])
    sketch = decode(parts)
    shape = description.get("input_shape")
    if not isinstance(shape, (int, list)):
        raise ValueError(f"its input_shape is {shape!r}")
    sketch.build(checked_shape(shape))
    wanted = {p + d.name: d.shape for p, layer in sketch.walk() for d in layer.declared}
    found = {name: stored.tensors[name].shape for name in wanted if name in stored.tensors}
    if wanted != found:
        name = next(name for name in wanted if wanted[name] != found.get(name))
        raise ValueError(
            f"its architecture needs {name!r} of shape {wanted[name]}, "
            f"it holds {found.get(name, 'none')}"
        )


def _changed(value: Any, **arguments: Any) -> Any:
    """Return a description whose networks, those that are shared too, have other arguments."""
    if isinstance(value, list):
        return [_changed(item, **arguments) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _changed(item, **arguments) for name, item in value.items()}
    return found | (arguments if found.get("class") == "layers.Network" else {})


def part(network: Any, name: str) -> Any:
    """See :meth:`Network.part`.

    Raises:
        ValueError: no such part of a chain of layers; the nearest name is given.
    """
    network._require_vectors()
    parts = {found: (layer, shape) for found, layer, shape in _parts(network)}
    layer, shape = parts[one_of("part of the network", name, parts)]
    if layer.owns_vectors:
        return copy.deepcopy(layer)
    chain = type(layer) in (Sequential, type(network))
    description = {
        "class": "layers.Network",
        "layers": encode(layer.children if chain else [layer]),
        "names": encode(layer.names) if chain else None,
        "input_shape": shape,
        "dtype": network.dtype.name,
    }
    made = decode(_changed(description, backend=network.backend))
    start, own = f"{name}.", "" if chain else "0."
    arrays = network.tensors().items()
    made.load_tensors({own + n.removeprefix(start): a for n, a in arrays if n.startswith(start)})
    made.class_names, made.pixels = network.class_names, network.pixels
    return made


def _parts(chain: Sequential, prefix: str = "") -> Iterator[tuple[str, Layer, Any]]:
    """Yield name, layer and input shape of each layer of a chain, and of those inside."""
    for index, (name, layer) in enumerate(zip(chain.child_names, chain.children, strict=True)):
        yield prefix + name, layer, chain._outputs[index - 1]
        if isinstance(layer, Sequential) and not layer.owns_vectors:
            yield from _parts(layer, f"{prefix}{name}.")
