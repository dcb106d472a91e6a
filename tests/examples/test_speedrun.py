"""The example of quick recipes, on few pictures."""

from __future__ import annotations

import re

import numpy as np
from command import table
from small_runs import DIGITS, files_of, only_folder, run

import salamandre as sal


def coloured(place):
    """Write 60 coloured pictures of three classes, told apart by their brightest colour."""
    labels = np.arange(60) % 3
    pixels = np.random.default_rng(0).integers(0, 200, (60, 16, 16, 3), dtype=np.uint8)
    pixels[np.arange(60), :, :, labels] //= 4
    pixels[np.arange(60), :, :, labels] += 200
    np.savez(place / "colours.npz", images=pixels, labels=labels)
    return ("--dataset", "colours.npz", "--test-share", "0.2", "--batch-size", "8")


def test_grey_pictures_are_learned_and_everything_is_saved(tmp_path):
    done = run("speedrun.py", *DIGITS, "--epochs", "12", "--threads", "2", cwd=tmp_path)
    found = re.search(r"accuracy ([\d.]+)%, ([\d.]+)% averaged over views; \d+ s", done.stdout)
    assert float(found[1]) > 90 and float(found[2]) > 90
    folder = only_folder(tmp_path)
    assert folder.parent.name == "digits-speedrun"
    assert files_of(folder) == {
        *("settings.json", "checkpoint.safetensors", "model.safetensors"),
        *("curves.csv", "metrics.csv", "curves.png"),
    }
    model = sal.Network.load(folder / "model.safetensors")
    assert model.frozen == ("0",)
    tests = [float(row["accuracy"]) for row in table(folder / "metrics.csv")]
    assert len(tests) == 6 and f"{100 * tests[-1]:.2f}" == found[1]  # the last one is at the end


def test_coloured_pictures_are_learned(tmp_path):
    done = run("speedrun.py", *coloured(tmp_path), "--epochs", "4", cwd=tmp_path)
    assert "colours: test accuracy 100.00%, 100.00% averaged" in done.stdout
    model = sal.Network.load(only_folder(tmp_path) / "model.safetensors")
    assert isinstance(model.optimizer, sal.Muon)
    done = run("speedrun.py", "--resume", only_folder(tmp_path), cwd=tmp_path)
    assert "continuing after step" in done.stdout


def test_parts_are_left_out(tmp_path):
    parts = ("whitening", "muon", "shift-rate", "smoothing", "crops", "flip", "averaging")
    options = ("--epochs", "1", "--train", "30", "--without", *parts)
    done = run("speedrun.py", *coloured(tmp_path), *options, cwd=tmp_path)
    assert "averaged" not in done.stdout
    model = sal.Network.load(only_folder(tmp_path) / "model.safetensors")
    assert model.frozen == () and model.loss.label_smoothing == 0
    assert isinstance(model.optimizer, sal.Nesterov)
    assert {layer.shift_rate for layer in model.layers if isinstance(layer, sal.BatchNorm)} == {1}
