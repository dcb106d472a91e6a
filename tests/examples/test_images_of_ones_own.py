"""The examples on images of one's own."""

from __future__ import annotations

import json

import numpy as np
from small_runs import FILES, QUICK, files_of, only_folder, run

import salamandre as sal


def own_letters(place):
    """Write 60 images of three classes, told apart by a bright row, and names for them."""
    labels = np.arange(60) % 3
    pixels = np.random.default_rng(0).integers(0, 60, (60, 8, 8), dtype=np.uint8)
    pixels[np.arange(60), labels] = 255
    np.savez(place / "letters.npz", images=pixels, labels=labels)
    (place / "names.txt").write_text("A\nB\nC\n")


def test_images_of_ones_own_are_classified(tmp_path):
    own_letters(tmp_path)
    given = ("--dataset", "letters.npz", "--class-names", "names.txt", "--batch-size", "9")
    done = run("mnist_classifier.py", *given, "--epochs", "10", cwd=tmp_path)
    assert "letters has no test images: a share of 0.1 is kept for testing." in done.stdout
    assert "54 images for training and 6 for testing" in done.stdout
    assert "letters: test accuracy 100.00%" in done.stdout
    folder = only_folder(tmp_path)
    options = json.loads((folder / "settings.json").read_text())["options"]
    assert (options["test_share"], options["dataset"]) == (0.1, str(tmp_path / "letters.npz"))
    model = sal.Network.load(folder / "model.safetensors")
    assert model.class_names == ("A", "B", "C")
    done = run("mnist_classifier.py", "--resume", str(folder), cwd=tmp_path.parent)
    assert "continuing after step 60" in done.stdout


def test_a_game_on_images_of_ones_own_evaluates_where_there_are_test_images(tmp_path):
    own_letters(tmp_path)
    given = ("--dataset", "letters.npz", "--rounds", "2", "--batch-size", "9", "--evaluate", "2")
    done = run("gan_mnist.py", *given, *QUICK[2:], cwd=tmp_path)
    assert "letters has no test images (--test-share 0.1 keeps some), so that no" in done.stdout
    assert files_of(only_folder(tmp_path)) == FILES
    given = (*given, "--test-share", "0.1", "--digits", "0-1", "--output", "other")
    done = run("gan_mnist.py", *given, *QUICK[2:], cwd=tmp_path)
    assert "data set letters: 36 images" in done.stdout and "on 4 test images" in done.stdout
