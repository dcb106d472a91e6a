"""The examples of inspection and transfer learning, as a user runs them, on small settings."""

from __future__ import annotations

import csv
from functools import partial

import numpy as np
import pytest
from command import letters
from safetensors.numpy import save_file
from small_runs import files_of, run

import salamandre as sal
from salamandre import models
from salamandre.models.weights import _published
from salamandre.runs import LearnedImages, Settings, new_run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SALAMANDRE_CACHE", str(tmp_path / "cache"))


def mistake(*words, cwd):
    """Run an example wrongly, and return the sentence about the mistake."""
    (line,) = run(*words, cwd=cwd, code=2).stderr.splitlines()
    return line


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
    assert {"cuts.png", "fine-tuned.csv"} <= files_of(folder) and "fine-tuned: " in done.stdout
    wrong = partial(mistake, "transfer_learning.py", *options[:4], cwd=tmp_path)
    assert "together at most 8" in wrong("--train", 18)
    assert "no layer 'fire'" in wrong("--cuts", "fire")
    assert "cannot begin inside" in wrong("--cuts", "features.3.squeeze", "--fine-tune", 1)
    assert "--C must be" in wrong("--C", "0.1", "-1")
    (tmp_path / "pictures" / "c.png").write_bytes(b"")
    assert "and no other pictures" in wrong()
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
    wrong = partial(mistake, "inspect_network.py", "--run", cwd=tmp_path)
    assert "unknown class 'ten'" in wrong(folder, "--target", "ten")
    assert "--epsilon must be" in wrong(folder, "--epsilon", "-1")
    assert "there is no run 'nowhere'" in wrong("nowhere")


def test_a_plain_and_a_robust_network_learn_and_are_attacked(tmp_path):
    options = ("--dataset", "digits", "--epochs", 1, "--epsilon", 0.02, 0.1, "--images", 40)
    options += ("--tensorboard",)
    done = run("adversarial_training.py", *options, cwd=tmp_path)
    (folder,) = (tmp_path / "runs").glob("digits-adversarial/*")
    table = (folder / "table.md").read_text()
    assert table in done.stdout and (folder / "attacked.png").stat().st_size > 5_000
    _, test = sal.data.load("digits")
    test = test.spread(40)
    x, labels = test.images / np.float32(test.white), test.labels
    for name in ("plain", "robust"):
        assert list((folder / name).glob("tensorboard/events.*"))
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
