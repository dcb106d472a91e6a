"""Networks beside modules of PyTorch that have the same weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import salamandre as sal

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

X = np.random.default_rng(11).normal(size=(7, 5))
LABELS = np.array([0, 2, 1, 1, 0, 2, 2])


def as_torch(array) -> torch.Tensor:
    return torch.tensor(np.asarray(array))


def close(ours, theirs, tolerance=1e-10) -> bool:
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    return np.shape(ours) == theirs.shape and float(np.abs(ours - theirs).max()) <= tolerance


def twins(backend, optimizer=None, loss=None):
    """Return a network with everything in it, and the same network in PyTorch."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(5, 6),
        nn.LeakyReLU(0.2),
        nn.Linear(6, 4, bias=False),
        nn.BatchNorm1d(4),
        nn.Tanh(),
        nn.Linear(4, 3),
    ).double()
    layers = [
        sal.NeuronLayer(6, sal.LeakyReLU(0.2)),
        sal.NeuronLayer(4, bias=False),
        sal.BatchNorm(),
        sal.Tanh(),
        sal.NeuronLayer(3, sal.Softmax() if loss is None else sal.Identity()),
    ]
    network = sal.Network(
        layers,
        5,
        loss or sal.CrossEntropy(),
        optimizer or sal.SGD(0.1),
        backend=backend,
        dtype="float64",
    )
    sal.from_pytorch(network, module.state_dict())
    return network, module


def same_weights(network, module, tolerance=1e-10) -> bool:
    state = sal.to_pytorch(network, module.state_dict())
    return all(
        close(state[name].numpy(), value, tolerance) for name, value in module.state_dict().items()
    )


def agrees(layers, module, shape, backend, host, batch=3):
    """Assert that outputs and all gradients are those of a PyTorch module of the same weights."""
    network = sal.Network(copy.deepcopy(layers), shape, backend=backend, dtype="float64")
    module = copy.deepcopy(module).double()
    sal.from_pytorch(network, module.state_dict())
    random = np.random.default_rng(23)
    values = random.normal(size=(batch, *shape))
    x = torch.tensor(values, requires_grad=True)
    y = module(x)
    dy = random.normal(size=tuple(y.shape))
    y.backward(torch.tensor(dy))
    assert close(host(network.compute(values)), y)
    assert network.output_shape == tuple(y.shape[1:])
    assert close(host(network.backprop(dy)), x.grad)
    gradients = network.named_gradients().values()
    for ours, theirs in zip(gradients, module.parameters(), strict=True):
        assert close(host(ours), theirs.grad)


def penalty_as_in_pytorch(critic, layers, shape, host, random):
    """Compare a gradient penalty and its gradient with those of PyTorch's double backward.

    The critic's layers are those of PyTorch, Flatten and a last neuron.
    """
    module = nn.Sequential(*copy.deepcopy(layers), nn.Flatten())
    module.append(nn.Linear(module(torch.zeros(1, *shape)).shape[1], 1))
    module = module.double()
    sal.from_pytorch(critic, module.state_dict())
    penalty = sal.GradientPenalty(7)
    penalty.attach(critic)
    real, fake = random.normal(size=(2, 4, *shape))
    state = copy.deepcopy(critic.random.state)
    share = host(critic.random.uniform((4,) + (1,) * len(shape), critic.dtype))
    critic.random.state = state
    value = penalty.penalty(critic.backend.asarray(real), critic.backend.asarray(fake))
    x = torch.tensor(fake + share * (real - fake), requires_grad=True)
    (g,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    norm = torch.sqrt((g * g).flatten(1).sum(dim=1) + 1e-12)  # whose slope is finite at 0
    loss = 7 * ((norm - 1) ** 2).mean()
    loss.backward()
    assert float(value) == pytest.approx(float(loss.detach()), rel=1e-9)
    gradients = critic.named_gradients().values()
    for ours, (key, parameter) in zip(gradients, module.named_parameters(), strict=True):
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert close(host(ours), expected, 1e-9), key
