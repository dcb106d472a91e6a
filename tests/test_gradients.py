"""Every layer, activation and loss against centred differences, in float64, below 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
from differences import gradient_error

import salamandre as sal
from salamandre.gradient_checking import gradient_check

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(5, 4))

ACTIVATIONS = [
    sal.Identity(),
    sal.Sigmoid(),
    sal.Sigmoid(mu=0.3),
    sal.CenteredSigmoid(mu=1.7),
    sal.Tanh(),
    sal.Tanh(k=1.7159, alpha=2 / 3),
    sal.ReLU(),
    sal.LeakyReLU(),
    sal.LeakyReLU(slope=0.2),
    sal.ELU(),
    sal.ELU(alpha=0.4),
    sal.ELU(alpha=2.5),
    sal.SoftPlus(),
    sal.Softmax(),
]
LAYERS = {
    "neurons": [sal.NeuronLayer(3)],
    "neurons without bias": [sal.NeuronLayer(3, sal.Tanh(), bias=False)],
    "neurons with noise": [sal.NeuronLayer(3, sal.Sigmoid(), noise=2), sal.NeuronLayer(2, noise=1)],
    "dropout": [sal.Dropout(0.4)],
    "batch-norm": [sal.BatchNorm()],
    "batch-norm between": [sal.NeuronLayer(3), sal.BatchNorm(eps=0.01), sal.Tanh()],
    "flatten": [sal.Reshape((2, 2)), sal.Flatten(), sal.NeuronLayer(2)],
    "maps": [sal.Reshape((2, 1, 2)), sal.BatchNorm(), sal.Tanh(), sal.Flatten()],
    "minibatch discrimination": [sal.NeuronLayer(3), sal.MinibatchDiscrimination(2, 3)],
    "minibatch deviation": [sal.MinibatchDeviation(eps=0.01), sal.NeuronLayer(2)],
    "minibatch deviation of maps": [
        sal.Reshape((2, 1, 2)),
        sal.MinibatchDeviation(),
        sal.Flatten(),
    ],
    "sequential": [sal.Sequential([sal.NeuronLayer(3, sal.ELU()), sal.Dropout(0.2)])],
    "nested": [sal.Network([sal.NeuronLayer(3, sal.ELU()), sal.Dropout(0.2)]), sal.NeuronLayer(2)],
}


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations(activation, backend):
    assert gradient_check(activation, X, backend=backend).worst < 1e-6


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations_of_a_layer(activation, backend):
    report = gradient_check(sal.NeuronLayer(3, activation), X, backend=backend)
    assert report.worst < 1e-6
    assert set(report.errors) == {"x", "0.weights", "0.bias"}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, backend):
    assert gradient_check(LAYERS[name], X, backend=backend).worst < 1e-6


@pytest.mark.parametrize("name", ["dropout", "batch-norm between", "maps", "nested"])
def test_layers_when_not_training(name, backend):
    report = gradient_check(LAYERS[name], X, training=False, backend=backend)
    assert report.worst < 1e-6


def probabilities(shape):
    values = np.random.default_rng(3).uniform(0.1, 1, shape)
    return values / values.sum(axis=1, keepdims=True)


LABELS = np.array([0, 3, 1, 1, 2])
LOSSES = [
    (sal.MeanSquaredError(), X, X[::-1].copy()),
    (sal.MeanAbsoluteError(), X, X[::-1] + 0.3),
    (sal.BinaryCrossEntropy(), RANDOM.uniform(0.1, 0.9, (5, 4)), RANDOM.uniform(0, 1, (5, 4))),
    (sal.BinaryCrossEntropy(from_logits=True), 3 * X, RANDOM.uniform(0, 1, (5, 4))),
    (sal.BinaryCrossEntropy(from_logits=True), 3 * X[:, :1], np.array([0, 1, 1, 0, 1])),
    (sal.CrossEntropy(), probabilities((5, 4)), LABELS),
    (sal.CrossEntropy(), probabilities((5, 4)), probabilities((5, 4))[::-1].copy()),
    (sal.CrossEntropy(label_smoothing=0.2), probabilities((5, 4)), LABELS),
    (sal.CrossEntropy(from_logits=True), 3 * X, LABELS),
    (sal.CrossEntropy(from_logits=True), 3 * X, probabilities((5, 4))),
    (sal.CrossEntropy(from_logits=True, label_smoothing=0.1), 3 * X, LABELS),
]


@pytest.mark.parametrize("loss, y, target", LOSSES, ids=[repr(row[0]) for row in LOSSES])
def test_losses(loss, y, target, backend):
    assert gradient_check(loss, y, target, backend=backend).worst < 1e-6


SHORT_CUTS = [
    (sal.Softmax(), sal.CrossEntropy(), LABELS[:, None], True),
    (sal.Softmax(), sal.CrossEntropy(label_smoothing=0.1), LABELS[:, None], True),
    (sal.Softmax(), sal.CrossEntropy(), probabilities((5, 4)), False),
    (sal.Sigmoid(), sal.BinaryCrossEntropy(), RANDOM.uniform(0, 1, (5, 4)), False),
    (sal.Sigmoid(mu=0.3), sal.BinaryCrossEntropy(), RANDOM.uniform(0, 1, (5, 4)), False),
    (sal.Tanh(), sal.MeanSquaredError(), X, False),
]


@pytest.mark.parametrize("activation, loss, target, labels", SHORT_CUTS)
def test_what_learn_computes_is_the_gradient_of_its_loss(activation, loss, target, labels, backend):
    """Checks the closed forms before an activation, through ``learn`` itself."""
    target = target[:, 0] if labels else target
    layers = [sal.NeuronLayer(3, sal.Tanh()), sal.NeuronLayer(4, activation)]
    network = sal.Network(layers, 4, loss, sal.SGD(0.0), backend=backend, dtype="float64")

    def energy():
        return float(network.learn(X, target))

    assert gradient_error(network, energy, h=1e-5) < 1e-6


class Swish(sal.Activation):
    """An activation as a user writes it: y = x / (1 + exp(-x)), whose gradient needs x."""

    def function(self, x, out, ctx):
        ctx.s = 1 / (1 + ctx.xp.exp(-x))
        return ctx.xp.multiply(x, ctx.s, out=out)

    def gradient(self, dy, x, y, out, ctx):
        return ctx.xp.multiply(dy, y + ctx.s * (1 - y), out=out)


class Scale(sal.Layer):
    """A layer as a user writes it: y = w x, w for each feature."""

    def build(self, input_shape):
        self.declare("w", input_shape, sal.initializers.Constant(1))
        return input_shape

    def compute(self, x, ctx):
        ctx.x = x
        return x * self.w

    def backprop(self, dy, ctx):
        if ctx.parameter_gradients:
            self.d_w[...] = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class WrongScale(Scale):
    """The same with a mistake in each gradient."""

    def backprop(self, dy, ctx):
        return 1.001 * super().backprop(dy, ctx)


def test_layers_and_activations_of_a_users_own(backend):
    assert gradient_check([sal.NeuronLayer(3, Swish()), Scale(), Swish()], X, backend=backend)


def test_mistakes_are_found_and_named(backend):
    report = gradient_check([sal.NeuronLayer(3), WrongScale()], X, backend=backend)
    assert not report and not report.passed
    assert report.errors["x"] == pytest.approx(0.0005, rel=0.01)
    assert report.errors["1.w"] < 1e-6 < report.errors["0.weights"]
    assert str(report).count("WRONG") == 3 and str(report).count("ok") == 1


def test_the_check_changes_neither_its_input_nor_the_network():
    x, network = X.copy(), sal.Network([sal.NeuronLayer(3), sal.BatchNorm()], 4, dtype="float64")
    before = network.tensors()
    assert gradient_check(network, x)
    assert np.array_equal(x, X)
    for name, array in network.tensors().items():
        if "running" not in name:
            assert np.array_equal(array, before[name])


def test_only_float64_is_precise_enough():
    with pytest.raises(ValueError, match="float64"):
        gradient_check(sal.Network([sal.NeuronLayer(3)], 4), X)
