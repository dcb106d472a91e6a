"""Models answer about pictures, with what their weights expect of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import salamandre as sal
from salamandre import models
from salamandre.models.weights import CAFFE, TORCHVISION, VARIABLE

REAL = Path(os.environ.get("SALAMANDRE_DATA", "/nowhere")) / "squeezenet1_1"
needs_weights = pytest.mark.skipif(not REAL.is_dir(), reason="the published weights are not here")


@pytest.fixture
def photos():
    """The photographs that scikit-learn ships."""
    datasets = pytest.importorskip("sklearn.datasets")
    return {name: datasets.load_sample_image(f"{name}.jpg") for name in ("china", "flower")}


@needs_weights
def test_squeezenet_knows_the_photographs(photos, tmp_path):
    """The README of the weights: bell cote 0.38, stupa 0.35, dome 0.10; coral fungus 0.63."""
    model = models.squeezenet1_1(REAL)
    assert model.preprocessing == CAFFE
    Image.fromarray(photos["china"]).save(tmp_path / "china.png")
    answer = model.classify(tmp_path / "china.png", top=3)
    assert [name for name, _ in answer] == ["bell cote", "stupa", "dome"]
    np.testing.assert_allclose([p for _, p in answer], [0.38, 0.35, 0.10], atol=0.015)
    both = model.classify([tmp_path / "china.png", Image.fromarray(photos["flower"])], top=1)
    assert both[0] == answer[:1]
    name, probability = both[1][0]
    assert name == "coral fungus" and abs(probability - 0.63) < 0.01


@needs_weights
def test_weights_are_found_by_the_variable(monkeypatch):
    for place in (REAL, REAL.parent, REAL / "squeezenet1_1.safetensors"):
        monkeypatch.setenv(VARIABLE, str(place))
        assert models.squeezenet1_1().preprocessing == CAFFE


@pytest.fixture(scope="module")
def random_model():
    return models.squeezenet1_1(None)


def test_pictures_for_torchvisions_weights_are_prepared_as_torchvision_does(photos):
    """Resize(256), CenterCrop(224), ToTensor, Normalize: by hand, with PyTorch's antialiasing."""
    torch = pytest.importorskip("torch")
    pixels = torch.tensor(photos["china"]).permute(2, 0, 1)[None].float()
    height, width = pixels.shape[2:]
    size = (256, 256 * width // height)
    small = torch.nn.functional.interpolate(pixels, size, mode="bilinear", antialias=True)
    left = round((size[1] - 224) / 2)
    middle = small[0, :, 16:240, left : left + 224] / 255
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    wanted = ((middle - mean) / std).numpy()
    found = TORCHVISION(Image.fromarray(photos["china"]))[0]
    assert np.abs(found - wanted).max() < 1.01 * (1 / 255 / 0.224)  # Pillow rounds twice


@pytest.mark.parametrize("preprocessing", [CAFFE, TORCHVISION])
def test_inputs_become_pictures_again(preprocessing, random):
    small = random.integers(0, 256, (2, 3, *preprocessing.size), np.uint8)
    if preprocessing.shorter_side:
        preprocessing = models.Preprocessing(
            preprocessing.size, mean=preprocessing.mean, std=preprocessing.std
        )
    x = preprocessing(small)
    np.testing.assert_allclose(preprocessing.pixels(x), small / 255, atol=1e-6)
    low, high = preprocessing.bounds
    assert (x >= low - 1e-4).all() and (x <= high + 1e-4).all()
    brighter = preprocessing(np.minimum(small, 254) + np.uint8(1))
    darker = preprocessing(np.minimum(small, 254))
    np.testing.assert_allclose(brighter - darker, preprocessing.level + 0 * x, rtol=1e-3)


def test_grey_pictures_become_colour_and_colour_ones_grey(random_model, random):
    grey = random.integers(0, 256, (1, 30, 40), np.uint8)
    x = models.Preprocessing((30, 40))(grey)
    np.testing.assert_allclose(x[0], np.repeat(grey / 255, 3, axis=0), atol=1e-6)
    assert models.lenet5().prepare(np.repeat(grey, 3, axis=0)).shape == (1, 1, 28, 28)


def test_bad_pictures_are_refused(random_model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no picture .*cat\.jpg"):
        random_model.classify(tmp_path / "cat.jpg")
    (tmp_path / "cat.jpg").write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"cat\.jpg cannot be read as a picture"):
        random_model.classify(tmp_path / "cat.jpg")
    with pytest.raises(ValueError, match="uint8"):
        random_model.classify(np.zeros((3, 8, 8)))
    with pytest.raises(ValueError, match="at least one"):
        random_model.classify([])
    with pytest.raises(ValueError, match="top"):
        random_model.classify(np.zeros((3, 8, 8), np.uint8), top=0)


def test_classes_by_name_and_number(random_model):
    assert random_model.label("tench") == 0 == random_model.label(0) == random_model.label("0")
    assert random_model.classes[999] == "toilet tissue" and len(set(random_model.classes)) == 1000
    with pytest.raises(ValueError, match="unknown class 'goldfsh', did you mean 'goldfish'"):
        random_model.label("goldfsh")
    for wrong in (1000, "\N{SUPERSCRIPT TWO}"):
        with pytest.raises(ValueError, match="unknown class"):
            random_model.label(wrong)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (16, 0)}, "the size of inputs must be a whole number"),
        ({"order": "rgb"}, "unknown order 'rgb', did you mean 'RGB'"),
        ({"mean": 0.5}, "mean must be a number for each of the 3 channels of RGB, got 0.5"),
        ({"std": (0.1, 0.2)}, "std must be a number for each of the 3 channels"),
        ({"std": (0.1, 0.2, 0)}, "std must be a finite number above 0, got 0"),
        ({"scale": 0}, "scale must be a finite number above 0"),
        ({"shorter_side": 15}, "shorter_side must be a whole number of at least 16"),
    ],
)
def test_a_preprocessing_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.Preprocessing(**{"size": (16, 32), **options})


def test_a_picture_that_is_not_wide_enough_is_refused():
    wide = models.Preprocessing((16, 32), 20, mean=np.array([0.1, 0.2, 0.3]))
    assert wide(np.zeros((3, 40, 80), np.uint8)).shape == (1, 3, 16, 32)
    assert hash(wide) and wide.mean == (0.1, 0.2, 0.3)
    with pytest.raises(ValueError, match=r"60×40 .* becomes 20, does not fill 16×32"):
        wide(np.zeros((3, 60, 40), np.uint8))


def test_a_network_of_ones_own_has_the_names_that_it_learned():
    network = sal.Network([sal.NeuronLayer(2, sal.Softmax())], 16)
    assert models.of_network(network).classes == ("0", "1")
    network.class_names = ("cat", "dog")
    assert models.of_network(network).classes == ("cat", "dog")
    assert models.of_network(network, ["a", "b"]).classes == ("a", "b")
    with pytest.raises(ValueError, match=r"of 3 classes has an output for each .* has 2 outputs"):
        models.of_network(network, "abc")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_perceptron_of_square_images_takes_pictures(channels):
    network = sal.Network([sal.NeuronLayer(2, sal.Softmax())], channels * 8 * 8)
    model = models.of_network(network)
    pictures = np.random.default_rng(0).integers(0, 256, (2, channels, 8, 8), np.uint8)
    probabilities = network.predict(pictures.reshape(2, -1) / np.float32(255))
    assert np.allclose(network.predict(model.prepare(pictures)), probabilities, atol=1e-6)
    with pytest.raises(ValueError, match="from grey or colour images"):
        models.of_network(sal.Network([sal.NeuronLayer(2, sal.Softmax())], 50))
