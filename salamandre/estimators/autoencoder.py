"""An autoencoder as a transformer for scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from salamandre.activations import Activation
from salamandre.checks import whole
from salamandre.estimators.base import NetworkEstimator, keeps_when_refused, listed
from salamandre.layers.containers import Sequential
from salamandre.layers.neuron import NeuronLayer
from salamandre.losses import MeanSquaredError
from salamandre.network import Network
from salamandre.optimizer import Optimizer


class SalamandreAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    """A network that learns to make its inputs again from a few numbers, its code.

    It minimises the mean squared error (Hinton, Salakhutdinov 2006). Both halves end linearly.

    Args:
        components: numbers of the code. Default 2.
        layers: whole numbers of neurons between the inputs and the code; the second half has the
            same in reverse. Default one layer of 100.
        activation: see :class:`NetworkEstimator` for this and the others.

    Attributes:
        encoder_: the first half, a :class:`salamandre.Network` from X to codes.
        decoder_: the second half.
    """

    def __init__(
        self,
        components: int = 2,
        layers: Sequence[int] = (100,),
        *,
        activation: Activation | str = "relu",
        optimizer: Optimizer | str = "adam",
        learning_rate: float | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: Any = None,
        verbose: bool = False,
        backend: str | None = None,
        dtype: str = "float32",
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
            random_state=random_state,
            verbose=verbose,
            backend=backend,
            dtype=dtype,
        )
        self.components = components

    @keeps_when_refused
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> SalamandreAutoencoder:
        """Make a new network and let it learn.

        Args:
            X: (N, features).
            y: is ignored.
            sample_weight: of the examples (N,). Default all are 1.
        """
        X = self._checked(X)
        weights = self._weights(sample_weight, X)
        self._begin()
        try:
            self._learn(X, X, weights, np.zeros(len(X), np.int64))
        finally:  # also of what was learned before Ctrl-C
            self._take_apart()
        return self

    @keeps_when_refused
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None
    ) -> SalamandreAutoencoder:
        """Let the network learn once from each of these examples; see :meth:`fit`."""
        first = not hasattr(self, "network_")
        X = self._checked(X, reset=first)
        weights = self._weights(sample_weight, X)
        if first:
            self._begin()
        try:
            self._learn_once(X, X, weights)
        finally:
            self._take_apart()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the codes (N, components)."""
        check_is_fitted(self, "network_")
        return self._through(self.encoder_, self._checked(X, reset=False))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return examples (N, features) of codes (N, components)."""
        check_is_fitted(self, "network_")
        codes = check_array(X, dtype=[np.float32, np.float64], input_name="the codes")
        return self._through(self.decoder_, codes)

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean squared error of X made again: larger is better."""
        outputs = self._outputs(X)
        return -float(np.mean((outputs - self._checked(X, reset=False)) ** 2))

    def _begin(self) -> None:
        """Make the network of both halves."""
        widths = [whole("each of an autoencoder's layers", width) for width in listed(self.layers)]
        code = NeuronLayer(whole("components", self.components))
        halves = {
            "encoder": Sequential([*self._hidden(widths), code]),
            "decoder": Sequential([*self._hidden(widths[::-1]), NeuronLayer(self.n_features_in_)]),
        }
        self._make(halves, MeanSquaredError())

    def _take_apart(self) -> None:
        """Keep a copy of each half."""
        self.encoder_ = self.network_.part("encoder")
        self.decoder_ = self.network_.part("decoder")

    def _through(self, half: Network, x: np.ndarray) -> np.ndarray:
        return half.backend.to_numpy(half.predict(x))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.components)
