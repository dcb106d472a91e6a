"""Batches that are shared among threads, in networks with layers of one's own."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from test_shared_batches import LABELS, N, close, window

import salamandre as sal
from salamandre.backend import team
from salamandre.layer import Linear


class Blocks(sal.Layer):
    """Layers that it keeps in a list of pairs of its own."""

    def __init__(self):
        super().__init__()
        self.children = sal.NeuronLayer(4), sal.NeuronLayer(4)
        self.blocks = [(layer, "block") for layer in self.children]

    def build(self, shape):
        for layer, _ in self.blocks:
            shape, layer.built = layer.build(shape), True
        return shape

    def compute(self, x, ctx):
        for (layer, _), part in zip(self.blocks, ctx.parts, strict=True):
            x = layer.compute(x, part)
        return x

    def backprop(self, dy, ctx):
        for (layer, _), part in zip(self.blocks[::-1], ctx.parts[::-1], strict=True):
            dy = layer.backprop(dy, part)
        return dy


class TimesLabel(sal.Layer):
    def build(self, shape):
        return shape

    def compute(self, x, ctx):
        return x * (1 + ctx.labels[:, None])

    def backprop(self, dy, ctx):
        return dy * (1 + ctx.labels[:, None])


@pytest.mark.parametrize(
    "layers", [lambda: [Blocks()], lambda: [sal.Embedding(3, 2), TimesLabel()]]
)
def test_layers_of_one_s_own_learn_what_the_whole_batch_does(layers):
    x, found = np.random.default_rng(0).normal(size=(N, 5)), []
    for threads in (1, 2):
        options = {"dtype": "float64", "threads": threads}
        made = [*layers(), sal.NeuronLayer(3)]
        net = sal.Network(made, 5, sal.MeanSquaredError(), sal.SGD(0.1), **options)
        net.learn(x, x[:, :3], LABELS if net.classes else None)
        found.append(net.parameters)
    close(*found)


class Centre(Linear):
    """x minus the batch's mean, which it tells nobody."""

    def build(self, shape):
        return shape

    def apply(self, x, ctx, name="y"):
        return x - x.mean(axis=0)

    adjoint = apply


def test_layers_of_one_s_own_are_shared_only_if_asked(monkeypatch):
    monkeypatch.setattr(team._blas, "before", [2])  # as if BLAS had two threads
    layers = [window(32, 3, 1, 1), window(32, 3, 1, 1)]
    assert sal.Network(layers, (3, 32, 32)).shares(64) == (team.cores() > 1)
    layers = [window(32, 3, 1, 1), window(32, 3, 1, 1), Centre()]
    assert not sal.Network(layers, (3, 32, 32)).shares(64)


class Perceptual(sal.Layer):
    """Asks another network, whose batches may be shared too."""

    judge = sal.Network([sal.NeuronLayer(4)], 4, threads=2)

    def build(self, shape):
        return shape

    def compute(self, x, ctx):
        run = self.judge.new_pass(shared=True)
        return x + 0 * self.judge.compute(x, run)

    def backprop(self, dy, ctx):
        return dy


def test_a_network_inside_of_a_share_does_not_share():
    layers = [sal.NeuronLayer(4), Perceptual(), sal.NeuronLayer(3)]
    net = sal.Network(layers, 5, sal.MeanSquaredError(), sal.SGD(0.1), threads=2)
    task = threading.Thread(target=net.learn, args=(np.ones((8, 5)), np.ones((8, 3))), daemon=True)
    task.start()
    task.join(20)
    assert not task.is_alive()


def test_settings_of_numpy_reach_all_shares():
    net = sal.Network([Root(3)], 2, threads=2)
    run = net.new_pass(shared=True)
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        net.compute(np.array([[1.0, 1.0], [-1.0, -1.0]]), run)
    with np.errstate(invalid="ignore"):
        net.compute(np.array([[1.0, 1.0], [-1.0, -1.0]]), run)


class Root(sal.NeuronLayer):
    def compute(self, x, ctx):
        return super().compute(np.sqrt(x), ctx)


class Remembering(sal.NeuronLayer):
    """Keeps a method of its own."""

    def build(self, shape):
        self.write = self._write
        return super().build(shape)

    def _write(self, dy, ctx):
        return super().backprop(dy, ctx)

    def backprop(self, dy, ctx):
        return self.write(dy, ctx)


def test_a_method_that_a_layer_keeps_is_of_the_share_s_layer():
    x, targets = np.random.default_rng(0).normal(size=(2, 8, 3))
    found = []
    for threads in (1, 2):
        net = sal.Network([Remembering(3)], 3, "mse", sal.SGD(0.1), dtype="float64")
        net.threads = threads
        net.learn(x, targets)
        found.append(net.parameters.copy())
    assert np.allclose(*found)


class Wrong(sal.Layer):
    """Returns something else."""

    answer = staticmethod(list)

    def build(self, shape):
        return shape

    def compute(self, x, ctx):
        return self.answer(x)

    def backprop(self, dy, ctx):
        return dy


@pytest.mark.parametrize("answer", [list, lambda x: 1.0, lambda x: x.sum(), lambda x: None])
def test_what_a_layer_must_not_return_is_said_as_without_threads(answer, monkeypatch):
    monkeypatch.setattr(Wrong, "answer", staticmethod(answer))
    told = []
    for threads in (1, 2):
        net = sal.Network([sal.NeuronLayer(3), Wrong()], 3, "mse", sal.SGD(0.1), threads=threads)
        with pytest.raises(TypeError, match=r"Wrong\.compute must return y") as caught:
            net.learn(np.ones((4, 3)), np.ones((4, 3)))
        told.append(str(caught.value))
    assert told[0].split(", got")[0] == told[1].split(", got")[0]
