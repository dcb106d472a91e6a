"""thinc's step."""

from __future__ import annotations

import numpy as np
from thinc.api import SGD, Relu, Softmax, chain
from thinc.loss import CategoricalCrossentropy

from peers import RATE, Step, digits


def perceptron(sizes: list[int], batch: int, optimizer: str) -> Step:
    """Return a step of a classifier with ReLU."""
    assert optimizer == "SGD"
    model = chain(*(Relu(size) for size in sizes[1:-1]), Softmax(sizes[-1]))
    x, labels = digits(batch, sizes[0])
    model.initialize(X=x, Y=np.eye(sizes[-1], dtype=np.float32)[labels])
    learner, criterion = SGD(RATE["SGD"]), CategoricalCrossentropy()

    def step() -> float:
        guesses, backprop = model.begin_update(x)
        backprop(criterion.get_grad(guesses, labels))
        model.finish_update(learner)
        return 0.0

    return step
