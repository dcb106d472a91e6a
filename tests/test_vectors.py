"""Flat vectors: what they hold, in which order, under which names."""

from __future__ import annotations

import numpy as np
import pytest
from networks import X, everything

import salamandre as sal


def test_parameters_are_views_of_one_vector_in_order(backend, host):
    network = everything(backend)
    names = [*network.named_parameters()]
    assert names == ["0.weights", "0.bias", "1.gamma", "1.beta", "3.weights", "3.bias"]
    shapes = [(5, 6), (5,), (5,), (5,), (3, 5), (3,)]
    assert [p.shape for p in network.named_parameters().values()] == shapes
    assert network.parameters.shape == network.gradients.shape == (63,)
    flat = np.concatenate([host(p).ravel() for p in network.named_parameters().values()])
    assert np.array_equal(flat, host(network.parameters))
    network.parameters[...] = 2.0
    assert all((host(p) == 2).all() for p in network.named_parameters().values())
    assert [*network.named_gradients()] == names
    assert [*network.named_state()] == ["1.running_mean", "1.running_variance"]


def test_equal_seeds_start_equal_on_every_backend(backend, host):
    assert np.array_equal(host(everything(backend).parameters), everything().parameters)
    other = everything(backend, seed=1)
    assert not np.array_equal(host(other.parameters), everything().parameters)


def test_a_network_that_is_refused_gives_its_layers_back():
    layer = sal.NeuronLayer(3)
    with pytest.raises(ValueError, match="put a Flatten"):
        sal.Network([layer], (1, 2, 2))
    assert sal.Network([sal.Flatten(), layer], (1, 2, 2)).output_shape == (3,)


def test_a_network_without_an_input_shape_says_so(tmp_path):
    part = sal.Network([sal.NeuronLayer(3)])
    for call in (
        lambda: part.compute(X),
        lambda: part.learn(X, X),
        part.summary,
        lambda: part.save(tmp_path / "part"),
    ):
        with pytest.raises(ValueError, match="no input_shape"):
            call()


def test_summary_is_a_table_of_layers_shapes_and_counts():
    text = everything().summary()
    for part in ("NeuronLayer(outputs=5, activation=ReLU(), noise=2)", "(3,)", "63", "35"):
        assert part in text
    assert len({len(line) for line in text.splitlines() if line}) <= 2


def test_dtypes_may_be_named_as_numpy_does(tmp_path):
    for dtype in ("float64", np.float64, np.dtype("float64")):
        network = sal.Network([sal.NeuronLayer(1)], 1, dtype=dtype)
        network.save(tmp_path / "network")
        assert network.dtype == sal.Network.load(tmp_path / "network").dtype == np.float64


def test_load_tensors_checks_all_before_it_changes_one():
    network = everything()
    before = network.tensors()
    for wrong, message in (
        ({"6.weights": X}, "no array '6.weights', did you mean"),
        ({**before, "3.bias": X}, r"'3.bias' must have the shape \(3,\), got \(6, 4\)"),
        ({"0": 1}, "no array '0'"),
        ({name: 0 * array for name, array in before.items() if name != "3.bias"}, "3.bias"),
        ({**before, "3.bias": np.full(3, np.nan)}, "'3.bias' must hold finite"),
        (
            {**before, "3.bias": np.zeros(3, int)},
            "'3.bias' must hold floating-point numbers, got dtype int64",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            network.load_tensors(wrong)
        after = network.tensors()
        assert all(np.array_equal(before[name], after[name]) for name in before)
