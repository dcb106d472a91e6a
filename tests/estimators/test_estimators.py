"""Networks in scikit-learn's tools: pipelines, searches, tables, weights."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import salamandre as sal
from salamandre.estimators import (
    SalamandreAutoencoder,
    SalamandreClassifier,
    SalamandreRegressor,
)

X, Y = make_blobs(120, 3, centers=3, random_state=0, cluster_std=2.0)
QUICK = {"layers": (8,), "learning_rate": 0.02, "epochs": 15, "random_state": 0}


def test_it_learns_what_a_network_of_ours_learns():
    estimator = SalamandreClassifier(**QUICK).fit(X, Y)
    layers, seed = [sal.NeuronLayer(8, "relu"), sal.NeuronLayer(3, "softmax")], estimator._seed
    network = sal.Network(layers, 3, "cross_entropy", sal.Adam(0.02), seed=seed)
    history = network.fit(X, Y, epochs=15, batch_size=32, seed=seed, verbose=False)
    assert np.array_equal(network.parameters, estimator.network_.parameters)
    assert np.allclose(estimator.predict_proba(X), network.predict(X))
    assert estimator.score(X, Y) > 0.8
    assert estimator.n_iter_ == 15 and estimator.history_["loss"] == history["loss"]


@pytest.mark.parametrize(
    "labels",
    [["red", "green", "blue"], [-1, 5, 7], [0.0, 1.0, 2.0], [True, False, True]],
)
def test_labels_of_any_type(labels):
    y = np.array(labels)[Y]
    estimator = SalamandreClassifier(**QUICK).fit(X, y)
    assert estimator.predict(X).dtype == y.dtype and set(estimator.predict(X)) <= set(labels)
    assert [*estimator.classes_] == sorted(set(labels))
    assert np.mean(estimator.predict(X) == y) > 0.8


def test_a_pipeline_in_a_search():
    pipeline = make_pipeline(StandardScaler(), SalamandreClassifier(**QUICK))
    grid = {
        "salamandreclassifier__layers": [(4,), (8, sal.Dropout(0.1), 4)],
        "salamandreclassifier__optimizer": ["adam", sal.RMSProp()],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert search.best_score_ > 0.8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert cross_val_score(pipeline, X, Y, cv=3).mean() > 0.8


def test_tables_in_and_out():
    table = pandas.DataFrame(X, columns=["a", "b", "c"])
    coder = SalamandreAutoencoder(2, **QUICK).set_output(transform="pandas")
    codes = coder.fit_transform(table)
    assert [*codes.columns] == ["salamandreautoencoder0", "salamandreautoencoder1"]
    assert codes.index.equals(table.index) and [*coder.feature_names_in_] == ["a", "b", "c"]
    estimator = SalamandreClassifier(**QUICK).fit(table, pandas.Series(Y))
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(table[["b", "a", "c"]])


def test_an_autoencoder_makes_its_inputs_again():
    coder = SalamandreAutoencoder(3, layers=(16,), learning_rate=0.01, random_state=0)
    scaled = StandardScaler().fit_transform(X)
    coder.fit(scaled)
    again = coder.inverse_transform(coder.transform(scaled))
    assert coder.score(scaled) == pytest.approx(-np.mean((again - scaled) ** 2))
    assert coder.score(scaled) > -0.05
    assert np.allclose(again, coder.network_.predict(scaled), atol=1e-6)


def test_a_regressor_of_one_and_of_several_values():
    targets = np.c_[X[:, 0] - X[:, 1], X[:, 2]]
    targets = (targets - targets.mean(0)) / targets.std(0)
    one = SalamandreRegressor(**QUICK).fit(X, targets[:, 0])
    both = SalamandreRegressor(**QUICK).fit(X, targets)
    assert one.predict(X).shape == (120,) and both.predict(X).shape == (120, 2)
    assert one.score(X, targets[:, 0]) > 0.9 and both.score(X, targets) > 0.8
    scaled = TransformedTargetRegressor(one, transformer=StandardScaler())
    assert scaled.fit(X, 1000 * targets[:, 0]).score(X, 1000 * targets[:, 0]) > 0.9


def test_weights_of_examples_and_classes():
    """With a weight of 0 for a class it is never guessed; equal weights change nothing."""
    plain = SalamandreClassifier(**QUICK).fit(X, Y)
    same = SalamandreClassifier(**QUICK).fit(X, Y, sample_weight=np.full(len(X), 3.0))
    assert np.allclose(plain.network_.parameters, same.network_.parameters, atol=1e-5)
    for options, weights in (
        ({"class_weight": {0: 0, 1: 1, 2: 1}}, None),
        ({}, (Y != 0).astype(float)),
        ({"class_weight": "balanced"}, (Y != 0).astype(float)),
    ):
        found = SalamandreClassifier(**QUICK, **options).fit(X, Y, sample_weight=weights)
        assert 0 not in found.predict(X)


def test_weights_of_classes_find_the_rare_one():
    random = np.random.default_rng(0)
    x = np.r_[random.normal(0, 1, (180, 2)), random.normal(1.5, 0.7, (20, 2))]
    y = np.repeat(["frequent", "rare"], [180, 20])
    found = {}
    for weight in (None, "balanced", {"rare": 9}):
        estimator = SalamandreClassifier(**QUICK, class_weight=weight).fit(x, y)
        found[str(weight)] = (estimator.predict(x[180:]) == "rare").mean()
    assert found["None"] < 0.7 and found["balanced"] == found["{'rare': 9}"] > 0.8


def test_early_stopping_keeps_the_best_network():
    options = {**QUICK, "epochs": 200, "learning_rate": 0.1}
    estimator = SalamandreClassifier(early_stopping=True, patience=3, **options).fit(X, Y)
    assert estimator.n_iter_ < 200
    losses = estimator.history_["test_loss"]
    assert len(losses) == estimator.n_iter_ == 1 + 3 + int(np.argmin(losses))
    assert estimator.network_.optimizer.steps < len(estimator.history_)  # those of the best


def test_early_stopping_weighs_its_tests_too():
    weights = (Y != 0).astype(float)
    estimator = SalamandreClassifier(early_stopping=True, validation_fraction=0.3, **QUICK)
    estimator.fit(X, Y, sample_weight=weights)
    assert 0 not in estimator.predict(X)
    found = estimator.history_
    assert found["weighted_loss"][-1] < found["test_loss"][-1]  # where class 0 is wrong


def test_partial_fit_goes_on():
    estimator = SalamandreClassifier(**QUICK)
    with pytest.raises(ValueError, match="the first partial_fit needs all labels: give classes"):
        estimator.partial_fit(X, Y)
    for start in range(0, 120, 30):
        estimator.partial_fit(X[start : start + 30], Y[start : start + 30], classes=[0, 1, 2])
    assert estimator.network_.optimizer.steps == 4
    first = estimator.score(X, Y)
    for _ in range(20):
        estimator.partial_fit(X, Y)
    assert estimator.score(X, Y) > max(first, 0.8)
    with pytest.raises(ValueError, match=r"y has a label .*9.* not among the classes"):
        estimator.partial_fit(X, Y + 9)
    values = SalamandreRegressor(**QUICK).partial_fit(X, Y).partial_fit(X, Y)
    coder = SalamandreAutoencoder(**QUICK).partial_fit(X).partial_fit(X)
    assert values.network_.optimizer.steps == coder.network_.optimizer.steps == 6


def test_rows_that_are_images():
    digits = load_digits()
    estimator = SalamandreClassifier(
        [sal.ConvolutionalLayer(8, 3, activation="relu"), sal.MaxPool(2), "flatten", 32],
        input_shape=(1, 8, 8),
        epochs=4,
        learning_rate=0.01,
        random_state=0,
    )
    estimator.fit(digits.data[:600] / 16, digits.target[:600])
    assert estimator.score(digits.data[600:900] / 16, digits.target[600:900]) > 0.8
    with pytest.raises(ValueError, match=r"input_shape \(1, 8, 8\) needs 64 features, X has 3"):
        clone(estimator).fit(X, Y)


def test_estimators_are_copied_pickled_and_shown():
    layers = [sal.NeuronLayer(4, "tanh"), 3]
    estimator = SalamandreClassifier(layers, epochs=3, random_state=0)
    fitted = clone(estimator).fit(X, Y)
    assert not layers[0].built and clone(fitted).get_params()["layers"][1] == 3
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert "SalamandreClassifier" in make_pipeline(StandardScaler(), fitted)._repr_html_()
    words = SalamandreClassifier(epochs=1).fit(X, np.array(["b", "a", "c"])[Y])
    assert words.network_.class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (SalamandreClassifier(optimizer="adma"), TypeError, "optimizer .* did you mean 'Adam'"),
        (
            SalamandreClassifier(layers=("rleu",)),
            TypeError,
            "layers .* did you mean 'ReLU'",
        ),
        (SalamandreClassifier(layers=(0,)), ValueError, "NeuronLayer outputs must be a whole"),
        (SalamandreClassifier(epochs=0), ValueError, "epochs must be a whole number"),
        (SalamandreClassifier(batch_size=0), ValueError, "batch_size must be a whole number"),
        (SalamandreClassifier(learning_rate=0), ValueError, "learning_rate must be .* above 0"),
        (SalamandreAutoencoder(0), ValueError, "components must be a whole number"),
        (
            SalamandreAutoencoder(layers=("relu",)),
            ValueError,
            "an autoencoder's layers must be",
        ),
        (
            SalamandreClassifier(early_stopping=True, validation_fraction=2),
            ValueError,
            "validation_fraction must be a finite number above 0",
        ),
    ],
)
def test_wrong_parameters_are_told_by_fit(estimator, error, message):
    with pytest.raises(error, match=message):
        estimator.fit(X, Y)


def test_without_scikit_learn_the_way_to_install_it_is_told():
    program = (
        "import sys; sys.modules['sklearn'] = None; import salamandre\n"
        "try: salamandre.estimators\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip().endswith("pip install 'salamandre[sklearn]'"), done.stderr


def test_the_version_of_scikit_learn_is_new_enough():
    assert tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 6)


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"early_stopping": True, "patience": 0},
        {"early_stopping": True, "validation_fraction": 2.0},
    ],
)
def test_wrong_parameters_make_no_network_and_keep_an_earlier_one(bad):
    fresh = SalamandreClassifier(**{**QUICK, **bad})
    with pytest.raises(ValueError, match=[*bad][-1]):
        fresh.fit(X, Y)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    learned = SalamandreClassifier(**QUICK).fit(X, Y)
    before = learned.predict_proba(X)
    with pytest.raises(ValueError):
        learned.set_params(**bad).fit(X, Y)
    assert np.array_equal(learned.predict_proba(X), before)


def test_ctrl_c_ends_a_search_and_keeps_what_was_learned():
    class Interrupting(sal.Tanh):
        def compute(self, x, ctx):
            if ctx.training:
                signal.raise_signal(signal.SIGINT)
            return super().compute(x, ctx)

    estimator = SalamandreClassifier(layers=(4,), activation=Interrupting(), epochs=50)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, Y)
    assert 0 < len(estimator.history_) < 50 * 4
    with pytest.raises(KeyboardInterrupt):
        estimator.partial_fit(X, Y)
    autoencoder = SalamandreAutoencoder(layers=(4,), activation=Interrupting(), epochs=50)
    with pytest.raises(KeyboardInterrupt):
        autoencoder.fit(X)
    assert autoencoder.transform(X).shape == (len(X), 2)


def test_names_of_a_pandas_column_are_kept_with_the_network():
    y = pandas.Series(np.array(["red", "green", "blue"], object)[Y])
    estimator = SalamandreClassifier(**QUICK).fit(X, y)
    assert list(estimator.network_.class_names) == ["blue", "green", "red"]


@pytest.mark.parametrize(
    "x, y, options",
    [
        (np.full((12, 3), 1e40), np.zeros(12), {}),
        (X[:1], Y[:1], {"early_stopping": True}),
        (X[:, :2], Y, {"epochs": 0}),
        (X, Y, {"input_shape": (2, 2)}),
        pytest.param(
            X[:, :2],
            Y,
            {"backend": "cupy"},
            marks=pytest.mark.skipif(find_spec("cupy") is not None, reason="CuPy is installed"),
        ),
    ],
)
def test_a_refused_fit_leaves_the_estimator_as_it_was(x, y, options):
    estimator = SalamandreRegressor(**QUICK)
    refused = clone(estimator).set_params(**options)
    with pytest.raises((ValueError, RuntimeError)):
        refused.fit(x, y)
    with pytest.raises(NotFittedError):
        refused.predict(X)
    estimator.fit(X, Y)
    before = estimator.predict(X)
    estimator.set_params(**options)
    with pytest.raises((ValueError, RuntimeError)):
        estimator.fit(x, y)
    assert np.array_equal(estimator.predict(X), before) and estimator.n_iter_ == 15


def test_later_classes_are_those_of_the_first_call():
    estimator = SalamandreClassifier(**QUICK).partial_fit(X, Y, classes=[0, 1, 2])
    estimator.partial_fit(X, Y, classes=[2, 1, 0])
    with pytest.raises(
        ValueError, match=r"classes must be those of the first.*\[0 1 2\], got \[0 1 5"
    ):
        estimator.partial_fit(X, Y, classes=[0, 1, 5])


def test_an_input_shape_may_be_a_number_and_layers_must_be_a_list():
    for shape in (3, range(3, 4), np.array([1, 3])):
        layers = [sal.Flatten(), 4]
        estimator = SalamandreRegressor(**QUICK | {"layers": layers}, input_shape=shape)
        assert estimator.fit(X, Y).predict(X).shape == (120,)
    with pytest.raises(TypeError, match="layers must be a list"):
        SalamandreAutoencoder(layers=5).fit(X)
