"""The studies of mode collapse, on small settings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command import call, table
from small_runs import DIGITS, EXAMPLES, FILES, files_of, only_folder, run

import salamandre as sal


def test_gaussians_are_counted_and_animated(tmp_path):
    options = ("--rounds", "40", "--runs", "2", "--distribution", "ring", "--processes", "1")
    done = run("gan_gaussians.py", *options, "--tensorboard", cwd=tmp_path)
    assert "mean of 2 runs" in done.stdout
    (study,) = sal.runs.find_runs(tmp_path / "runs")
    assert study.state() == "finished" and study.settings.program == "gan_gaussians.py"
    folder = only_folder(tmp_path)
    assert {"ring.png", "runs.csv", "ring-0", "ring-1"} < {path.name for path in folder.iterdir()}
    assert (folder / "ring-1" / "animation.gif").exists()
    assert list(folder.glob("ring-1/tensorboard/events.*"))
    before = table(folder / "runs.csv")
    assert [row["seed"] for row in before] == ["0", "1"]
    assert "40 of 40 rounds" in call("show", "ring-1", "--output", tmp_path / "runs")
    run("gan_gaussians.py", "--resume", str(folder), cwd=tmp_path)
    assert table(folder / "runs.csv") == before
    options = ("--resume", str(folder), "--rounds", "80")
    assert "--rounds" in run("gan_gaussians.py", *options, cwd=tmp_path, code=2).stderr


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
    fewer = ("--resume", "latest", "--rounds", "10")
    done = run("mode_collapse_study.py", *fewer, cwd=tmp_path, code=2)
    assert "--rounds is 20 in this study, and games cannot go back" in done.stderr
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["options"]["rounds"] == 20


def test_the_study_of_collapse_goes_where_it_is_told_and_plays_each_variant_once(tmp_path):
    """Also if the test images lack a class, so that shares of classes cannot be compared."""
    train, _ = sal.data.load("digits")
    few = train[:64]
    known = few[few.labels != 9]
    arrays = {"x_train": few.images, "y_train": few.labels}
    np.savez(tmp_path / "some.npz", **arrays, x_test=known.images, y_test=known.labels)
    (tmp_path / "runs").write_text("a file")  # where runs go by default
    options = ("--rounds", "2", "--runs", "1", "--processes", "1", "--output", "here")
    variants = ("--variants", "plain", "plain")
    done = run("mode_collapse_study.py", "--dataset", "some.npz", *options, *variants, cwd=tmp_path)
    assert done.stdout.count("| plain | 1 |") == 1 and "reverse KL" not in done.stdout
    (folder,) = (tmp_path / "here").glob("*/*")
    assert (folder / "comparison.png").exists() and len(table(folder / "runs.csv")) == 1


def test_the_study_of_collapse_counts_modes_of_a_mixture(tmp_path):
    options = ("--mixture", "ring", "--rounds", "20", "--runs", "1", "--processes", "1")
    done = run("mode_collapse_study.py", *options, "--variants", "packs of 2", cwd=tmp_path)
    assert "8 modes are counted in 2500 samples" in done.stdout
    (row,) = table(only_folder(tmp_path) / "runs.csv")
    assert {"modes", "quality", "divergence"} < set(row)
    done = run(
        "mode_collapse_study.py", *options, "--variants", "augmentation", cwd=tmp_path, code=2
    )
    assert "leave it out" in done.stderr.splitlines()[-1]
    done = run("mode_collapse_study.py", *options, *DIGITS, "--grey", cwd=tmp_path, code=2)
    message = "--mixture has points: leave out --dataset and --grey, for images"
    assert message in done.stderr.splitlines()[-1]


@pytest.fixture
def collapse(tmp_path, monkeypatch):
    """Return the study as a function of its arguments, which plays one game after another."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    import mode_collapse_study

    def play(*given, until=None):
        def repeat(experiment, tasks, *_):
            return [experiment(task) for task in tasks[:until]]

        monkeypatch.setattr(mode_collapse_study.studies, "repeat", repeat)
        monkeypatch.setattr("sys.argv", ["mode_collapse_study.py", *given])
        mode_collapse_study.main()

    return play


@pytest.mark.parametrize("until, seeds", [(2, ["0", "0"]), (3, ["0", "1", "0"])])
def test_an_interruption_leaves_a_table_of_other_runs_alone(until, seeds, collapse, tmp_path):
    options = ("--rounds", "2", "--runs", "1", "--variants", "plain", "label flipping 5%")
    run("mode_collapse_study.py", "--mixture", "ring", *options, cwd=tmp_path)
    with pytest.raises(SystemExit):
        collapse("--resume", "latest", "--runs", "2", until=until)
    assert [row["seed"] for row in table(only_folder(tmp_path) / "runs.csv")] == seeds


def test_a_game_that_diverges_is_left_out_of_the_tables(collapse, tmp_path, monkeypatch, capsys):
    played = sal.runs.play

    def play(game, rounds, folder, **how):
        if "flipping" in folder.name:
            raise sal.Diverged("nan")
        played(game, rounds, folder, **how)

    monkeypatch.setattr(sal.runs, "play", play)
    variants = ("--variants", "plain", "label flipping 5%", "--runs", "1")
    collapse("--mixture", "ring", "--rounds", "2", *variants)
    assert "label flipping 5%, seed 0: diverged" in capsys.readouterr().out
    (row,) = table(only_folder(tmp_path) / "runs.csv")
    assert row["variant"] == "plain"
    with pytest.raises(sal.Diverged, match="all games diverged"):
        collapse("--mixture", "ring", "--variants", "label flipping 5%")


def test_stacks_are_played_and_their_modes_counted(tmp_path):
    options = ("--players", "quarter", "--stacks", "64", "--batch-size", "8", "--evaluate", "4")
    options = (*options, "--tensorboard")
    done = run("stacked_mnist.py", *DIGITS, *options, "--rounds", "4", cwd=tmp_path)
    assert "of 1000 modes" in done.stdout
    folder = only_folder(tmp_path)
    assert files_of(folder) == FILES - {"nearest.png"} | {"metrics.csv", "tensorboard"}
    assert 1 <= float(table(folder / "metrics.csv")[-1]["modes"]) <= 1000
    plain = ("--players", "dcgan", "--penalty", "0", "--pack", "2", "--evaluate", "0")
    plain = (*options, *plain, "--output", "plain", "--rounds", "1")
    assert "modes" not in run("stacked_mnist.py", *DIGITS, *plain, cwd=tmp_path).stdout
    (other,) = (tmp_path / "plain").glob("*/*")
    usual = {}
    for path in (folder, other):
        found = json.loads((path / "settings.json").read_text())["options"]
        names = ("objective", "discriminator_rate", "falling")
        usual[found["penalty"]] = tuple(found[name] for name in names)
    assert usual == {0.3: ("relativistic", 0.001, 4), 0: ("non-saturating", 0.0002, 0)}
    more = ("--resume", folder, "--rounds", "6", "--evaluate", "0")
    assert "modes" not in run("stacked_mnist.py", *more, cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "options, message",
    [
        (("--pack", "2"), "--pack needs --penalty 0"),
        (("--penalty", "-1"), "--penalty must be at least 0, got -1"),
        (("--penalty", "0", "--penalty-every", "2"), "give a --penalty above 0"),
        (("--clip", "-1"), "--clip must be at least 0, got -1"),
    ],
)
def test_stacks_refuse_penalties_of_packs_and_negative_numbers(tmp_path, options, message):
    done = run("stacked_mnist.py", *DIGITS, *options, cwd=tmp_path, code=2)
    assert message in done.stderr.splitlines()[-1]


def test_modes_of_stacks_are_those_of_their_channels(monkeypatch):
    """Against stacks of known digits: ln(1000 / m) is the reverse KL of m equal modes."""
    monkeypatch.syspath_prepend(EXAMPLES)
    from stacked_mnist import modes

    class Stacks:
        """Five modes; each channel of an image is 0.1 times its digit."""

        backend, value_range = sal.get_backend("numpy"), (0, 1)

        def generate(self, count, seed):
            digits = np.array([[0, 0, 0], [0, 0, 7], [9, 9, 9], [3, 1, 4], [4, 1, 3]])
            return np.tile(digits / 10, (count // 5, 1))[:, :, None, None] * np.ones((2, 2))

    class Reader:
        classes = tuple("0123456789")

        def classify(self, images, value_range):
            return np.eye(10)[np.rint(10 * images[:, 0, 0, 0]).astype(int)]

    found = modes(Stacks(), Reader(), 100)
    assert found == {"modes": 5, "divergence": pytest.approx(np.log(1000 / 5))}
