"""Classifiers as the base of a study."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, studies

SMALL = {"dataset": "digits", "layers": "12-10", "epochs": 2, "examples": 300}


def test_a_run_is_that_of_an_engine(tmp_path):
    given = {"learning_rate": 0.01, "optimizer": "momentum", "activation": "tanh", **SMALL}
    (row,) = studies.Study({"base": "classifier", "options": given, "seeds": [3]}, tmp_path).run(1)
    train, test = data.load("digits")
    layers = [sal.NeuronLayer(12, sal.Tanh()), sal.NeuronLayer(10, sal.Softmax())]
    network = sal.Network(layers, 64, sal.CrossEntropy(), sal.Momentum(0.01), seed=3)
    history = sal.Engine(network, train[:300], test, batch_size=64, seed=3).run(2)
    assert row.result.metrics == history.metrics()
    kept = sal.Network.load(tmp_path / row.run / "model.safetensors")
    assert np.array_equal(kept.parameters, network.parameters)
    assert kept.class_names == network.class_names


def test_it_may_end_after_seconds(tmp_path):
    given = {**SMALL, "epochs": 100_000, "seconds": 0.2}
    (row,) = studies.Study({"base": "classifier", "options": given}, tmp_path).run(1)
    assert row.state == "finished" and 0.2 <= row.result.duration < 5


def test_a_run_that_diverges_is_recorded(tmp_path):
    given = {**SMALL, "optimizer": "sgd", "activation": "elu", "layers": "50-50-10"}
    plan = {"base": "classifier", "options": given, "axes": {"learning-rate": [0.01, 1e30]}}
    with np.errstate(all="ignore"):
        rows = studies.Study(plan, tmp_path).run(1)
    assert [row.state for row in rows] == ["finished", "diverged"]
    assert "in step" in rows[1].result.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layers": "12-9"}, r"layers must end with 10, the classes of digits, got 12-9"),
        ({"layers": "a-10"}, r"layers takes numbers such as 784-300-10, got 'a-10'"),
        ({"optimizer": "adma"}, "unknown optimizer 'adma', did you mean 'adam'?"),
        ({"slope": 0.5}, "the activation relu has no slope"),
        ({"dropout": 1.0}, r"dropout 1.0: expected `float` < 1.0"),
        ({"dataset": "digit"}, "did you mean 'digits'?"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_run(tmp_path, given, message):
    with pytest.raises(ValueError, match=rf"run 1 \(seed 0\): .*{message}"):
        studies.Study({"base": "classifier", "options": {**SMALL, **given}}, tmp_path / "it")
    assert not (tmp_path / "it").exists()
