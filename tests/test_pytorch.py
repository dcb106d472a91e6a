"""Weights to and from PyTorch."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pytorch_twins import X, as_torch, close, nn, torch, twins

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


# -- nested modules, by name -----------------------------------------------------------------------


class Fire(nn.Module):
    """Its parts are made in another order than they are used in."""

    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.expand = nn.ModuleDict(
            {
                "wide": nn.Conv2d(squeezed, expanded, 3, padding=1),
                "narrow": nn.Conv2d(squeezed, expanded, 1),
            }
        )
        self.norm = nn.BatchNorm2d(squeezed)
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)

    def forward(self, x):
        x = torch.relu(self.norm(self.squeeze(x)))
        parts = [self.expand["narrow"](x), self.expand["wide"](x)]
        return torch.relu(torch.cat(parts, dim=1))


class Features(nn.Module):
    """As published networks name themselves."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Linear(8, 3)
        self.features = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), Fire(4, 2, 4), Fire(8, 2, 4))

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def fire(squeezed, expanded):
    conv = sal.ConvolutionalLayer
    return sal.Sequential(
        {
            "squeeze": conv(squeezed, 1),
            "norm": sal.BatchNorm(),
            "squeezed": sal.ReLU(),
            "expand": sal.Parallel(
                {"narrow": conv(expanded, 1), "wide": conv(expanded, 3, padding=1)}
            ),
            "expanded": sal.ReLU(),
        }
    )


def nested(**options):
    layers = {
        "features": sal.Sequential(
            [sal.ConvolutionalLayer(4, 3), sal.ReLU(), fire(2, 4), fire(2, 4)]
        ),
        "pool": sal.GlobalAveragePool(),
        "classifier": sal.NeuronLayer(3),
    }
    return sal.Network(layers, (2, 6, 5), dtype="float64", **options)


def features():
    module = Features().double()
    for name, value in module.state_dict().items():
        if value.dtype.is_floating_point:
            nn.init.uniform_(value, 0.5 if name.endswith("var") else -1, 2)
    return module.eval()


def test_named_parts_are_matched_by_name_whatever_their_order(backend, host):
    network, module = nested(backend=backend), features()
    sal.from_pytorch(network, module.state_dict())
    x = np.random.default_rng(0).normal(size=(3, 2, 6, 5))
    assert close(host(network.predict(x)), module(as_torch(x)))
    weights = module.features[3].expand["narrow"].weight
    ours = network.named_parameters()["features.3.expand.narrow.weights"]
    assert close(host(ours), weights)
    variance = network.named_state()["features.2.norm.running_variance"]
    assert close(host(variance), module.features[2].norm.running_var)
    other = features()
    other.load_state_dict(sal.to_pytorch(network, other.state_dict()))
    assert torch.equal(other(as_torch(x)), module(as_torch(x)))
    counts = [n for n in other.state_dict() if n.endswith("num_batches_tracked")]
    assert len(counts) == 2


def test_one_name_too_few_or_another_shape_is_refused():
    network, state = nested(), features().state_dict()
    before = network.tensors()
    other = {**state, "classifier.weight": state["classifier.weight"][:, :5]}
    fewer = {name: value for name, value in state.items() if name != "classifier.bias"}
    renamed = {name.replace("narrow", "small"): value for name, value in state.items()}
    for wrong, message in (
        (other, r"'classifier.weights' of shape \(3, 8\) does not fit PyTorch's 'classifier.weig"),
        (fewer, "does not fit PyTorch's .*: the structures differ"),
        (renamed, "does not fit PyTorch's .*: the structures differ"),
    ):
        for give in (sal.from_pytorch, sal.to_pytorch):
            with pytest.raises(ValueError, match=message) as caught:
                give(network, wrong)
            assert "\n" not in str(caught.value)
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_refused_weights_change_nothing():
    network = sal.Network([sal.NeuronLayer(2), sal.NeuronLayer(2)], 3)
    before = network.parameters.copy()
    good = {"0.weight": np.ones((2, 3)), "0.bias": np.ones(2), "1.weight": np.ones((2, 2))}
    for last in (
        *(np.full(2, np.nan), np.full(2, 1e300), np.ones(3), np.ones(2, int), np.ones(2, complex)),
        *(np.array(["a", "b"]), np.array([None, 1]), [[1.0], [1.0, 2.0]], None, "ones"),
    ):
        with pytest.raises(ValueError):
            sal.from_pytorch(network, {**good, "1.bias": last})
        assert (network.parameters == before).all()


def test_arrays_take_weights_as_tensors_do_and_messages_name_what_is_wrong():
    network = sal.Network([sal.NeuronLayer(2)], 3)
    like = {"a.weight": np.zeros((2, 3)), "a.bias": np.zeros(2, np.float32)}
    found = sal.to_pytorch(network, like)
    assert found["a.weight"].dtype == np.float64 and not like["a.weight"].any()
    assert np.array_equal(found["a.weight"], network.tensors()["0.weights"])
    for wrong, kind, message in (
        ({**like, "mean": np.zeros(2)}, ValueError, "PyTorch's 'mean' has no partner"),
        ({"a.weight": like["a.weight"]}, ValueError, "the network's '0.bias' has no partner"),
        ({**like, 3: np.zeros(2)}, TypeError, "must be texts, got 3"),
    ):
        with pytest.raises(kind, match=message):
            sal.from_pytorch(network, wrong)
    with pytest.raises(ValueError, match="no input_shape yet"):
        sal.from_pytorch(sal.Network([sal.NeuronLayer(2)]), like)
