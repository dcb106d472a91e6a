"""Classes: shares, scores, confusion, against scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre import evaluation


def test_shares_and_divergence_agree_with_scipy(random):
    stats = pytest.importorskip("scipy.stats")
    shares = evaluation.class_shares(random.integers(0, 5, 100), 6)
    assert shares.sum() == pytest.approx(1) and shares[5] == 0
    reference = np.full(6, 1 / 6)
    expected = stats.entropy(shares, reference)
    assert evaluation.class_divergence(shares, reference) == pytest.approx(expected)
    assert evaluation.class_divergence(np.array([0, 1.0]), np.array([1.0, 0])) == np.inf
    with pytest.raises(ValueError, match=r"must lie in 0\.\.2"):
        evaluation.class_shares(np.array([0, 3]), 3)


def test_what_is_no_share_or_probability_is_refused():
    with pytest.raises(ValueError, match=r"shares must be finite .* 0, got \[nan"):
        evaluation.class_divergence([np.nan, 1], [0.5, 0.5])
    for shares, reference in (([3, 7], [0.5, 0.5]), ([0.3, 0.7], [5, 5]), ([0, 0], [0.5, 0.5])):
        with pytest.raises(ValueError, match="shares must sum to 1, got"):
            evaluation.class_divergence(shares, reference)
    for classes in (["a", "b"], 2.5):
        with pytest.raises(ValueError, match="classes must be a whole number"):
            evaluation.class_shares([0, 1], classes)
    with pytest.raises(ValueError, match="classes must be a whole number"):
        evaluation.confusion([0], [0], 2.0)
    with pytest.raises(
        ValueError, match=r"numbers of at least 0 that sum to 1, got \[\[ 2. -1.\]\]"
    ):
        evaluation.classifier_score([[2, -1]])


def test_classifier_score_in_closed_form():
    sure = np.eye(4)[np.arange(100) % 4]
    assert evaluation.classifier_score(sure) == pytest.approx(4)  # sure, and all classes as often
    assert evaluation.classifier_score(sure[::4]) == pytest.approx(1)  # one class only
    assert evaluation.classifier_score(np.full((9, 4), 0.25)) == pytest.approx(1)  # never sure
    with pytest.raises(ValueError, match="sum to 1"):
        evaluation.classifier_score(np.ones((3, 4)))


def test_confusion_and_accuracy_agree_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    labels, y = random.integers(0, 5, 200), random.normal(size=(200, 5))
    guesses = y.argmax(axis=1)
    counts = evaluation.confusion(labels.astype(np.uint8), guesses, 5)
    assert np.array_equal(counts, sklearn.confusion_matrix(labels, guesses))
    assert evaluation.accuracy(y, labels) == pytest.approx(sklearn.accuracy_score(labels, guesses))


def test_confusion_of_names_outputs_and_one_hot_targets():
    labels, guesses = np.array([0, 1, 1, 2]), np.array([0, 2, 1, 2])
    wanted = evaluation.confusion(labels, guesses, 3)
    names = ("x", "y", "z")
    words = [np.array(names)[part] for part in (labels, guesses)]
    assert (evaluation.confusion(*words, names) == wanted).all()
    assert (evaluation.confusion(np.eye(3)[labels], np.eye(3)[guesses] * 0.8, 3) == wanted).all()
    assert (evaluation.confusion(labels * 1.0, guesses, names) == wanted).all()
    assert evaluation.accuracy(np.eye(3)[guesses], np.eye(3)[labels]) == 0.75
    assert evaluation.accuracy(np.eye(3)[guesses], labels[:, None]) == 0.75


@pytest.mark.parametrize(
    "labels, guesses, classes, message",
    [
        (["x"], ["w"], ("x", "y"), "guesses hold 'w'.* 'x', 'y'"),
        ([0.5], [0], 2, "labels must be whole numbers"),
        (np.ma.masked_array([0, 1], [0, 1]), [0, 1], 2, "labels are a masked array"),
        ([0, 1], [0], 2, "as many guesses as labels, got 1 and 2"),
        ([0, 2], [0, 1], 2, r"labels must lie in 0\.\.1"),
        ([np.inf, 0], [0, 0], 2, "labels must be finite"),
        ([0, 1], [[np.nan, 0], [0, 1]], 2, "guesses must be finite"),
        ([0, 1j], [0, 1], 2, "labels must be real numbers"),
        ([0, 1e300], [0, 1], 2, r"got values from 0 to 1e\+300"),
    ],
)
def test_labels_that_confusion_refuses(labels, guesses, classes, message):
    with pytest.raises(ValueError, match=message):
        evaluation.confusion(labels, guesses, classes)


def test_words_need_the_names_of_the_classes():
    with pytest.raises(ValueError, match=r"labels are text: give whole numbers, or .* the names"):
        evaluation.confusion(["a", "b"], ["a", "a"], 2)
