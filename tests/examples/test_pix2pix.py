"""The example that makes pictures from pictures, on a few small pairs."""

from __future__ import annotations

import json

import numpy as np
from command import table
from PIL import Image
from small_runs import files_of, only_folder, run

SMALL = ("--dataset", "drawings", "--image-size", "16", "--channels", "2", "--patch", "16")
SHORT = ("--batch-size", "4", "--sample-every", "2", "--evaluate", "2")


def draw(place, count=12):
    """Save pictures of 32×16: left a coloured square, right its outline."""
    random = np.random.default_rng(0)
    (place / "drawings").mkdir()
    for number in range(count):
        both = np.full((16, 32, 3), 255, np.uint8)
        low, high = random.integers(1, 6), random.integers(9, 15)
        both[low:high, low:high] = random.integers(0, 256, 3)
        both[low:high, 16 + low : 16 + high] = 0
        both[low + 1 : high - 1, 17 + low : 15 + high] = 255
        Image.fromarray(both).save(place / "drawings" / f"{number}.png")


def test_pictures_are_made_from_pictures_and_a_run_goes_on(tmp_path):
    draw(tmp_path)
    words = (*SMALL, *SHORT, "--test-share", "0.25", "--jitter")
    done = run("pix2pix.py", *words, "--rounds", "2", cwd=tmp_path)
    assert "9 pairs, 3 for testing" in done.stdout and "test pairs: l1 0." in done.stdout
    assert "3 conditions as they are: l1 0." in done.stdout
    folder = only_folder(tmp_path)
    assert folder.parent.name == "drawings-pix2pix"
    done = run("pix2pix.py", "--resume", str(folder), "--rounds", "4", cwd=tmp_path)
    assert "played in all: 4 rounds" in done.stdout
    rows = table(folder / "metrics.csv")
    assert [row["round"] for row in rows] == ["2", "4"]
    assert rows[0].keys() >= {"l1", "psnr", "ssim"}
    assert {"samples", "animation.gif", "generator.safetensors"} <= files_of(folder)
    with Image.open(folder / "samples" / "00000004.png") as picture:
        assert picture.size == (8 * 18 * 3, 8 * 18 * 3 + 22)  # a row for each test pair, enlarged


def test_other_players_objectives_and_pairs(tmp_path):
    draw(tmp_path)
    for words in (
        ("--model", "encoder-decoder", "--objective", "l1", "--latent", "3"),
        ("--model", "slides", "--objective", "least-squares", "--pairs", "grey"),
        ("--objective", "relativistic"),  # of scores of patches
    ):
        done = run("pix2pix.py", *SMALL, *SHORT, *words, "--rounds", "1", cwd=tmp_path)
        assert "played in all: 1 round" in done.stdout


def test_a_size_that_cannot_be_halved_is_one_sentence(tmp_path):
    draw(tmp_path)
    words = ("--dataset", "drawings", "--image-size", "20")
    done = run("pix2pix.py", *words, cwd=tmp_path, code=2)
    assert "halves pictures 3 times, which 20×20 does not allow" in done.stderr


def test_wrong_options_are_one_sentence(tmp_path):
    draw(tmp_path)
    for words, message in (
        (("--output", "drawings/runs"), "would become part of the data"),
        (("--test-share", "2"), "--test-share must be a finite number"),
        (("--objective", "l1", "--l1", "0"), "has nothing to learn by"),
    ):
        done = run("pix2pix.py", *SMALL, *words, cwd=tmp_path, code=2)
        assert message in done.stderr and "Traceback" not in done.stderr


def test_without_options_the_middle_of_digits_is_filled_in(tmp_path):
    environment = {
        "SALAMANDRE_DATA": "",
        "SALAMANDRE_CACHE": str(tmp_path / "cache"),
        # No host is reached: the proxy refuses at once.
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    words = ("--channels", "2", "--evaluate", "0", "--rounds", "1")
    done = run("pix2pix.py", *words, cwd=tmp_path, **environment)
    assert "MNIST cannot be loaded" in done.stdout and "data set digits" in done.stdout
    folder = only_folder(tmp_path)
    options = json.loads((folder / "settings.json").read_text())["options"]
    noted = {"dataset": "digits", "pairs": "masked", "image_size": 32}
    assert {name: options[name] for name in noted} == noted
    done = run("pix2pix.py", "--resume", "latest", "--rounds", "2", cwd=tmp_path, **environment)
    assert "played in all: 2 rounds" in done.stdout
    empty = ("--data-dir", str(tmp_path / "cache"))
    done = run("pix2pix.py", *words, *empty, cwd=tmp_path, code=1, **environment)
    assert "train-images-idx3-ubyte.gz" in done.stderr and "instead" not in done.stdout
