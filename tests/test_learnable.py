"""Losses and optimizers that a network gets later."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.component import decode, encode

X = np.random.default_rng(0).random((12, 4), np.float32)
LABELS = np.arange(12) % 3


def network(**options):
    layers = [sal.NeuronLayer(8, "relu"), sal.Dropout(0.5), sal.NeuronLayer(3, "softmax")]
    return sal.Network(layers, 4, **options)


def taught(net):
    for _ in range(3):
        net.learn(X, LABELS)
    return net.parameters


def test_a_loss_and_an_optimizer_that_come_later_are_those_of_before(backend, host):
    first = network(loss="crossentropy", optimizer=sal.Adam(0.01), backend=backend)
    later = network(loss="mse", optimizer="sgd", backend=backend)
    later.loss, later.optimizer = "crossentropy", sal.Adam(0.01)
    assert np.array_equal(host(taught(later)), host(taught(first)))


def test_a_new_optimizer_remembers_nothing_of_the_old_one():
    net = network(loss="crossentropy", optimizer=sal.Momentum(0.1, 0.9))
    taught(net)
    fresh = network(loss="crossentropy", optimizer=sal.Momentum(0.1, 0.9))
    fresh.load_tensors(net.tensors())
    net.optimizer = sal.Momentum(0.1, 0.9)
    assert net.optimizer.steps == 0
    for one in (net, fresh):
        one.layers[1].rate = 0.0
        one.learn(X, LABELS)
    assert np.array_equal(net.parameters, fresh.parameters)


def test_what_is_set_is_what_is_saved(tmp_path):
    net = network(loss="crossentropy", optimizer="adam")
    net.loss, net.optimizer = sal.MeanSquaredError(), sal.SGD(0.3)
    net.save(tmp_path / "net.safetensors")
    found = sal.Network.load(tmp_path / "net.safetensors")
    assert isinstance(found.loss, sal.MeanSquaredError)
    assert isinstance(found.optimizer, sal.SGD) and found.optimizer.learning_rate == 0.3
    net.loss = net.optimizer = None
    net.save(tmp_path / "net.safetensors")
    found = sal.Network.load(tmp_path / "net.safetensors")
    assert found.loss is None and found.optimizer is None


def of_another_network():
    return network(optimizer="adam").optimizer


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("optimizer", "adm", TypeError, "got 'adm', did you mean 'Adam'"),
        ("optimizer", sal.Adam, TypeError, r"a class: make an object of it, Adam\(\)"),
        ("optimizer", of_another_network, ValueError, "this Adam belongs to a network already"),
        ("loss", 3, TypeError, "Network loss must be a salamandre.Loss, got 3"),
    ],
)
def test_a_wrong_part_changes_nothing(name, value, error, message):
    net = network(loss="crossentropy", optimizer="sgd")
    text, before = repr(net), getattr(net, name)
    with pytest.raises(error, match=message):
        setattr(net, name, value() if value is of_another_network else value)
    assert repr(net) == text and getattr(net, name) is before
    assert np.isfinite(taught(net)).all()


def test_the_optimizer_that_it_has_may_be_set_again():
    net = network(loss="crossentropy", optimizer="adam")
    taught(net)
    net.optimizer = net.optimizer
    assert net.optimizer.steps == 3


def test_a_loss_that_does_not_suit_the_last_activation_is_told_where_it_is_set():
    net = sal.Network([sal.NeuronLayer(3)], 4, "mse", "sgd")
    with pytest.warns(UserWarning, match="Softmax") as told:
        net.loss = "crossentropy"
    assert told[0].filename == __file__


class Looking(sal.Network):
    """Makes its optimizer of the one that it is given."""

    def __init__(self, optimizer=None):
        super().__init__([sal.NeuronLayer(3)], 4, "mse", sal.Lookahead(optimizer or sal.SGD(0.1)))


@pytest.mark.parametrize("given", [None, sal.SGD(0.2)])
def test_a_class_that_makes_its_optimizer_of_an_argument_is_saved_with_the_argument(given):
    made = decode(encode(Looking(given)))
    assert isinstance(made.optimizer, sal.Lookahead)
    assert isinstance(made.optimizer.fast, sal.SGD)


def test_parts_of_a_batch_have_the_loss_of_now():
    target = np.eye(3, dtype=np.float32)[LABELS]
    losses = []
    for parts in (1, 2):
        net = network(loss="crossentropy", optimizer="sgd")
        engine = sal.Engine(net, (X, target), batch_size=12, accumulate=parts)
        net.layers[1].rate, net.loss = 0.0, "mse"
        losses += engine.run(1).steps["loss"][-1:]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_snapshot_of_before_puts_the_network_back_and_leaves_the_later_optimizer():
    net = network(loss="crossentropy", optimizer="adam")
    engine = sal.Engine(net, (X, LABELS), batch_size=12)
    engine.run(1)
    before, kept = engine.snapshot(), net.parameters.copy()
    net.optimizer = sal.Adam(0.1)
    engine.run(3)
    memory = {name: array.copy() for name, array in net.optimizer.memory.items()}
    assert not np.array_equal(net.parameters, kept)
    engine.restore(before)
    assert np.array_equal(net.parameters, kept)
    assert net.optimizer.steps == 2
    for name, array in net.optimizer.memory.items():
        assert np.array_equal(array, memory[name])
