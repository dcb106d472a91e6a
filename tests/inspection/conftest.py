"""The small classifier on each backend, and images for it."""

from __future__ import annotations

import pytest
from small_classifier import Twin, layers, nn, torch

import salamandre as sal


@pytest.fixture
def twins(backend):
    """Return the network, ending in Softmax, and the module, which gives scores."""
    torch.manual_seed(3)
    module = Twin().double().eval()
    for _, value in module.named_parameters():
        nn.init.normal_(value, 0.0, 0.4)
    nn.init.uniform_(module.norm.running_mean, -0.2, 0.2)
    nn.init.uniform_(module.norm.running_var, 0.5, 1.5)
    with torch.no_grad():  # so that no class is always the most likely one
        module.fc.bias -= module(torch.rand(50, 3, 10, 12).double()).mean(0)
    network = sal.Network(layers(sal.Softmax()), (3, 10, 12), backend=backend, dtype="float64")
    sal.from_pytorch(network, module.state_dict())
    return network, module


@pytest.fixture
def images(random):
    return random.uniform(0, 1, (6, 3, 10, 12))
