"""Parameters that learn by a multiple of the learning rate, against PyTorch's groups."""

from __future__ import annotations

import pytest
from pytorch_twins import LABELS, X, as_torch, nn, same_weights, torch

import salamandre as sal
from salamandre.optimizer import divided

PAIRS = {
    "SGD": (lambda r: sal.SGD(r), lambda p, r: torch.optim.SGD(p, r)),
    "Nesterov": (
        lambda r: sal.Nesterov(r, 0.8, weight_decay=0.01),
        lambda p, r: torch.optim.SGD(p, r, momentum=0.8, nesterov=True, weight_decay=0.01),
    ),
    "AdamW": (
        lambda r: sal.AdamW(r, decay=0.1),
        lambda p, r: torch.optim.AdamW(p, r, weight_decay=0.1),
    ),
    "Muon's others": (
        lambda r: sal.Muon(0.0, others=sal.AdamW(r, decay=0.1)),
        lambda p, r: torch.optim.AdamW(p, r, weight_decay=0.1),
    ),
    "Lookahead": (
        lambda r: sal.Lookahead(sal.SGD(r), every=100),
        lambda p, r: torch.optim.SGD(p, r),
    ),
}


def networks(optimizer, backend="numpy"):
    """Return a network whose shift learns faster, and PyTorch's of the same weights."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)
    ).double()
    layers = [sal.NeuronLayer(6, bias=False), sal.BatchNorm(shift_rate=16), sal.ReLU()]
    layers += [sal.NeuronLayer(3, sal.Softmax())]
    network = sal.Network(
        layers, 5, sal.CrossEntropy(), optimizer, backend=backend, dtype="float64"
    )
    sal.from_pytorch(network, module.state_dict())
    return network, module


@pytest.mark.parametrize("name", PAIRS)
def test_a_shift_of_many_times_the_rate_is_a_group_of_pytorch(name, backend):
    ours, theirs = PAIRS[name]
    network, module = networks(ours(0.01), backend)
    shift, rest = module[1].bias, [p for p in module.parameters() if p is not module[1].bias]
    if name.startswith("Muon"):  # whose matrix stands still
        rest = [p for p in rest if p is not module[0].weight]
    optimizer = theirs([{"params": rest}, {"params": [shift]}], 0.01)
    learner = network.optimizer.others if name.startswith("Muon") else network.optimizer
    for step in range(8):
        rate = 0.01 if step < 4 else 0.003  # the multiple follows it
        learner.learning_rate = optimizer.param_groups[0]["lr"] = rate
        optimizer.param_groups[1]["lr"] = 16 * rate
        network.learn(X, LABELS)
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(as_torch(X)), as_torch(LABELS)).backward()
        optimizer.step()
    assert same_weights(network, module)


def test_a_shift_that_is_frozen_stays():
    network, _ = networks(sal.Nesterov(0.1))
    network.freeze("1")
    before = network.tensors()
    network.learn(X, LABELS)
    after = network.tensors()
    assert all((before[n] == after[n]).all() == n.startswith("1.") for n in before)


def test_matrices_of_muon_learn_by_a_multiple():
    class Faster(sal.NeuronLayer):
        def declare(self, name, shape, initializer, memory=(), rate=1.0):
            super().declare(name, shape, initializer, memory, 3.0)

    steps = []
    for layer in (sal.NeuronLayer, Faster):
        muon = sal.Muon(0.01, others=sal.SGD(0.0))
        layers = [layer(6, sal.Tanh()), sal.NeuronLayer(3, sal.Softmax())]
        network = sal.Network(layers, 5, sal.CrossEntropy(), muon, dtype="float64")
        before = network.tensors()["0.weights"]
        network.learn(X, LABELS)
        steps.append(network.tensors()["0.weights"] - before)
    assert steps[1] == pytest.approx(3 * steps[0])


def test_the_multiple_is_saved_with_the_network(tmp_path):
    network, _ = networks(sal.SGD(0.1))
    network.save(tmp_path / "network")
    again, same = sal.Network.load(tmp_path / "network"), networks(sal.SGD(0.1))[0]
    for net in (again, same):
        net.learn(X, LABELS)
    assert (again.parameters == same.parameters).all()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), "64"])
def test_a_multiple_that_is_no_positive_number_is_refused(rate):
    with pytest.raises(ValueError, match="shift_rate must be a finite number above 0"):
        sal.BatchNorm(shift_rate=rate)


def test_parts_are_cut_at_what_is_marked():
    marked = [(slice(2, 4), "a"), (slice(4, 5), "b"), (slice(8, 9), "c")]
    found = list(divided([slice(1, 6), slice(9, None)], marked, 12))
    assert found == [
        (slice(1, 2), None),
        (slice(2, 4), "a"),
        (slice(4, 5), "b"),
        (slice(5, 6), None),
        (slice(9, 12), None),
    ]
    assert list(divided([slice(None)], [], 3, 1.0)) == [(slice(0, 3), 1.0)]
