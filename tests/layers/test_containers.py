"""Layers made of layers: their names, files and summaries, several inputs, mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from networks import LABELS, X

import salamandre as sal

NEURONS = sal.NeuronLayer


@pytest.mark.parametrize("container", [sal.Network, sal.Sequential])
def test_a_network_is_a_layer(container, backend, host):
    inner = [sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(3, sal.Softmax())]
    outer = [sal.NeuronLayer(5, sal.Tanh()), container([sal.NeuronLayer(3, sal.Softmax())])]
    options = {"backend": backend, "dtype": "float64"}
    flat = sal.Network(inner, 4, sal.CrossEntropy(), sal.SGD(0.1), **options)
    nested = sal.Network(outer, 4, sal.CrossEntropy(), sal.SGD(0.1), **options)
    assert [*nested.named_parameters()] == ["0.weights", "0.bias", "1.0.weights", "1.0.bias"]
    for _ in range(3):
        assert float(flat.learn(X, LABELS)) == float(nested.learn(X, LABELS))
    assert np.array_equal(host(flat.parameters), host(nested.parameters))


def named(**options):
    return sal.Network(
        {
            "encoder": sal.Sequential([NEURONS(4, sal.Tanh()), sal.BatchNorm()]),
            "body": sal.Skip({"wide": NEURONS(6), "back": NEURONS(4)}, join="add"),
            "heads": sal.Parallel([NEURONS(2), NEURONS(1)], names=["class", "value"]),
        },
        4,
        **options,
    )


def test_names_say_where_a_layer_is():
    network = named()
    names = ["encoder.0.weights", "encoder.1.gamma", "body.wide.weights", "body.back.bias"]
    names += ["heads.class.weights", "heads.value.bias"]
    assert set(names) <= set(network.named_parameters())
    assert [*network.named_state()] == ["encoder.1.running_mean", "encoder.1.running_variance"]
    assert network.named_gradients()["heads.value.weights"].shape == (1, 4)
    network.named_parameters()["heads.value.bias"][...] = 7
    assert network.layers[2].layers[1].bias[0] == network.parameters[-1] == 7


def test_the_summary_shows_the_nesting():
    lines = named().summary().splitlines()
    rows = {line.split()[0]: line for line in lines if line.split()}
    indents = {name: len(line) - len(line.lstrip()) for name, line in rows.items()}
    assert indents["encoder"] == indents["body"] == indents["heads"] == 0
    assert indents["wide"] == indents["class"] == indents["value"] == 2
    assert "Skip, add" in rows["body"] and "Parallel, concatenate" in rows["heads"]
    assert "(6,)" in rows["wide"] and rows["wide"].split()[-1] == "30"
    assert rows["body"].split()[-1] == "58" and rows["heads"].split()[-1] == "15"
    assert "(3,)" in rows["heads"] and rows["total"].split()[-1] == "101"


def test_names_come_back_from_files(tmp_path):
    network = named(frozen=["encoder"])
    network.save(tmp_path / "net")
    loaded = sal.Network.load(tmp_path / "net")
    assert [*loaded.named_parameters()] == [*network.named_parameters()]
    assert np.array_equal(loaded.predict(X), network.predict(X))
    assert loaded.frozen == ("encoder",)


def test_several_inputs_are_checked_and_come_in_blocks(random):
    image = sal.Sequential([sal.ConvolutionalLayer(2, 3), sal.Flatten()])
    layers = [sal.Parallel({"vector": NEURONS(3), "image": image}), NEURONS(2)]
    network = sal.Network(layers, [(4,), (1, 4, 5)], dtype="float64")
    x = random.normal(size=(7, 4)), random.normal(size=(7, 1, 4, 5))
    whole = network.predict(x)
    assert np.allclose(network.predict(x, batch_size=3), whole, atol=1e-14)
    assert np.allclose(network.predict([*x]), whole)
    bad = x[0].copy()
    bad[2, 1] = np.nan
    for wrong, message in (
        (x[0], "expected a tuple of 2 inputs, got a ndarray"),
        ((x[0],), "expected a tuple of 2 inputs, got 1 of them"),
        ((x[0], x[1][:3]), r"as many examples in each input, got \[7, 3\]"),
        ((x[1], x[0]), r"expected a batch of shape \(N, 4\), got \(7, 1, 4, 5\)"),
        ((bad, x[1]), "NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=message):
            network.predict(wrong)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sal.Parallel([]), "Parallel needs at least one branch, got none"),
        (lambda: sal.Parallel([NEURONS(3), NEURONS(4)], "add"), "cannot add outputs of the shapes"),
        (lambda: sal.Parallel([sal.Reshape((2, 2)), NEURONS(3)]), "cannot concatenate outputs"),
        (lambda: sal.Parallel([NEURONS(3)], "ad"), "unknown join 'ad', did you mean 'add'"),
        (lambda: sal.Skip([NEURONS(3)], join="add"), r"cannot add outputs .*\(4,\), \(3,\)"),
        (lambda: sal.Skip([sal.Reshape((2, 2))]), "Skip cannot concatenate"),
        (lambda: sal.Sequential([NEURONS(3)], names=["a", "b"]), "1 different texts"),
        (lambda: sal.Sequential([NEURONS(3)], names=["a.b"]), "without a dot"),
        (lambda: sal.Sequential({"": NEURONS(3)}), "different texts"),
        (lambda: sal.Parallel([NEURONS(3), 3]), "branches must be a salamandre.Layer, got 3"),
        (lambda: sal.Skip([sal.NeuronLayer]), "must be a salamandre.Layer"),
        (
            lambda: sal.Sequential({"a": NEURONS(2), "b": sal.Reshape((3,))}),
            "layer 0 .*layer b .Reshape",
        ),
    ],
)
def test_mistakes_get_one_sentence(make, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        sal.Network([make()], 4)
    assert "\n" not in str(caught.value)


def test_a_layer_has_one_place():
    layer = NEURONS(4)
    with pytest.raises(ValueError, match=r"layer 1 .* is in a network already"):
        sal.Network([sal.Parallel([layer, layer])], 4)
    assert sal.Network([sal.Skip([layer])], 4).output_shape == (8,)  # it was given back
    with pytest.raises(ValueError, match="is in a network already"):
        sal.Network([sal.Sequential([layer])], 4)
