"""Nodes that look like a layer of ours but compute something else are refused, by name."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import salamandre as sal


def written(path, shape, *nodes, opset=17, **arrays):
    """Write a file of nodes from x to y, examples of one shape, with arrays by name."""

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])

    given = [numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()]
    graph = helper.make_graph(nodes, "net", [value("x")], [value("y")], given)
    opsets = [helper.make_opsetid("", opset)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    return path


node = helper.make_node
IMAGE, TENTH = (2, 4, 4), np.float32(0.1)
ROW = np.ones(2, np.float32)


@pytest.mark.parametrize(
    ("shape", "nodes", "options", "message"),
    [
        (
            (3,),
            [
                node("Greater", ["x", "zero"], ["c"]),
                node("Mul", ["x", "tenth"], ["m"]),
                node("Where", ["c", "x", "m"], ["y"], name="leak"),
            ],
            {"zero": np.float32(0), "tenth": TENTH},
            "'leak' .Where. chooses between two values",
        ),
        (
            IMAGE,
            [
                node(
                    "MaxPool", ["x"], ["y"], name="pool", kernel_shape=[2, 2], auto_pad="SAME_UPPER"
                )
            ],
            {},
            "'pool' .MaxPool. .*pads its sides differently",
        ),
        (
            IMAGE,
            [node("Softmax", ["x"], ["y"], name="soft", axis=1)],
            {"opset": 11},
            "'soft' .Softmax. goes along channels and pixels together",
        ),
        (
            (3,),
            [
                node("Cast", ["x"], ["whole"], name="cut", to=TensorProto.INT64),
                node("Cast", ["whole"], ["y"], to=TensorProto.FLOAT),
            ],
            {},
            "'cut' .Cast. rounds to whole numbers",
        ),
        ((3,), [node("Mul", ["x", "x"], ["y"], name="square")], {}, "'square' .Mul. .*same value"),
    ],
)
def test_it_is_named(shape, nodes, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        sal.import_onnx(written(tmp_path / "net.onnx", shape, *nodes, **options))


def test_a_batch_norm_that_trains(tmp_path):
    names = ["x", "gamma", "beta", "mean", "variance"]
    layer = node("BatchNormalization", names, ["y", "m", "v"], name="norm", training_mode=1)
    path = written(tmp_path / "net.onnx", IMAGE, layer, **dict.fromkeys(names[1:], ROW))
    with pytest.raises(ValueError, match=r"'norm' .BatchNormalization. takes the moments of its"):
        sal.import_onnx(path)
