"""The examples of inspection and transfer learning, as a user runs them, on small settings."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import letters
from safetensors.numpy import save_file

import salamandre as sal
from salamandre import models
from salamandre.models.weights import _published
from salamandre.runs import LearnedImages, Settings, new_run

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(example, *arguments, cwd, code=0):
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "SALAMANDRE_CACHE": str(cwd / "cache")},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def weights(tmp_path):
    """Random weights of SqueezeNet, under the published names."""
    tensors = models.squeezenet1_1(None).network.tensors()
    path = tmp_path / "random.safetensors"
    save_file({_published(name): array for name, array in tensors.items()}, path)
    return path


def test_features_of_a_folder_of_pictures_are_classified(tmp_path, weights):
    pytest.importorskip("sklearn")
    letters(tmp_path / "pictures", "ab", count=8)
    options = ("--pictures", "pictures", "--weights", weights, "--train", 12, "--test", 4)
    more = ("--cuts", "features.0", "features.3", "--size", 47, "--epochs", 2, "--C", 0.01)
    done = run("transfer_learning.py", *options, *more, "--fine-tune", 1, cwd=tmp_path)
    (folder,) = (tmp_path / "runs").glob("transfer-learning/*")
    with (folder / "cuts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["cut"], int(row["features"])) for row in rows] == [
        ("features.0", 64 * 4),
        ("features.3", 128 * 4),
    ]
    assert all(0 <= float(row["svm"]) <= 1 for row in rows)
    assert (folder / "cuts.png").is_file() and "fine-tuned: " in done.stdout
    wrong = run("transfer_learning.py", *options[:4], "--train", 18, cwd=tmp_path, code=2)
    assert "together at most 8" in wrong.stderr and len(wrong.stderr.splitlines()) <= 2
    wrong = run("transfer_learning.py", *options[:4], "--cuts", "fire", cwd=tmp_path, code=2)
    assert "no layer 'fire'" in wrong.stderr
    assert [*(tmp_path / "runs").glob("*/*")] == [folder]


def test_a_classifier_of_digits_is_looked_into(tmp_path):
    digits, _ = sal.data.load("digits")
    settings = Settings.new("mnist_classifier.py", {"dataset": "digits"}, LearnedImages.of(digits))
    folder = new_run(tmp_path / "runs", "digits-classifier", settings).folder
    layers = [sal.ConvolutionalLayer(3, 3, activation=sal.ReLU()), sal.Flatten()]
    network = sal.Network([*layers, sal.NeuronLayer(10, sal.Softmax())], (1, 8, 8))
    network.save(folder / "model.safetensors")
    more = ("--images", "10", "--epsilon", "0.3", "--target", "3")
    done = run("inspect_network.py", "--run", folder, *more, cwd=tmp_path)
    (results,) = (tmp_path / "runs").glob("inspect-digits/*")
    names = {path.name for path in results.iterdir()}
    assert names >= {"saliency.png", "adversarial-3.png", "dream-3.png", "filters.png"}
    for attack in ("FGSM, ε = 0.3", "PGD-40, ε = 0.3", "DeepFool"):
        assert attack in done.stdout
    wrong = run("inspect_network.py", "--run", folder, "--target", "ten", cwd=tmp_path, code=2)
    assert "unknown class 'ten'" in wrong.stderr
    wrong = run("inspect_network.py", "--run", "nowhere", cwd=tmp_path, code=2)
    assert "there is no run 'nowhere'" in wrong.stderr


def test_a_plain_and_a_robust_network_learn_and_are_attacked(tmp_path):
    options = ("--dataset", "digits", "--epochs", 1, "--epsilon", 0.02, 0.1, "--images", 40)
    done = run("adversarial_training.py", *options, cwd=tmp_path)
    (folder,) = (tmp_path / "runs").glob("digits-adversarial/*")
    table = (folder / "table.md").read_text()
    assert table in done.stdout and (folder / "attacked.png").stat().st_size > 5_000
    _, test = sal.data.load("digits")
    x, labels = test.images[:40] / np.float32(test.white), test.labels[:40]
    for name in ("plain", "robust"):
        network = sal.Network.load(folder / f"{name}.safetensors")
        right = 100 * float((network.predict(x).argmax(axis=1) == labels).mean())
        rows = [line.split(" | ") for line in table.splitlines() if line.startswith(f"| {name}")]
        assert [row[1] for row in rows] == ["FGSM", "PGD-40"]
        for *_, clean, small, large in rows:
            assert float(clean) == pytest.approx(right, abs=0.01)
            assert float(clean) >= float(small) >= float(large.rstrip(" |"))
    with (folder / "robust" / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 <= float(row["robust_accuracy"]) <= float(row["accuracy"]) <= 1
    again = run("adversarial_training.py", "--resume", folder, cwd=tmp_path)
    assert table in again.stdout
    wrong = run("adversarial_training.py", "--epsilon", 0, cwd=tmp_path, code=2)
    assert "--epsilon takes positive numbers" in wrong.stderr
