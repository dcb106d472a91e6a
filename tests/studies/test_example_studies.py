"""The studies of examples/studies: their plans are valid, and each plays, shows and draws."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from salamandre import data, studies
from salamandre.cli import train_base
from salamandre.studies import continuing
from salamandre.studies.pictures import plot_study

FOLDER = Path(__file__).parents[2] / "examples" / "studies"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
SHORT = {  # what makes a run of each base as short as it can be
    "../xor.py:BASE": {"steps": 80},
    "classifier": {"epochs": 1, "examples": 200},
    "autoencoder": {"epochs": 1, "examples": 200},
    "game": {"rounds": 3, "evaluate": 0},
    "train": {"epochs": 1, "evaluate": 1},
}
OF_SIZE = {"batch_size": 200}  # of games of train: few rounds are an epoch


@lru_cache
def stand_in(name: str, size: int | None):
    """Return random images with the classes and the shape of a published set."""
    entry = data.CATALOGUE[name]
    channels, height, width = entry.shape
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(entry.classes), dtype=np.uint8), 70)  # more than a batch
    shape = (len(labels), channels, size or height, size or width)
    train = data.Images(
        random.integers(0, 256, shape, np.uint8), labels, entry.classes, name, "train"
    )
    return train, train[::7]


@pytest.fixture
def without_files(monkeypatch):
    """Studies of images that need no files but those in the package."""
    opened = continuing._opened

    def images(dataset, image_size, **others):
        if dataset == "digits":
            return opened(dataset=dataset, image_size=image_size, **others)
        return stand_in(dataset, image_size)

    def sets(**options):
        if options["dataset"] == "digits" or options["pairs"]:
            return train_base.training.open_sets("digits", options)
        return stand_in(options["dataset"], options["image_size"])

    monkeypatch.setattr(continuing, "_opened", images)
    monkeypatch.setattr(train_base, "_sets", sets)


def planned(name: str, full: bool = False):
    plan = studies.read_plan(FOLDER / f"{name}.toml", full)
    base = studies.find_base(plan.base, str(FOLDER))
    return plan, plan.runs(plan.sample(), base), base


@pytest.mark.parametrize("name", NAMES)
def test_each_plan_is_valid(name, without_files):
    plan, runs, _ = planned(name)
    assert len(runs) > 1 and plan.metrics
    text = (FOLDER / f"{name}.toml").read_text()
    assert text.startswith("# ") and f"salamandre study examples/studies/{name}.toml  " in text
    assert all(len(line) <= 110 for line in text.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_larger_plan_is_valid(name, without_files):
    _, few, _ = planned(name)
    _, runs, _ = planned(name, full=True)
    assert len(runs) >= len(few)
    assert {run.key for run in runs}.isdisjoint(run.key for run in few)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_is_played_and_drawn(name, tmp_path):
    plan, _, base = planned(name)
    plan.options |= SHORT[plan.base]
    if "dataset" in base.names:
        plan.options["dataset"] = "digits"
    if plan.base == "train" and "batch_size" not in plan.axes:
        plan.options |= OF_SIZE
    plan.seeds = 1
    rows = studies.Study(plan, tmp_path, place=str(FOLDER)).run(1)
    assert {row.state for row in rows} == {"finished"}, [row.result.message for row in rows]
    for metric in plan.metrics:
        assert all(metric in row.result.numbers for row in rows), metric
    drawn = plot_study(tmp_path, rows, list(plan.axes), plan.metrics, tmp_path / "pictures")
    assert drawn and all(path.stat().st_size > 1000 for path in drawn)
