"""Whole networks as ONNX files."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx_files import alike, alive, run

import salamandre as sal
from salamandre import data, games
from salamandre.games.architectures import ARCHITECTURES
from salamandre.models.known import KNOWN
from salamandre.onnx import NODES


class DoubledByNodes(sal.Layer):
    """A layer of a user's own."""

    def build(self, input_shape):
        return input_shape

    def compute(self, x, ctx):
        return 2 * x


class Steeper(sal.Tanh):
    """An activation that is derived from one of ours, and is another function."""

    def function(self, x, out, ctx):
        return super().function(3 * x, out, ctx)


class ExportedBlock(sal.Sequential):
    """A container of a user's own, which computes as the one of ours."""

    def __init__(self, size):
        super().__init__([sal.NeuronLayer(size, sal.ReLU()), sal.BatchNorm()])


def test_containers_and_shared_networks_in_each_other(exported, random):
    shared = alive(sal.Network([sal.NeuronLayer(5, sal.Tanh())], 5))
    network = alive(
        sal.Network(
            [
                sal.Parallel([sal.Skip([sal.NeuronLayer(2)]), ExportedBlock(1)]),
                sal.Skip([shared, sal.Sequential([sal.ReLU(), shared])], join="add"),
                sal.Network({"inner": sal.NeuronLayer(5), "last": sal.Sequential([shared])}),
            ],
            2,
        )
    )
    x = random.normal(size=(4, 2)).astype(np.float32)
    alike(exported(network, x), network.predict(x))


def test_weights_of_a_shared_network_are_in_the_file_once(tmp_path):
    shared = sal.Network([sal.NeuronLayer(5)], 5)
    sal.export_onnx(sal.Network([shared, sal.ReLU(), shared], 5), tmp_path / "net.onnx")
    names = [array.name for array in onnx.load(tmp_path / "net.onnx").graph.initializer]
    assert names == ["0.0.weights", "0.0.bias"]


def test_several_inputs_are_numbered(exported, random):
    branches = sal.Parallel([sal.NeuronLayer(3), sal.Flatten()])
    network = alive(sal.Network([branches, sal.NeuronLayer(2)], [(4,), (2, 3, 1)]))
    x = tuple(random.normal(size=(5, *s)).astype(np.float32) for s in network.input_shape)
    alike(exported(network, x), network.predict(x))


def test_numbers_are_single_precision_whatever_the_network_has(exported, random):
    network = sal.Network([sal.ConvolutionalLayer(2, 3)], (1, 4, 4), dtype="float64")
    x = random.normal(size=(2, 1, 4, 4)).astype(np.float32)
    y = exported(network, x)
    assert y.dtype == np.float32
    alike(y, network.predict(x))


@pytest.mark.parametrize("name", KNOWN)
def test_known_models_compute_the_same(name, exported, random):
    """Up to their Softmax, with small images, and with 16 neurons where there are 4,096."""
    layers, shape = KNOWN[name].layers(10), KNOWN[name].preprocessing.shape
    del layers["softmax"]
    for layer in getattr(layers.get("classifier"), "children", ()):
        if getattr(layer, "outputs", None) == 4096:
            layer.outputs = 16
    if name != "lenet5":
        shape = (3, 99, 99) if name == "alexnet" else (3, 32, 32)
    network = sal.Network(layers, shape)
    x = random.normal(size=(2, *shape)).astype(np.float32)
    y = network.predict(x)
    largest = np.abs(y).max()
    alike(exported(network, x) / largest, y / largest)


@pytest.mark.parametrize("name", [n for n, known in ARCHITECTURES.items() if not known.pairs])
def test_players_of_conditional_games_take_labels(name, exported, random):
    digits, _ = data.load("digits")
    game = games.new_game(name, digits, latent=5)
    for network in map(alive, (game.generator, game.discriminator)):
        x = random.normal(size=(4, *network.input_shape)).astype(np.float32)
        labels = [2, 0, 9, 2]
        alike(exported(network, x, labels), network.predict(x, labels=labels))


def test_what_labels_and_bytes_mean_is_in_the_metadata(tmp_path):
    network = sal.Network([sal.NeuronLayer(2)], 3)
    network.class_names = ["caf\xe9", "tea"]
    network.pixels = sal.inputs.Pixels(255, -1.0, 1.0)
    sal.export_onnx(network, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    found = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert found == {"class_names": ["caf\xe9", "tea"], "pixels": [255, -1.0, 1.0]}
    assert model.producer_name == "salamandre"


def test_layers_that_onnx_cannot_say_are_named_and_nothing_is_written(tmp_path):
    layers = [sal.NeuronLayer(3, Steeper()), sal.Skip([DoubledByNodes()])]
    path = tmp_path / "net.onnx"
    with pytest.raises(ValueError) as refused:
        sal.export_onnx(sal.Network(layers, 2), path)
    assert str(refused.value) == (
        "ONNX cannot say 2 of the network's layers (Steeper (0.0), DoubledByNodes (1.0)): give "
        "their nodes in salamandre.onnx.NODES, or leave them out"
    )
    assert not path.exists()


def test_a_layer_of_ones_own_is_said_by_an_entry_of_the_table(exported, monkeypatch, random):
    monkeypatch.setitem(NODES, DoubledByNodes, lambda layer, x, graph: graph.node("Add", x, x))
    x = random.normal(size=(3, 2)).astype(np.float32)
    alike(exported(sal.Network([DoubledByNodes()], 2), x), 2 * x)


def test_what_is_no_network_is_refused(tmp_path):
    with pytest.raises(TypeError, match="Network"):
        sal.export_onnx(sal.NeuronLayer(3), tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="no input_shape yet"):
        sal.export_onnx(sal.Network([sal.NeuronLayer(3)]), tmp_path / "net.onnx")


def test_equal_networks_make_equal_files(tmp_path):
    for name in "ab":
        sal.export_onnx(sal.Network([sal.NeuronLayer(3, sal.Tanh(2))], 2), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert run(tmp_path / "a", np.zeros((1, 2), np.float32)).shape == (1, 3)
