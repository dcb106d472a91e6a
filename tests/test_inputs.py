"""Batches of any type and memory order, and batches that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from networks import LABELS, X, everything, snapshot, unchanged

import salamandre as sal


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int64", "bool"]),
    order=st.sampled_from(["rows", "columns", "every other", "backwards", "read-only"]),
    batch=st.integers(1, 9),
)
def test_inputs_of_any_type_and_order_mean_the_same(kind, order, batch):
    values = np.random.default_rng(batch).integers(0, 2 if kind == "bool" else 5, (batch, 4))
    expected = everything().predict(values.astype(np.float32))
    x = values.astype(kind)
    if order == "columns":
        x = np.asfortranarray(x)
    elif order == "every other":
        x = np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2]
    elif order == "backwards":
        x = x[::-1, ::-1].copy()[::-1, ::-1]
    x.flags.writeable = order != "read-only"
    before = x.copy()
    assert np.array_equal(everything().predict(x), expected)
    assert np.array_equal(x, before)


NAN, INFINITE = X.copy(), X.copy()

NAN[3, 2], INFINITE[0, 0] = np.nan, np.inf

HUGE = np.full_like(X, 3e19)  # finite, though the sum of squares overflows


@pytest.mark.parametrize(
    "x, labels, message",
    [
        (X[:, :3], LABELS, r"expected a batch of shape \(N, 4\), got \(6, 3\)"),
        (X[0], LABELS[:1], r"expected a batch of shape \(N, 4\), got \(4,\)"),
        (np.float32(3), LABELS[:1], r"got \(\)"),
        (X[:0], LABELS[:0], "at least one example"),
        (NAN, LABELS, "NaN or infinity"),
        (INFINITE, LABELS, "NaN or infinity"),
        (1e39 * X.astype(float), LABELS, "NaN or infinity"),
        (X.astype(complex), LABELS, "real numbers, got dtype complex128"),
        (np.array([["a"] * 4]), LABELS[:1], "real numbers, got dtype <U1"),
        (X, LABELS + 1, r"labels must lie in 0..2 for 3 classes, got values from 1 to 3"),
        (X, LABELS - 1, r"from -1 to 1"),
        (X, LABELS + 0.5, "whole-number labels"),
        (X, [*"abcabc"], "the targets are text such as 'a'"),
        (X, LABELS[:5], "one label for each of the 6 outputs"),
        (X, np.full((6, 3), 1.5), r"probabilities in \[0, 1\]"),
        (X, np.full((6, 3), np.nan), "NaN or infinity"),
        (X, np.full((6, 2), 0.5), r"shape \(6, 3\), got \(6, 2\)"),
        (np.ma.masked_array(X, X > 1), LABELS, "the inputs are a masked array"),
        (X, np.ma.masked_array(LABELS, LABELS > 1), "the targets are a masked array"),
    ],
)
def test_bad_batches_change_nothing(x, labels, message):
    network = everything()
    network.learn(X, LABELS)
    before = snapshot(network)
    with pytest.raises(ValueError, match=message):
        network.learn(x, labels)
    assert unchanged(network, before)


def test_large_finite_inputs_are_no_error():
    network = sal.Network([sal.NeuronLayer(3, sal.Tanh())], 4)
    assert np.isfinite(network.compute(HUGE)).all()


def test_gradients_and_weights_must_be_real_numbers():
    network = sal.Network([sal.NeuronLayer(2)], 3, sal.MeanSquaredError(), sal.SGD())
    network.compute(np.zeros((4, 3)))
    for bad in (np.ones((4, 2)) * 1j, np.full((4, 2), "a")):
        with pytest.raises(ValueError, match="the gradients must be real numbers, got dtype"):
            network.backprop(bad)
    before = network.parameters.copy()
    for bad in (np.ones(4) * 1j, ["a"] * 4):
        with pytest.raises(ValueError, match="the weights must be real numbers, got dtype"):
            network.learn(np.zeros((4, 3)), np.ones((4, 2)), weights=bad)
    assert np.array_equal(network.parameters, before)


def test_numbers_that_the_precision_cannot_hold_are_told():
    network = sal.Network([sal.NeuronLayer(2)], 3, sal.MeanSquaredError(), sal.SGD())
    with pytest.raises(ValueError, match="or more than float32 holds"):
        network.predict(np.full((1, 3), 1e39))
    with pytest.raises(ValueError, match="or more than float32 holds"):
        network.learn(np.zeros((1, 3)), np.full((1, 2), 1e39))
