"""Folders that version 0.1 wrote are listed, shown, compared, drawn from, and go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import call, error_of, table
from PIL import Image
from small_runs import run as example

from salamandre.runs import find_run, find_runs
from salamandre.runs.settings import FORMAT

ROOT = Path(__file__).parents[2]
COMMAND = "digits/20261126-114530"
GAME = "digits-gan-20261126-114542"
CLASSIFIER = "digits-classifier-20261126-114536"


@pytest.fixture
def place(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "tests/fixtures/runs-0.1", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_they_are_listed_and_shown(place):
    assert {run.name for run in find_runs("runs")} == {COMMAND, GAME, CLASSIFIER}
    lines = {line.split()[0]: line for line in call("runs").splitlines()}
    assert "stopped" in lines[COMMAND] and "3 of 6 epochs" in lines[COMMAND]
    assert "train dcgan" in lines[COMMAND] and "frechet 185" in lines[COMMAND]
    assert "complete" in lines[GAME] and "40 of 40 rounds" in lines[GAME]
    assert "stopped" in lines[CLASSIFIER] and "3 of 20 epochs" in lines[CLASSIFIER]
    shown = call("show", COMMAND)
    assert "1,437 of digits, 1×8×8" in shown and "version of salamandre        0.1.0" in shown
    shown = [line.split(maxsplit=1) for line in call("show", "digits-gan").splitlines()]
    assert ["program", "gan_mnist.py"] in shown and ["latent", "4"] in shown
    assert "64-12-10" in call("show", "classifier")


def test_they_are_compared(place):
    output = call("compare", COMMAND, GAME, "--to", "two.png")
    head, *rows, path = output.splitlines()
    assert path == "two.png" and Path(path).stat().st_size > 10_000
    values = dict(zip(head.split()[-4:], rows[0].split()[-4:], strict=True))
    assert values.pop("objective") and values.pop("penalty")
    assert values == {"latent": "2", "backend": "numpy"}
    call("compare", CLASSIFIER, CLASSIFIER)
    assert "have no curve in common" in error_of("compare", GAME, CLASSIFIER, code=1)


def test_they_are_drawn_from(place):
    for name, count in ((COMMAND, 2), (GAME, 1)):
        files = call("generate", name, "--to", name, *(("--word", "31") * (count > 1))).split()
        assert len(files) == count
        for file in files:
            assert np.asarray(Image.open(file)).std() > 0
    assert "draws without classes" in error_of("generate", GAME, "--word", "3", code=2)
    assert "has no generator" in error_of("generate", CLASSIFIER, code=2)


def test_a_run_of_the_command_goes_on(place):
    file = Path("runs", COMMAND, "curves.csv")
    before = table(file)
    assert "is a run of gan_mnist.py" in error_of("train", "--resume", GAME, code=2)
    call("train", "--resume", COMMAND, "--epochs", 4, "--quiet")
    rows = table(file)
    assert rows[: len(before)] == before and len(rows) == 28
    assert find_run("latest", "runs").name == GAME  # it was started last
    run = find_run("latest", "runs", "salamandre train")
    assert run.name == COMMAND and run.state() == "complete" and run.options["epochs"] == 4
    assert json.loads((run.folder / "settings.json").read_text())["format"] == FORMAT


def test_runs_of_examples_go_on(place):
    file = Path("runs", GAME, "curves.csv")
    before = table(file)
    done = example("wgan_mnist.py", "--resume", file.parent, cwd=place, code=2)
    assert "is one of gan_mnist.py" in done.stderr
    more = ("--rounds", 60, "--evaluate", 0)
    example("gan_mnist.py", "--resume", file.parent, *more, cwd=place)
    assert table(file)[: len(before)] == before and len(table(file)) == 60
    assert find_run(GAME, "runs").state() == "complete"
    file = Path("runs", CLASSIFIER, "curves.csv")
    before = table(file)
    words = ("mnist_classifier.py", "--resume", file.parent)
    done = example(*words, "--epochs", 9, cwd=place, code=2)
    assert f"--epochs is 20 in runs/{CLASSIFIER} and stays so" in done.stderr
    assert "continuing after step 66" in example(*words, cwd=place).stdout
    rows = table(file.with_name("metrics.csv"))
    assert [float(row["epoch"]) for row in rows] == list(range(1, 21))
    for row, earlier in zip(rows, before, strict=False):
        assert all(float(row[name]) == float(value) for name, value in earlier.items())
    run = find_run(CLASSIFIER, "runs")
    assert (run.options["structure"], run.played(), run.state()) == ("64-12-10", 20, "complete")
    call("compare", CLASSIFIER, CLASSIFIER)
