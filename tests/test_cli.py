"""The command ``salamandre``, within this process, on the embedded digits."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from string import ascii_uppercase

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import salamandre as sal
from salamandre.cli import main
from salamandre.runs import find_runs

FAST = ("--architecture", "cdcgan", "--batch-size", "200", "--quiet")  # 7 rounds an epoch


def call(*arguments, code=0, given=None):
    result = CliRunner().invoke(main, [str(a) for a in arguments], input=given)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def error_of(*arguments, code):
    """Return the one sentence in which a call fails."""
    output = call(*arguments, code=code)
    assert "\nError: " in f"\n{output}"
    message = f"\n{output}".split("\nError: ")[1]
    assert len(message.splitlines()) == 1
    return message


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of runs with one of twelve epochs."""
    root = tmp_path_factory.mktemp("trained") / "runs"
    call("train", *FAST, "--epochs", 12, "--output", root, "--seed", 5, "--keep", 2)
    return root


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only(root) -> Path:
    (run,) = find_runs(root)
    return run.folder


def test_help_shows_a_first_try_to_be_pasted():
    lines = call("--help").splitlines()
    assert "    salamandre train --dataset digits" in lines
    assert "    salamandre generate latest --word 135792468" in lines


def test_ctrl_c_ends_any_command_with_130_and_an_unanswered_question_with_1(place, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("salamandre.data.load", interrupt)
    assert call("train", "--dataset", "digits", code=130).strip() == "interrupted"
    monkeypatch.setattr("salamandre.cli.options.on_terminal", lambda: True)
    assert "Data set" in call("train", code=1)
    monkeypatch.setattr("click.termui.visible_prompt_func", interrupt)
    assert main(["train"], standalone_mode=False) == 130


def test_a_run_has_everything_in_its_folder(trained):
    folder = only(trained)
    assert folder.parent.name == "digits"
    assert {path.name for path in folder.iterdir()} >= {
        *("settings.json", "networks.txt", "run.lock", "curves.csv", "curves.png"),
        *("checkpoint.safetensors", "generator.safetensors", "discriminator.safetensors"),
        *("animation.gif", "samples", "networks"),
    }
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["options"]["seed"] == 5 and settings["options"]["backend"] == "numpy"
    assert settings["options"]["latent"] == 32
    assert settings["versions"]["salamandre"] == sal.__version__
    assert settings["images"]["classes"] == list("0123456789")
    rows = table(folder / "curves.csv")
    assert [int(row["round"]) for row in rows] == list(range(1, 12 * 7 + 1))
    assert set(rows[0]) == {"round", "d_loss", "g_loss", "d_real", "d_fake"}
    samples = sorted(path.name for path in (folder / "samples").iterdir())
    assert samples == [f"{7 * n:08d}.png" for n in range(13)]
    assert "discriminator\n" in (folder / "networks.txt").read_text()


def test_the_last_epochs_are_kept_and_ten_of_the_others(trained):
    folder = only(trained)
    kept = sorted(path.name for path in (folder / "networks").glob("generator-*"))
    assert kept == [f"generator-{n:04d}.safetensors" for n in (2, 4, 6, 8, 10, 11, 12)]
    assert len(list((folder / "networks").iterdir())) == 14
    latest = (folder / "generator.safetensors").read_bytes()
    assert latest == (folder / "networks" / kept[-1]).read_bytes()


def test_everything_can_be_kept(place):
    call("train", *FAST, "--epochs", 12, "--keep", "all", "--batch-size", 1000)
    assert len(list((only("runs") / "networks").iterdir())) == 24


def picture(path):
    return np.asarray(Image.open(path))


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
        (("--word", "1", "--classes", "1"), "not both"),
    ],
)
def test_what_has_no_class_is_refused(trained, given, message, place):
    assert message in error_of("generate", "latest", "--runs", trained, *given, code=2)
    assert not list(only(trained).glob("generated/*12x*"))


def letters(folder, names, count=6):
    """Make a folder of pictures with a sub-folder of each class."""
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def test_a_folder_of_pictures_is_a_data_set(place):
    letters(place / "mine", ["A", "B", "cat"])
    given = ("--image-size", 8, "--batch-size", 6, "--epochs", 1, "--architecture", "cwgan")
    call("train", "--dataset", "mine", "--grey", *given)
    folder = only("runs")
    assert folder.parent.name == "mine"
    assert json.loads((folder / "settings.json").read_text())["images"]["shape"] == [1, 8, 8]
    assert "distance" in table(folder / "curves.csv")[0]
    call("generate", "mine", "--classes", "cat,B")
    output = call("generate", "mine", "--word", "ab")
    assert "a is drawn as A" in output
    assert "needs test images" in error_of("train", "--dataset", "mine", "--evaluate", 1, code=2)
    (place / "mine" / "A").rename(place / "mine" / "dog")
    message = error_of("train", "--resume", "mine", "--epochs", 2, code=1)
    assert "has other classes now (B, cat, dog) than when" in message
    assert find_runs("runs")[0].options["epochs"] == 1


def test_many_classes_are_drawn_row_by_row(place):
    letters(place / "abc", ascii_uppercase, count=2)
    given = ("--image-size", 8, "--grey", "--batch-size", 13, "--epochs", 1)
    call("train", "--dataset", "abc", *given)
    call("generate", "abc", "--noise", "fixed")
    side = 10 * 6  # 8 and a frame, six times larger
    assert picture(next((only("runs") / "samples").iterdir())).shape == (5 * side, 6 * side)
    drawn = picture(only("runs") / "generated" / "classes-fixed-0.png")
    assert drawn.shape == (26 * side, 10 * side)


def test_names_longer_than_a_letter_cannot_make_a_word(place):
    letters(place / "mine", ["dog", "cat"])
    call("train", "--dataset", "mine", "--image-size", 8, "--batch-size", 6, "--epochs", 1)
    message = error_of("generate", "mine", "--word", "dog", code=2)
    assert "name them with --classes (it has: cat, dog)" in message


def test_images_are_resized_and_the_label_can_be_left_out(place):
    given = ("--image-size", 12, "--unconditional-discriminator", "--epochs", 1)
    call("train", *FAST, *given)
    folder = only("runs")
    network = sal.Network.load(folder / "discriminator.safetensors")
    assert network.input_shape == (1, 12, 12) and network.classes is None


def test_a_judge_can_be_asked(place):
    output = call("train", *FAST, "--epochs", 2, "--evaluate", 1, "--architecture", "cwgan")
    assert "of 360 test images right" in output
    (last,) = table(only("runs") / "metrics.csv")[-1:]
    assert int(last["round"]) == 6 and 0 <= float(last["right"]) <= 1
    assert "right 0." in call("runs")


@pytest.mark.parametrize(
    "given, message",
    [
        (("--dataset", "emnist-balance"), "did you mean 'emnist-balanced'"),
        (("--architecture", "dcgan"), "did you mean 'cdcgan'"),
        (("--backend", "cupie"), "did you mean 'cupy'"),
        (("--epochs", "0"), "--epochs"),
        (("--checkpoint-every", "nan"), "nan is no time"),
        (("--dataset", "stl-10-unlabeled"), "unknown data set 'stl-10-unlabeled'"),
        (("--keep", "none"), "neither a whole number of at least 1 nor 'all'"),
        (("--grey",), "--grey is for a folder"),
        (("--batch-size", "5000"), "needs at least as many images"),
        (("--architecture", "cdcgan", "--image-size", "9"), "resize them to 32×32"),
        (("--epoch", "3"), "--epoch"),
    ],
)
def test_wrong_usage_of_train(place, given, message):
    assert message in error_of("train", *given, code=2)
    assert not list(place.iterdir())


def test_a_file_gives_options_and_the_command_line_wins(place):
    Path("a.toml").write_text(
        'dataset = "digits"\narchitecture = "cdcgan"\nbatch-size = 200\nepochs = 3\nkeep = 1\n'
        "quiet = true\nimage_size = 8\ncheckpoint-every = 5\n"
    )
    call("train", "--config", "a.toml", "--epochs", 1)
    options = find_runs("runs")[0].options
    assert (options["batch_size"], options["epochs"], options["keep"]) == (200, 1, "1")


@pytest.mark.parametrize(
    "text, message",
    [
        ("epoch = 3", "unknown key 'epoch', did you mean 'epochs'"),
        ("epochs = 3.5", "epochs must be a whole number, got 3.5"),
        ("epochs = true", "epochs must be a whole number, got True"),
        ('grey = "yes"', "grey must be true or false"),
        ("dataset = 3", "dataset must be a text in quotes"),
        ('dataset = "mnits"', "did you mean 'mnist'"),
        ("epochs = -3", "-3"),
        ("epochs", "is no TOML file"),
        ("batch-size = 32\nbatch_size = 16", "gives 'batch_size' twice"),
        ("checkpoint-every = nan", "nan is no time"),
        ('resume = "x"', "unknown key 'resume'"),
    ],
)
def test_wrong_files(place, text, message):
    Path("a.toml").write_text(text)
    assert message in error_of("train", "--config", "a.toml", code=2)
    assert "cannot be read" in error_of("train", "--config", "b.toml", code=2)


def test_on_a_terminal_it_asks_what_was_not_given(place, monkeypatch):
    monkeypatch.setattr("salamandre.cli.options.on_terminal", lambda: True)
    output = call("train", "--quiet", "--seed", 2, given="mnits\ndigits\ncdcgan\n\n200\n\n1\n")
    assert "did you mean 'mnist'" in output
    assert "of 1,437 images: a batch size of 32 means 44, 64 means 22, 128 means 11" in output
    assert "Rounds between samples (an epoch has 7) [7]" in output
    options = find_runs("runs")[0].options
    assert (options["image_size"], options["batch_size"], options["epochs"]) == (8, 200, 1)
