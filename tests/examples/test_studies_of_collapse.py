"""The studies of mode collapse, on small settings."""

from __future__ import annotations

from command import call, table
from small_runs import DIGITS, files_of, only_folder, run

import salamandre as sal


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
