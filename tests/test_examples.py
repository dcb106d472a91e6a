"""The examples, run as a user runs them, on small settings."""

from __future__ import annotations

import csv
import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import call
from PIL import Image
from safetensors.numpy import load_file

import salamandre as sal

EXAMPLES = Path(__file__).parents[1] / "examples"
DIGITS = ("--dataset", "digits")


def run(example, *arguments, cwd, fails=False, **environment):
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert (done.returncode != 0) == fails, done.stderr
    assert "Traceback" not in done.stderr
    return done


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def only_folder(tmp_path: Path) -> Path:
    """Return the folder of the only run, in the place of its kind."""
    (folder,) = (tmp_path / "runs").glob("*/*")
    return folder


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"run.lock"}


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
    ],
)
def test_options_of_the_classifier(tmp_path, options):
    done = run("mnist_classifier.py", *DIGITS, "--epochs", "1", *options, cwd=tmp_path)
    assert "digits: test accuracy" in done.stdout


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
    done = run("mnist_classifier.py", "--dataset", "mnist", cwd=tmp_path, fails=True, **environment)
    assert "could not be downloaded" in done.stderr


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
    done = run("mnist_classifier.py", *resume, "--epochs", "9", cwd=tmp_path, fails=True)
    assert "--epochs is 100 in digits-classifier/" in done.stderr
    done = run("mnist_classifier.py", *resume, cwd=tmp_path)
    assert "continuing after step" in done.stdout
    rows = table(folder / "metrics.csv")
    assert rows[: len(before)] == before and rows[-1]["epoch"] == "100.0"


@pytest.mark.parametrize(
    "example, arguments, message",
    [
        ("mnist_classifier.py", (*DIGITS, "--structure", "784-10"), "must begin with 64"),
        ("mnist_classifier.py", (*DIGITS, "--structure", "64-x-10"), "numbers such as"),
        ("mnist_classifier.py", (*DIGITS, "--epochs", "0"), "--epochs: must be a whole number"),
        ("mnist_classifier.py", (*DIGITS, "--backend", "cupie"), "did you mean 'cupy'"),
        ("mnist_classifier.py", (*DIGITS, "--dropout", "1.5"), "Dropout rate"),
        ("mnist_classifier.py", ("--resume", "nowhere"), "there is no run 'nowhere'"),
        ("mnist_classifier.py", ("--dataset", "mnits"), "did you mean 'mnist'? (known: mnist, "),
        ("mnist_classifier.py", (*DIGITS, "--test-share", "0.1"), "--test-share is for a source"),
        ("mnist_classifier.py", (*DIGITS, "--class-names", "none.txt"), "none.txt"),
        ("xor.py", ("--structure", "3-2-1"), "takes 2-...-1"),
        ("xor.py", ("--structure", "2-0-1"), "takes 2-...-1"),
        ("xor.py", ("--runs", "0"), "--runs: must be a whole number of at least 1, got '0'"),
        ("xor.py", ("--steps", "79"), "--steps: must be a whole number of at least 80"),
        ("gan_gaussians.py", ("--processes", "0"), "--processes: must be"),
        ("gan_gaussians.py", ("--seed", "-1"), "--seed: must be a whole number of at least 0"),
        ("gan_gaussians.py", ("--backend", "cupie"), "did you mean 'cupy'"),
        ("mode_collapse_study.py", ("--runs", "x"), "--runs: must be a whole number"),
        ("xor.py", ("--learning-rates", "-1"), "at least 0"),
        ("xor.py", ("--backend", "nunpy"), "did you mean 'numpy'"),
    ],
)
def test_mistakes_get_one_sentence(tmp_path, example, arguments, message):
    done = run(example, *arguments, cwd=tmp_path, fails=True)
    assert message in done.stderr.splitlines()[-1] and done.returncode == 2
    assert not (tmp_path / "runs").exists()


def test_xor_draws_its_study(tmp_path):
    done = run("xor.py", "--runs", "2", cwd=tmp_path)
    folder = only_folder(tmp_path)
    for structure, rate in (("2-2-1", "0.03"), ("2-4-1", "0.3"), ("2-2-2-1", "0.03")):
        assert f"{structure}, learning rate {rate}: 2 of 2 runs above 95%" in done.stdout
        assert (folder / f"maps-{structure}-{rate}.png").stat().st_size > 5_000
        assert (folder / f"success-{structure}.png").stat().st_size > 5_000
    rows = table(folder / "runs.csv")
    assert [row["seed"] for row in rows] == ["0", "1"] * 3
    # The saved network is what the table says: count its successes on the grid anew.
    network = sal.Network.load(folder / "network-2-4-1-0.3.safetensors")
    axis = -0.98 + 0.04 * np.arange(50)
    x, y = np.repeat(axis, 50), np.tile(axis, 50)
    output = network.predict(np.stack([x, y], axis=1))[:, 0]
    assert np.mean((output > 0) == (x * y < 0)) == pytest.approx(
        float(rows[2]["success"]), abs=1e-3
    )


def test_xor_compares_learning_rates(tmp_path):
    rates = ("--learning-rates", "0.0001", "0.3")
    options = ("--structure", "2-4-1", "--runs", "2", "--steps", "800", "--processes", "1")
    done = run("xor.py", *options, *rates, cwd=tmp_path)
    assert "learning rate 0.0001: 0 of 2" in done.stdout
    assert len(list(only_folder(tmp_path).glob("maps-*.png"))) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT for one process")
def test_xor_that_is_interrupted_draws_what_is_done(tmp_path):
    command = [sys.executable, EXAMPLES / "xor.py", "--structure", "2-4-1", "--runs", "500"]
    import pty  # not on Windows

    terminal, end = pty.openpty()  # a bar elsewhere is a line now and then
    process = subprocess.Popen(
        [*command, "--steps", "2000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
        start_new_session=True,
    )
    os.close(end)  # so that reading ends when the program does
    bar = ""
    while not re.search(r"\b[1-9]\d*/500", bar):  # the first runs are done
        if not select.select([terminal], [], [], 60)[0]:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"no bar for a minute after {bar!r}")
        bar += os.read(terminal, 1000).decode()  # an OSError if the program has ended
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    out, _ = process.communicate(timeout=60)
    err = os.read(terminal, 10000).decode()
    os.close(terminal)
    assert process.returncode == 130, err
    assert "interrupted" in out
    assert len(table(only_folder(tmp_path) / "runs.csv")) >= 1


QUICK = (*DIGITS, "--sample-every", "20", "--generator", "32")
FILES = {
    *("settings.json", "checkpoint.safetensors", "generator.safetensors", "samples"),
    *("discriminator.safetensors", "curves.csv", "curves.png", "animation.gif", "nearest.png"),
}


@pytest.mark.parametrize(
    "program, options",
    [
        ("wgan_mnist.py", ("--critic", "32", "--critic-steps", "1")),
        ("gan_mnist.py", ("--discriminator", "32", "--noise", "4", "--matching", "0.1")),
    ],
)
def test_games_draw_digits_and_continue(program, options, tmp_path):
    options = (*QUICK, *options, "--digits", "3-5", "--evaluate", "20")
    done = run(program, *options, "--rounds", "40", cwd=tmp_path)
    assert "435 images" in done.stdout and "generated images" in done.stdout  # threes to fives
    (found,) = sal.runs.find_runs(tmp_path / "runs")
    assert found.state() == "complete" and found.images.count == 435
    assert "40 of 40 rounds" in call("show", found.folder)
    assert len(call("generate", found.folder, "--to", tmp_path / "out").split()) == 1
    folder = only_folder(tmp_path)
    assert files_of(folder) == {*FILES, "metrics.csv"}
    assert [row["round"] for row in table(folder / "metrics.csv")] == ["20", "40"]
    generator = sal.Network.load(folder / "generator.safetensors")
    assert generator.output_shape == (64,)
    run(program, "--resume", str(folder), cwd=tmp_path)
    again = sal.Network.load(folder / "generator.safetensors")
    assert np.array_equal(again.parameters, generator.parameters)
    run(program, "--resume", str(folder), "--rounds", "60", cwd=tmp_path)
    assert len(table(folder / "curves.csv")) == 60
    done = run(program, "--resume", str(folder), "--latent", "9", cwd=tmp_path, fails=True)
    assert "--latent is 100 in digits-" in done.stderr.splitlines()[-1]
    other = {"gan_mnist.py": "wgan_mnist.py"}.get(program, "gan_mnist.py")
    done = run(other, "--resume", str(folder), cwd=tmp_path, fails=True)
    assert f"is one of {program}" in done.stderr.splitlines()[-1]
    assert len(table(folder / "curves.csv")) == 60


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_game_that_is_killed_again_and_again_ends_in_the_same_bits(tmp_path):
    options = (*QUICK, "--evaluate", "0", "--rounds", "300", "--minibatch", "discrimination")
    options = (*options, "--discriminator", "32", "--noise", "4", "--flipping", "0.1")
    run("gan_mnist.py", *options, "--output", "whole", cwd=tmp_path)
    (whole,) = (tmp_path / "whole").glob("*/*")
    (tmp_path / "killed").mkdir()
    arguments, ends = (*options, "--output", "killed"), []
    for delay in (0, 0.05, 0.3, 0.1, 0.2, 0.15):
        command = [sys.executable, EXAMPLES / "gan_mnist.py", *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        process.stderr.readline()  # the bar shows that it plays
        time.sleep(delay)
        process.kill()
        ends.append(process.wait())
        process.stderr.close()
        (folder,) = (tmp_path / "killed").glob("*/*")
        arguments = ("--resume", str(folder))
    assert ends[0] == -signal.SIGKILL  # at once when it plays
    run("gan_mnist.py", *arguments, cwd=tmp_path)
    names = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file()]
    assert len(names) > 20
    for name in names:
        if name.suffix == ".safetensors":  # their headers are in no certain order
            tensors = [load_file(where / name) for where in (whole, folder)]
            for key, array in tensors[0].items():
                assert np.array_equal(array, tensors[1][key]), key
        elif name.suffix != ".json":
            assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("constraint", ["clipping", "spectral"])
def test_constraints_of_the_wasserstein_game(tmp_path, constraint):
    options = (*QUICK, "--rounds", "5", "--lipschitz", constraint, "--optimizer", "rmsprop")
    run("wgan_mnist.py", *options, "--evaluate", "0", cwd=tmp_path)
    assert files_of(only_folder(tmp_path)) == FILES


@pytest.mark.parametrize(
    "program, arguments, message",
    [
        ("wgan_mnist.py", ("--digits", "8-12"), "must lie in 0-9"),
        ("wgan_mnist.py", ("--digits", "x"), "takes 7 or 0-9"),
        ("wgan_mnist.py", ("--generator", "a"), "numbers such as 256-512"),
        ("wgan_mnist.py", ("--critic", "0"), "at least 1, got 0"),
        ("wgan_mnist.py", ("--rounds", "0"), "--rounds: must be a whole number of at least 1"),
        ("wgan_mnist.py", ("--resume", "nowhere"), "there is no run 'nowhere'"),
        ("gan_mnist.py", ("--smoothing", "low"), "range such as 0.7-1"),
        ("gan_mnist.py", ("--flipping", "0.6"), "LabelFlipping probability must be"),
        (
            "gan_mnist.py",
            ("--lipschitz", "penalty", "--minibatch", "deviation"),
            "MinibatchDeviation cannot be part",
        ),
        ("gan_mnist.py", ("--batch-size", "5000"), "needs at least as many images"),
    ],
)
def test_mistakes_of_games(tmp_path, program, arguments, message):
    done = run(program, *DIGITS, "--evaluate", "0", *arguments, cwd=tmp_path, fails=True)
    assert message in done.stderr.splitlines()[-1] and done.returncode == 2
    assert not (tmp_path / "runs").exists()


def test_convolutional_games(tmp_path):
    options = (
        *DIGITS,
        "--rounds",
        "4",
        "--sample-every",
        "2",
        "--evaluate",
        "0",
        "--batch-size",
        "16",
    )
    run("wgan_mnist.py", *options, "--model", "cnn", "--generator", "8-4", cwd=tmp_path)
    assert files_of(only_folder(tmp_path)) == FILES
    options = (*options, "--model", "conv")
    done = run("wgan_mnist.py", *options, "--generator", "8-8-8-8", cwd=tmp_path, fails=True)
    assert "give --generator fewer" in done.stderr.splitlines()[-1]


def test_dcgan_on_a_folder_of_pictures(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for index in range(20):
        pixels = random.integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{index}.png")
    (tmp_path / "pictures" / "broken.png").write_bytes(b"no picture")
    options = ("--images", "pictures", "--maps", "2", "--rounds", "4", "--every", "2")
    options = (*options, "--batch-size", "8", "--nz", "5", "--objective", "saturating")
    cache = {"SALAMANDRE_CACHE": str(tmp_path / "cache")}
    done = run("dcgan.py", *options, "--size", "64", cwd=tmp_path, **cache)
    assert "20 images" in done.stdout and "broken.png" in done.stderr
    folder = only_folder(tmp_path)
    assert files_of(folder) == FILES
    assert sal.Network.load(folder / "generator.safetensors").output_shape == (3, 64, 64)
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["options"]["latent"] == 5 and settings["options"]["objective"] == "minimax"
    pictures = settings["options"].pop("dataset")
    assert pictures == str(tmp_path / "pictures")
    earlier = {"nz": 5, "maps": 2, "size": 64, "every": 2, "objective": "saturating"}
    settings["options"] |= {**earlier, "images": pictures, "dataset": None}
    for name in ("latent", "channels", "image_size", "sample_every"):
        del settings["options"][name]
    (folder / "settings.json").write_text(json.dumps(settings))  # as an earlier version wrote it
    run("dcgan.py", "--resume", "latest", "--rounds", "6", cwd=tmp_path, **cache)
    assert len(table(folder / "curves.csv")) == 6
    done = run("dcgan.py", "--dataset", ".", cwd=tmp_path / "pictures", fails=True, **cache)
    assert "would become part of the data: give another folder" in done.stderr
    (tmp_path / "empty").mkdir()
    done = run("dcgan.py", "--images", "empty", cwd=tmp_path, fails=True, **cache)
    assert "picture" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("model", ["lenet", "cnn"])
def test_convolutional_classifiers(model, tmp_path):
    options = ("--epochs", "1", "--model", model, "--flip")
    if model == "lenet":  # made for larger images than 8×8
        done = run("mnist_classifier.py", *DIGITS, *options, cwd=tmp_path, fails=True)
        assert "kernel (5, 5) is larger than the padded image (4, 4)" in done.stderr
        return
    done = run("mnist_classifier.py", *DIGITS, *options, cwd=tmp_path)
    assert re.search(r"test accuracy [\d.]+%", done.stdout)
    assert (only_folder(tmp_path) / "mistakes.png").exists()


def test_gaussians_are_counted_and_animated(tmp_path):
    options = ("--rounds", "80", "--runs", "2", "--distribution", "ring")
    done = run("gan_gaussians.py", *options, cwd=tmp_path)
    assert "mean of 2 runs" in done.stdout
    (study,) = sal.runs.find_runs(tmp_path / "runs")
    assert study.state() == "finished" and study.settings.program == "gan_gaussians.py"
    folder = only_folder(tmp_path)
    assert {"ring.png", "runs.csv", "ring-0", "ring-1"} < {path.name for path in folder.iterdir()}
    assert (folder / "ring-1" / "animation.gif").exists()
    before = table(folder / "runs.csv")
    assert [row["seed"] for row in before] == ["0", "1"]
    assert "80 of 80 rounds" in call("show", "ring-1", "--output", tmp_path / "runs")
    run("gan_gaussians.py", "--resume", str(folder), cwd=tmp_path)
    assert table(folder / "runs.csv") == before


def test_the_study_of_collapse_compares_and_continues(tmp_path):
    options = ("--rounds", "20", "--seeds", "2", "--variants", "plain", "label flipping 5%")
    done = run("mode_collapse_study.py", *DIGITS, *options, cwd=tmp_path)
    assert "| label flipping 5% | 2 |" in done.stdout
    folder = only_folder(tmp_path)
    assert files_of(folder) == {
        *("comparison.png", "runs.csv", "settings.json", "table.md"),
        *("plain-0", "plain-1", "label-flipping-5-0", "label-flipping-5-1"),
    }
    before = table(folder / "runs.csv")
    run("mode_collapse_study.py", "--resume", "latest", "--seeds", "2", cwd=tmp_path)
    assert table(folder / "runs.csv") == before
