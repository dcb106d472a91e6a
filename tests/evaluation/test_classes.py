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
