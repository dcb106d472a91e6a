"""Tests of an engine: its records and metrics."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from test_engine import LABELS, X, engine, plain

import salamandre as sal


def test_records_agree_with_a_computation_by_hand():
    run = engine(test_every=sal.Steps(4))
    history = run.run(2)
    assert history.column("step") == [4, 8, 12]
    assert history.column("epoch") == pytest.approx([4 / 6, 8 / 6, 2])
    assert history.records[1]["loss"] == pytest.approx(np.mean(history.steps["loss"][4:8]))
    # The network has noise inputs: a second evaluation draws others, so compare without them.
    quiet = sal.Network([sal.NeuronLayer(2, sal.Softmax())], 6, sal.CrossEntropy(), sal.SGD())
    record = sal.Engine(quiet, (X, LABELS), (X, LABELS)).evaluate(batch_size=7)
    y = quiet.compute(X, training=False)
    assert record["accuracy"] == pytest.approx(np.mean(y.argmax(1) == LABELS))
    chosen = y[np.arange(50), LABELS]
    assert record["test_loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-5)


def test_a_second_test_of_a_step_has_no_training_loss(tmp_path):
    run = engine(callbacks=[sal.Checkpoint(tmp_path / "checkpoint")])
    run.run(1)
    run.test()
    first, second = run.history.records
    assert first["step"] == second["step"] and "loss" in first and "loss" not in second


def test_metrics_are_of_the_whole_test_set_and_get_copies():
    x = np.random.default_rng(1).normal(size=(2500, 6)).astype(np.float32)
    labels = (x[:, 0] > 1).astype(int)
    kept = labels.copy()

    def spread(y, targets):
        found = float(y[:, 0].std()), len(y)
        y[...] = 0  # users write where they please
        targets[...] = 7
        return found[0] if found[1] == 2500 else -1.0

    def precision(y, targets):
        chosen = y.argmax(axis=1) == 1
        return float(targets[chosen].mean()) if chosen.any() else 0.0

    run = sal.Engine(
        plain(), (X, LABELS), (x, labels), metrics={"spread": spread, "hits": precision}
    )
    found, y = run.evaluate(), run.network.predict(x)
    assert found["spread"] == pytest.approx(y[:, 0].std(), rel=1e-5)
    assert found["hits"] == pytest.approx(precision(y, labels))
    np.testing.assert_array_equal(labels, kept)
    assert run.evaluate() == found


def test_a_metric_gets_values_of_the_shape_of_the_outputs():
    x = np.random.default_rng(1).normal(size=(30, 6))
    network = sal.Network([sal.NeuronLayer(1)], 6, sal.MeanSquaredError(), sal.Adam())
    errors = {"mse": lambda y, targets: float(((y - targets) ** 2).mean())}
    found = sal.Engine(network, (x, x[:, 0]), (x, x[:, 0]), metrics=errors).evaluate()
    assert found["mse"] == pytest.approx(found["test_loss"], rel=1e-5)


def test_a_network_with_one_output_has_no_accuracy_by_argmax():
    network = sal.Network(
        [sal.NeuronLayer(1, sal.Sigmoid())], 6, sal.BinaryCrossEntropy(), sal.SGD(0.1)
    )
    history = sal.Engine(network, (X, LABELS), (X, LABELS), batch_size=8).run(1)
    assert "accuracy" not in history.records[0]


def test_metrics_have_names_that_a_table_can_hold(tmp_path):
    def top(y, targets, k=1):
        return 0.5

    class Mean:
        def __call__(self, y, targets):
            return float(y.mean())

    run = engine(metrics=[functools.partial(top, k=3), Mean()], callbacks=[sal.Curves(tmp_path)])
    run.run(1)
    assert {"top", "Mean"} < set(run.history.records[0])
    assert "top" in (tmp_path / "metrics.csv").read_text().splitlines()[0].split(",")
    with pytest.raises(ValueError, match="two metrics have one name, got top, top: give a mapping"):
        engine(metrics=[functools.partial(top, k=1), functools.partial(top, k=5)])
    with pytest.raises(ValueError, match="a metric's name cannot hold commas"):
        engine(metrics={"a,b": top})
    with pytest.raises(TypeError, match="the metric 'none' must be a number, got None"):
        engine(metrics={"none": lambda y, targets: None}).run(1)


def test_a_metric_that_does_not_take_the_targets_is_refused_before_the_first_step():
    network = sal.Network([sal.NeuronLayer(3, sal.Softmax())], 2, sal.CrossEntropy(), sal.SGD(0.1))
    data = np.ones((4, 2)), np.array([0, 1, 2, 0])
    for metric in ("mae", "mse"):
        with pytest.raises(
            ValueError, match=rf"{metric} needs targets of shape \(N, 3\), got \(N\)"
        ):
            sal.Engine(network, data, data, metrics=metric)
    images = sal.Network([sal.ConvolutionalLayer(1, 1)], (1, 2, 2), "mse", sal.SGD(0.1))
    data = np.ones((4, 1, 2, 2)), np.ones((4, 1, 2, 2))
    with pytest.raises(ValueError, match="accuracy takes outputs"):
        sal.Engine(images, data, data, metrics="accuracy")
    sal.Engine(images, data, data, metrics=["mae", "mse"]).run(1)


def test_accuracy_takes_lists():
    assert sal.training.metrics.accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1]) == 0.5
