"""A regressor for scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from salamandre.estimators.base import NetworkEstimator, keeps_when_refused
from salamandre.layers.neuron import NeuronLayer
from salamandre.losses import MeanSquaredError


class SalamandreRegressor(RegressorMixin, NetworkEstimator):
    """A network with linear outputs that minimises the mean squared error.

    Scale X and y to a standard deviation of about 1, such as by a ``StandardScaler`` in a pipeline
    and a ``TransformedTargetRegressor``.
    """

    @keeps_when_refused
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SalamandreRegressor:
        """Make a new network and let it learn.

        Args:
            X: (N, features).
            y: values (N,) or (N, outputs).
            sample_weight: of the examples (N,). Default all are 1.
        """
        X, y = self._checked(X, y=y, multi_output=True, y_numeric=True)
        weights = self._weights(sample_weight, X)
        self._begin(y)
        self._learn(X, y, weights, np.zeros(len(y), np.int64))
        return self

    @keeps_when_refused
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> SalamandreRegressor:
        """Let the network learn once from each of these examples; see :meth:`fit`."""
        first = not hasattr(self, "network_")
        X, y = self._checked(X, y=y, reset=first, multi_output=True, y_numeric=True)
        weights = self._weights(sample_weight, X)
        if first:
            self._begin(y)
        self._learn_once(X, y, weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return values (N,), or (N, outputs) if y had that shape."""
        y = self._outputs(X)
        return y[:, 0] if self._flat else y

    def _begin(self, y: np.ndarray) -> None:
        """Make the network for targets like these."""
        last = NeuronLayer(1 if y.ndim == 1 else y.shape[1])
        self._make([*self._hidden(self.layers), last], MeanSquaredError())
        self._flat = y.ndim == 1

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
