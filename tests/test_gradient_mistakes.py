"""Layers that are written slightly wrong: the check says what is wrong with each, and where."""

from __future__ import annotations

import numpy as np
import pytest
from test_gradient_checking import Scale, Swish, X

import salamandre as sal


class Rebinding(Scale):
    """The gradient is bound to the name, not written into the network's memory."""

    def backprop(self, dy, ctx):
        self.d_w = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class AroundTheRefusal(Scale):
    def backprop(self, dy, ctx):
        vars(self)["d_w"] = (dy * ctx.x).sum(axis=0)
        return dy * self.w


class OldCopy(Scale):
    """Learns a parameter that it does not compute with."""

    def compute(self, x, ctx):
        ctx.x = x
        if not hasattr(self, "copy"):
            self.copy = self.w + 0
        return x * self.copy


class Adding(Scale):
    def backprop(self, dy, ctx):
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
        x *= self.w
        ctx.x = x / self.w
        return x


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
    def build(self, input_shape):
        super().build(input_shape)
        return (3,)


class NoInputGradient(Scale):
    def backprop(self, dy, ctx):
        super().backprop(dy, ctx)


class UsesTheInputGradient(Scale):
    def backprop(self, dy, ctx):
        return super().backprop(dy, ctx) if ctx.input_gradient else dy[len(dy)]


class ReadingX(Swish):
    """Says that y may be written over x, and reads x again."""

    from_output = True


class WritingTwice(sal.Activation):
    """y = x²: reads dy after it was written over, where dx and dy are the same memory."""

    def function(self, x, out, ctx):
        return ctx.xp.multiply(x, x, out=out)

    def gradient(self, dy, x, y, out, ctx):
        out[...] = 0
        out += 2 * dy * x
        return out


@pytest.mark.parametrize(
    "layer, sentence",
    [
        (AroundTheRefusal, r"layer 1: AroundTheRefusal.backprop does not write all of d_w"),
        (Adding, r"layer 1: Adding.backprop adds to d_w \(\+=\)"),
        (NotWriting, r"layer 1: NotWriting.backprop does not write all of d_w"),
        (WritingUnasked, "WritingUnasked.backprop writes d_w also where ctx.parameter_gradients"),
        (OnSomeBatches, "for 4 examples the gradients of 1.w are wrong"),
        (ChangingX, "layer 1: ChangingX.compute changes x"),
        (ChangingDy, "layer 1: ChangingDy.backprop changes dy"),
        (KeepingTheBatch, "layer 1: KeepingTheBatch.compute keeps in self what backprop needs"),
        (OnlyTraining, "with training=False the gradients of x, .*1.w are wrong"),
        (OfFloat64, r"layer 1: OfFloat64.compute must return .* float32 .*, got float64 of shape"),
        (UsesTheInputGradient, "UsesTheInputGradient.backprop fails where ctx.input_gradient is"),
    ],
)
def test_mistakes_that_differences_do_not_show(layer, sentence, backend):
    layers = (
        [layer()] if layer is UsesTheInputGradient else [sal.NeuronLayer(4, sal.Tanh()), layer()]
    )
    try:
        report = sal.gradient_check(layers, X, backend=backend)
    except TypeError as error:
        assert layer is OfFloat64
        assert sentence.split(".compute")[1][:20] and "got float64" in str(error)
        return
    assert not report
    import re

    assert any(re.match(r".*" + sentence, m) for m in report.mistakes), str(report)
    assert len(report.mistakes) == 1


def test_right():
    assert str(sal.gradient_check([sal.NeuronLayer(4, sal.Tanh()), Scale()], X)).count("\n") == 3
