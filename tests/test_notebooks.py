"""What notebooks show: networks, histories, images, engines, games and runs."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import salamandre as sal
from salamandre import data
from salamandre.runs.settings import LearnedImages, Settings


def pictures(html: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


@pytest.fixture
def classifier():
    return sal.Network(
        {
            "stem": sal.ConvolutionalLayer(2, 3, padding=1, activation=sal.ReLU()),
            "residual": sal.Skip([sal.ConvolutionalLayer(2, 3, padding=1)], join="add"),
            "both": sal.Parallel([sal.GlobalAveragePool(), sal.Flatten()]),
            "head": sal.NeuronLayer(10, sal.Softmax()),
        },
        (1, 8, 8),
        sal.CrossEntropy(),
        sal.Adam(),
    )


def test_a_network_is_a_table_and_a_drawing_of_its_layers(classifier):
    html = classifier._repr_html_()
    for text in ("stem", "(2, 8, 8)", f"{classifier.parameter_count():,}"):
        assert text in html
    ElementTree.fromstring(f"<p>{html}</p>")  # well formed
    assert "&lt;" not in sal.Network([sal.NeuronLayer(1)])._repr_html_()  # not built yet


def test_the_graph_has_a_box_for_each_layer_and_says_how_branches_are_joined(classifier, tmp_path):
    graph = classifier.plot(tmp_path / "graph.svg")
    root = ElementTree.fromstring((tmp_path / "graph.svg").read_text())
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sum(text.startswith("(") for text in texts) == 6  # the input and five layers
    assert "+" in texts and "concatenate" in texts
    assert "stem ConvolutionalLayer · ReLU"[:28] in " ".join(texts)
    assert graph._repr_svg_() == graph.svg


def test_images_are_a_grid(classifier):
    images, _ = data.load("digits")
    (grid,) = pictures(images._repr_html_())
    assert grid.width >= 400
    pixels, labels = np.zeros((3, 2, 4, 4), np.uint8), np.zeros(3, np.uint8)
    colours = data.Images(pixels, labels, ("a",), "x", "train")
    assert not pictures(colours._repr_html_())  # two channels are no picture


def test_engines_and_histories_show_their_curves(classifier):
    images, _ = data.load("digits")
    engine = sal.Engine(classifier, images[:64], batch_size=32)
    assert not pictures(engine._repr_html_())
    engine.run(epochs=1)
    for shown in (engine, engine.history):
        (curves,) = pictures(shown._repr_html_())
        assert np.asarray(curves).std() > 0


def test_games_show_examples_above_their_curves():
    images, _ = data.load("digits")
    game = sal.new_game("cgan", images[:100], latent=4)
    assert not pictures(game._repr_html_())
    game.play(rounds=3)
    (dashboard,) = pictures(game._repr_html_())
    curves = Image.open(io.BytesIO(game.history.plot()._repr_png_()))
    assert dashboard.height > curves.height


def test_a_run_shows_its_options_and_its_picture(tmp_path):
    settings = Settings.new("mine", {"sample_every": 3}, LearnedImages())
    run = sal.runs.new_run(tmp_path, "mine", settings)
    assert "--sample-every" in run._repr_html_() and not pictures(run._repr_html_())
    sal.plots.save_grid(np.zeros((1, 1, 4, 4)), run.folder / "curves.png")
    assert len(pictures(run._repr_html_())) == 1
