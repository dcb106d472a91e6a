"""Networks as ONNX files."""

from __future__ import annotations

import json
import os
from typing import Any

from salamandre import __version__
from salamandre.atomic import write_atomically
from salamandre.network import Network
from salamandre.onnx.graph import LABELS, Graph, X, Y, writer_of
from salamandre.onnx.nodes import NODES
from salamandre.parts import checked_part
from salamandre.texts import bracketed

OPSET, IR_VERSION = 17, 8  # of ONNX 1.12 (2022): whatever reads newer ones reads these
LARGEST = 2**31  # bytes that a file of protocol buffers can hold
BATCH = "N"
INSTALL = "ONNX files need the package onnx: pip install 'salamandre[onnx]'"


def export_onnx(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network to an ONNX file, as it computes without training.

    Its input is ``x`` (N, *input_shape), of several inputs ``x_0``, ``x_1``, ..., and the labels of
    a conditional network are ``labels`` (N,), int64; its output is ``y`` (N, *output_shape), and N
    any number. All numbers are float32. Where layers draw noise without training, the runtime
    draws its own. Names of classes and the scaling of bytes (``pixels``) are in the metadata, as
    JSON.

    Layers of one's own are written if :data:`salamandre.onnx.NODES` has an entry for their class.

    Args:
        network: any, of any backend and dtype.
        path: the file; its folder is made if absent. It is written wholly or not at all.

    Raises:
        ValueError: layers that ONNX cannot say, which are named, or more than 2 GiB of numbers.
        RuntimeError: the package onnx is not installed.
    """
    write_atomically(path, onnx_bytes(network))


def onnx_bytes(network: Network) -> bytes:
    """Return the content of the file that :func:`export_onnx` writes."""
    try:
        import onnx
    except ImportError:
        raise RuntimeError(INSTALL) from None
    from onnx import helper

    checked_part("the network", network, Network)
    network._require_vectors()
    _check(network)
    graph, float32 = Graph(network, NODES), onnx.TensorProto.FLOAT
    several = isinstance(network.input_shape[0], tuple)
    shapes: dict[str, Any] = {X: network.input_shape}
    if several:
        shapes = {f"{X}_{number}": shape for number, shape in enumerate(network.input_shape)}
    y = graph.say(network, tuple(shapes) if several else X)
    graph.nodes.append(helper.make_node("Identity", [y], [Y], Y))
    inputs = [
        helper.make_tensor_value_info(name, float32, [BATCH, *shape])
        for name, shape in shapes.items()
    ]
    if network.classes:
        inputs.append(helper.make_tensor_value_info(LABELS, onnx.TensorProto.INT64, [BATCH]))
    output = helper.make_tensor_value_info(Y, float32, [BATCH, *network.output_shape])
    arrays = [onnx.numpy_helper.from_array(a, name) for name, a in graph.constants.items()]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "network", inputs, [output], arrays),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="salamandre",
        producer_version=__version__,
    )
    meaning = {"pixels": list(network.pixels), "class_names": network.class_names}
    helper.set_model_props(model, {name: json.dumps(v) for name, v in meaning.items() if v})
    content: bytes = model.SerializeToString()
    return content


def _check(network: Network) -> None:
    """Refuse what cannot be written, before anything is."""
    unknown = [
        f"{type(layer).__name__} ({path.rstrip('.') or 'the network itself'})"
        for path, layer in network.walk()
        if writer_of(layer, NODES) is None
    ]
    if unknown:
        raise ValueError(
            f"ONNX cannot say {len(unknown)} of the network's layers{bracketed(unknown)}: give "
            f"their nodes in salamandre.onnx.NODES, or leave them out"
        )
    size = 4 * sum(declared.size for _, layer in network.walk() for declared in layer.declared)
    if size >= LARGEST:
        raise ValueError(f"an ONNX file holds at most 2 GiB, the network has {size / 2**30:.1f}")
