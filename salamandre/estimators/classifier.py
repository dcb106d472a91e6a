"""A classifier for scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from salamandre.activations import Activation, Softmax
from salamandre.estimators.base import NetworkEstimator, keeps_when_refused
from salamandre.layer import Layer
from salamandre.layers.neuron import NeuronLayer
from salamandre.losses import CrossEntropy
from salamandre.optimizer import Optimizer


class SalamandreClassifier(ClassifierMixin, NetworkEstimator):
    """A network with a softmax over classes, whose labels may be of any type.

    Args:
        layers: see :class:`NetworkEstimator` for this and the others. Those before ``class_weight``
            are the same.
        class_weight: weights by label, or ``"balanced"``; they multiply ``sample_weight``. Default
            ``None``, all are 1.

    Attributes:
        classes_: the labels, sorted; column k of the probabilities is ``classes_[k]``.
    """

    def __init__(
        self,
        layers: Sequence[int | Layer] = (100,),
        *,
        activation: Activation | str = "relu",
        optimizer: Optimizer | str = "adam",
        learning_rate: float | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        input_shape: Sequence[int] | None = None,
        random_state: Any = None,
        verbose: bool = False,
        backend: str | None = None,
        dtype: str = "float32",
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        super().__init__(
            layers,
            activation=activation,
            optimizer=optimizer,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            input_shape=input_shape,
            random_state=random_state,
            verbose=verbose,
            backend=backend,
            dtype=dtype,
        )
        self.class_weight = class_weight

    @keeps_when_refused
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SalamandreClassifier:
        """Make a new network and let it learn.

        Args:
            X: (N, features).
            y: labels (N,).
            sample_weight: of the examples (N,). Default all are 1.
        """
        X, y = self._checked(X, y=y)
        check_classification_targets(y)
        weights = self._weights_of(y, self._weights(sample_weight, X))
        self._begin(np.unique(y))
        labels = np.searchsorted(self.classes_, y)
        self._learn(X, labels, weights, labels)
        return self

    @keeps_when_refused
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> SalamandreClassifier:
        """Let the network learn once from each of these examples.

        Args:
            X: (N, features).
            y: labels (N,).
            classes: all labels that there will be; needed in the first call.
            sample_weight: of the examples (N,). Default all are 1.
        """
        first = not hasattr(self, "network_")
        if first and classes is None:
            raise ValueError("the first partial_fit needs all labels: give classes=...")
        X, y = self._checked(X, y=y, reset=first)
        check_classification_targets(y)
        given = np.unique(self.classes_ if classes is None else classes)
        known = given if first else self.classes_
        if not np.array_equal(given, known):
            raise ValueError(
                f"classes must be those of the first partial_fit, {known}, got {given}"
            )
        if unknown := [*np.setdiff1d(y, known)]:
            raise ValueError(f"y has a label {unknown[0]!r} that is not among the classes {known}")
        weights = self._weights_of(y, self._weights(sample_weight, X))
        if first:
            self._begin(known)
        self._learn_once(X, np.searchsorted(self.classes_, y), weights)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities (N, classes) of the labels ``classes_``."""
        return self._outputs(X)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely labels (N,)."""
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    def _begin(self, classes: np.ndarray) -> None:
        """Make the network for these labels."""
        if len(classes) < 2:
            raise ValueError(f"a classifier needs at least 2 classes, got 1 class: {classes[0]!r}")
        last = NeuronLayer(len(classes), Softmax())
        self._make([*self._hidden(self.layers), last], CrossEntropy())
        self.classes_ = classes
        if all(isinstance(name, str) for name in classes):
            self.network_.class_names = [str(name) for name in classes]

    def _weights_of(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Return the weights of examples times those of their classes."""
        if self.class_weight is None:
            return weights
        of_class = compute_sample_weight(self.class_weight, y)
        return of_class if weights is None else weights * of_class
