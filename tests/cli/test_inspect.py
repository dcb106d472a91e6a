"""``salamandre inspect``, for files of networks, runs and known models."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from command import call, error_of, picture
from PIL import Image

import salamandre as sal
from salamandre.runs.run import new_run
from salamandre.runs.settings import LearnedImages, Settings

REAL = Path(os.environ.get("SALAMANDRE_DATA", "/nowhere")) / "squeezenet1_1"


def small_network(size=12, channels=3, classes=3):
    layers = {
        "conv1": sal.ConvolutionalLayer(4, 3, activation=sal.ReLU()),
        "conv2": sal.ConvolutionalLayer(5, 3, activation=sal.ReLU()),
        "flat": sal.Flatten(),
        "fc": sal.NeuronLayer(classes, sal.Softmax()),
    }
    return sal.Network(layers, (channels, size, size))


@pytest.fixture
def files(place):
    """A network and two pictures."""
    small_network().save("net.safetensors")
    random = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(random.integers(0, 256, (20, 30, 3), np.uint8)).save(name)
    return ("net.safetensors", "a.png", "b.png")


def test_everything_about_a_network_in_a_file(files):
    output = call(
        "inspect",
        *files,
        *("--saliency", "--layers", "--adversarial", "2", "--dream", 1, "--deep-dream", "conv2"),
    )
    folder = Path("inspected/net")
    names = {path.name for path in folder.iterdir()}
    assert names >= {"saliency.png", "adversarial-2.png", "dream-1.png", "deep-dream-conv2.png"}
    assert names >= {"filters.png", "layer-conv1.png", "layer-conv2.png"}
    assert all(str(folder / name) in output for name in names)
    assert all(picture(folder / name).std() > 5 for name in names)
    assert "a.png: " in output and "pictures became '2' by a change of at most " in output


def test_perceptrons_and_networks_without_relu_are_inspected_too(files):
    """Weights of neurons instead of filters, and no guided backprop."""
    rows = sal.Network([sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(3, sal.Softmax())], 64)
    rows.save("rows.safetensors")
    call("inspect", "rows.safetensors", "a.png", "--saliency", "--layers", "--dream", "1")
    names = {path.name for path in Path("inspected/rows").iterdir()}
    assert names == {"saliency.png", "dream-1.png", "weights-0.png"}
    tanh = [sal.ConvolutionalLayer(2, 3, activation=sal.Tanh()), sal.Flatten(), sal.NeuronLayer(3)]
    sal.Network(tanh, (1, 8, 8)).save("tanh.safetensors")
    call("inspect", "tanh.safetensors", "a.png", "--saliency", "--layers", "--layer", "0")
    names = {path.name for path in Path("inspected/tanh").iterdir()}
    assert names == {"saliency.png", "filters.png", "layer-0.png"}


def test_several_classes_are_imagined_in_one_picture(files):
    call("inspect", files[0], "--dream", "1", "--to", "one")
    call("inspect", files[0], "--dream", "1", "--dream", "0", "--to", "two")
    assert picture("one/dream-1.png").shape[1] < picture("two/dreams.png").shape[1]


def test_saliency_is_the_default_and_the_folder_can_be_chosen(files):
    assert call("inspect", *files, "--to", "here").splitlines()[-1] == "here/saliency.png"
    assert [path.name for path in Path("here").iterdir()] == ["saliency.png"]


def test_bad_input_is_refused_before_anything_is_written(files):
    for arguments, message in (
        (("--adversarial", "cat"), "unknown class 'cat'"),
        (("--dream", "7"), "unknown class '7'"),
        (("--deep-dream", "conv3"), "no layer 'conv3', did you mean 'conv"),
        (("--layer", "cnv1"), "no layer 'cnv1', did you mean 'conv1'"),
    ):
        assert message in error_of("inspect", *files, *arguments, code=2)
    for arguments, message in (
        (("missing.jpg",), "there is no picture missing.jpg"),
        (("net.safetensors",), "net.safetensors cannot be read as a picture"),
    ):
        assert message in error_of("inspect", *files, *arguments, code=1)
    for without in ((), ("--dream", "1", "--deep-dream", "conv1"), ("--adversarial", "1")):
        assert "at least one picture" in error_of("inspect", files[0], *without, code=2)
    message = error_of("inspect", "squeezenet", "a.png", code=2)
    assert "unknown model 'squeezenet', did you mean 'squeezenet1_1'" in message
    assert not list(Path("inspected").rglob("*.png"))


def test_a_run_is_inspected_with_its_test_set(place):
    digits, _ = sal.data.load("digits")
    images = LearnedImages.of(digits, 10)
    settings = Settings.new("mnist_classifier.py", {"dataset": "digits"}, images)
    folder = new_run("runs", "digits-classifier", settings).folder
    small_network(8, 1, 10).save(folder / "model.safetensors")
    output = call("inspect", "digits-classifier", "--adversarial", "1", "--layers")
    assert "of 6 pictures became '1' by a change of at most 64/255" in output
    assert (folder / "inspected" / "adversarial-1.png").is_file()
    moved = Settings.new("mnist_classifier.py", {"dataset": "/moved/away"}, images)
    moved.write(folder)
    assert "'/moved/away' is neither" in error_of("inspect", "latest", code=2)
    (folder / "model.safetensors").unlink()
    assert "has no classifier" in error_of("inspect", "latest", code=2)


@pytest.mark.skipif(not REAL.is_dir(), reason="the published weights are not here")
def test_a_photograph_becomes_another_class(place):
    """A change of 4 of 255 levels is enough."""
    datasets = pytest.importorskip("sklearn.datasets")
    Image.fromarray(datasets.load_sample_image("china.jpg")).save("china.png")
    output = call(
        *("inspect", "squeezenet1_1", "china.png", "--adversarial", "goldfish"),
        *("--weights", REAL / "squeezenet1_1.safetensors"),
    )
    assert "china.png: bell cote " in output
    assert "1 of 1 pictures became 'goldfish' by a change of at most 4/255" in output
