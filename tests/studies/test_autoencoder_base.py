"""Autoencoders as the base of a study."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, studies

SMALL = {"hidden": "24", "latent": 4, "epochs": 2, "examples": 300}


def learned(folder, **given):
    plan = {"base": "autoencoder", "options": {**SMALL, **given}, "seeds": [3]}
    (row,) = studies.Study(plan, folder).run(1)
    assert row.state == "finished", row.result.message
    return row.result.metrics, sal.Network.load(folder / row.run / "model.safetensors")


def test_metrics_are_those_of_the_reconstructions(tmp_path):
    metrics, network = learned(tmp_path, loss="l1", activation="elu", batch_norm=False)
    _, test = data.load("digits")
    t = test.images.reshape(len(test), -1) / test.white
    y = network.predict(t)
    assert metrics["squared"] == pytest.approx(((y - t) ** 2).sum(axis=1).mean(), rel=1e-5)
    assert metrics["l1"] == pytest.approx(abs(y - t).mean(), rel=1e-5)
    assert metrics["test_loss"] == pytest.approx(metrics["l1"], rel=1e-5)
    assert network.part("encoder").output_shape == (4,)
    assert network.part("decoder").predict(np.zeros((2, 4), np.float32)).shape == (2, 64)


def test_noisy_images_have_clean_targets(tmp_path):
    clean, _ = learned(tmp_path / "clean")
    noisy, network = learned(tmp_path / "noisy", noise=0.3)
    assert noisy["squared"] > clean["squared"] > 0
    assert [type(layer).__name__ for layer in network.part("encoder").layers[:2]] == [
        "NeuronLayer",
        "BatchNorm",
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hidden": "a"}, "hidden takes numbers such as"),
        ({"activation": "rel"}, "unknown activation 'rel', did you mean 'relu'?"),
        ({"loss": "l3"}, "loss 'l3': invalid enum value"),
        ({"latent": 0}, "latent 0: expected `int` >= 1"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_run(tmp_path, given, message):
    with pytest.raises(ValueError, match=rf"run 1 \(seed 0\): .*{message}"):
        studies.Study({"base": "autoencoder", "options": {**SMALL, **given}}, tmp_path / "it")
