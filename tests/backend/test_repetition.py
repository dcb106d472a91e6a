"""Recorded steps: they do what the same steps do one call after another."""

from __future__ import annotations

import copy
import pickle
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from tape_backend import TapeBackend, recordings

import salamandre as sal
from salamandre import schedules

random = np.random.default_rng(0)
VECTORS = random.normal(size=(256, 12)).astype("float32")
PICTURES = random.uniform(-1, 1, (64, 1, 8, 8)).astype("float32")
LABELS = random.integers(0, 3, 256)


def host(array):
    return np.asarray(getattr(array, "hidden", array.get() if hasattr(array, "get") else array))


def agree(one, other):
    assert np.array_equal(host(one), host(other))


def classifier(backend, *layers, shape=12, optimizer=None):
    layers = layers or (sal.NeuronLayer(9, sal.ReLU()),)
    last = sal.NeuronLayer(3, sal.Softmax())
    optimizer = optimizer or sal.Adam(0.01)
    return sal.Network([*layers, last], shape, sal.CrossEntropy(), optimizer, backend=backend)


def batch(network, step, size=8):
    rows = slice(step * size % 48, step * size % 48 + size)
    x = PICTURES if len(network.input_shape) == 3 else VECTORS
    return x[rows], LABELS[rows]


def learn(networks, steps, size=8, **more):
    """Let networks learn alike, and compare all that changes."""
    for step in steps:
        losses = [float(network.learn(*batch(network, step, size), **more)) for network in networks]
        assert losses[0] == losses[1]
    one, other = networks
    agree(one.parameters, other.parameters)
    agree(one.state, other.state)
    for array, its in zip(*(n.optimizer.memory.values() for n in networks), strict=True):
        agree(array, its)
    assert one.optimizer.steps == other.optimizer.steps
    assert one.random.state == other.random.state


def dropout_and_norm():
    return sal.NeuronLayer(9, sal.Tanh(), noise=2), sal.Dropout(0.3), sal.BatchNorm()


LAYERS = {
    "perceptron": (lambda: (sal.NeuronLayer(9, sal.ReLU()),), 12),
    "noise, dropout and batch-norm": (dropout_and_norm, 12),
    "convolution": (
        lambda: (
            sal.ConvolutionalLayer(4, 3, 1, 1, sal.LeakyReLU(0.2)),
            sal.MaxPool(2),
            sal.ConvolutionalLayer(5, 1),
            sal.BatchNorm(),
            sal.ReLU(),
            sal.AveragePool(2),
            sal.Flatten(),
        ),
        (1, 8, 8),
    ),
    "tiles": (
        lambda: (
            sal.ConvolutionalLayer(16, 3, 1, 1, sal.Sigmoid()),
            sal.ConvolutionalLayer(16, 4, 2, 1),
            sal.Skip([sal.ConvolutionalLayer(2, 3, 1, 1, sal.ELU())]),
            sal.LayerNorm(),
            sal.Flatten(),
        ),
        (1, 8, 8),
    ),
}


@pytest.mark.usefixtures("tiles_of_any_batch")
@pytest.mark.parametrize("name", LAYERS)
def test_a_network_learns_alike(sides, name):
    make, shape = LAYERS[name]
    networks = [classifier(backend, *make(), shape=shape) for backend in sides]
    learn(networks, range(6))
    assert len(recordings(sides[1])) == 1


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: sal.SGD(0.1, clip_norm=0.5, weight_decay=0.01),
        lambda: sal.Momentum(schedules.CosineDecay(0.1, 20, 3), clip_value=0.1),
        lambda: sal.Adam(schedules.StepDecay(0.01, 2), clip_weights=0.4),
    ],
)
def test_numbers_of_the_optimizer_are_those_of_the_step(sides, optimizer):
    networks = [classifier(backend, optimizer=optimizer()) for backend in sides]
    learn(networks, range(8))
    for network in networks:
        network.optimizer.learning_rate = 0.02
        network.optimizer.clip_norm = 0.01
    learn(networks, range(4))
    assert len(recordings(sides[1])) == 1


def test_what_changes_is_recorded_anew(sides):
    networks = [classifier(backend, *dropout_and_norm()) for backend in sides]
    learn(networks, range(4))
    for change in (
        lambda network: network.freeze("0"),
        lambda network: network.unfreeze("0"),
        lambda network: setattr(network.layers[1], "rate", 0.6),
        lambda network: setattr(network.layers[2], "momentum", 0.5),
        lambda network: setattr(network, "loss", sal.CrossEntropy(label_smoothing=0.2)),
        lambda network: setattr(network.loss, "label_smoothing", 0.3),
    ):
        for network in networks:
            change(network)
        learn(networks, range(4))
        assert len(recordings(sides[1])) == 1


def test_each_size_of_batches_has_a_recording(sides):
    networks = [classifier(backend, *dropout_and_norm()) for backend in sides]
    for _ in range(4):
        for size in (8, 5, 2):
            learn(networks, range(2), size)
    assert len(recordings(sides[1])) == 3
    learn(networks, range(4), weights=np.arange(8) + 1.0)
    assert len(recordings(sides[1])) == 4
    learn(networks, range(4), 3)
    assert len(recordings(sides[1])) == 4  # the oldest is given up
    learn(networks, range(4), 8)


def test_other_uses_of_a_network_stay_between_steps(sides):
    networks = [classifier(backend, *dropout_and_norm()) for backend in sides]
    found = []
    for step in range(8):
        learn(networks, [step])
        asked = []
        for network in networks:
            y = network.predict(VECTORS[:40], seed=step)
            dx = network.backprop(network.compute(VECTORS[:3], training=False), update=False)
            asked.append([host(y), host(dx)])
        found.append(asked)
    for one, other in found:
        assert all(map(np.array_equal, one, other))
    assert len(recordings(sides[1])) == 1


def test_a_copy_has_no_recordings(sides):
    network = classifier(sides[1], *dropout_and_norm())
    for step in range(4):
        network.learn(*batch(network, step))
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        random_before = network.random.state
        learn([twin, copy.deepcopy(network)], range(5))
        assert network.random.state == random_before


def test_predictions_wait_for_a_replay(sides):
    """Each is of parameters and running statistics between two steps."""
    network, stopped, found = classifier(sides[1], *dropout_and_norm()), threading.Event(), []
    for step in range(3):
        network.learn(*batch(network, step))
    (recording,) = recordings(sides[1])
    held = []
    network.gate.begin_reading()

    def step():
        network.learn(*batch(network, 0))
        held.append(True)

    thread = threading.Thread(target=step)
    thread.start()
    thread.join(0.1)
    assert not held
    network.gate.end_reading()
    thread.join()
    assert held and not stopped.is_set() and not found and recording in recordings(sides[1])


class Counting(sal.NeuronLayer):
    """A layer whose steps differ: how often it was called is a number of the host."""

    calls = SimpleNamespace(count=0)

    def compute(self, x, ctx):
        self.calls.count += 1
        return super().compute(x * (1 + self.calls.count), ctx)


class Faithful(sal.NeuronLayer):
    """A layer that says it does the same each time."""

    repeats = True


def test_layers_of_ones_own_are_recorded_if_they_say_so(sides):
    for layer, count in ((Counting, 0), (Faithful, 1)):
        network = classifier(sides[1], layer(4))
        Counting.calls.count = 0
        for step in range(5):
            network.learn(*batch(network, step))
        assert Counting.calls.count == (5 if layer is Counting else 0)
        assert len(recordings(sides[1])) == count


class Reading(sal.NeuronLayer):
    """A layer that says so wrongly."""

    repeats = True

    def compute(self, x, ctx):
        assert float(x.sum()) < 1e9
        return super().compute(x, ctx)


def test_a_step_that_cannot_be_recorded_is_done_call_by_call(sides):
    networks = [classifier(backend, Reading(4)) for backend in sides]
    learn(networks, range(2))
    with pytest.warns(RuntimeWarning, match="steps of a Network cannot be recorded"):
        learn(networks, [2])
    learn(networks, range(4))
    assert not recordings(sides[1])


class Warming(sal.NeuronLayer):
    """A layer that says so wrongly: it looks at the count of steps."""

    repeats = True
    optimizer = None

    def compute(self, x, ctx):
        return super().compute(x * (1 + self.optimizer.steps), ctx)


def test_a_count_of_steps_is_no_part_of_a_recording(sides):
    networks = [classifier(backend, Warming(4)) for backend in sides]
    for network in networks:
        network.layers[0].optimizer = network.optimizer
    learn(networks, range(2))
    with pytest.warns(RuntimeWarning, match="an optimizer's steps cannot be part of a recorded"):
        learn(networks, [2])
    learn(networks, range(3))
    assert not recordings(sides[1])


def test_an_engine_learns_alike(sides):
    engines = [
        sal.Engine(classifier(backend), (VECTORS, LABELS), batch_size=32) for backend in sides
    ]
    for engine in engines:
        engine.run(2)
    assert engines[0].history.steps == engines[1].history.steps
    agree(*(engine.network.parameters for engine in engines))
    assert len(recordings(sides[1])) == 1


def test_a_step_within_a_step_is_a_part_of_it():
    backend = TapeBackend()

    class Owner:
        def inner(self, x):
            return {"sum": x.sum()}

        def outer(self, x):
            return {"sum": 2 * backend.repeat(self.inner, (x,))["sum"]}

    owner, x = Owner(), backend.asarray(np.arange(3.0))
    for factor in range(5):
        assert float(backend.repeat(owner.outer, (x * factor,))["sum"]) == 6 * factor
    assert len(recordings(backend)) == 1
