"""Networks from ONNX files that PyTorch, scikit-learn and this library wrote."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_files import alike, alive, node, run, write
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import salamandre as sal
from salamandre.games.translators import unet
from salamandre.models.known import KNOWN

torch = pytest.importorskip("torch")
nn = torch.nn
FIXTURES = Path(__file__).parents[1] / "fixtures"


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        )

    def forward(self, x):
        return torch.relu(x + self.inside(x))


class Fire(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.narrow = nn.Conv2d(channels, 2, 1)
        self.wide = nn.Conv2d(channels, 3, 3, padding="same")

    def forward(self, x):
        return torch.cat([self.narrow(x), torch.relu(self.wide(x))], 1)


class Encoded(nn.Module):
    """A U-Net in small: what is halved and doubled, beside what was before."""

    def __init__(self, channels):
        super().__init__()
        self.down = nn.Conv2d(channels, 4, 4, 2, 1)
        self.up = nn.ConvTranspose2d(4, 3, 4, 2, 1)

    def forward(self, x):
        return torch.cat([x, torch.tanh(self.up(nn.functional.leaky_relu(self.down(x), 0.2)))], 1)


class View(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.view(*self.shape) if self.shape else x.view(x.size(0), -1)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 5), padding="same"),
        *(nn.ReLU(), nn.MaxPool2d(2), Residual(4), Fire(4), Encoded(5)),
        *(nn.InstanceNorm2d(8, affine=True), nn.LayerNorm([8, 4, 4]), nn.ELU(0.7)),
        *(nn.AvgPool2d(2, padding=1), nn.Upsample(scale_factor=2), nn.Softplus()),
        *(nn.Conv2d(8, 6, 3, (2, 1), (1, 0), bias=False), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Sigmoid(), nn.Dropout()),
        *(View(-1, 3, 2, 2), nn.ConvTranspose2d(3, 2, 3, 2, 1, 1), View()),
        *(nn.Linear(32, 5, bias=False), nn.LayerNorm(5), nn.Softmax(1)),
    )


def exported_by_pytorch(module, shape, path, dynamo=False):
    dimension = {"dynamic_shapes": ({0: torch.export.Dim("N")},), "external_data": False}
    if not dynamo:
        dimension = {"dynamic_axes": {"x": {0: "N"}}, "input_names": ["x"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(2, *shape),), path, dynamo=dynamo, verbose=False, **dimension
        )


def normalised(module):
    """Return the module with values in all arrays of its normalisation."""
    for part in module.modules():
        arrays = (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False))
        for name, values in arrays:
            if values.is_floating_point() and "Norm" in type(part).__name__:
                nn.init.uniform_(values.data, 0.5 if "var" in name else -0.5, 1.5)
    return module.eval()


def test_layers_that_pytorch_exports_compute_the_same(tmp_path, random):
    module = normalised(convolutional())
    exported_by_pytorch(module, (2, 8, 8), tmp_path / "net.onnx")
    network = sal.import_onnx(tmp_path / "net.onnx")
    x = random.normal(size=(5, 2, 8, 8)).astype(np.float32)
    alike(network.predict(x), module(torch.tensor(x)).detach().numpy())
    first = network.children[0]
    assert isinstance(first, sal.ConvolutionalLayer) and isinstance(first.activation, sal.ReLU)


def test_a_file_of_pytorchs_new_exporter_computes_the_same():
    """The fixture was made by ``python tests/onnx/test_importing.py``, which takes a while."""
    stored = np.load(FIXTURES / "pytorch-dynamo.npz")
    alike(sal.import_onnx(FIXTURES / "pytorch-dynamo.onnx").predict(stored["x"]), stored["y"])


X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
CLASSES = {"3": np.arange(60) % 3, "texts": np.array(["ant", "bee", "cat"])[np.arange(60) % 3]}


def learned(estimator, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        return estimator.fit(X, y)


def from_sklearn(estimator, tmp_path, **options):
    from skl2onnx import to_onnx

    (tmp_path / "sk.onnx").write_bytes(to_onnx(estimator, X[:1], **options).SerializeToString())
    return sal.import_onnx(tmp_path / "sk.onnx")


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_a_classifier_of_scikit_learn_gives_the_same_probabilities(activation, zipmap, tmp_path):
    made = MLPClassifier((5,), activation=activation, max_iter=20, random_state=0)
    estimator = learned(make_pipeline(StandardScaler(), made), CLASSES["texts"])
    options = {id(estimator): {"zipmap": zipmap}}
    network = from_sklearn(estimator, tmp_path, options=options)
    alike(network.predict(X), estimator.predict_proba(X))
    assert network.class_names == (("ant", "bee", "cat") if zipmap else None)


def test_two_classes_and_regression_of_scikit_learn(tmp_path):
    two = learned(MLPClassifier((5,), max_iter=20, random_state=0), np.arange(60) % 2)
    found = from_sklearn(two, tmp_path, options={"zipmap": False})
    alike(found.predict(X), two.predict_proba(X))
    regressor = MLPRegressor(hidden_layer_sizes=(5, 3), max_iter=20, random_state=0)
    learned(regressor, X[:, 0])
    alike(from_sklearn(regressor, tmp_path).predict(X)[:, 0], regressor.predict(X))


def again(network, tmp_path):
    """Return what is imported of the file that the network is exported to."""
    sal.export_onnx(network, tmp_path / "net.onnx")
    return sal.import_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("name", ["lenet5", "squeezenet1_1", "resnet18"])
def test_known_models_come_back(name, tmp_path, random):
    shape = (1, 28, 28) if name == "lenet5" else (3, 32, 32)
    network = sal.Network(KNOWN[name].layers(10), shape)
    found = again(network, tmp_path)
    x = random.normal(size=(2, *shape)).astype(np.float32)
    alike(found.predict(x), network.predict(x))
    assert found.parameter_count() == network.parameter_count()


@pytest.mark.parametrize("size", [(6, 4), (3, 2), (1, 1)])
def test_means_of_parts_of_one_size_come_back(size, tmp_path, random):
    network = sal.Network([sal.ReLU(), sal.AdaptiveAveragePool(size)], (2, 6, 4))
    x = random.normal(size=(3, 2, 6, 4)).astype(np.float32)
    alike(again(network, tmp_path).predict(x), network.predict(x))


def test_a_u_net_comes_back_with_its_ways_past(tmp_path, random):
    network = alive(sal.Network(unet((16, 16), 1, 4), (1, 16, 16)))
    for layer in (part for _, part in network.walk() if isinstance(part, sal.Dropout)):
        layer.rate = 0.0
    found = again(network, tmp_path)
    x = random.normal(size=(2, 1, 16, 16)).astype(np.float32)
    alike(found.predict(x), network.predict(x))
    kinds = [[type(part) for _, part in net.walk()].count(sal.Skip) for net in (network, found)]
    assert kinds[0] == kinds[1] > 1


def test_meaning_comes_back_and_the_network_learns_on(tmp_path):
    network = sal.Network([sal.NeuronLayer(4, sal.Sigmoid(0.3)), sal.NeuronLayer(2)], 4)
    network.class_names, network.pixels = ["no", "yes"], sal.inputs.Pixels(255, -1.0, 1.0)
    sal.export_onnx(network, tmp_path / "net.onnx")
    found = sal.import_onnx(
        tmp_path / "net.onnx",
        loss=sal.MeanSquaredError(),
        optimizer=sal.Adam(0.05),
        dtype="float64",
    )
    assert (found.class_names, found.pixels) == (network.class_names, network.pixels)
    alike(found.predict(X), network.predict(X))
    losses = [float(found.learn(X, X[:, :2])) for _ in range(200)]
    assert losses[-1] < losses[0] / 2
    scale = next(part for _, part in found.walk() if isinstance(part, sal.BatchNorm))
    np.testing.assert_allclose(scale.gamma, 0.3, rtol=1e-6)  # the slope does not learn


def test_arrays_in_files_of_their_own_are_read(tmp_path, random):
    import onnx

    network = sal.Network([sal.NeuronLayer(40), sal.NeuronLayer(2)], 30)
    sal.export_onnx(network, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    onnx.save(
        model, tmp_path / "large.onnx", save_as_external_data=True, size_threshold=10, location="d"
    )
    assert (tmp_path / "d").stat().st_size > 4 * 30 * 40
    x = random.normal(size=(3, 30)).astype(np.float32)
    alike(sal.import_onnx(tmp_path / "large.onnx").predict(x), run(tmp_path / "net.onnx", x))


def test_a_file_that_takes_bytes_is_given_them_as_they_are(tmp_path, random):
    """It scales them itself."""
    nodes = [
        helper.make_node("Cast", ["x"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["numbers", "w"], ["y"]),
    ]
    weights = random.normal(size=(4, 3)).astype(np.float32) / 255
    graph = helper.make_graph(
        nodes,
        "bytes",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (tmp_path / "bytes.onnx").write_bytes(model.SerializeToString())
    x = random.integers(0, 256, (5, 4)).astype(np.uint8)
    found = sal.import_onnx(tmp_path / "bytes.onnx").predict(x)
    alike(found, run(tmp_path / "bytes.onnx", x))


def test_numbers_that_are_added_to_examples_are_no_bias(tmp_path):
    """One for each row of a batch of three, not for each of three outputs."""
    arrays = {"w": np.eye(4)[:, :3], "c": np.ones((3, 1))}
    write(tmp_path / "gemm.onnx", [node("Gemm", "x", "w", "c")], arrays)
    with pytest.raises(ValueError, match=r"adds numbers \(3, 1\), a NeuronLayer adds one to each"):
        sal.import_onnx(tmp_path / "gemm.onnx")


if __name__ == "__main__":  # needs the package onnxscript
    torch.manual_seed(0)
    module = normalised(convolutional())
    exported_by_pytorch(module, (2, 8, 8), FIXTURES / "pytorch-dynamo.onnx", dynamo=True)
    x = np.random.default_rng(0).normal(size=(5, 2, 8, 8)).astype(np.float32)
    np.savez(FIXTURES / "pytorch-dynamo.npz", x=x, y=module(torch.tensor(x)).detach().numpy())
