"""Damaged files of every form: refused by name, in little time and memory."""

from __future__ import annotations

import damaged
import numpy as np
import pytest


@pytest.mark.parametrize("name", damaged.SAMPLES)
def test_the_samples_are_read_while_they_are_whole(name, tmp_path):
    files, read = damaged.SAMPLES[name]()
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    splits = [(one.images, one.labels) if hasattr(one, "images") else one for one in read(tmp_path)]
    grey = splits[0][0].shape[1] == 1
    truth = damaged.IMAGES[:, :, None] if grey else damaged.COLOURS
    for i, (images, labels) in enumerate(splits):
        order = slice(None)
        if "pictures in" in name:  # by class, as their names are sorted
            order = np.argsort(damaged.LABELS[i], kind="stable") if "zip" in name else order
        np.testing.assert_array_equal(labels, damaged.LABELS[i][order])
        np.testing.assert_array_equal(images, truth[i][order])


@pytest.mark.parametrize("name", damaged.SAMPLES)
def test_a_damaged_file_is_refused_by_name(name, tmp_path):
    """Each of 15 is cut, changed or lengthened; ``damaged.py`` run as a program tries more."""
    refused = sum(damaged.check(name, seed, tmp_path) != "read" for seed in range(15))
    assert refused > 0
