"""``salamandre generate``: what is drawn, and what has no class."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from command import call, error_of, letters, only, picture
from PIL import Image

import salamandre as sal


@pytest.mark.parametrize("noise", ["fixed", "fresh"])
def test_a_word_is_drawn_with_one_point_or_many(trained, noise, place):
    output = call(
        *("generate", "latest", "--runs", trained, "--word", "7717", "--noise", noise),
        *("--to", "out"),
    )
    word, classes = (place / line for line in output.split())
    letters = np.split(picture(word), 4, axis=1)
    assert (letters[0] == letters[1]).all() == (noise == "fixed")
    assert not (letters[1] == letters[2]).all()
    assert picture(classes).shape == (10 * 10 * 6, 10 * 10 * 6)  # 8 and a frame, six times larger


def test_the_same_seed_draws_the_same_and_another_one_does_not(trained, place):
    given = ("generate", "latest", "--runs", trained, "--word", "12")
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        call(*given, "--to", folder, "--seed", seed)
    first, second, third = (next(Path(folder).glob("word*")) for folder in "abc")
    assert first.read_bytes() == second.read_bytes() != third.read_bytes()


def test_an_earlier_generator_can_be_asked(trained, place):
    given = ("generate", only(trained), "--to", "out")
    call(*given, "--checkpoint", 4)
    call(*given)
    one, two = sorted(Path("out").iterdir())
    assert one.name == "classes-fixed-0-0004.png" and one.read_bytes() != two.read_bytes()
    message = error_of(*given, "--checkpoint", 5, code=2)
    assert "no networks of epoch 5 (kept: 2, 4, 6, 8, 10, 11, 12)" in message


def test_generating_needs_only_generator_and_settings(trained, place):
    copy = place / "copy"
    copy.mkdir()
    for name in ("generator.safetensors", "settings.json"):
        shutil.copy(only(trained) / name, copy)
    call("generate", copy, "--classes", "3, 1")
    assert len(list((copy / "generated").iterdir())) == 2


@pytest.mark.parametrize(
    "given, message",
    [
        (("--word", "12x"), "no class for 'x' (it has: 0 1 2 3 4 5 6 7 8 9)"),
        (("--word", "1 2"), "no class for ' '"),
        (("--word", ""), "the word is empty"),
        (("--classes", "1,cat"), "no class for 'cat' (it has: 0, 1, 2"),
        (("--word", "1", "--classes", "1"), "give --word or --classes, not both"),
        (("--class", "1", "--class", " 1"), "no class for ' 1'"),
        (("--word", "1", "--class", "1"), "give --word or --class, not both"),
        (("--checkpoint", "0"), "must be a whole number of at least 1, got '0'"),
        (("--noise", "none"), "unknown noise 'none' (known: fixed, fresh)"),
        (("--to", ""), "must be the name of a file or folder, got ''"),
    ],
)
def test_what_has_no_class_is_refused(trained, given, message, place):
    assert message in error_of("generate", "latest", "--runs", trained, *given, code=2)
    assert not list(only(trained).glob("generated/*12x*"))


def test_names_longer_than_a_letter_cannot_make_a_word(place):
    letters(place / "mine", ["dog", "cat"])
    call("train", "--dataset", "mine", "--image-size", 8, "--batch-size", 6, "--epochs", 1)
    message = error_of("generate", "mine", "--word", "dog", code=2)
    assert "name them with --classes (it has: cat, dog)" in message


def test_each_request_has_a_picture_of_its_own(trained, place, monkeypatch):
    monkeypatch.setenv("HOME", str(place))
    requests = [("--word", "12"), ("--classes", "12"[:1]), ("--classes", "1,2"), ("--word", "1")]
    requests += [("--word", "1" * 60), ("--word", "1" * 61)]
    files = []
    for request in requests:
        given = ("generate", "latest", "--output", trained, *request, "--to=~/out")
        files.append(call(*given).splitlines()[0])
    assert len({Path(file).name.lower() for file in files}) == len(requests)
    assert all(Path(file).parent == place / "out" and Path(file).is_file() for file in files)


def test_any_name_of_a_class_can_be_asked_for(place):
    decomposed = "u\u0308ber"
    letters(place / "mine", ["a, b", " c", "a", decomposed, "\xe4"])
    call("train", "--dataset", "mine", "--image-size", 8, "--batch-size", 6, "--epochs", 1)
    drawn = []
    for request in (
        ("--class", "a, b", "--class", " c"),
        ("--classes", f"a,\xfcber, {decomposed}"),
        ("--word", "a\u0308"),
        ("--word", "\xe4"),
    ):
        drawn.append(call("generate", "mine", *request).splitlines()[0])
    assert drawn[2] == drawn[3] and len(set(drawn)) == 3
    assert picture(drawn[0]).shape[1] == 2 * 6 * 10


def test_a_walk_from_one_class_to_another_is_drawn_and_animated(trained, place):
    output = call("generate", "latest", "--runs", trained, "--walk", "3", "8", "--to", "out")
    strip, film = (place / line for line in output.split())
    assert strip.name == "walk-3-8-0.png" and film.suffix == ".gif"
    pictures = np.split(picture(strip), 11, axis=1)
    ends = call("generate", "latest", "--runs", trained, "--word", "38", "--to", "out").split()
    assert np.array_equal(
        np.concatenate(pictures[:: len(pictures) - 1], axis=1), picture(place / ends[0])
    )
    with Image.open(film) as animation:
        assert animation.n_frames > 20
    message = error_of("generate", "latest", "--runs", trained, "--walk", "3", "x", code=2)
    assert "no class for 'x'" in message


def test_truncation_draws_other_samples(trained, place):
    given = ("generate", "latest", "--runs", trained, "--to", "out")
    (plain,) = call(*given).split()
    (cut,) = call(*given, "--truncation", 0.5).split()
    assert Path(cut).name == "classes-fixed-0-0.5.png"
    assert not np.array_equal(picture(place / plain), picture(place / cut))
    message = error_of(*given, "--truncation", 0, code=2)
    assert "threshold of a truncation must be a finite number at least 0.01" in message


def test_a_generator_of_values_in_0_to_1_is_drawn_as_it_is(trained, place):
    """Zeros are white paper in a picture of grey images, and ones are black ink."""
    copy = place / "copy"
    copy.mkdir()
    shutil.copy(only(trained) / "settings.json", copy)
    paths = []
    for bias in (-50, 50):
        layers = [sal.Embedding(10), sal.NeuronLayer(64, sal.Sigmoid())]
        generator = sal.Network(layers, 5)
        generator.layers[1].weights[...] = 0
        generator.layers[1].bias[...] = bias
        generator.save(copy / "generator.safetensors")
        call("generate", copy, "--to", f"out{bias}")
        call("generate", copy, "--to", f"out{bias}", "--walk", "1", "2")
        paths += sorted((place / f"out{bias}").glob("*.png"))
    assert len(paths) == 4
    for path, white in zip(paths, (True, True, False, False), strict=True):
        pixels = picture(path)
        assert (pixels == 255).all() if white else (pixels == 0).mean() > 0.5
