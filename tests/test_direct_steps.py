"""Steps of plain gradient descent on few examples: they change weights without their gradient."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

import salamandre as sal

X = np.random.default_rng(2).normal(size=(9, 5))
LABELS = np.array([0, 2, 1, 1, 0, 2, 2, 1, 0])


def made(backend="numpy", optimizer=None, frozen=(), dtype="float64"):
    layers = [
        sal.NeuronLayer(7, sal.Tanh()),
        sal.NeuronLayer(4, sal.ReLU(), bias=False),
        sal.NeuronLayer(3, sal.Softmax()),
    ]
    optimizer = optimizer or sal.SGD(sal.schedules.ExponentialDecay(0.5, 0.9))
    return sal.Network(layers, 5, sal.CrossEntropy(), optimizer, 3, backend, dtype, frozen=frozen)


def watched(*arguments, **options):
    """Return a network whose gradients somebody looks at: its steps write them."""
    network = made(*arguments, **options)
    network.gradients  # noqa: B018
    return network


@pytest.mark.parametrize("count", [1, 2, 5, 8, 9])
@pytest.mark.parametrize("frozen", [(), ("1",)])
def test_direct_steps_are_the_usual_ones(count, frozen, backend, host):
    direct, usual = made(backend, frozen=frozen), watched(backend, frozen=frozen)
    for step in range(4):
        rows = np.roll(np.arange(9), step)[:count]
        losses = [float(n.learn(X[rows], LABELS[rows])) for n in (direct, usual)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert np.allclose(host(direct.parameters), host(usual.parameters), rtol=1e-12, atol=1e-14)
    assert direct.optimizer.steps == usual.optimizer.steps == 4
    assert np.allclose(host(direct.gradients), host(usual.gradients), rtol=1e-12, atol=1e-14)


def test_gradients_are_there_for_whoever_looks(backend, host):
    """Also after the batch was changed, outputs were computed and a copy was made."""
    network, usual = made(backend), watched(backend)
    usual.learn(X[:3], LABELS[:3])
    wanted = host(usual.gradients).copy()
    x = X[:3].copy()
    network.learn(x, LABELS[:3])
    x[...] = 0
    network.predict(X)
    network.compute(X)
    twin = copy.deepcopy(network)
    assert np.allclose(host(twin.gradients), wanted)
    found = network.named_gradients()["0.weights"]
    assert np.allclose(host(found), wanted[:35].reshape(7, 5))
    network.learn(X[4:6], LABELS[4:6])  # from now on they are written
    usual.learn(X[4:6], LABELS[4:6])
    assert np.allclose(host(network.gradients), host(usual.gradients))
    assert np.allclose(host(found), host(usual.named_gradients()["0.weights"]))


def test_a_backprop_after_a_direct_step_writes_its_own_gradients(backend, host):
    network, usual = made(backend), watched(backend)
    for each in (network, usual):
        each.learn(X[:3], LABELS[:3])
        each.backprop(each.compute(X[:6]))
    assert np.allclose(host(network.gradients), host(usual.gradients))
    for each in (network, usual):
        each.learn(X[:3], LABELS[:3])
        each.freeze("0")
    assert np.allclose(host(network.gradients), host(usual.gradients))
    assert not host(network.gradients)[:42].any()


@pytest.mark.parametrize(
    "optimizer",
    [
        sal.SGD(0.1, weight_decay=0.1),
        sal.SGD(0.1, clip_norm=0.01),
        sal.SGD(0.1, clip_value=0.01),
        sal.SGD(0.1, clip_weights=0.1),
        sal.Momentum(0.1),
    ],
    ids=repr,
)
def test_other_optimizers_have_their_steps(optimizer, host):
    """The change is what a backprop and a step make."""
    network, other = (made(optimizer=copy.deepcopy(optimizer)) for _ in range(2))
    network.learn(X[:2], LABELS[:2])
    y = other.compute(X[:2])
    _, dy = other.loss.compute(y, LABELS[:2], np)
    other.backprop(dy)
    other.step()
    assert np.allclose(network.parameters, other.parameters, rtol=1e-10)


def test_a_step_that_is_refused_changes_nothing():
    class Refuses(sal.Tanh):
        def gradient(self, dy, x, y, out, ctx):
            raise RuntimeError("no gradient today")

    layers = [sal.NeuronLayer(4, Refuses()), sal.NeuronLayer(3, sal.Softmax())]
    network = sal.Network(layers, 5, sal.CrossEntropy(), sal.SGD(1.0))
    before = network.parameters.copy()
    with pytest.raises(RuntimeError, match="today"):
        network.learn(X[:2], LABELS[:2])
    assert np.array_equal(network.parameters, before) and network.optimizer.steps == 0


def test_others_predict_between_two_direct_steps():
    """The outputs are those of parameters before or after a step, never of a part of one."""
    network = made(dtype="float32", optimizer=sal.SGD(0.01))
    stop, seen = threading.Event(), []

    def ask():
        while not stop.is_set():
            seen.append(network.predict(X[:1]))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        known = []
        for _ in range(200):
            known.append(network.predict(X[:1]))
            network.learn(X[:1], LABELS[:1])
        known.append(network.predict(X[:1]))
    finally:
        stop.set()
        thread.join()
    rows = {row.tobytes() for row in known}
    assert seen and all(row.tobytes() in rows for row in seen)


class Masked(sal.Layer):
    """Neurons whose weights do not learn: a backprop of a user's own masks their gradient."""

    def __init__(self, outputs, mask=0.0):
        super().__init__()
        self.inner, self.mask = sal.NeuronLayer(outputs), mask
        self.children = (self.inner,)

    def build(self, shape):
        self.inner.built = True
        return self.inner.build(shape)

    def compute(self, x, ctx):
        return self.inner.compute(x, ctx.parts[0])

    def backprop(self, dy, ctx):
        dx = self.inner.backprop(dy, ctx.parts[0])
        self.inner.d_weights *= self.mask
        return dx


@pytest.mark.parametrize("count", [4, 9])
def test_what_a_layer_does_with_its_child_s_gradient_counts(count):
    network = sal.Network([Masked(3)], 5, sal.MeanSquaredError(), sal.SGD(0.1))
    weights = network.layers[0].inner.weights.copy()
    network.learn(X[:count], X[:count, :3])
    assert np.array_equal(network.layers[0].inner.weights, weights)


def test_an_accumulating_pass_adds_what_such_a_layer_leaves():
    network = sal.Network([Masked(3, mask=0.5)], 5, dtype="float64")
    for accumulate in (False, True):
        run = network.new_pass(accumulate=accumulate)
        network.compute(X, run)
        network.backprop(np.ones((9, 3)), run)
        if not accumulate:
            once = network.gradients.copy()
    np.testing.assert_allclose(network.gradients, 2 * once)


@pytest.mark.parametrize("count", [1, 4, 400])
def test_the_gradients_after_a_refused_step_are_those_of_the_last_good_one(count, random):
    x, targets = random.normal(size=(400, 3)), random.normal(size=(400, 2))
    found = []
    for watched in (True, False):
        net = sal.Network([sal.NeuronLayer(4, sal.ReLU()), sal.NeuronLayer(2)], 3, "mse", "sgd")
        if watched:
            assert not net.gradients.any()
        net.learn(x[:4], targets[:4])
        with np.errstate(all="ignore"), pytest.raises(sal.Diverged):
            net.learn(x[:count], np.full((count, 2), 3e38))
        found.append(net.gradients.copy())
        net.learn(x[:4], targets[:4])  # and it goes on
    assert found[0].any() and np.allclose(*found, atol=1e-7)
