"""Activations: values, gradients, numbers far out."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pytorch_twins import F, as_torch, close, torch

import salamandre as sal
from salamandre.gradient_checking import gradient_check

X = np.random.default_rng(7).normal(size=(5, 4))
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


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_gradients(activation, backend):
    assert gradient_check(activation, X, backend=backend).worst < 1e-6


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_gradients_of_a_layer(activation, backend):
    report = gradient_check(sal.NeuronLayer(3, activation), X, backend=backend)
    assert report.worst < 1e-6
    assert set(report.errors) == {"x", "0.weights", "0.bias"}


THEIRS = [
    (sal.Sigmoid(), torch.sigmoid),
    (sal.Sigmoid(mu=0.5), lambda x: torch.sigmoid(0.5 * x)),
    (sal.CenteredSigmoid(mu=3), lambda x: 2 * torch.sigmoid(3 * x) - 1),
    (sal.Tanh(), torch.tanh),
    (sal.Tanh(k=1.7159, alpha=2 / 3), lambda x: 1.7159 * torch.tanh(2 / 3 * x)),
    (sal.ReLU(), torch.relu),
    (sal.LeakyReLU(), F.leaky_relu),
    (sal.ELU(), F.elu),
    (sal.ELU(alpha=2.5), lambda x: F.elu(x, 2.5)),
    (sal.SoftPlus(), lambda x: F.softplus(x, threshold=1e6)),
    (sal.Softmax(), lambda x: torch.softmax(x, 1)),
]


@pytest.mark.parametrize("activation, theirs", THEIRS, ids=[repr(a) for a, _ in THEIRS])
def test_values_and_gradients_against_pytorch(activation, theirs, backend, host, random):
    values = np.concatenate([3 * random.normal(size=(7, 5)), [[0.0, -30.0, 30.0, -1e-9, 1e-9]]])
    x = as_torch(values).requires_grad_()
    dy = random.normal(size=values.shape)
    y = theirs(x)
    y.backward(as_torch(dy))
    network = sal.Network([copy.deepcopy(activation)], 5, backend=backend, dtype="float64")
    assert close(host(network.compute(values)), y, 1e-13)
    assert close(host(network.backprop(dy)), x.grad, 1e-13)


def test_one_activation_object_may_serve_several_layers():
    class Cube(sal.Activation):
        """Needs its input for the gradient, so it keeps buffers of its own."""

        def function(self, x, out, ctx):
            out[...] = x**3
            return out

        def gradient(self, dy, x, y, out, ctx):
            out[...] = dy * 3 * x * x
            return out

    cube = Cube()
    assert sal.gradient_check([sal.NeuronLayer(3, cube), sal.NeuronLayer(3, cube)], X)


@pytest.mark.parametrize(
    "activation",
    [
        sal.Identity(),
        sal.Sigmoid(),
        sal.Sigmoid(mu=20),
        sal.CenteredSigmoid(),
        sal.Tanh(),
        sal.ReLU(),
        sal.LeakyReLU(),
        sal.ELU(),
        sal.SoftPlus(),
        sal.Softmax(),
    ],
    ids=repr,
)
def test_activations_are_stable_far_out(activation, backend, host):
    """At ±1e4 in float32: finite, without warnings, and equal to the value in float64."""
    x = np.array([[1e4, -1e4, 0, 1], [-1e4, -1e4, -1e4, -1e4], [1e4, 1e4, 90, -90]], np.float32)
    results = {}
    for dtype in ("float32", "float64"):
        network = sal.Network(
            [type(activation)(**activation.config())], 4, backend=backend, dtype=dtype
        )
        y = host(network.compute(x))
        dx = host(network.backprop(np.ones((3, 4))))
        assert np.isfinite(y).all() and np.isfinite(dx).all()
        results[dtype] = y, dx
    for low, high in zip(*results.values(), strict=True):
        assert low.dtype == np.float32
        assert np.allclose(low, high, rtol=1e-5, atol=1e-6)


def test_known_values_of_activations():
    def value(activation, x):
        network = sal.Network([activation], np.size(x), dtype="float64")
        return network.compute(np.reshape(x, (1, -1)))[0]

    assert value(sal.Sigmoid(), 0) == 0.5
    assert value(sal.Sigmoid(mu=2), [1]) == pytest.approx(1 / (1 + np.exp(-2)))
    assert value(sal.CenteredSigmoid(mu=2), [1]) == pytest.approx(np.tanh(1))
    assert value(sal.Tanh(1.7159, 2 / 3), [1]) == pytest.approx(1, abs=1e-5)  # LeCun's choice
    assert value(sal.SoftPlus(), [0]) == pytest.approx(np.log(2))
    assert value(sal.SoftPlus(), [-50]) == pytest.approx(np.exp(-50), rel=1e-12)
    assert value(sal.ELU(2), [-1]) == pytest.approx(2 * (np.exp(-1) - 1))
    assert value(sal.Softmax(), [np.log(1), np.log(3)]) == pytest.approx([0.25, 0.75])
