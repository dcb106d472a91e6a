"""The images of a run, opened as the options of its program say."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, runs
from salamandre.program import WrongUsage
from salamandre.runs.settings import LearnedImages, Settings


def test_options_that_do_not_fit_are_called_as_they_were_typed():
    for options, message in (
        ({"test_share": 0.1}, "^--test-share is for a source without a test split"),
        ({"label_column": "digit"}, "^--label-column is for CSV and Parquet files"),
        ({"image_size": 0}, "^--image-size must be"),
    ):
        with pytest.raises(WrongUsage, match=message):
            runs.open_images("digits", options)


def test_a_damaged_file_is_no_wrong_usage(tmp_path):
    (tmp_path / "letters.npz").write_bytes(b"no archive")
    with pytest.raises(data.CorruptData):
        runs.open_images(str(tmp_path / "letters.npz"), {})


def test_the_test_images_of_a_run_are_those_that_it_kept(tmp_path):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (40, 6, 6), dtype=np.uint8)
    np.savez(tmp_path / "letters.npz", images=pixels, labels=np.arange(40) % 2)
    options = {"dataset": str(tmp_path / "letters.npz"), "test_share": 0.1, "seed": 3}
    train, test = sal.data.open(options["dataset"], test_share=0.1, seed=3)
    settings = Settings.new("mine.py", options, LearnedImages.of(train))
    run = runs.run.new_run(tmp_path / "runs", "letters", settings)
    assert np.array_equal(runs.test_images(run).images, test.images)
    run.options["test_share"] = 0.0
    with pytest.raises(ValueError, match="has no test images"):
        runs.test_images(run)
