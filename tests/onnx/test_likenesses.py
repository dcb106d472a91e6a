"""Nodes that look like a layer: each computes what the runtime does, or is refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_files import FLOAT, alike, node, run, write

import salamandre as sal

IMAGES = (2, 6, 6)


@pytest.fixture
def same(tmp_path, random):
    """A function that imports a file of nodes and compares what both compute."""

    def compare(nodes, arrays=(), shape=(4,), **said):
        write(tmp_path / "net.onnx", nodes, arrays, shape, **said)
        x = (10 * random.normal(size=(3, *shape))).astype(np.float32)
        alike(sal.import_onnx(tmp_path / "net.onnx").predict(x), run(tmp_path / "net.onnx", x))

    return compare


def softplus(chosen="x", limit="limit", scaled="x"):
    return [
        node("Softplus", scaled, to="s"),
        node("Greater", scaled, limit, to="large"),
        node("Where", "large", chosen, "s"),
    ]


def test_where_is_read_as_part_of_a_softplus(same):
    same(softplus(), {"limit": 20})
    scaled = [
        node("Mul", "x", "b", to="bx"),
        *softplus(scaled="bx")[:2],
        node("Div", "s", "b", to="d"),
        node("Where", "large", "x", "d"),
    ]
    same(scaled, {"limit": 20, "b": 0.5})


@pytest.mark.parametrize(
    ("nodes", "limit"),
    [
        (softplus(), 1),
        (softplus("zero"), 20),
        (softplus(limit="many"), 20),
        ([node("Greater", "x", "zero", to="g"), node("Where", "g", "x", "zero")], 20),
        ([node("Greater", "x", "zero", to="g"), node("Where", "g", "zero", "x")], 20),
        ([node("Tanh", "x", to="s"), *softplus()[1:]], 20),
        ([node("Mul", "x", "b", to="bx"), *softplus(scaled="bx")], 20),
    ],
)
def test_another_where_is_refused(nodes, limit, refused):
    arrays = {"limit": limit, "zero": 0, "many": np.full(4, 20), "b": 2}
    assert "'the Where' (Where) chooses between two values" in refused(nodes, arrays)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_pools_that_pad_alike_on_all_sides_compute_the_same(kind, same):
    included = {"count_include_pad": 1} if kind == "AveragePool" else {}
    same([node(kind, "x", kernel_shape=[3, 3], pads=[1] * 4, **included)], shape=IMAGES)
    same([node(kind, "x", kernel_shape=[2, 2], strides=[2, 2])], shape=IMAGES)
    if kind == "MaxPool":
        same([node(kind, "x", kernel_shape=[3, 3], auto_pad="SAME_UPPER")], shape=IMAGES)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "said",
    [
        {"auto_pad": "SAME_UPPER"},
        {"pads": [0, 0, 1, 1]},
        {"pads": [1, 0, 1, 1], "kernel_shape": [3, 2]},
    ],
)
def test_pools_with_even_windows_that_keep_the_size(kind, said, same, refused):
    said = {"kernel_shape": [2, 2], **said}
    if kind == "AveragePool":
        pool = node(kind, "x", **said)
        assert "leaves its padding out of the mean" in refused([pool], shape=IMAGES)
        said["count_include_pad"] = 1
    same([node(kind, "x", **said)], shape=IMAGES)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "said",
    [
        {"pads": [1, 1, 0, 0]},
        {"pads": [0, 0, 1, 1], "strides": [2, 2]},
        {"pads": [1, 1, 1, 0], "kernel_shape": [3, 3]},
    ],
)
def test_pools_that_pad_their_sides_differently_are_refused(kind, said, refused):
    pool = node(kind, "x", **{"kernel_shape": [2, 2], **said})
    assert f"'the {kind}' ({kind}) pads its sides differently" in refused([pool], shape=IMAGES)


def test_even_windows_of_convolutions(same, refused, random):
    weights = {"w": random.normal(size=(2, 2, 2, 2))}
    same([node("Conv", "x", "w", auto_pad="SAME_UPPER")], weights, IMAGES)
    same([node("Conv", "x", "w", pads=[0, 0, 1, 1])], weights, IMAGES)
    strided = node("Conv", "x", "w", pads=[0, 0, 1, 1], strides=[2, 2])
    assert "pads its sides differently" in refused([strided], weights, shape=(2, 7, 7))


def test_a_softmax_over_all_pixels_is_refused(same, refused):
    flattened = node("Softmax", "x", axis=1)
    assert "'the Softmax' (Softmax) goes over all" in refused([flattened], shape=IMAGES, opset=12)
    same([flattened], shape=IMAGES, opset=13)
    same([flattened], shape=(3, 1, 1), opset=12)
    same([node("Softmax", "x")], opset=12)


def cast(name, to, kind):
    made = node("Cast", name, to=to)
    made.name = f"the Cast to {to}"
    made.attribute.append(helper.make_attribute("to", kind))
    return made


@pytest.mark.parametrize("kind", ["INT64", "INT32", "UINT8", "BOOL"])
def test_casts_to_whole_numbers_are_refused(kind, refused):
    casts = [cast("x", "c", getattr(TensorProto, kind)), cast("c", "y", FLOAT)]
    assert "'the Cast to c' (Cast) makes whole numbers" in refused(casts)


@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE"])
def test_casts_to_floats_change_nothing(kind, same):
    casts = [cast("x", "c", getattr(TensorProto, kind)), cast("c", "z", FLOAT)]
    same([*casts, node("Relu", "z")])


def test_only_the_first_output_of_a_node_is_a_layer(refused):
    pool = node("MaxPool", "x", to=["m", "places"], kernel_shape=[2, 2])
    text = refused([pool, cast("places", "y", FLOAT)], shape=IMAGES)
    assert "'the MaxPool' (MaxPool) computes 'places' as another output than its first" in text


@pytest.mark.parametrize("rounded", ["round_prefer_floor", "round_prefer_ceil", "ceil", "floor"])
def test_resize_repeats_pixels_only_where_it_rounds(rounded, same, refused):
    said = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": rounded}
    resize, scales = [node("Resize", "x", "", "scales", **said)], {"scales": [1, 1, 2, 3]}
    if rounded.startswith("round"):
        same(resize, scales, IMAGES)
    else:
        assert "'the Resize' (Resize) repeats no" in refused(resize, scales, shape=IMAGES)


def test_batch_normalisation_that_trains_is_refused(same, refused):
    arrays = {"a": [1, 2], "b": [0, 1], "mean": [1, 2], "variance": [3, 4]}
    same([node("BatchNormalization", "x", *arrays)], arrays, IMAGES)
    made = ["y", "new mean", "new variance"]
    training = node("BatchNormalization", "x", *arrays, to=made, training_mode=1)
    assert "is in training mode" in refused([training], arrays, shape=IMAGES)
    older = node("BatchNormalization", "x", *arrays, to=[*made, "saved mean", "saved variance"])
    assert "is in training mode" in refused([older], arrays, shape=IMAGES, opset=9)


def test_a_product_of_a_value_with_itself_is_refused(refused):
    assert "'the Mul' (Mul) takes 'x', which is computed" in refused([node("Mul", "x", "x")])
