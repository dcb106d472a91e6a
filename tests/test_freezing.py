"""Parts that are frozen: against PyTorch, where they require no gradient and are in eval mode."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from networks import LABELS
from players import game
from pytorch_twins import F, as_torch, close, nn, torch

import salamandre as sal

X = np.random.default_rng(5).normal(size=(6, 4))
PARTS = ["0", "1", "2", "0 1", "2.2", "0 2 3", "4", "0 1 2 3 4"]


def pair(backend, optimizer=None, frozen=()):
    """Return a nested network and a PyTorch module of its weights, both with frozen parts.

    No bias comes before batch-norm: its gradient would be 0 but for rounding.
    """
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Sequential(nn.Linear(4, 5), nn.Tanh()),
        nn.BatchNorm1d(5),
        nn.Sequential(
            *(nn.ELU(), nn.Linear(5, 4, bias=False), nn.BatchNorm1d(4)),
            *(nn.ELU(), nn.Linear(4, 4, bias=False)),
        ),
        nn.BatchNorm1d(4),
        nn.Linear(4, 3),
    ).double()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    network = sal.Network(
        [
            sal.NeuronLayer(5, sal.Tanh()),
            sal.BatchNorm(),
            sal.Sequential(
                [
                    *(sal.ELU(), sal.NeuronLayer(4, bias=False), sal.BatchNorm()),
                    *(sal.ELU(), sal.NeuronLayer(4, bias=False)),
                ]
            ),
            sal.BatchNorm(),
            sal.NeuronLayer(3, sal.Softmax()),
        ],
        4,
        sal.CrossEntropy(),
        optimizer or sal.SGD(0.1),
        backend=backend,
        dtype="float64",
        frozen=frozen,
    )
    sal.from_pytorch(network, module.state_dict())
    freeze(module, frozen)
    return network, module


def freeze(module, names):
    module.train().requires_grad_(True)
    for name in names:
        part = module
        for step in name.split("."):
            part = part[int(step)]
        part.eval().requires_grad_(False)


def gradients(module):
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]


def same_state(network, module) -> bool:
    state = sal.to_pytorch(network, module.state_dict())
    return all(close(state[name].numpy(), value) for name, value in module.state_dict().items())


@pytest.mark.parametrize("frozen", PARTS)
def test_outputs_and_gradients_are_pytorch_s(frozen, backend, host):
    network, module = pair(backend, frozen=frozen.split())
    network.gradients[...] = 5.0
    network.freeze()  # what is frozen has no gradient, whatever was there
    x = as_torch(X).requires_grad_()
    dy = np.random.default_rng(0).normal(size=(6, 3))
    y = torch.softmax(module(x), dim=1)
    y.backward(as_torch(dy))
    assert close(host(network.compute(X)), y)
    assert close(host(network.backprop(dy)), x.grad)
    for ours, theirs in zip(network.named_gradients().values(), gradients(module), strict=True):
        assert close(host(ours), theirs)
    assert same_state(network, module)  # the running statistics among it


CHANGES = [
    {},
    {"weight_decay": 0.1},
    {"clip_norm": 0.05},
    {"clip_value": 0.01, "weight_decay": 0.05},
    {"clip_weights": 0.2},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("name", ["SGD", "Momentum", "Adam"])
def test_steps_are_pytorch_s(name, change, backend):
    ours = {"SGD": sal.SGD, "Momentum": sal.Momentum, "Adam": sal.Adam}[name](0.05, **change)
    network, module = pair(backend, ours)
    decay = {"weight_decay": change.get("weight_decay", 0.0)}
    theirs = {
        "SGD": lambda p: torch.optim.SGD(p, 0.05, **decay),
        "Momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, **decay),
        "Adam": lambda p: torch.optim.Adam(p, 0.05, **decay),
    }[name](module.parameters())
    choices = [(), ("2.1", "3"), ("0", "2.1", "3"), ("3",)]
    if name == "Adam":  # what rested begins anew in PyTorch, which counts the steps of each array
        del choices[-1]
    for frozen in choices:
        network.unfreeze()
        network.freeze(*frozen)
        freeze(module, frozen)
        for _ in range(3):
            network.learn(X, LABELS)
            theirs.zero_grad()
            F.cross_entropy(module(as_torch(X)), as_torch(LABELS)).backward()
            learning = [p for p in module.parameters() if p.requires_grad]
            if "clip_norm" in change:
                nn.utils.clip_grad_norm_(learning, 0.05)
            if "clip_value" in change:
                nn.utils.clip_grad_value_(learning, 0.01)
            theirs.step()
            if "clip_weights" in change:
                with torch.no_grad():
                    for p in learning:
                        p.clamp_(-0.2, 0.2)
            assert same_state(network, module)


def test_what_is_frozen_stays_bit_for_bit(backend):
    layers = [
        sal.NeuronLayer(6, sal.ReLU()),
        sal.Parallel({"a": sal.NeuronLayer(3), "b": sal.Sequential([sal.BatchNorm()])}),
        sal.Dropout(0.5),
        sal.NeuronLayer(3, sal.Softmax()),
    ]
    optimizer = sal.Momentum(0.1, weight_decay=0.1, clip_weights=0.5)
    network = sal.Network(layers, 4, sal.CrossEntropy(), optimizer, backend=backend)
    for _ in range(3):
        network.learn(X, LABELS)  # the optimizer remembers all
    network.freeze("0", "1.b", "2")
    before, drawn = network.tensors(), copy.deepcopy(network.random.state)
    for _ in range(3):
        network.learn(X, LABELS)
    after = network.tensors()
    for name, array in before.items():
        stays = name.startswith(("0.", "1.b."))
        assert np.array_equal(array, after[name]) == stays, name
    assert network.random.state == drawn  # a frozen dropout drops nothing
    network.unfreeze("1.b")
    network.learn(X, LABELS)
    last = network.tensors()
    for name, array in after.items():
        assert np.array_equal(array, last[name]) == name.startswith("0."), name


def test_the_whole_network_may_be_frozen_but_for_nothing(backend, host):
    network, _ = pair(backend, sal.Adam(0.1, weight_decay=0.1), PARTS[-1].split())
    before = network.tensors()
    network.learn(X, LABELS)
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert (host(network.gradients) == 0).all()


# -- passes and games that exist already ---------------------------------------------------------


def test_a_pass_that_was_made_before_heeds_it(backend, host):
    network, module = pair(backend)
    run, dy = network.new_pass(), np.random.default_rng(0).normal(size=(6, 3))
    network.freeze("1", "2.1")
    freeze(module, ("1", "2.1"))
    torch.softmax(module(as_torch(X)), dim=1).backward(as_torch(dy))
    network.compute(X, run)
    network.backprop(dy, run)
    for ours, theirs in zip(network.named_gradients().values(), gradients(module), strict=True):
        assert close(host(ours), theirs)
    assert same_state(network, module)


def test_compute_after_a_freeze_heeds_it(backend, host):
    network, _ = pair(backend)
    network.compute(X)
    network.freeze("1")
    before = network.tensors()["1.running_mean"]
    network.compute(X)
    assert np.array_equal(network.tensors()["1.running_mean"], before)


def test_a_generator_that_is_frozen_in_part_while_it_plays():
    play = game()
    play.play(2)
    play.generator.freeze("0", "1")
    before = play.generator.tensors()
    play.play(4)
    for name, array in play.generator.tensors().items():
        assert np.array_equal(array, before[name]) == name.startswith(("0.", "1.")), name
    assert (play.generator.named_gradients()["0.weights"] == 0).all()


# -- names, files, summaries -----------------------------------------------------------------------


def test_names_are_checked_before_anything_is_frozen():
    network, _ = pair("numpy", frozen=("0",))
    for names, message in (
        (("1", "5"), "unknown part of the network '5'"),
        (("2.7",), r"unknown part of the network '2\.7', did you mean '2\.[0-4]'"),
        (("2.1.gamma",), "unknown part of the network"),
        (("",), "unknown part of the network ''"),
        ((3,), "unknown part of the network 3"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            network.freeze(*names)
        assert "\n" not in str(caught.value)
        assert network.frozen == ("0",)
    with pytest.raises(ValueError, match="unknown frozen part '1'"):
        network.unfreeze("1")
    assert network.frozen == ("0",)
    layers = [sal.NeuronLayer(3)]
    with pytest.raises(ValueError, match="unknown part of the network"):
        sal.Network(layers, 4, frozen=["1"])
    before = network.tensors()
    network.learn(X, LABELS)
    changed = {
        name[0] for name, array in network.tensors().items() if (array != before[name]).any()
    }
    assert changed == {"1", "2", "3", "4"}


def test_frozen_parts_are_saved_and_loaded(tmp_path):
    layers = {
        "body": sal.Sequential([sal.NeuronLayer(5), sal.BatchNorm()]),
        "head": sal.NeuronLayer(3, sal.Softmax()),
    }
    network = sal.Network(layers, 4, sal.CrossEntropy(), sal.SGD(0.1), frozen=["body.0"])
    network.freeze("body.1")
    network.save(tmp_path / "net")
    loaded = sal.Network.load(tmp_path / "net")
    assert loaded.frozen == ("body.0", "body.1")
    before = loaded.tensors()
    loaded.learn(X, LABELS)
    network.learn(X, LABELS)
    for name, array in loaded.tensors().items():
        assert np.array_equal(array, before[name]) == name.startswith("body."), name
        assert np.array_equal(array, network.tensors()[name])
    assert "frozen" in network.summary()
    network.unfreeze()
    assert network.frozen == () and "frozen" not in network.summary()


def test_a_penalty_leaves_frozen_parts_alone(backend, host):
    """Second-order backprop through a frozen layer, against PyTorch."""
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1))
    module = module.double()
    layers = [sal.NeuronLayer(6, sal.Tanh()), sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(1)]
    critic = sal.Network(
        layers, 4, optimizer=sal.SGD(0.1), backend=backend, dtype="float64", frozen=["1"]
    )
    sal.from_pytorch(critic, module.state_dict())
    module[2].requires_grad_(False)
    penalty = sal.GradientPenalty(10)
    penalty.attach(critic)
    real, fake = X[:3], X[3:]
    state = copy.deepcopy(critic.random.state)
    share = host(critic.random.uniform((3, 1), critic.dtype))
    critic.random.state = state
    penalty.penalty(critic.backend.asarray(real), critic.backend.asarray(fake))
    x = torch.tensor(fake + share * (real - fake), requires_grad=True)
    (g,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    (10 * ((g.norm(dim=1) - 1) ** 2).mean()).backward()
    for ours, theirs in zip(critic.named_gradients().values(), gradients(module), strict=True):
        assert close(host(ours), theirs, 1e-9)


def test_a_layer_that_is_not_trainable_begins_frozen():
    layers = [sal.NeuronLayer(3, sal.Tanh()), sal.NeuronLayer(2)]
    layers[0].trainable = False
    network = sal.Network(layers, 4, sal.MeanSquaredError(), sal.SGD(0.1))
    assert network.frozen == ("0",)
    before = network.tensors()
    network.learn(np.ones((5, 4)), np.zeros((5, 2)))
    for name, array in network.tensors().items():
        assert np.array_equal(array, before[name]) == name.startswith("0."), name
