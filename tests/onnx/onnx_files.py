"""Networks with values in all their arrays, and what onnxruntime computes of their files."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def run(path, x, labels=None):
    """Return what onnxruntime computes of a file, or the list of its outputs if there are more."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # tests run side by side
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = x if isinstance(x, tuple) else (x,)
    names = [i.name for i in session.get_inputs()]
    given = dict(zip(names, inputs, strict=False))
    if labels is not None:
        given["labels"] = np.asarray(labels, np.int64)
    found = session.run(None, given)
    return found[0] if len(found) == 1 else found


def alive(network, seed=3):
    """Return the network with random values in all its arrays, also in those that begin at 0."""
    random = np.random.default_rng(seed)
    arrays = network.tensors()
    for name, array in arrays.items():
        low = 0.5 if name.endswith(("variance", "gamma")) else -0.7
        arrays[name] = random.uniform(low, 1.5, array.shape)
    network.load_tensors(arrays)
    return network


def alike(y, expected):
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def node(kind, *inputs, to="y", **attributes):
    made = [to] if isinstance(to, str) else to
    return helper.make_node(kind, inputs, made, f"the {kind}", **attributes)


def write(path, nodes, arrays=(), shape=(4,), outputs=("y",), inputs=("x",), opset=17):
    """Write a file of these nodes, with arrays by name."""
    rank = ["N", *"abc"[: len(shape)]]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, FLOAT, ["N", *shape]) for name in inputs],
        [helper.make_tensor_value_info(name, FLOAT, rank) for name in outputs],
        [
            value
            if isinstance(value, TensorProto)
            else numpy_helper.from_array(np.asarray(value, np.float32), name)
            for name, value in dict(arrays).items()
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
