"""``salamandre study``: plays a plan, shows and draws it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from command import call, error_of, picture

from salamandre.runs import find_runs

PLAN = """
base = "classifier"
seeds = 3
metrics = ["accuracy"]
[options]
layers = "10"
epochs = 1
examples = 200
[axes]
learning-rate = {low = 0.001, high = 0.1, count = 3, log = true}
batch-size = [20, 50]
dropout = [0.0, 0.5]
[full]
seeds = 4
options = {epochs = 2}
"""
GAMES = """
base = "train"
[options]
architecture = "cdcgan"
dataset = "digits"
batch-size = 200
epochs = 1
[axes]
latent = [4, 8]
"""


def test_a_study_is_played_shown_and_drawn(place):
    (place / "rates.toml").write_text(PLAN)
    output = call("study", "rates.toml", "--processes", 1, "--quiet")
    assert (
        "36 runs: runs/rates/study" in output and "salamandre study show runs/rates/study" in output
    )
    shown = call("study", "show", "rates").splitlines()
    assert shown[0] == "runs/rates/study: 36 runs, 36 finished"
    assert shown[2] == "accuracy" and len(shown) == 4 + 12
    assert shown[3].split()[:5] == ["learning_rate", "batch_size", "dropout", "runs", "mean"]
    assert re.match(r"0\.001 +20 +0 +3 +0\.\d+ +0\.\d+ +0\.\d+ to 0\.\d+", shown[4])
    given = ("--baseline", "learning-rate=0.001,batch-size=20,dropout=0")
    compared = call("study", "show", "rates", "--metric", "test_loss", *given)
    assert re.search(r"0\.1 +50 +0\.5 .* -?\+?-?\d\.\d+ .* 0\.25 +1$", compared, re.MULTILINE)
    drawn = call("study", "plot", "rates").split()
    kinds = ("axes", "heat", "parallel")
    assert drawn == [f"runs/rates/study/pictures/accuracy-{kind}.png" for kind in kinds]
    assert all(np.ptp(picture(path)) > 100 for path in drawn)
    assert "rates" in call("runs") and "base" in call("show", "rates")


def test_options_change_the_plan(place):
    (place / "rates.toml").write_text(PLAN)
    given = ("--processes", 1, "--quiet", "--sampler", "random", "--points", 2, "--full")
    assert "8 runs: runs/rates/full" in call("study", "rates.toml", *given)
    assert "8 runs" in call("study", "run", "rates.toml", *given)
    given = ("--processes", 1, "--quiet", "--sampler", "random", "--points", 3, "--full")
    message = error_of("study", "rates.toml", *given, code=2)
    assert "has changed: points was 2 and is 3: add runs with --extend" in message
    assert "12 runs" in call("study", "rates.toml", *given, "--extend")


def test_runs_of_train_are_whole_runs(place):
    (place / "games.toml").write_text(GAMES)
    output = call("study", "games.toml", "--processes", 1, "--quiet")
    assert "2 runs: runs/games/study" in output
    parts = find_runs("runs", parts=True)
    assert sorted(run.options["latent"] for run in parts) == [4, 8]
    call("generate", parts[0].name, "--word", "12")
    assert "d_loss" in call("show", parts[0].name)
    assert "samples.png" in call("study", "plot", "games", "--metric", "d_loss")
    assert np.ptp(picture("runs/games/study/pictures/samples.png")) > 100
    assert "d_loss" in call("study", "show", "games")
    file = Path("runs/games/study/settings.json")
    file.write_text(file.read_text().replace('"format": 4', '"format": 3'))  # cdcgan was dcgan
    assert "d_loss" in call("study", "show", "games")
    message = error_of("study", "games.toml", "--processes", 1, "--quiet", code=2)
    assert "by an earlier Salamandre, whose cgan and cdcgan were other games" in message


def test_a_metric_that_no_run_has_is_told_and_so_is_what_cannot_be_drawn(place):
    plan = PLAN[: PLAN.index("batch-size")].replace("seeds = 3", "seeds = 1")
    plan = plan.replace('"accuracy"', '"acuracy"').replace("count = 3", "count = 1")
    (place / "one.toml").write_text(plan)
    output = call("study", "one.toml", "--processes", 1, "--quiet")
    assert "no run has the metric 'acuracy', did you mean 'accuracy'? (they have: " in output
    assert "no axis of runs/one/study has two values" in error_of("study", "plot", "one", code=1)


def test_a_study_whose_runs_have_all_failed_says_why(place):
    (place / "own.py").write_text("def learn(rate: float):\n    raise ValueError('no luck')\n")
    (place / "own.toml").write_text('base = "own.py:learn"\n[axes]\nrate = [1, 2]\n')
    call("study", "own.toml", "--processes", 1, "--quiet")
    message = error_of("study", "show", "own", code=1)
    assert "no run with a metric, but 2 failed (no luck): mend that, then play it with" in message


def test_what_does_not_fit_is_one_sentence(place):
    (place / "bad.toml").write_text(PLAN.replace("dropout =", "drop-out ="))
    assert "unknown axis 'drop_out', did you mean" in error_of("study", "bad.toml", code=2)
    (place / "bad.toml").write_text(GAMES.replace("[4, 8]", "[4, 0]"))
    message = error_of("study", "bad.toml", code=2)
    assert "run 2 (latent 0, seed 0): latent 0: expected `int` >= 1" in message
    (place / "bad.toml").write_text(GAMES.replace('"cdcgan"', '"cdgan"'))
    assert "did you mean 'cdcgan'?" in error_of("study", "bad.toml", code=2)
    assert not (place / "runs").exists()
    error_of("study", "nothing.toml", code=1)
    (place / "good.toml").write_text(PLAN)
    message = error_of("study", "good.toml", "--cluster", "slurm", code=1)
    assert "a cluster must be dask://HOST:PORT, ray or ray://HOST:PORT" in message
    assert "has no run with a metric yet" in error_of("study", "show", "good", code=1)
