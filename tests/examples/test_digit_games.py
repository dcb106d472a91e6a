"""The games on images, on small settings."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command import call, table
from PIL import Image
from safetensors.numpy import load_file
from small_runs import DIGITS, EXAMPLES, FILES, QUICK, files_of, only_folder, run

import salamandre as sal

REMEDIES = (
    *("--added-noise", "0.1", "--multiplied-noise", "0.1", "--pack", "2"),
    *("--augment", "all", "--top-k", "0.5"),
)


@pytest.mark.parametrize(
    "program, options, count",  # of threes to fives, or of --train
    [
        ("wgan_mnist.py", ("--critic", "32", "--critic-steps", "1"), 435),
        ("gan_mnist.py", ("--discriminator", "32", "--noise", "4", "--matching", "0.1"), 435),
        ("gan_mnist.py", ("--objective", "relativistic", "--lipschitz", "zero-centred"), 435),
        ("gan_mnist.py", ("--relativistic", "--latent", "8"), 435),
        ("gan_mnist.py", (*REMEDIES, "--train", "100"), 100),
    ],
)
def test_games_draw_digits(program, options, count, tmp_path):
    options = (*QUICK, *options, "--digits", "3-5", "--evaluate", "10")
    done = run(program, *options, "--rounds", "20", cwd=tmp_path)
    own = int(np.isin(sal.data.load("digits")[1].labels, (3, 4, 5)).sum())
    assert f"{count} images" in done.stdout and f"on {own} test images" in done.stdout
    assert "generated images" in done.stdout
    (found,) = sal.runs.find_runs(tmp_path / "runs")
    assert found.state() == "complete" and found.images.count == count
    assert "20 of 20 rounds" in call("show", found.folder)
    assert len(call("generate", found.folder, "--to", tmp_path / "out").split()) == 1
    folder = only_folder(tmp_path)
    assert files_of(folder) == {*FILES, "metrics.csv"}
    rows = table(folder / "metrics.csv")
    assert [row["round"] for row in rows] == ["10", "20"] and "divergence" not in rows[0]
    assert sal.Network.load(folder / "generator.safetensors").output_shape == (64,)


@pytest.mark.parametrize(
    "program, other, options",
    [
        ("wgan_mnist.py", "gan_mnist.py", ()),
        ("gan_mnist.py", "wgan_mnist.py", REMEDIES),
        ("gan_mnist.py", "wgan_mnist.py", ("--lipschitz", "zero-centred")),
        ("gan_mnist.py", "wgan_mnist.py", ("--relativistic", "--latent", "100")),
    ],
)
def test_games_continue(program, other, options, tmp_path):
    run(program, *QUICK, *options, "--rounds", "20", "--evaluate", "0", cwd=tmp_path)
    folder = only_folder(tmp_path)
    generator = sal.Network.load(folder / "generator.safetensors")
    run(program, "--resume", str(folder), cwd=tmp_path)
    again = sal.Network.load(folder / "generator.safetensors")
    assert np.array_equal(again.parameters, generator.parameters)
    run(program, "--resume", str(folder), "--rounds", "30", cwd=tmp_path)
    assert len(table(folder / "curves.csv")) == 30
    done = run(program, "--resume", str(folder), "--latent", "9", cwd=tmp_path, code=2)
    assert "--latent is 100 in digits-" in done.stderr.splitlines()[-1]
    done = run(other, "--resume", str(folder), cwd=tmp_path, code=2)
    assert f"is one of {program}" in done.stderr.splitlines()[-1]
    assert len(table(folder / "curves.csv")) == 30


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_game_that_is_killed_again_and_again_ends_in_the_same_bits(tmp_path):
    options = (*QUICK, "--evaluate", "0", "--rounds", "200", "--minibatch", "discrimination")
    options = (*options, "--discriminator", "32", "--noise", "4", "--flipping", "0.1")
    run("gan_mnist.py", *options, "--output", "whole", cwd=tmp_path)
    (whole,) = (tmp_path / "whole").glob("*/*")
    (tmp_path / "killed").mkdir()
    arguments, ends = (*options, "--output", "killed"), []
    for delay in (0, 0.3, 0.1):
        command = [sys.executable, EXAMPLES / "gan_mnist.py", *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        process.stderr.readline()  # the bar shows that it plays
        time.sleep(delay)
        process.kill()
        ends.append(process.wait())
        process.stderr.close()
        (folder,) = (tmp_path / "killed").glob("*/*")
        arguments = ("--resume", str(folder))
    assert ends[0] == -signal.SIGKILL  # at once when it plays
    run("gan_mnist.py", *arguments, cwd=tmp_path)
    names = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file()]
    assert len(names) > 20
    for name in names:
        if name.suffix == ".safetensors":  # their headers are in no certain order
            tensors = [load_file(where / name) for where in (whole, folder)]
            for key, array in tensors[0].items():
                assert np.array_equal(array, tensors[1][key]), key
        elif name.suffix != ".json":
            assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("constraint", ["clipping", "spectral"])
def test_constraints_of_the_wasserstein_game(tmp_path, constraint):
    options = (*QUICK, "--rounds", "5", "--lipschitz", constraint, "--optimizer", "rmsprop")
    run("wgan_mnist.py", *options, "--evaluate", "0", cwd=tmp_path)
    assert files_of(only_folder(tmp_path)) == FILES


def test_convolutional_games(tmp_path):
    options = (
        *DIGITS,
        "--rounds",
        "4",
        "--sample-every",
        "2",
        "--evaluate",
        "0",
        "--batch-size",
        "16",
    )
    run("wgan_mnist.py", *options, "--model", "cnn", "--generator", "8-4", cwd=tmp_path)
    assert files_of(only_folder(tmp_path)) == FILES
    options = (*options, "--model", "conv")
    done = run("wgan_mnist.py", *options, "--generator", "8-8-8-8", cwd=tmp_path, code=2)
    assert "give --generator fewer" in done.stderr.splitlines()[-1]


@pytest.mark.filterwarnings("default")  # it warns of the broken picture, as users see it
def test_dcgan_on_a_folder_of_pictures(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for index in range(20):
        pixels = random.integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{index}.png")
    (tmp_path / "pictures" / "broken.png").write_bytes(b"no picture")
    options = ("--images", "pictures", "--maps", "2", "--rounds", "4", "--every", "2")
    options = (*options, "--batch-size", "8", "--nz", "5", "--objective", "saturating")
    cache = {"SALAMANDRE_CACHE": str(tmp_path / "cache")}
    done = run("dcgan.py", *options, "--size", "64", cwd=tmp_path, **cache)
    assert "20 images" in done.stdout and "broken.png" in done.stderr
    folder = only_folder(tmp_path)
    assert files_of(folder) == FILES
    assert sal.Network.load(folder / "generator.safetensors").output_shape == (3, 64, 64)
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["options"]["latent"] == 5 and settings["options"]["objective"] == "minimax"
    pictures = settings["options"].pop("dataset")
    assert pictures == str(tmp_path / "pictures")
    earlier = {"nz": 5, "maps": 2, "size": 64, "every": 2, "objective": "saturating"}
    settings["options"] |= {**earlier, "images": pictures, "dataset": None}
    for name in ("latent", "channels", "image_size", "sample_every"):
        del settings["options"][name]
    (folder / "settings.json").write_text(json.dumps(settings))  # as an earlier version wrote it
    run("dcgan.py", "--resume", "latest", "--rounds", "6", cwd=tmp_path, **cache)
    assert len(table(folder / "curves.csv")) == 6
    done = run("dcgan.py", "--dataset", ".", cwd=tmp_path / "pictures", code=2, **cache)
    assert "would become part of the data: give another folder" in done.stderr
    (tmp_path / "empty").mkdir()
    done = run("dcgan.py", "--images", "empty", cwd=tmp_path, code=2, **cache)
    assert "picture" in done.stderr.splitlines()[-1]


def test_digits_without_test_images_are_played_without_a_judge(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (24, 8, 8), dtype=np.uint8)
    kinds = {"y_train": np.arange(24) % 3, "y_test": np.arange(24) % 2}
    np.savez(tmp_path / "few.npz", x_train=images, x_test=images, **kinds)
    options = ("--dataset", "few.npz", "--digits", "2", "--rounds", "2", "--batch-size", "4")
    options = (*options, "--evaluate", "1", "--sample-every", "2", "--discriminator", "8")
    done = run("gan_mnist.py", *options, "--generator", "8", cwd=tmp_path)
    assert "has no test images of these digits: nothing is evaluated" in done.stdout
    assert "metrics.csv" not in files_of(only_folder(tmp_path))
    kinds["y_train"] = 2 * kinds["y_test"]
    np.savez(tmp_path / "few.npz", x_train=images, x_test=images, **kinds)
    done = run("gan_mnist.py", *options, "--digits", "1", cwd=tmp_path, code=2)
    assert "has no training images of --digits 1" in done.stderr
