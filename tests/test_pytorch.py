"""Weights to and from PyTorch."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pytorch_twins import X, as_torch, nn, torch, twins

import salamandre as sal


def test_weights_travel_to_pytorch_and_back(backend):
    network, module = twins(backend)
    other = copy.deepcopy(module)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    state = sal.to_pytorch(network, other.state_dict())
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name])
    other.load_state_dict(state)
    x = as_torch(X)
    assert torch.equal(other(x), module(x))
    assert state["0.weight"].dtype == torch.float64


@pytest.mark.parametrize(
    "module, message",
    [
        (nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 3)), "'1.weights' of shape .4, 6."),
        (nn.Sequential(nn.Linear(5, 6)), "6 arrays|9 arrays|the structures differ"),
        (nn.Sequential(nn.Linear(4, 6)), r"'0.weights' of shape \(6, 5\) .* shape \(6, 4\)"),
        (nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6)), "'0.bias' .* '1.weight'"),
    ],
)
def test_other_structures_are_refused_and_change_nothing(module, message):
    network, _ = twins("numpy")
    before = network.tensors()
    for give in (sal.from_pytorch, sal.to_pytorch):
        with pytest.raises(ValueError, match=message):
            give(network, module.state_dict())
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
