"""Layers that are written slightly wrong: the check says what is wrong with each, and where."""

from __future__ import annotations

import re

import numpy as np
import pytest
from test_gradient_checking import Scale, Swish, X

import salamandre as sal


class Rebinding(Scale):
    """The gradient is bound to the name, not written into the network's memory."""

    def backprop(self, dy, ctx):
        self.d_w = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class RebindingTheParameter(Scale):
    def backprop(self, dy, ctx):
        self.w = self.w * 0.9
        return super().backprop(dy, ctx)


class RebindingPastTheRefusal(Scale):
    def backprop(self, dy, ctx):
        if ctx.parameter_gradients:
            vars(self)["d_w"] = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class OldCopy(Scale):
    """Computes with a copy, which does not learn."""

    def compute(self, x, ctx):
        ctx.x = x
        if not hasattr(self, "copy"):
            self.copy = self.w + 0
        return x * self.copy


class Adding(Scale):
    def backprop(self, dy, ctx):
        if ctx.parameter_gradients:
            self.d_w += (dy * ctx.x).sum(axis=0)
        return dy * self.w


class NotWriting(Scale):
    def backprop(self, dy, ctx):
        return dy * self.w


class WritingUnasked(Scale):
    def backprop(self, dy, ctx):
        self.d_w[...] = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class OnSomeBatches(Scale):
    def backprop(self, dy, ctx):
        if ctx.parameter_gradients and len(dy) == len(X):
            self.d_w[...] = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class ChangingX(Scale):
    def compute(self, x, ctx):
        ctx.x = x + 0
        x *= self.w
        return x


class SpoilingX(Scale):
    def compute(self, x, ctx):
        ctx.x = x + 0
        x[...] = np.nan
        return ctx.x * self.w


class ChangingDy(Scale):
    def backprop(self, dy, ctx):
        if ctx.parameter_gradients:
            self.d_w[...] = (dy * ctx.x).sum(axis=0)
        dy *= self.w
        return dy


class KeepingTheBatch(Scale):
    def compute(self, x, ctx):
        self.x = x
        return x * self.w

    def backprop(self, dy, ctx):
        if ctx.parameter_gradients:
            self.d_w[...] = (dy * self.x).sum(axis=0)
        return dy * self.w


class OnlyTraining(Scale):
    """Computes something else without training, and goes back as with it."""

    def compute(self, x, ctx):
        ctx.x = x
        return x * self.w if ctx.training else x


class OfFloat64(Scale):
    def compute(self, x, ctx):
        return super().compute(x, ctx) * np.float64(1)


class OfAnotherShape(Scale):
    """y may be broadcast, so that the next layer does not stumble."""

    def compute(self, x, ctx):
        return super().compute(x, ctx)[:, :1]

    def backprop(self, dy, ctx):
        return super().backprop(dy, ctx)


class UsingTheInputGradient(Scale):
    def backprop(self, dy, ctx):
        return super().backprop(dy, ctx) if ctx.input_gradient else dy[len(dy)]


class ReadingX(Swish):
    """Says that y may be written over x, and reads x again."""

    from_output = True

    def gradient(self, dy, x, y, out, ctx):
        return ctx.xp.multiply(dy, x * ctx.s * (1 - ctx.s) + ctx.s, out=out)


class ReadingDy(sal.Activation):
    """y = x²: reads dy after it was written over, where dx and dy are the same memory."""

    def function(self, x, out, ctx):
        return ctx.xp.multiply(x, x, out=out)

    def gradient(self, dy, x, y, out, ctx):
        out[...] = 0
        out += 2 * dy * x
        return out


WRONG = [
    (RebindingPastTheRefusal, "layer 1: .* does not write all of d_w"),
    (Adding, r"layer 1: Adding.backprop adds to d_w \(\+=\), where an old gradient is"),
    (NotWriting, "layer 1: NotWriting.backprop does not write all of d_w"),
    (WritingUnasked, "writes d_w also where ctx.parameter_gradients is False"),
    (OnSomeBatches, "for 4 examples the gradients of 1.w are wrong"),
    (ChangingX, "layer 1: ChangingX.compute changes x"),
    (SpoilingX, "layer 1: SpoilingX.compute changes x"),
    (ChangingDy, "layer 1: ChangingDy.backprop changes dy"),
    (KeepingTheBatch, "layer 1: KeepingTheBatch.compute keeps in self what backprop needs"),
    (OnlyTraining, "with training=False the gradients of x, .*1.w are wrong"),
    (OfFloat64, "layer 1: OfFloat64.compute must return y.* float32 .*, got float64"),
    (UsingTheInputGradient, "layer 0: .*backprop fails where ctx.input_gradient is False"),
    (ReadingX, "layer 0: ReadingX.gradient reads .* from_output = True y over x"),
    (ReadingDy, "layer 0: ReadingDy.gradient reads what was written over"),
]


@pytest.mark.parametrize("layer, sentence", WRONG, ids=[row[0].__name__ for row in WRONG])
def test_one_sentence_says_what_is_wrong_and_where(layer, sentence, backend):
    first = [sal.NeuronLayer(4, sal.Tanh())] if "layer 0" not in sentence else []
    report = sal.gradient_check([*first, layer()], X, backend=backend)
    assert not report
    assert len(report.mistakes) == 1 and re.search(sentence, report.mistakes[0]), str(report)
    assert str(report).endswith(report.mistakes[0])


@pytest.mark.parametrize("layer, name", [(Rebinding, "d_w"), (RebindingTheParameter, "w")])
def test_what_is_bound_in_the_place_of_a_view_is_refused_where_it_is_done(layer, name):
    layers = [sal.NeuronLayer(4), layer()]
    with pytest.raises(TypeError, match=rf"{layer.__name__}\.{name} is memory .*{name}\[\.\.\.\]"):
        sal.gradient_check(layers, X)
    network = sal.Network(layers, 4, sal.MeanSquaredError(), sal.SGD())
    before = network.tensors()
    with pytest.raises(TypeError, match=r"write into it"):
        network.learn(X, X)
    assert all(np.array_equal(array, before[name]) for name, array in network.tensors().items())


def test_views_may_be_changed_in_place_by_operators():
    layer = Scale()
    network = sal.Network([layer], 4)
    layer.w *= 2
    layer.d_w += 3
    network.parameters += 1
    assert (layer.w == 3).all() and (network.gradients == 3).all()
    for name in ("parameters", "gradients", "state"):
        with pytest.raises(TypeError, match=f"Network.{name} is memory"):
            setattr(network, name, getattr(network, name) * 2)


def test_the_check_looks_at_the_parameters_that_learn(backend):
    report = sal.gradient_check([OldCopy()], X, backend=backend)
    assert not report and report.errors["0.w"] == pytest.approx(1)


def test_an_output_of_another_shape_than_was_said():
    with pytest.raises(TypeError, match=r"layer 0: OfAnotherShape.compute must return y.*\(N, 4\)"):
        sal.gradient_check([OfAnotherShape()], X)


def test_a_loss_that_changes_its_arguments():
    class Changing(sal.Loss):
        def compute(self, y, target, xp):
            y -= target
            return (y * y).mean(), 2 * y / y.size

    report = sal.gradient_check(Changing(), X, target=X[::-1].copy())
    assert not report and report.mistakes == ("Changing.compute changes y or the target",)
    assert report.worst < 1e-6
