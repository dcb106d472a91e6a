"""Perceptrons and optimizers by names and numbers."""

from __future__ import annotations

import pytest

import salamandre as sal
from salamandre.models import perceptrons


def kinds(layers):
    return [type(layer).__name__ for layer in layers]


def test_a_perceptron_has_what_it_is_told():
    assert perceptrons.layer_sizes("784-300-10") == [784, 300, 10]
    plain = perceptrons.perceptron([5, 3], "sigmoid", slope=0.1)
    assert plain[0].activation.mu == 0.1 and isinstance(plain[1].activation, sal.Softmax)
    full = perceptrons.perceptron([5, 3], dropout=0.2, input_dropout=0.1, batch_norm=True)
    assert kinds(full) == ["Dropout", "NeuronLayer", "BatchNorm", "ReLU", "Dropout", "NeuronLayer"]
    assert sal.Network(full, 4, sal.CrossEntropy(), sal.SGD(0.1)).output_shape == (3,)


def test_an_optimizer_has_a_rate_that_suits_it():
    assert perceptrons.new_optimizer("momentum").learning_rate == 0.1
    decayed = perceptrons.new_optimizer("adam", 0.02, "cosine", steps=10, weight_decay=0.1)
    assert decayed.learning_rate == 0.02 and isinstance(decayed, sal.Adam)


@pytest.mark.parametrize("name", perceptrons.OPTIMIZERS)
def test_each_optimizer_decays_weights_in_its_own_way(name):
    decays = (None, 0, 0.1)
    usual, none, decayed = (perceptrons.new_optimizer(name, weight_decay=d) for d in decays)
    assert type(usual) is type(decayed) is perceptrons.OPTIMIZERS[name][0]
    if name in ("adamw", "muon"):
        assert (none.decay, decayed.decay, decayed.weight_decay) == (0, 0.1, 0)
        assert usual.decay == type(usual)().decay
    else:
        assert (none.weight_decay, decayed.weight_decay, usual.weight_decay) == (0, 0.1, 0)
    if name == "muon":
        assert (none.others.decay, decayed.others.decay) == (0, 0.1)


@pytest.mark.parametrize("schedule", ["cosine", "triangle"])
def test_a_schedule_changes_muon_s_matrices_and_its_others_alike(schedule):
    muon = perceptrons.new_optimizer("muon", schedule=schedule, steps=10)
    for step in (2, 5, 10):
        muon.steps = muon.others.steps = step
        assert muon.learning_rate / 0.02 == pytest.approx(muon.others.learning_rate / 0.001)
    assert muon.others.learning_rate < 0.0001


def test_what_is_no_perceptron_is_refused():
    for text in ("784-x-10", "784-0-10", "", "-"):
        with pytest.raises(ValueError, match="a structure takes numbers such as 784-300-10, got"):
            perceptrons.layer_sizes(text)
    with pytest.raises(ValueError, match="at least one layer"):
        perceptrons.perceptron([])
    with pytest.raises(ValueError, match="unknown activation 'rely', did you mean 'relu'"):
        perceptrons.perceptron([3], "rely")
    with pytest.raises(ValueError, match="the activation tanh has no slope: leave it out"):
        perceptrons.perceptron([3], "tanh", slope=2)
