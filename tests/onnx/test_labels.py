"""Networks with labels from ONNX files: rows of arrays that the second input chooses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from file_of_0_2 import FILE
from onnx import TensorProto, helper, numpy_helper
from onnx_files import FLOAT, alike, alive, node

import salamandre as sal
from salamandre import data, games
from salamandre.games.architectures import ARCHITECTURES

torch = pytest.importorskip("torch")


def again(network, tmp_path, **options):
    sal.export_onnx(network, tmp_path / "net.onnx")
    return sal.import_onnx(tmp_path / "net.onnx", **options)


CONDITIONAL = {
    "Embedding": ([sal.Embedding(3, 2)], (6,)),
    "LabelMap": ([sal.LabelMap(3)], (4, 6, 5)),
    "of images": ([sal.ConditionalBatchNorm(3, momentum=0.2, eps=0.1)], (4, 6, 5)),
    "of vectors": ([sal.ConditionalBatchNorm(3), sal.ReLU()], (6,)),
    "Projection": ([sal.NeuronLayer(5, sal.Tanh()), sal.Projection(3)], (6,)),
    "beside": ([sal.Parallel([sal.Embedding(3), sal.NeuronLayer(4)])], (6,)),
}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_layers_with_labels_come_back(name, tmp_path, random):
    layers, shape = CONDITIONAL[name]
    network = alive(sal.Network(layers, shape))
    found = again(network, tmp_path)
    x, labels = random.normal(size=(5, *shape)), [2, 0, 1, 2, 2]
    alike(found.predict(x, labels=labels), network.predict(x, labels=labels))
    assert (found.classes, found.parameter_count()) == (3, network.parameter_count())


@pytest.mark.parametrize("name", [n for n, known in ARCHITECTURES.items() if not known.pairs])
def test_generators_of_games_come_back(name, tmp_path, random):
    digits, _ = data.load("digits")
    network = alive(games.new_game(name, digits, latent=5).generator)
    found = again(network, tmp_path)
    labels = [2, 0, 9, 2] if network.classes else None
    x = random.normal(size=(4, 5))
    alike(found.predict(x, labels=labels), network.predict(x, labels=labels))
    assert found.parameter_count() == network.parameter_count()


def test_a_file_of_version_0_2_computes_the_same():
    stored, found = np.load(FILE.with_suffix(".npz")), sal.import_onnx(FILE)
    alike(found.predict(stored["x"], labels=stored["labels"]), stored["y"])
    assert (found.class_names, found.pixels) == (("a", "b", "c"), (255, -1.0, 1.0))


def test_a_network_with_labels_learns_on(tmp_path, random):
    layers = [sal.NeuronLayer(8), sal.ConditionalBatchNorm(2), sal.ReLU(), sal.NeuronLayer(1)]
    found = again(sal.Network(layers, 3), tmp_path, loss="mse", optimizer=sal.Adam(0.05))
    x, labels = random.normal(size=(40, 3)), np.arange(40) % 2
    target = np.where(labels == 1, x[:, 0], -x[:, 0])[:, None]
    losses = [float(found.learn(x, target, labels=labels)) for _ in range(200)]
    assert losses[-1] < losses[0] / 10


class Conditioned(torch.nn.Module):
    """As the generators of many tutorials: the class's vector behind the latent one."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(4, 3)
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Tanh())

    def forward(self, x, labels):
        return self.layers(torch.cat([x, self.embedding(labels)], 1))


def test_a_conditional_network_of_pytorch_computes_the_same(tmp_path, random):
    module, path = Conditioned(), tmp_path / "net.onnx"
    x, labels = random.normal(size=(6, 5)).astype(np.float32), np.arange(6) % 4
    given = (torch.tensor(x), torch.tensor(labels))
    axes = {"x": {0: "N"}, "labels": {0: "N"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, given, path, dynamo=False, dynamic_axes=axes, input_names=["x", "labels"]
        )
    found = sal.import_onnx(path)
    alike(found.predict(x, labels=labels), module(*given).detach().numpy())
    assert found.layers[0].config()["classes"] == 4


LOOKED_UP = node("Gather", "e", "labels", to="rows")


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([LOOKED_UP, node("Concat", "rows", "x", axis=1)], "elsewhere than after the features"),
        ([LOOKED_UP, node("Mul", "x", "rows")], "scales by class what no batch-norm"),
        ([node("Mul", "x", "g", to="n"), LOOKED_UP, node("Mul", "n", "rows")], "no batch-norm"),
        (
            [LOOKED_UP, node("Add", "rows", "g", to="w"), node("Mul", "x", "w")],
            "of which no sum alone is taken",
        ),
        ([node("ReduceSum", "x", "axis")], "no layer but a Projection"),
        ([LOOKED_UP, node("Tanh", "rows", to="t"), node("Concat", "x", "t", axis=1)], "is no row"),
        ([node("Concat", "x", "e", axis=1)], "joins an example with a constant"),
    ],
)
def test_what_no_layer_does_with_labels_is_refused(nodes, why, tmp_path):
    arrays = {name: np.ones(4, np.float32) for name in "gbmv"}
    arrays |= {"e": np.ones((2, 4), np.float32), "axis": np.int64([1])}
    labels = helper.make_tensor_value_info("labels", TensorProto.INT64, ["N"])
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 4]), labels],
        [helper.make_tensor_value_info("y", FLOAT, ["N", "M"])],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=f"cannot be imported: .*{why}"):
        sal.import_onnx(tmp_path / "net.onnx")
