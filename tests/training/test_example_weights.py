"""Weights of classes and examples in the loss of an engine."""

from __future__ import annotations

import numpy as np
import pytest
from test_engine import LABELS, X, perceptron, plain

import salamandre as sal
from salamandre import data


def test_weights_of_classes_and_examples():
    """The weights of a batch of all examples are the product of both kinds."""
    own = np.random.default_rng(2).uniform(0.1, 2, len(X))
    counts = np.bincount(LABELS)
    balanced = len(X) / (2 * counts)
    named = np.where(LABELS, "late", "early")
    for given, of_class, targets in (
        ({1: 3.0}, [1, 3], LABELS),
        ([0.5, 2], [0.5, 2], LABELS),
        ("balanced", balanced, LABELS),
        ({"late": 3}, [1, 3], named),
        ("balanced", balanced, np.eye(2)[LABELS]),
        ({-1: 2, 1: 3}, [2, 3], 2 * LABELS - 1),
        ({True: 3}, [1, 3], LABELS > 0),
        (np.array([0, 2]), [0, 2], LABELS),
    ):
        run = sal.Engine(
            plain(),
            (X, targets),
            batch_size=len(X),
            class_weights=given,
            sample_weights=own,
        )
        wanted = plain().learn(X, LABELS, weights=own * np.array(of_class)[LABELS])
        assert run.run(1).steps["loss"][0] == pytest.approx(float(wanted), rel=1e-5)


def test_tests_are_not_weighted():
    options = {"class_weights": {1: 30.0}, "sample_weights": np.linspace(0.1, 2, len(X))}
    found = [
        sal.Engine(plain(), (X, LABELS), (X, LABELS), **chosen).evaluate()
        for chosen in ({}, options)
    ]
    assert found[0] == found[1] and found[0]["test_loss"] > 0


@pytest.mark.parametrize("targets", [LABELS, np.eye(2)[LABELS], X])
def test_a_validation_split_takes_the_weights_of_its_examples_away(targets):
    own = np.random.default_rng(2).uniform(0.1, 2, len(X))
    learned = []
    for given in (own, list(own)):
        network = sal.Network([sal.NeuronLayer(targets[0].size)], X.shape[1], "mse", "sgd")
        network.fit(X, targets, validation_split=0.2, sample_weights=given, seed=3, verbose=False)
        learned.append(network.parameters)
    chosen = data.split((own, targets), 0.2, 3)[0][0]
    train, test = data.split((X, targets), 0.2, 3)
    network = sal.Network([sal.NeuronLayer(targets[0].size)], X.shape[1], "mse", "sgd")
    network.fit(*train, validation_data=test, sample_weights=chosen, seed=3, verbose=False)
    for parameters in learned:
        assert np.array_equal(parameters, network.parameters)
    with pytest.raises(ValueError, match="each of the 50 examples"):
        network.fit(X, targets, validation_split=0.2, sample_weights=own[1:], verbose=False)


def test_images_are_split_with_their_weights():
    pixels = np.random.default_rng(1).integers(0, 256, (30, 1, 2, 2), np.uint8)
    labels = np.arange(30, dtype=np.uint8) % 3
    images = data.Images(pixels, labels, ["a", "b", "c"], "own", "all")
    rows = data.arrays.split_rows(images, 0.2, 4)
    assert np.array_equal(images.train_test_split(0.2, 4)[0].images, pixels[~rows])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"validation_split": 1.5}, "validation_split must be .* below 1, got 1.5"),
        ({"validation_split": 0.001}, "^a share of 0.001 of .* leaves none to test with: give"),
        ({"batch_size": "a"}, "batch_size must be a whole number of at least 1, got 'a'"),
    ],
)
def test_arguments_of_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        perceptron().fit(X, LABELS, verbose=False, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"class_weights": {"cat": 2}}, r"name 'cat': the classes are 0\.\.1"),
        ({"class_weights": {2: 2}}, r"name 2: the classes are 0\.\.1"),
        ({"class_weights": [1, 2, 3]}, "one number for each of the 2 classes, got 3"),
        ({"class_weights": {1: -1}}, "at least 0"),
        ({"class_weights": "balance"}, "did you mean 'balanced'"),
        ({"sample_weights": [1, 2]}, "one number for each of the 50 examples"),
        ({"sample_weights": ["heavy"] * 50}, "finite numbers"),
        ({"sample_weights": -np.ones(50)}, "at least 0"),
        ({"class_weights": 2.0}, "one number for each of the 2 classes, got 1"),
        ({"class_weights": {1.0: 2}}, r"name 1\.0: the classes are 0\.\.1"),
        ({"class_weights": [0, 0]}, "weights of all examples are 0"),
        ({"class_weights": [0, 2], "sample_weights": 1 - LABELS}, "of all examples are 0"),
        ({"sample_weights": np.zeros(50)}, "weights of all examples are 0"),
    ],
)
def test_weights_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sal.Engine(perceptron(), (X, LABELS), **options)


@pytest.mark.parametrize("unit", [1e-300, 1e-50, 1e300])
def test_the_unit_of_weights_does_not_matter(unit):
    own = np.random.default_rng(2).uniform(0.1, 1, len(X))
    found, wanted = (
        sal.Engine(plain(), (X, LABELS), sample_weights=weights).run(2).steps["loss"]
        for weights in (own * unit, own)
    )
    assert np.allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("label", [-3, 10**12])
def test_labels_that_are_none_are_refused_before_they_are_counted(label):
    labels = LABELS.copy()
    labels[7] = label
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.1, got"):
        sal.Engine(plain(), (X, labels), class_weights="balanced")


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_weights_of_answers_that_are_floats(shape):
    def network():
        loss = sal.BinaryCrossEntropy()
        return sal.Network([sal.NeuronLayer(1, sal.Sigmoid())], X.shape[1], loss, sal.SGD(0.1))

    answers = LABELS.astype(np.float32).reshape(shape)
    run = sal.Engine(network(), (X, answers), batch_size=len(X), class_weights={1: 3.0})
    wanted = network().learn(X, LABELS, weights=np.array([1, 3.0])[LABELS])
    assert run.run(1).steps["loss"][0] == pytest.approx(float(wanted), rel=1e-5)
