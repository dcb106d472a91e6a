"""The check of gradients: on layers of a user's own, and on mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.gradient_checking import gradient_check

X = np.random.default_rng(7).normal(size=(5, 4))


class Swish(sal.Activation):
    """An activation as a user writes it: y = x / (1 + exp(-x)), whose gradient needs x."""

    def function(self, x, out, ctx):
        ctx.s = 1 / (1 + ctx.xp.exp(-x))
        return ctx.xp.multiply(x, ctx.s, out=out)

    def gradient(self, dy, x, y, out, ctx):
        return ctx.xp.multiply(dy, y + ctx.s * (1 - y), out=out)


class Scale(sal.Layer):
    """A layer as a user writes it: y = w x, w for each feature."""

    def build(self, input_shape):
        self.declare("w", input_shape, sal.initializers.Constant(1))
        return input_shape

    def compute(self, x, ctx):
        ctx.x = x
        return x * self.w

    def backprop(self, dy, ctx):
        if ctx.parameter_gradients:
            self.d_w[...] = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class WrongScale(Scale):
    """The same with a mistake in each gradient."""

    def backprop(self, dy, ctx):
        return 1.001 * super().backprop(dy, ctx)


def test_layers_and_activations_of_a_users_own(backend):
    assert gradient_check([sal.NeuronLayer(3, Swish()), Scale(), Swish()], X, backend=backend)


def test_mistakes_are_found_and_named(backend):
    report = gradient_check([sal.NeuronLayer(3), WrongScale()], X, backend=backend)
    assert not report and not report.passed
    assert report.errors["x"] == pytest.approx(0.0005, rel=0.01)
    assert report.errors["1.w"] < 1e-6 < report.errors["0.weights"]
    assert str(report).count("WRONG") == 3 and str(report).count("ok") == 1
    given = [sal.NeuronLayer(3), WrongScale()], X
    assert gradient_check(*given, tolerance=1e-3, backend=backend)
    assert not gradient_check(*given, tolerance=1e-4, backend=backend)


def test_a_gradient_that_is_no_number_is_the_worst():
    report = sal.gradient_checking.GradientReport({"x": 1e-9, "w": np.nan}, 1e-6)
    assert np.isnan(report.worst) and not report


def test_the_check_changes_neither_its_input_nor_the_network():
    x, network = X.copy(), sal.Network([sal.NeuronLayer(3), sal.BatchNorm()], 4, dtype="float64")
    before = network.tensors()
    assert gradient_check(network, x)
    assert np.array_equal(x, X)
    for name, array in network.tensors().items():
        if "running" not in name:
            assert np.array_equal(array, before[name])


def test_a_network_that_is_a_part_of_another_one_is_checked_as_one():
    part = sal.Network([sal.NeuronLayer(3, sal.Tanh()), sal.BatchNorm()])
    report = sal.gradient_check(part, X)
    assert report and {"x", "0.0.weights", "0.1.gamma"} < set(report.errors)
    assert not part.built


def test_only_float64_is_precise_enough():
    with pytest.raises(ValueError, match="float64"):
        gradient_check(sal.Network([sal.NeuronLayer(3)], 4), X)


class Exponential(sal.BatchNorm):
    """Changes what its base promises: it reads its output again."""

    def compute(self, x, ctx):
        ctx.y = super().compute(x, ctx)
        ctx.xp.exp(ctx.y, out=ctx.y)
        return ctx.y

    def backprop(self, dy, ctx):
        return super().backprop(dy * ctx.y, ctx)


def test_nobody_writes_over_what_a_subclass_reads_again(backend):
    x = np.random.default_rng(0).normal(size=(5, 4))
    assert gradient_check([Exponential(), sal.Tanh()], x, backend=backend)
    assert gradient_check(
        [sal.NeuronLayer(4, bias=False), Exponential(), sal.SoftPlus()], x, backend=backend
    )


def test_several_inputs_and_frozen_parts(random):
    layers = [sal.Parallel([sal.NeuronLayer(3, sal.Tanh()), sal.NeuronLayer(2)])]
    x = random.normal(size=(4, 3)), random.normal(size=(4, 2))
    report = gradient_check(layers, x)
    assert report and {"x[0]", "x[1]", "0.1.bias"} <= report.errors.keys()
    network = sal.Network(layers, [(3,), (2,)], dtype="float64", frozen="0.0")
    report = gradient_check(network, x)
    assert report and report.errors.keys() == {"x[0]", "x[1]", "0.1.weights", "0.1.bias"}


def test_ctrl_c_leaves_the_network_as_it_was():
    class Interrupted(sal.Tanh):
        calls = 0

        def compute(self, x, ctx):
            Interrupted.calls += 1
            if Interrupted.calls == 50:
                assert not np.array_equal(network.parameters, before)  # one of them is displaced
                raise KeyboardInterrupt
            return super().compute(x, ctx)

    network = sal.Network([sal.NeuronLayer(3), Interrupted()], 4, dtype="float64")
    before = network.parameters.copy()
    with pytest.raises(KeyboardInterrupt):
        gradient_check(network, X)
    assert np.array_equal(network.parameters, before)
