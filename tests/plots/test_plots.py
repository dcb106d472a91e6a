"""Pictures that are written."""

from __future__ import annotations

import numpy as np
from matplotlib.image import imread

import salamandre as sal
from salamandre import plots


def test_decision_map_shows_what_the_network_decides_where(tmp_path):
    network = sal.Network([sal.NeuronLayer(1)], 2)
    network.load_tensors({"0.weights": [[1.0, 0.0]], "0.bias": [0.0]})  # the sign of x
    plots.plot_decision_maps({"x": network}, tmp_path / "map.png", resolution=51)
    picture = imread(tmp_path / "map.png")[..., :3]
    height, width, _ = picture.shape
    left, right = picture[height // 2, width // 3], picture[height // 2, 3 * width // 4]
    assert left[2] > left[0]  # blue below 0
    assert right[0] > right[2]  # red above


def test_pictures_are_written(tmp_path):
    images = np.random.default_rng(0).random((5, 1, 4, 4))
    plots.plot_images(images, tmp_path / "grey.png", captions=list("abcde"), title="t")
    plots.plot_images(np.repeat(images, 3, axis=1), tmp_path / "colour.png", ink=True)
    plots.plot_confusion(np.diag([3, 4, 0]), ["a", "b", "c"], tmp_path / "confusion.png")
    band = np.ones(3), np.zeros(3), np.full(3, 2)
    plots.plot_bands([1, 2, 3], {"a": band}, tmp_path / "band.png", xlabel="x", ylabel="y")
    for name in ("grey", "colour", "confusion", "band"):
        assert imread(tmp_path / f"{name}.png").std() > 0  # not an empty sheet
