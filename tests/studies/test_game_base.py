"""Unconditional games and games on pairs as bases of studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from command import picture

import salamandre as sal
from salamandre import data, games, studies
from salamandre.studies.players import CONSTRAINTS, players

SMALL = {"generator": "12", "discriminator": "8", "latent": 5, "batch_size": 16, "rounds": 6}


def played(folder, **given):
    plan = {"base": "game", "options": {**SMALL, **given}, "seeds": [3]}
    (row,) = studies.Study(plan, folder).run(1)
    assert row.state == "finished", row.result.message
    return row.result.metrics, folder / row.run


def by_hand(images, rounds=6):
    leaky = sal.LeakyReLU(0.2)
    generator = sal.Network(
        [sal.NeuronLayer(12, leaky), sal.NeuronLayer(64, sal.Tanh(), noise=3)],
        5,
        optimizer=sal.RMSProp(1e-3),
        seed=3,
    )
    discriminator = sal.Network(
        [sal.NeuronLayer(8, leaky), sal.NeuronLayer(1)], 64, optimizer=sal.Adam(5e-4, 0.2), seed=4
    )
    game = sal.GanGame(
        generator,
        discriminator,
        images,
        latent=sal.Gaussian(5),
        batch_size=16,
        objective=games.Hinge(),
        discriminator_steps=2,
        remedies=[sal.LabelSmoothing(0.7, 0.99)],
        seed=3,
    )
    game.play(rounds)
    return game


def test_a_run_is_that_of_a_game(tmp_path):
    given = {
        "classes": ["7", "8"],
        "last_noise": 3,
        "objective": "hinge",
        "generator_optimizer": "rmsprop",
        "generator_rate": 1e-3,
        "discriminator_rate": 5e-4,
        "discriminator_beta1": 0.2,
        "discriminator_steps": 2,
        "smoothing": [0.7, 0.99],
    }
    metrics, folder = played(tmp_path, **given)
    train, _ = data.load("digits")
    game = by_hand(train[np.isin(train.labels, (7, 8))])
    kept = sal.Network.load(folder / "generator.safetensors")
    assert np.array_equal(kept.parameters, game.generator.parameters)
    assert {name: metrics[name] for name in game.history.steps} == {
        name: pytest.approx(game.history.mean(name)) for name in game.history.steps
    }
    assert metrics["classes"] <= 2 and "divergence" not in metrics
    assert all(math.isfinite(value) for value in metrics.values())
    bias = picture(folder / "bias.png")
    assert bias.shape[0] == 4 * (8 + 2) and np.ptp(bias) > 200
    assert [path.name for path in sorted((folder / "samples").iterdir())] == [
        "00000000.png",
        "00000006.png",
    ]


def test_evaluations_are_curves_over_the_rounds(tmp_path):
    _, folder = played(tmp_path, evaluate=3)
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert len(rows) == 3 and "frechet" in rows[0] and "divergence" in rows[0]
    assert len((folder / "curves.csv").read_text().splitlines()) == 7


def test_convolutional_players_are_those_of_the_paper(tmp_path):
    given = {"model": "convolutional", "image_size": 16, "channels": 4, "last_bias": False}
    metrics, folder = played(tmp_path, **given)
    kept = sal.Network.load(folder / "generator.safetensors")
    assert kept.output_shape == (1, 16, 16)
    shapes = [array.shape for name, array in kept.named_parameters().items() if "weights" in name]
    windows = [shape for shape in shapes if len(shape) == 4]
    assert windows == [(5, 8, 4, 4), (8, 4, 4, 4), (4, 1, 4, 4)]
    assert "1.0.bias" not in kept.named_parameters() and not (folder / "bias.png").exists()
    assert metrics["classes"] <= 10


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_each_constraint_is_one_of_a_wasserstein_game(tmp_path, name):
    given = {**SMALL, "objective": "wasserstein", "constraint": name, "rounds": 2}
    plan = {"base": "game", "options": given}
    if name == "none":
        with pytest.raises(ValueError, match="wasserstein needs a constraint, such as"):
            studies.Study(plan, tmp_path)
        return
    (row,) = studies.Study(plan, tmp_path).run(1)
    found = row.result.metrics
    assert found["distance"] == pytest.approx(found["d_real"] - found["d_fake"], abs=1e-6)


def test_noise_stands_where_it_is_asked_for():
    options = {**SMALL, "dropout": 0.3, "minibatch": "deviation", "last_bias": False}
    options |= {"model": "perceptron", "noise": 2, "last_noise": 0}
    options |= {"added_noise": 0.1, "multiplied_noise": 0.2}
    up, down = players((1, 8, 8), options)
    kinds = [type(layer).__name__ for layer in up]
    assert kinds == ["NeuronLayer", "GaussianNoise", "GaussianNoise", "NeuronLayer"]
    assert (up[0].noise, up[3].noise, up[3].config()["bias"]) == (2, 0, False)
    assert [type(layer).__name__ for layer in down][1:3] == ["Dropout", "MinibatchDeviation"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classes": ["7", "x"]}, "unknown class of digits 'x'"),
        ({"objective": "hinje"}, "unknown objective 'hinje', did you mean 'hinge'?"),
        ({"constraint": "cliping"}, "unknown constraint 'cliping', did you mean 'clipping'?"),
        ({"generator_optimizer": "adma"}, "unknown optimizer 'adma', did you mean 'adam'?"),
        ({"generator": "a"}, "generator takes numbers such as"),
        ({"model": "convolutional", "image_size": 12}, "12×12 is not: give image_size = 16"),
        ({"model": "convolutional", "noise": 2}, "noise is for the model perceptron"),
        ({"smoothing": [0.7]}, r"smoothing \[0.7\]: expected `array` of length 2"),
        ({"smoothing": [1.2, 0.7]}, "LabelSmoothing"),
        ({"batch_size": 5000}, "batch"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_run(tmp_path, given, message):
    with pytest.raises(ValueError, match=rf"run 1 \(seed 0\): .*{message}"):
        studies.Study({"base": "game", "options": {**SMALL, **given}}, tmp_path / "it")
    assert not (tmp_path / "it").exists()


def test_pictures_from_pictures_are_runs_of_train(tmp_path):
    given = {"architecture": "slides", "dataset": "digits", "pairs": "small", "batch_size": 200}
    plan = {"base": "train", "options": {**given, "epochs": 1, "evaluate": 1}}
    (row,) = studies.Study(plan, tmp_path).run(1)
    assert row.state == "finished" and 0 < row.result.metrics["l1"] < 1
