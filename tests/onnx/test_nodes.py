"""Each layer is said by nodes of which onnxruntime computes the same."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_files import alike, alive

import salamandre as sal
from salamandre.component import Component

VECTOR, IMAGE = (6,), (4, 6, 5)
# Each layer in its forms, and the shape of an example.
LAYERS = {
    "Identity": ([sal.Identity()], VECTOR),
    "Sigmoid": ([sal.Sigmoid(), sal.Sigmoid(0.1)], VECTOR),
    "CenteredSigmoid": ([sal.CenteredSigmoid(0.7)], VECTOR),
    "Tanh": ([sal.Tanh(), sal.Tanh(1.7159, 2 / 3)], VECTOR),
    "ReLU": ([sal.ReLU()], VECTOR),
    "LeakyReLU": ([sal.LeakyReLU(0.2)], VECTOR),
    "ELU": ([sal.ELU(0.5)], VECTOR),
    "SoftPlus": ([sal.SoftPlus()], VECTOR),
    "Softmax": ([sal.Softmax(), sal.Reshape((3, 2, 1)), sal.Softmax()], VECTOR),
    "NeuronLayer": ([sal.NeuronLayer(7, sal.Tanh()), sal.NeuronLayer(2, bias=False)], VECTOR),
    "ConvolutionalLayer": (
        [
            sal.ConvolutionalLayer(3, (3, 2), (2, 1), (1, 0), activation=sal.ELU()),
            sal.ConvolutionalLayer(2, (2, 4), padding="same", bias=False),
        ],
        IMAGE,
    ),
    "TransposedConvolutionalLayer": (
        [
            sal.TransposedConvolutionalLayer(3, (4, 3), (2, 3), 1, output_padding=(1, 2)),
            sal.TransposedConvolutionalLayer(2, (2, 4), padding="same", bias=False),
        ],
        IMAGE,
    ),
    "MaxPool": ([sal.MaxPool((3, 2), 1, 1)], IMAGE),
    "AveragePool": ([sal.AveragePool(3, 2, 1)], IMAGE),
    "AdaptiveAveragePool": (
        [
            sal.AdaptiveAveragePool((6, 5)),  # as it is
            sal.AdaptiveAveragePool((4, 3)),
            sal.AdaptiveAveragePool((2, 1)),  # of parts of one size
        ],
        IMAGE,
    ),
    "GlobalAveragePool": ([sal.GlobalAveragePool()], IMAGE),
    "Upsample": ([sal.Upsample((2, 3))], IMAGE),
    "Flatten": ([sal.Flatten()], IMAGE),
    "Reshape": ([sal.Reshape((2, 3, 1))], VECTOR),
    "BatchNorm": ([sal.BatchNorm(eps=0.1), sal.BatchNorm(affine=False)], IMAGE),
    "InstanceNorm": ([sal.InstanceNorm(eps=0.1)], IMAGE),
    "LayerNorm": ([sal.LayerNorm(eps=0.1), sal.Flatten(), sal.LayerNorm()], IMAGE),
    "ConditionalBatchNorm": (
        [sal.ConditionalBatchNorm(3), sal.Flatten(), sal.ConditionalBatchNorm(3)],
        IMAGE,
    ),
    "Embedding": ([sal.Embedding(3, 2)], VECTOR),
    "LabelMap": ([sal.LabelMap(3)], IMAGE),
    "Projection": ([sal.Projection(3)], VECTOR),
    "MinibatchDiscrimination": ([sal.MinibatchDiscrimination(3, 2)], VECTOR),
    "MinibatchDeviation": (
        [sal.MinibatchDeviation(0.1), sal.Flatten(), sal.MinibatchDeviation()],
        IMAGE,
    ),
    "Packing": ([sal.Packing(4)], VECTOR),
    "Dropout": ([sal.Dropout(0.5), sal.Dropout(0, always=True)], VECTOR),
    "Augmentation": ([sal.Augmentation()], IMAGE),
    "Sequential": ([sal.Sequential([]), sal.Sequential([sal.NeuronLayer(2)])], VECTOR),
    "Parallel": (
        [
            sal.Parallel([sal.NeuronLayer(2), sal.Sequential([]), sal.Tanh()]),
            sal.Parallel([sal.NeuronLayer(2), sal.NeuronLayer(2)], join="add"),
        ],
        VECTOR,
    ),
    "Skip": ([sal.Skip([sal.NeuronLayer(2)]), sal.Skip([sal.Tanh()], join="add")], VECTOR),
    "Network": ([sal.Network([sal.NeuronLayer(2)])], VECTOR),
}
NOISE = {"GaussianNoise", "GaussianSample"}


def test_every_layer_of_the_package_has_an_example():
    known = {
        cls.__name__
        for name, cls in Component._classes.items()
        if name.startswith("layers.") and cls.__module__.startswith("salamandre.")
    }
    assert known == LAYERS.keys() | NOISE


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_the_same_in_onnxruntime(name, exported, random):
    layers, shape = LAYERS[name]
    network = alive(sal.Network(layers, shape))
    for count in (5, 2):
        x = random.normal(size=(count, *shape)).astype(np.float32)
        labels = np.arange(count) % 3 if network.classes else None
        alike(exported(network, x, labels), network.predict(x, labels=labels))


@pytest.mark.parametrize(
    "layer",
    [
        sal.GaussianNoise(0.5),
        sal.GaussianNoise(0.5, multiplied=True),
        sal.GaussianSample(),
        sal.Dropout(0.3, always=True),
        sal.NeuronLayer(3, noise=2),
    ],
    ids=repr,
)
def test_noise_without_training_has_the_same_distribution(layer, exported):
    network, x = sal.Network([layer], 2), np.tile(np.float32([1, 0.5]), (20_000, 1))
    theirs, ours = exported(network, x), network.predict(x)
    standard_error = ours.std(axis=0) * (2 / len(ours)) ** 0.5  # of the difference of two means
    assert (np.abs(theirs.mean(axis=0) - ours.mean(axis=0)) < 6 * standard_error).all()
    np.testing.assert_allclose(theirs.std(axis=0), ours.std(axis=0), rtol=0.05)
    assert len(np.unique(theirs[:100], axis=0)) > 1


def test_dropout_of_channels_keeps_or_drops_whole_ones(exported):
    network = sal.Network([sal.Dropout(0.5, channels=True, always=True)], (3, 4, 4))
    y = exported(network, np.ones((50, 3, 4, 4), np.float32)).reshape(150, 16)
    assert {tuple(row) for row in y.tolist()} == {(0.0,) * 16, (2.0,) * 16}
