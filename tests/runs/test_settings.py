"""Settings of a run: written, read, damaged."""

from __future__ import annotations

import json

import pytest

import salamandre as sal
from salamandre.runs import LearnedImages, Settings, find_runs, new_run
from salamandre.runs.settings import read_settings


def test_folders_are_new_each_time_and_keep_what_they_are_given(tmp_path):
    options = {"epochs": 3, "path": tmp_path, "rates": (0.1, 0.2)}
    found = [
        new_run(tmp_path / "runs", "xor", Settings.new("xor.py", options, LearnedImages()))
        for _ in range(3)
    ]
    assert len({run.folder for run in found}) == 3
    assert {run.name for run in find_runs(tmp_path / "runs")} == {run.name for run in found}
    for run in found:
        assert run.folder.parent == tmp_path / "runs" / "xor"
        settings = read_settings(run.folder)
        assert settings.program == "xor.py" and not settings.images.count
        assert settings.options == {"epochs": 3, "path": str(tmp_path), "rates": [0.1, 0.2]}
        assert settings.versions["salamandre"] == sal.__version__


def test_what_is_noted_of_images_comes_back(tmp_path):
    train, _ = sal.data.load("digits")
    noted = LearnedImages.of(train, 7)
    run = new_run(tmp_path, "digits", Settings.new("x.py", {}, noted))
    assert read_settings(run.folder).images == noted
    assert (noted.count, noted.shape, noted.rounds_per_epoch) == (1437, (1, 8, 8), 7)


@pytest.mark.parametrize(
    "held, message",
    [
        ("{", "must hold a JSON object"),
        ("[]", "must hold a JSON object"),
        ('{"program": "\xe9"}', "must hold a JSON object"),
        ('{"format": 2, "program": 3}', "damaged at program: expected `str`, got `int`"),
        ('{"format": 2, "fog": 3}', "object contains unknown field `fog`"),
        ('{"format": 2, "images": {"shape": [1, 2]}}', "damaged at images.shape: expected `array`"),
        ('{"format": 5}', "written by a newer Salamandre (unnamed, run folders of format 5"),
    ],
)
def test_damaged_settings_are_named(tmp_path, held, message):
    (tmp_path / "settings.json").write_text(held, encoding="latin-1")
    with pytest.raises(ValueError) as caught:
        read_settings(tmp_path)
    assert message in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "number, written, now",
    [
        (1, "cgan", "lscgan"),
        (2, "cgan", "lscgan"),
        (3, "cgan", "cgan"),
        (1, "cdcgan", "dcgan"),
        (3, "cdcgan", "dcgan"),
        (4, "cdcgan", "cdcgan"),
        (2, "cwgan", "cwgan"),
    ],
)
def test_a_game_of_an_earlier_version_keeps_its_architecture(tmp_path, number, written, now):
    """``cgan`` was the least-squares game in formats 1 and 2, ``cdcgan`` had batch-norm up to 3."""
    held = {"format": number, "options": {"architecture": written, "latent": 4}}
    if number > 1:
        held["program"] = "salamandre train"
    (tmp_path / "settings.json").write_text(json.dumps(held))
    assert read_settings(tmp_path).options == {"architecture": now, "latent": 4}


@pytest.mark.parametrize("held", [{}, {"format": 3}])
def test_a_weight_decay_of_0_was_the_optimizer_s_own(tmp_path, held):
    options = {"weight_decay": 0.0, "optimizer": "adamw"}
    held = {**held, "options": options} if held else options
    (tmp_path / "settings.json").write_text(json.dumps({"program": "mnist_classifier.py", **held}))
    assert read_settings(tmp_path).options == {"weight_decay": None, "optimizer": "adamw"}


def test_options_of_version_01_are_told_apart_from_settings(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"steps": 3, "output": "x", "resume": None}))
    settings = read_settings(tmp_path)
    assert settings.options == {"steps": 3} and settings.program == ""
