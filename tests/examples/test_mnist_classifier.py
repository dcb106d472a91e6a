"""The example of a classifier, on small settings."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import table
from small_runs import DIGITS, EXAMPLES, files_of, only_folder, run

import salamandre as sal


def test_digits_are_learned_and_everything_is_saved(tmp_path):
    done = run("mnist_classifier.py", *DIGITS, "--epochs", "20", cwd=tmp_path)
    accuracies = [float(a) for a in re.findall(r"test accuracy +([\d.]+)%   ", done.stdout)]
    assert len(accuracies) == 20 and accuracies[-1] > 90
    assert f"digits: test accuracy {accuracies[-1]:.2f}% after 20 epochs" in done.stdout
    folder = only_folder(tmp_path)
    assert folder.parent.name == "digits-classifier"
    names = files_of(folder)
    assert names == {
        *("settings.json", "checkpoint.safetensors", "model.safetensors"),
        *("curves.csv", "metrics.csv", "curves.png", "confusion.png", "mistakes.png"),
    }
    for name in names:
        assert f"{folder.relative_to(tmp_path) / name}" in done.stdout
    model = sal.Network.load(folder / "model.safetensors")
    _, test = sal.data.load("digits")
    y = model.predict(test.images.reshape(len(test), -1) / np.float32(test.white))
    assert 100 * sal.evaluation.accuracy(y, test.labels) == pytest.approx(accuracies[-1], abs=0.006)


@pytest.mark.parametrize(
    "options",
    [
        ("--structure", "64-10", "--optimizer", "adadelta"),
        ("--structure", "64-40-20-10", "--optimizer", "nesterov", "--batch-norm"),
        ("--shift", "1", "--dropout", "0.2", "--input-dropout", "0.1", "--schedule", "constant"),
        ("--optimizer", "muon", "--schedule", "triangle", "--lookahead", "5", "--accumulate", "2"),
    ],
)
def test_options_of_the_classifier(tmp_path, options):
    done = run("mnist_classifier.py", *DIGITS, "--epochs", "1", *options, cwd=tmp_path)
    assert "digits: test accuracy" in done.stdout


def test_the_learning_rate_is_looked_for_and_the_run_watched(tmp_path):
    options = "--epochs", "1", "--find-rate", "--tensorboard"
    done = run("mnist_classifier.py", *DIGITS, *options, cwd=tmp_path)
    assert list(tmp_path.rglob("tensorboard/events.*"))
    rate = float(re.search(r"suggested learning rate is (\S+)", done.stdout)[1])
    assert 1e-5 < rate < 0.1 and "rates.png" in files_of(only_folder(tmp_path))


def test_without_mnist_the_classifier_says_so_and_takes_the_digits(tmp_path):
    environment = {
        "SALAMANDRE_DATA": str(tmp_path / "empty"),
        "SALAMANDRE_CACHE": str(tmp_path / "cache"),
        # No host is reached: the proxy refuses at once.
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    (tmp_path / "empty").mkdir()
    done = run("mnist_classifier.py", "--epochs", "1", cwd=tmp_path, **environment)
    assert "MNIST cannot be loaded" in done.stdout
    assert "digits: test accuracy" in done.stdout
    done = run("mnist_classifier.py", "--dataset", "mnist", cwd=tmp_path, code=1, **environment)
    assert "could not be downloaded" in done.stderr
    assert len(done.stderr.splitlines()) == 1  # no bars of bytes that never came


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT for one process")
def test_the_classifier_is_interrupted_and_continued(tmp_path):
    epochs = ("--epochs", "100")
    command = [sys.executable, EXAMPLES / "mnist_classifier.py", *DIGITS, *epochs]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("epoch   3"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted; continue with\n" in out
    hint = shlex.split(out.splitlines()[-1])
    assert Path(hint[1]) == EXAMPLES / "mnist_classifier.py" and hint[2] == "--resume"
    folder = only_folder(tmp_path)
    before = table(folder / "metrics.csv")
    assert 3 <= len(before) < 100
    resume = ("--resume", str(folder))
    done = run("mnist_classifier.py", *resume, "--epochs", "9", cwd=tmp_path, code=2)
    assert "--epochs is 100 in digits-classifier/" in done.stderr
    done = run("mnist_classifier.py", *resume, cwd=tmp_path)
    assert "continuing after step" in done.stdout
    rows = table(folder / "metrics.csv")
    assert rows[: len(before)] == before and rows[-1]["epoch"] == "100.0"


@pytest.mark.parametrize("model", ["lenet", "cnn"])
def test_convolutional_classifiers(model, tmp_path):
    options = ("--epochs", "1", "--model", model, "--flip")
    if model == "lenet":  # made for larger images than 8×8
        done = run("mnist_classifier.py", *DIGITS, *options, cwd=tmp_path, code=2)
        assert "kernel (5, 5) is larger than the padded image (4, 4)" in done.stderr
        return
    done = run("mnist_classifier.py", *DIGITS, *options, cwd=tmp_path)
    assert re.search(r"test accuracy [\d.]+%", done.stdout)
    assert (only_folder(tmp_path) / "mistakes.png").exists()
