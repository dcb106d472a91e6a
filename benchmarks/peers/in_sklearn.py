"""scikit-learn's step."""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from peers import RATE, Step, digits


def perceptron(sizes: list[int], batch: int, optimizer: str) -> Step:
    """Return a step of a classifier with ReLU: ``partial_fit`` on one batch."""
    assert optimizer == "SGD"
    model = MLPClassifier(
        sizes[1:-1],
        solver="sgd",
        batch_size=batch,
        learning_rate_init=RATE["SGD"],
        alpha=0,
        momentum=0,
        random_state=0,
    )
    x, labels = digits(batch, sizes[0])
    model.partial_fit(x, labels, classes=np.arange(sizes[-1]))

    def step() -> float:
        model.partial_fit(x, labels)
        return model.loss_

    return step
