"""Layers that know labels."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from differences import gradient_error

import salamandre as sal
from salamandre.gradient_checking import gradient_check

X = np.random.default_rng(11).normal(size=(6, 4))

LABELS = np.array([2, 0, 1, 2, 2, 0])

LAYERS = {
    "embedding": [sal.Embedding(3, 2), sal.NeuronLayer(3, sal.Tanh()), sal.Embedding(3)],
    "label map": [sal.Reshape((1, 2, 2)), sal.LabelMap(3), sal.Flatten(), sal.NeuronLayer(2)],
    "conditional batch-norm": [sal.NeuronLayer(3), sal.ConditionalBatchNorm(3), sal.Tanh()],
    "of maps": [sal.Reshape((2, 1, 2)), sal.ConditionalBatchNorm(3, eps=0.01), sal.Tanh()],
    "projection": [sal.NeuronLayer(5, sal.Tanh()), sal.Projection(3)],
    "labelled packs": [sal.Embedding(3, 2), sal.Packing(2), sal.NeuronLayer(2)],
    "packs of maps": [sal.Reshape((1, 2, 2)), sal.LabelMap(3), sal.Packing(3), sal.Flatten()],
    "nested": [sal.Network([sal.Embedding(3)]), sal.NeuronLayer(2)],
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_gradients(name, training, backend):
    report = gradient_check(LAYERS[name], X, labels=LABELS, training=training, backend=backend)
    assert report.worst < 1e-6
    assert len(report.errors) > 1


def parts(layers, shape=(4,), dtype="float64"):
    network = sal.Network(copy.deepcopy(layers), shape, dtype=dtype, seed=1)
    return network, network.named_parameters()


def test_embedding_and_label_map_stand_beside_the_example():
    network, named = parts([sal.Embedding(3, 2)])
    y = network.compute(X, labels=LABELS)
    assert np.array_equal(y, np.concatenate([X, named["0.weights"][LABELS]], axis=1))
    network, named = parts([sal.LabelMap(3)], (1, 2, 2))
    y = network.compute(X.reshape(6, 1, 2, 2), labels=LABELS)
    assert np.array_equal(y[:, 1].reshape(6, 4), named["0.weights"][LABELS])
    assert np.array_equal(y[:, 0].reshape(6, 4), X)


def test_each_example_of_a_pack_has_its_label_beside_it():
    network, named = parts([sal.Embedding(3, 2), sal.Packing(2)])
    y = network.compute(X, labels=LABELS)
    labelled = np.concatenate([X, named["0.weights"][LABELS]], axis=1)
    assert np.array_equal(y, np.concatenate([labelled, labelled[[1, 2, 3, 4, 5, 0]]], axis=1))


def test_conditional_batch_norm_is_batch_norm_with_the_class_s_scale(random):
    network, named = parts([sal.ConditionalBatchNorm(3)])
    named["0.gamma"][...] = random.normal(size=(3, 4))
    named["0.beta"][...] = random.normal(size=(3, 4))
    x_hat = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 1e-5)
    expected = named["0.gamma"][LABELS] * x_hat + named["0.beta"][LABELS]
    assert np.allclose(network.compute(X, labels=LABELS), expected)


def test_projection_is_equation_3():
    network, named = parts([sal.Projection(3)])
    y = network.compute(X, labels=LABELS)
    agreement = (named["0.embedding"][LABELS] * X).sum(axis=1)
    assert np.allclose(y[:, 0], X @ named["0.weights"][0] + named["0.bias"][0] + agreement)


FIRST = {
    "a vector": ([sal.Embedding(3, 2), sal.NeuronLayer(5, sal.Tanh(), noise=2)], 4),
    "a network behind": (
        [sal.Embedding(3), sal.Network([sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(4)])],
        4,
    ),
    "a map": (
        [sal.LabelMap(3), sal.ConvolutionalLayer(4, 3, padding=1), sal.GlobalAveragePool()],
        (2, 3, 3),
    ),
}


@pytest.mark.parametrize("name", FIRST)
def test_what_is_learned_for_a_class_while_the_example_s_gradient_is_left_out(
    name, backend, host, random
):
    layers, shape = copy.deepcopy(FIRST[name])
    network = sal.Network([*layers, sal.NeuronLayer(1)], shape, backend=backend, dtype="float64")
    examples = random.normal(size=(6, *network.input_shape))
    x, labels = (network.backend.asarray(array) for array in (examples, LABELS))
    state = copy.deepcopy(network.random.state)
    run = network.new_pass(input_gradient=False)

    def energy():
        network.random.state = copy.deepcopy(state)
        y = network.compute(x, run, labels=labels)
        network.backprop(2 * y, run)
        return float((y * y).sum())

    assert gradient_error(network, energy) < 1e-7


def test_labels_are_checked_before_anything_happens():
    network, _ = parts([sal.Embedding(3)])
    for labels, message in (
        (None, "needs a label for each of 6 examples"),
        (LABELS[:5], r"shape \(6,\)"),
        (LABELS + 1, r"must lie in 0\.\.2"),
        (LABELS - 1, r"must lie in 0\.\.2"),
        (LABELS / 1, "whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            network.compute(X, labels=labels)
    plain, _ = parts([sal.NeuronLayer(2)])
    with pytest.raises(ValueError, match="takes no labels"):
        plain.compute(X, labels=LABELS)
    with pytest.raises(ValueError, match="use a LabelMap"):
        parts([sal.Embedding(3)], (1, 2, 2))
    with pytest.raises(ValueError, match="use an Embedding"):
        parts([sal.LabelMap(3)])


def test_prediction_in_blocks_and_files(tmp_path):
    network, _ = parts([sal.Embedding(3), sal.NeuronLayer(3), sal.ConditionalBatchNorm(3)])
    network.compute(X, labels=LABELS)
    expected = network.compute(X, training=False, labels=LABELS)
    assert np.allclose(network.predict(X, batch_size=4, labels=LABELS), expected)
    network.save(tmp_path / "n.safetensors")
    again = sal.Network.load(tmp_path / "n.safetensors")
    assert again.classes == 3
    assert np.array_equal(again.predict(X, labels=LABELS), network.predict(X, labels=LABELS))
