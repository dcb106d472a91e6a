"""Games of pairs on the command line: training, showing, and ``salamandre translate``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import call, error_of, only, picture, table
from PIL import Image

import salamandre as sal

RANDOM = np.random.default_rng(0)
QUICK = ("--architecture", "slides", "--image-size", 16, "--batch-size", 4, "--quiet")


def write(path, width, height, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A folder with a set of pairs, and runs with one of two epochs on it."""
    place = tmp_path_factory.mktemp("pairs")
    for split, count in (("train", 8), ("val", 3)):
        for number in range(count):
            write(place / "set" / split / f"{number}.png", 32, 16, number)
    given = ("train", *QUICK, "--dataset", place / "set", "--pairs", "left", "--jitter")
    call(*given, "--epochs", 2, "--evaluate", 1, "--output", place / "runs")
    return place


def negative(run):
    """Give a run a generator that makes negatives."""
    layer = sal.ConvolutionalLayer(3, 1)
    net = sal.Network([layer], (3, 16, 16))
    net.named_parameters()["0.weights"][...] = -np.eye(3)[..., None, None]
    net.named_parameters()["0.bias"][...] = 0
    net.pixels = sal.inputs.Pixels(255, -1, 1)
    net.save(run / "generator.safetensors")


def test_a_run_on_pairs_is_a_run_like_others(learned):
    run = only(learned / "runs")
    settings = json.loads((run / "settings.json").read_text())
    assert (settings["images"]["count"], settings["images"]["shape"]) == (8, [3, 16, 16])
    options = settings["options"]
    assert (options["pairs"], options["jitter"], options["latent"]) == ("left", True, None)
    assert len(table(run / "curves.csv")) == 4
    assert {"l1", "psnr", "ssim"} <= set(table(run / "metrics.csv")[0])
    shown = call("show", "latest", "--output", learned / "runs")
    assert "8 of set, 3×16×16" in shown and "classes" not in shown.split("class names")[0]
    assert "train slides" in call("runs", "--output", learned / "runs")
    call("compare", run, run, "--output", learned / "runs", "--to", learned / "both.png")


def test_samples_show_condition_result_and_truth_of_test_pairs(learned):
    sample = picture(max((only(learned / "runs") / "samples").iterdir()))[1::3, 1::3]  # zoom 3
    tiles = [tile[1:-1, 1:-1] for tile in np.split(sample, 9, axis=1)]  # without the frame
    for number in range(3):
        whole = picture(learned / "set" / "val" / f"{number}.png")
        condition, result, truth = tiles[3 * number : 3 * number + 3]
        np.testing.assert_allclose(condition, whole[:, :16], atol=1)
        np.testing.assert_allclose(truth, whole[:, 16:], atol=1)
        assert abs(result.astype(int) - truth).mean() > 5


def test_a_continued_run_ends_as_one_that_was_never_stopped(learned):
    given = ("train", *QUICK, "--dataset", learned / "set", "--pairs", "left", "--jitter")
    call(*given, "--epochs", 1, "--evaluate", 1, "--output", learned / "again")
    call("train", "--resume", only(learned / "again"), "--epochs", 2, "--quiet")
    files = [only(learned / name) / "generator.safetensors" for name in ("runs", "again")]
    networks = [sal.Network.load(file) for file in files]
    np.testing.assert_array_equal(networks[0].parameters, networks[1].parameters)
    message = error_of("train", "--resume", only(learned / "again"), "--pairs", "right", code=2)
    assert "--pairs is left in set/" in message


@pytest.mark.parametrize("size", [(16, 16), (50, 33), (7, 120)])
def test_a_picture_of_any_size_is_drawn_beside_its_result(learned, place, size):
    shutil.copytree(only(learned / "runs"), "run")
    negative(Path("run"))
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    pixels[...] = (200, 30, 90)
    Image.fromarray(pixels).save("a.png")
    (path,) = call("translate", "run", "a.png", "--to", "out").splitlines()
    found = picture(path)
    np.testing.assert_array_equal(found[:, : size[0]], pixels)
    np.testing.assert_allclose(found[:, size[0] :], 255 - pixels, atol=1)
    assert Path(path) == Path("out/a-translated.png")


def test_each_of_many_pictures_has_a_result(learned, place):
    for name in ("a/x.png", "b/x.png", "x.bmp", "y.png"):
        write(place / name, 20, 10)
    names = ("a/x.png", "b/x.png", "x.bmp", "y.png")
    output = call("translate", only(learned / "runs"), *names, "--to", ".", "--seed", 1)
    assert [Path(line).name for line in output.splitlines()] == [
        "x-translated.png",
        "x-translated-2.png",
        "x-translated-3.png",
        "y-translated.png",
    ]
    first = Path("x-translated.png").read_bytes()
    call("translate", only(learned / "runs"), "a/x.png", "--to", "again", "--seed", 1)
    call("translate", only(learned / "runs"), "a/x.png", "--to", "other", "--seed", 2)
    assert Path("again/x-translated.png").read_bytes() == first
    assert Path("other/x-translated.png").read_bytes() != first  # dropout is the noise


def test_no_result_replaces_a_picture_that_is_given(learned, place):
    run, names = only(learned / "runs"), ("x.png", "x-translated.png")
    for name in names:
        write(place / name, 20, 10)
    before = Path("x-translated.png").read_bytes()
    message = error_of("translate", run, *names, "--to", ".", code=2)
    assert "the result of x.png would replace x-translated.png, which is to be" in message
    assert Path("x-translated.png").read_bytes() == before


def test_conditions_of_another_number_of_channels_than_the_pictures(learned, place):
    data = ("--dataset", learned / "set", "--pairs", "grey", "--epochs", 1)
    call("train", *QUICK, *data)
    write(place / "colour.png", 9, 9)
    call("translate", "latest", "colour.png", "--to", "out")
    found = picture("out/colour-translated.png")
    np.testing.assert_array_equal(found[:, :9], picture("colour.png"))


def test_what_cannot_be_translated(learned, place):
    run = only(learned / "runs")
    assert "makes pictures from pictures: salamandre translate" in error_of("generate", run, code=2)
    assert "no.png" in error_of("translate", run, "no.png", "--to", "out", code=1)
    Path("bad.png").write_bytes(b"no picture")
    message = error_of("translate", run, "bad.png", "--to", "out", code=1)
    assert "bad.png is damaged or no picture" in message
    assert not Path("out").exists()
    shutil.copytree(run, "run")
    sal.Network([sal.ConvolutionalLayer(3, 1)], (2, 16, 16)).save("run/generator.safetensors")
    write(place / "a.png", 16, 16)
    assert "but (3, 16, 16) from (2, 16, 16)" in error_of("translate", "run", "a.png", code=2)


def test_pairs_that_do_not_fit_are_refused_before_a_run_is_made(learned, place):
    write(place / "odd" / "a.png", 31, 16)
    message = error_of("train", *QUICK, "--dataset", "odd", code=1)
    assert "a.png is 31 pixels wide, and two pictures of equal size side by side" in message
    message = error_of("train", *QUICK, "--dataset", learned / "set", "--image-size", 20, code=2)
    assert "which 20×20 does not allow: resize them to 16×16" in message
    message = error_of("train", *QUICK, "--dataset", learned / "set/train", "--evaluate", 1, code=2)
    assert "--evaluate needs test images" in message
    assert not Path("runs").exists()
