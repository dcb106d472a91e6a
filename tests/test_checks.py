"""Arguments that are refused, in one sentence."""

from __future__ import annotations

import pytest
from networks import X, everything

import salamandre as sal


def bad_calls():
    layers = [sal.NeuronLayer(3)]
    yield lambda: sal.NeuronLayer(0), "NeuronLayer outputs must be a whole number of at least 1"
    yield lambda: sal.NeuronLayer(-3), "at least 1, got -3"
    yield lambda: sal.NeuronLayer(2.5), "got 2.5"
    yield lambda: sal.NeuronLayer(3, noise=-1), "noise must be a whole number of at least 0"
    yield lambda: sal.NeuronLayer(3, "rleu"), "Activation, got 'rleu', did you mean 'ReLU'?"
    yield lambda: sal.NeuronLayer(3, sal.ReLU), r"a class: make an object of it, ReLU\(\)"
    unfit = sal.NeuronLayer(3, initializer="hee")
    yield lambda: sal.Network([unfit], 4), "NeuronLayer's weights must be .*'hee', did you mean"
    yield lambda: sal.Dropout(1), "below 1, got 1"
    yield lambda: sal.Dropout(float("nan")), "finite"
    yield lambda: sal.BatchNorm(eps=0), "above 0"
    yield lambda: sal.Sigmoid(mu=0), "above 0"
    yield lambda: sal.LeakyReLU("0.2"), "finite number"
    yield lambda: sal.Reshape((0, 3)), "at least 1"
    yield lambda: sal.Network([], 4), "at least one layer"
    yield lambda: sal.Network([sal.ReLU], 4), "must be a salamandre.Layer"
    yield lambda: sal.Network(layers, 0), "at least 1, got 0"
    yield lambda: sal.Network(layers, (4, -1)), "at least 1, got -1"
    yield lambda: sal.Network(layers, 2.5), "input_shape must be a whole number .* got 2.5"
    yield lambda: sal.Network(layers, "4"), "input_shape must be a whole number .* got '4'"
    yield lambda: sal.Network(layers, 4, seed=-1), "at least 0"
    yield lambda: sal.Network(layers, 4, dtype="flaot32"), "did you mean 'float32'"
    yield lambda: everything().predict(X, batch_size=0), "batch_size must be"
    yield lambda: sal.Network(layers, 4, dtype="float16"), "unknown dtype 'float16'"
    yield lambda: sal.Network(layers, 4, backend="nunpy"), "did you mean 'numpy'"
    yield lambda: sal.Network(layers, 4, loss=sal.SGD()), "loss must be a salamandre.Loss"
    yield lambda: sal.Network([sal.Reshape((5,))], 4), "layer 0 .Reshape.*5 numbers"
    yield lambda: sal.Network(layers, (2, 2)), "put a Flatten"
    yield lambda: sal.SGD(-1), "learning_rate must be a finite number at least 0"
    yield lambda: sal.SGD(clip=3), "no option 'clip'"
    yield lambda: sal.Momentum(beta=1), "below 1"
    yield lambda: sal.Adam(clip_norm=0), "above 0"
    yield lambda: sal.CrossEntropy(label_smoothing=1), "below 1"
    yield lambda: sal.schedules.CosineDecay(0.1, 10, warmup=10), "shorter than its 10 steps"
    yield lambda: sal.get_backend("cuda"), "unknown backend 'cuda'"


@pytest.mark.parametrize("call, message", list(bad_calls()))
def test_bad_arguments_get_one_sentence(call, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
