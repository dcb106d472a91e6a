"""What import_onnx refuses: files that are damaged, hostile, or of other networks."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from onnx_files import FLOAT, node

import salamandre as sal


def test_a_file_of_something_else_is_refused(tmp_path):
    for content in (b"", b"no model", b"\x80\x04\x95 a pickle."):
        (tmp_path / "net.onnx").write_bytes(content)
        with pytest.raises(ValueError, match=r"net\.onnx cannot be imported: "):
            sal.import_onnx(tmp_path / "net.onnx")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        sal.import_onnx(tmp_path / "none.onnx")


def external(location, **more):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2, 4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "link", "", "none", "."])
def test_arrays_outside_of_the_folder_are_refused(location, refused, tmp_path):
    (tmp_path.parent / "secret").write_bytes(bytes(32))
    (tmp_path / "link").symlink_to(tmp_path.parent / "secret")
    gemm = node("Gemm", "x", "w", transB=1)
    assert "is no file in its folder" in refused([gemm], {"w": external(location)})


@pytest.mark.parametrize("more", [{"offset": 8}, {"offset": -8}, {"offset": 2**70}])
def test_arrays_beyond_the_end_of_their_file_are_refused(more, refused, tmp_path):
    (tmp_path / "data").write_bytes(bytes(32))
    gemm = node("Gemm", "x", "w", transB=1)
    assert "beyond the end of data" in refused([gemm], {"w": external("data", **more)})


def test_an_array_of_another_size_than_it_says_is_refused(refused):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2**40, 4], raw_data=bytes(32))
    assert "reshape" in refused([node("Gemm", "x", "w", transB=1)], {"w": tensor})


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (node("Cos", "x"), "its node 'the Cos' (Cos) is no layer that is known here"),
        (node("Softmax", "x", axis=0), "goes along axis 0, a Softmax along axis 1"),
        (node("LeakyRelu", "x", alpha=2.0), "slope must be a finite number"),
        (node("Gemm", "x", "w", alpha=2.0), "scales or transposes its input"),
        (node("MatMul", "x", "x"), "MatMul"),
        (node("Sum", "x", "x", "v"), "joins branches with a constant"),
        (node("Concat", "x", "x", axis=0), "along another axis than 1"),
        (node("Identity", "x"), "it has no layers"),
    ],
)
def test_what_no_layer_says_is_refused_by_the_name_of_its_node(made, why, refused):
    assert why in refused([made], {"w": np.ones((4, 4)), "v": 1})


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"group": 2}, "has group 2"),
        ({"dilations": [2, 2]}, "has dilations [2, 2]"),
        ({"pads": [0, 0, 1, 1]}, "pads its sides differently"),
        ({"auto_pad": "SAME_LOWER"}, "pads its sides differently"),
    ],
)
def test_windows_that_no_layer_has_are_refused(said, why, refused):
    weights = np.ones((2, 1 if "group" in said else 2, 3, 3))
    assert why in refused([node("Conv", "x", "w", **said)], {"w": weights}, shape=(2, 6, 6))


def test_a_graph_that_is_no_chain_of_branches_is_refused(refused):
    graph = [
        node("Relu", "x", to="a"),
        *(node("Tanh", "a", to="b"), node("Elu", "x", to="c")),
        *(node("Add", "a", "c", to="d"), node("Add", "b", "d")),
    ]
    assert "is used in two places" in refused(graph)


def test_several_inputs_or_outputs_are_named(refused):
    pair = [node("Relu", "x", to="y"), node("Tanh", "x", to="z")]
    assert "it has the outputs y, z: choose one, output=..." in refused(pair, outputs=("y", "z"))
    assert "unknown output 'q'" in refused(pair, outputs=("y", "z"), output="q")
    added = [node("Add", "x", "u")]
    assert "the file has 2: x, u" in refused(added, inputs=("x", "u"))


def test_shapes_that_the_file_does_not_say_are_refused(refused):
    assert "does not say the shape of 'x'" in refused([node("Relu", "x")], shape=("any",))


def test_arrays_that_do_not_fit_are_refused(refused):
    weights = {"w": np.ones((2, 4)), "b": np.full(2, np.nan)}
    assert "must hold finite numbers" in refused([node("Gemm", "x", "w", "b", transB=1)], weights)
    assert "cannot be imported" in refused([node("Gemm", "x", "w")], {"w": np.ones((3, 4))})


def test_one_number_does_not_take_all_memory(refused):
    huge = (2**40,)
    assert "are the most" in refused([node("Mul", "x", "w")], {"w": 2.0}, shape=huge)
