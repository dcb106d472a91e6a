"""What the estimators share: a network that is made when they are fitted, and how it learns."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from salamandre.activations import Activation
from salamandre.checks import real, whole
from salamandre.data.splitting import chosen_rows
from salamandre.inputs import checked_shape, checked_weights
from salamandre.layer import Layer
from salamandre.layers.neuron import NeuronLayer
from salamandre.losses import Loss
from salamandre.network import Network
from salamandre.optimizer import Optimizer
from salamandre.parts import checked_part
from salamandre.told import Told
from salamandre.training.callback import Callback
from salamandre.training.callbacks import EarlyStopping, ProgressBar
from salamandre.training.engine import Engine

Method = TypeVar("Method", bound=Callable[..., Any])


def keeps_when_refused(method: Method) -> Method:
    """Let an estimator be as before where a method refuses its data or a parameter."""

    @functools.wraps(method)
    def kept(self: Any, *arguments: Any, **options: Any) -> Any:
        before = dict(vars(self))
        try:
            return method(self, *arguments, **options)
        except (TypeError, ValueError, RuntimeError):  # the last one of a backend
            vars(self).clear()
            vars(self).update(before)
            raise

    return cast(Method, kept)


def listed(layers: Any) -> Iterable[Any]:
    """Return the layers that were given, if they are several."""
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list, such as [100], got {layers!r}")
    return layers


class NetworkEstimator(Told, BaseEstimator):
    """Base of the estimators. As all of scikit-learn's, they check their parameters in ``fit``.

    Args:
        layers: hidden layers: whole numbers of neurons, or layers, which are copied. Default one
            of 100 neurons.
        activation: of the layers that are numbers. Default ``"relu"``.
        optimizer: a name or an object, which is copied. Default ``"adam"``.
        learning_rate: of the optimizer. Default ``None``, the optimizer's own.
        epochs: how often each example is seen, at most. Default 100.
        batch_size: examples a step, at most all of them. Default 32.
        early_stopping: whether a part of the examples is kept for tests; the network with the
            lowest loss on them is the result. Default False.
        validation_fraction: that part. Default 0.1.
        patience: epochs without a lower loss, after which learning stops early. Default 10.
        input_shape: of an example, where the rows of X are images, such as (1, 28, 28). Default
            ``None``, they are vectors.
        random_state: of the parameters and the order of examples: a whole number, a
            ``RandomState``, or ``None`` for others each time. Default ``None``.
        verbose: whether there is a bar. Default False.
        backend: of the network. Default ``None``, see :class:`salamandre.Network`.
        dtype: of the network, and so of what it returns. Default ``"float32"``.

    Attributes:
        network_: the :class:`salamandre.Network`.
        history_: of the latest ``fit``, a :class:`salamandre.History`.
        n_iter_: the number of epochs of the latest ``fit``.
        n_features_in_: features of X.
        feature_names_in_: their names, if X was a table with names.
    """

    network_: Network
    ways = {
        **dict.fromkeys(("coefs_", "intercepts_"), "network_.named_parameters() has them"),
        **dict.fromkeys(("loss_curve_", "loss_"), "it is history_['loss'], for each step"),
        "validation_scores_": "it is history_['test_loss'], with early_stopping=True",
    }

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
    ) -> None:
        self.layers = layers
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.input_shape = input_shape
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend
        self.dtype = dtype

    # -- making the network ----------------------------------------------------------------------

    def _hidden(self, layers: Sequence[int | Layer]) -> list[Layer]:
        """Return new layers like those of the parameters."""
        return [
            NeuronLayer(int(layer), copy.deepcopy(self.activation))
            if isinstance(layer, (int, np.integer))
            else copy.deepcopy(checked_part("each of the layers", layer, Layer))
            for layer in listed(layers)
        ]

    def _make(self, layers: Any, loss: Loss) -> None:
        """Make the network, for examples with the features that are known by now.

        What learning needs is checked first, so that wrong parameters make no network.
        """
        for name in ("epochs", "batch_size"):
            whole(name, getattr(self, name))
        if self.early_stopping:
            whole("patience", self.patience)
            fraction = self.validation_fraction
            real("validation_fraction", fraction, 0, 1, above=True, below=True)
        optimizer = copy.deepcopy(checked_part("optimizer", self.optimizer, Optimizer))
        if self.learning_rate is not None:
            optimizer.learning_rate = real("learning_rate", self.learning_rate, 0, above=True)
        given = self.n_features_in_ if self.input_shape is None else self.input_shape
        shape = checked_shape(tuple(given) if isinstance(given, Iterable) else given)
        if math.prod(shape) != self.n_features_in_:
            raise ValueError(
                f"input_shape {shape} needs {math.prod(shape)} features, X has "
                f"{self.n_features_in_} features"
            )
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.network_ = Network(
            layers, shape, loss, optimizer, self._seed, self.backend, self.dtype
        )

    # -- learning --------------------------------------------------------------------------------

    def _learn(self, x: np.ndarray, targets: np.ndarray, weights: Any, groups: Any) -> None:
        """Learn a data set in many epochs.

        Args:
            x: (N, features).
            targets: (N, ...).
            weights: of the examples, checked, or ``None``.
            groups: whole numbers (N,): validation gets the same share of each.
        """
        test: Any = None
        metrics: dict[str, Any] = {}
        callbacks: list[Callback] = [ProgressBar()] if self.verbose else []
        if self.early_stopping:
            rows = chosen_rows(groups, self.validation_fraction, self._seed)
            test, watched = (self._shaped(x[rows]), targets[rows]), "test_loss"
            x, targets = x[~rows], targets[~rows]
            if weights is not None:  # which count in the tests too
                watched = "weighted_loss"
                metrics[watched] = partial(self._weighted_loss, weights=weights[rows])
                weights = weights[~rows]
            callbacks.append(EarlyStopping(watched, self.patience, mode="min"))
        engine = self._engine(x, targets, weights, self._seed, callbacks, test, metrics)
        self.history_ = engine.run(self.epochs)
        self.n_iter_ = len(self.history_) // engine.steps_per_epoch
        if engine.interrupted:  # what it has learned stays, but a search must not go on
            raise KeyboardInterrupt

    def _learn_once(self, x: np.ndarray, targets: np.ndarray, weights: Any) -> None:
        """Learn a data set in one epoch, after what was learned before."""
        steps = self.network_.optimizer.steps if self.network_.optimizer else 0
        engine = self._engine(x, targets, weights, self._seed + steps, [], None, {})
        engine.run(epochs=1)
        if engine.interrupted:
            raise KeyboardInterrupt

    def _engine(
        self,
        x: np.ndarray,
        targets: np.ndarray,
        weights: Any,
        seed: int,
        callbacks: Sequence[Callback],
        test: Any,
        metrics: dict[str, Any],
    ) -> Engine:
        size = min(self.batch_size, len(x))
        return Engine(
            self.network_,
            (self._shaped(x), targets),
            test,
            batch_size=size,
            callbacks=callbacks,
            seed=seed,
            metrics=metrics,
            sample_weights=weights,
        )

    def _weighted_loss(self, y: Any, targets: Any, weights: np.ndarray) -> float:
        """Return the loss of outputs with weights of the examples."""
        network = self.network_
        assert network.loss is not None
        if not weights.any():
            return math.nan
        checked = checked_weights(weights, len(y), network.dtype, network.backend)
        wanted = network.loss.check(targets, y.shape, network.dtype, network.backend)
        return float(network.loss.evaluate(y, wanted, network.backend, checked)[0])

    # -- data ------------------------------------------------------------------------------------

    def _shaped(self, x: np.ndarray) -> np.ndarray:
        """Return rows as the network takes them."""
        return x.reshape(-1, *self.network_.input_shape)

    def _checked(self, x: Any, **options: Any) -> Any:
        """Return X, and y if given, as scikit-learn checks them."""
        return validate_data(self, x, dtype=[np.float32, np.float64], **options)

    def _weights(self, sample_weight: Any, x: np.ndarray) -> np.ndarray | None:
        if sample_weight is None:
            return None
        return np.asarray(_check_sample_weight(sample_weight, x, ensure_non_negative=True))

    def _outputs(self, x: Any) -> np.ndarray:
        """Return the network's outputs (N, ...) for rows that are checked."""
        check_is_fitted(self, "network_")
        x = self._checked(x, reset=False)
        return self.network_.backend.to_numpy(self.network_.predict(self._shaped(x)))
