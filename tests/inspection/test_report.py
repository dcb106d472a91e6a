"""A report changes each picture as little as it needs, and puts what belongs together in a row."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import inspection, models
from salamandre.inspection import drawing


@pytest.fixture
def model():
    """The class of a picture is "light", if it is brighter than 127.5 of 255 levels."""
    network = sal.Network([sal.Flatten(), sal.NeuronLayer(2, sal.Softmax())], (1, 4, 4))
    weights = np.stack([np.zeros(16), np.full(16, 1.0)])
    network.load_tensors({"1.weights": weights, "1.bias": np.array([0, -8.0])})
    return models.of_network(network, ["dark", "light"])


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, in order."""
    found = []
    monkeypatch.setattr(drawing, "_show", lambda ax, image: found.append(image))
    return found


def test_each_picture_is_changed_by_as_few_levels_as_it_needs(model, drawn, tmp_path):
    levels = np.array([125, 200, 115, 126, 100, 10])
    pictures = np.tile(levels.astype(np.uint8).reshape(-1, 1, 1, 1), (1, 1, 4, 4))
    report = inspection.Report(model, model.prepare(pictures), tmp_path)
    assert report.adversarial("light") == tmp_path / "adversarial-light.png"
    became = "of 6 pictures became 'light' by a change of at most"
    assert report.lines[:1] == ["1 of 6 pictures taken for 'light' already"]
    assert report.lines[1:] == [
        f"{n} {became} {level}/255" for n, level in ((2, 4), (1, 16), (1, 64))
    ]
    changes = [255 * (drawn[4 * row + 1] - drawn[4 * row]).max() for row in range(6)]
    np.testing.assert_allclose(changes, [4, 0, 16, 4, 64, 64], atol=1e-3)


def test_enlarged_differences_stay_within_black_and_white(drawn, tmp_path):
    before = np.full((3, 1, 2, 2), 0.5)
    change = np.array([4, 16, 64]).reshape(3, 1, 1, 1) / 255 * [[1, -1], [-1, 0]]
    inspection.draw_adversarial(before, before + change, tmp_path / "x.png")
    for row, times in enumerate((10, 7, 1)):
        np.testing.assert_allclose(drawn[4 * row + 3], 0.5 + times * change[row], atol=1e-12)
    drawn.clear()
    inspection.draw_adversarial(before[2:], before[2:] + change[2:], tmp_path / "x.png")
    assert len(drawn) == 3  # the same difference is not drawn twice


def test_dreams_of_a_class_follow_each_other(model, monkeypatch, tmp_path):
    """From noise, then from the pictures, each with the confidence in the class."""
    found: list[str] = []
    monkeypatch.setattr(
        "salamandre.inspection.report.draw_images",
        lambda images, path, captions: found.extend(captions),
    )
    pictures = np.zeros((2, 1, 4, 4), np.uint8)
    report = inspection.Report(model, model.prepare(pictures), tmp_path)
    report.dream("light", "dark")
    assert [caption.split()[0] for caption in found] == ["light"] * 3 + ["dark"] * 3
    found.clear()
    model.network.load_tensors({"1.weights": np.zeros((2, 16)), "1.bias": np.array([0, -2.0])})
    report.dream("light")
    assert found == ["light 12%"] * 3  # exp(-2) of 1 + exp(-2): the class that was asked for


def test_names_that_a_file_cannot_have_get_files_of_their_own(tmp_path):
    names = ["a b", "a-b", "$\\foo$ " + 300 * "x"]
    network = sal.Network([sal.Flatten(), sal.NeuronLayer(3, sal.Softmax())], (1, 4, 4))
    model = models.of_network(network, names)
    report = inspection.Report(model, model.prepare(np.zeros((1, 1, 4, 4), np.uint8)), tmp_path)
    paths = {report.adversarial(name, steps=1) for name in names}
    assert len(paths) == 3 and all(path.is_file() for path in paths)


def test_a_map_of_colours_in_a_row_is_of_the_picture_that_it_stands_beside(monkeypatch, tmp_path):
    seen = {}

    def look(pictures, maps, path, captions):
        seen.update(maps)

    monkeypatch.setattr("salamandre.inspection.report.draw_maps", look)
    network = sal.Network([sal.NeuronLayer(2, sal.Softmax())], 3 * 8 * 8)
    model = models.of_network(network, ["dark", "light"])
    x = np.random.default_rng(0).random((4, 192)).astype(np.float32)
    inspection.Report(model, x, tmp_path).saliency()
    slopes = abs(inspection.gradient(network, x)).reshape(4, 3, 8, 8).max(axis=1)
    np.testing.assert_array_equal(seen["saliency"], slopes)
    assert all(values.shape == (4, 8, 8) for values in seen.values())
