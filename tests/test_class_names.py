"""Classes by name: lists in another order, unknown names, words, signs and truths as labels."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import salamandre as sal
from salamandre.class_names import by_name, matched, names_within
from salamandre.component import encode

X = np.eye(3, dtype=np.float32)


def network(outputs=3, loss=None, **options):
    layers = [sal.NeuronLayer(outputs, sal.Softmax())]
    return sal.Network(layers, 3, loss or sal.CrossEntropy(), sal.SGD(0.1), **options)


def test_labels_are_translated_by_name():
    labels = np.array([0, 1, 1])
    assert matched("a", labels, ("x", "y"), "b", ("x", "y")) is labels
    assert matched("a", labels, ("y", "x"), "b", ("x", "y", "z")).tolist() == [1, 0, 0]
    other = ("y", "a\u0308")  # as macOS writes ä
    assert matched("a", labels, other, "b", ("y", "\u00e4")) is labels
    many = matched("a", labels, ("y", "x"), "b", [*map(str, range(300)), "x", "y"])
    assert many.tolist() == [301, 300, 300] and many.dtype == np.uint16
    with pytest.raises(
        ValueError, match=r"a has a class 'w' that b lacks: .* 'y', 'w', .* 'x', 'y'"
    ):
        matched("a", labels, ("y", "w"), "b", ("x", "y"))


def test_labels_in_words_signs_and_truths():
    assert names_within(np.array(["dog", "cat", "dog"])) == ("cat", "dog")
    assert names_within(np.array([1, -1.0])) == ("-1", "1")
    assert names_within(np.array([True])) == ("False", "True")
    for labels in ([0, 1], [1, 1], [-1, 0, 1], [-1.5, 1]):
        assert names_within(np.array(labels)) is None
    assert by_name("l", ["dog", "cat"], ("cat", "dog")).tolist() == [1, 0]
    assert by_name("l", [-1, 1, 1], ("-1", "1")).tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match=r"l hold 'dgo', did you mean 'dog'.* 'cat', 'dog'"):
        by_name("l", ["dgo"], ("cat", "dog"))


def test_both_forms_of_a_letter_in_unicode_are_one_class():
    labels = np.array(["\u00e4", "a\u0308", "o"])
    names = names_within(labels)
    assert names == ("o", "\u00e4")
    assert by_name("labels", labels, names).tolist() == [1, 1, 0]


def test_a_network_carries_its_class_names(tmp_path):
    taught = network()
    assert taught.class_names is None
    taught.save(tmp_path / "bare")
    taught.class_names = ["red", "gr\u00fcn", "blue"]
    assert taught.class_names == ("red", "gr\u00fcn", "blue")
    taught.save(tmp_path / "named")
    for again in (
        sal.Network.load(tmp_path / "named"),
        copy.deepcopy(taught),
        pickle.loads(pickle.dumps(taught)),
    ):
        assert again.class_names == taught.class_names
    assert sal.Network.load(tmp_path / "bare").class_names is None
    assert encode(taught) == encode(network())  # the identity of checkpoints stays as it was


@pytest.mark.parametrize("names", ["ab", ["a", "a"], [], [1, 2], ["\u00e4", "a\u0308"], 10])
def test_names_that_are_none(names):
    taught = network()
    with pytest.raises(ValueError, match="class_names must be"):
        taught.class_names = names
    assert taught.class_names is None


def test_learning_from_words():
    one, other = network(), network()
    one.class_names = ("red", "green", "blue")
    assert one.learn(X, ["green", "blue", "red"]) == other.learn(X, [1, 2, 0])
    with pytest.raises(ValueError, match="hold 'pink'"):
        one.learn(X, ["green", "pink", "red"])
    with pytest.raises(ValueError, match="no class_names yet"):
        other.learn(X, ["green", "blue", "red"])


def test_a_conditional_network_is_asked_by_name():
    conditional = sal.Network([sal.Embedding(3), sal.NeuronLayer(2)], 3)
    conditional.class_names = ("red", "green", "blue")
    wanted = conditional.predict(X, labels=[2, 0, 1])
    np.testing.assert_array_equal(conditional.predict(X, labels=["blue", "red", "green"]), wanted)
