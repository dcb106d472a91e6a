"""The options of ``salamandre train``: given, asked for, from a file, in earlier runs."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest
from command import (
    COMMAND,
    FAST,
    call,
    error_of,
    letters,
    needs_signals,
    only,
    small_run,
    table,
)

import salamandre as sal
from salamandre.cli.train_options import OPTIONS
from salamandre.runs import find_runs
from salamandre.runs.settings import FORMAT


@pytest.mark.parametrize(
    "given, message",
    [
        (("--dataset", "emnist-balance"), "did you mean 'emnist-balanced'"),
        (("--architecture", "cdgan"), "did you mean 'cdcgan'"),
        (("--backend", "cupie"), "did you mean 'cupy'"),
        (("--objective", "relativists"), "did you mean 'relativistic'"),
        (("--objective", "hinge", "--architecture", "cwgan"), "has the Wasserstein objective"),
        (
            ("--penalty", "1", "--architecture", "dcgan", "--image-size", "16"),
            "BatchNorm cannot be part of a critic",
        ),
        (("--epochs", "0"), "--epochs"),
        (("--checkpoint-every", "nan"), "must be a number of at least 0, got 'nan'"),
        (("--dataset", "stl-10-unlabeled"), "unknown data set 'stl-10-unlabeled'"),
        (("--keep", "none"), "must be a whole number of at least 1 or 'all', got 'none'"),
        (("--batch-size", "5000"), "needs at least as many images"),
        (("--architecture", "cdcgan", "--image-size", "9"), "resize them to 32×32"),
        (("--epoch", "3"), "--epoch"),
        (("--epochs",), "requires an argument"),
        (("--output", ""), "must be the name of a file or folder, got ''"),
        (("--data-dir", "a\0b"), "must be the name of a file or folder"),
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
    assert (options["batch_size"], options["epochs"], options["keep"]) == (200, 1, 1)


@pytest.mark.parametrize(
    "text, message",
    [
        ("epoch = 3", "unknown key 'epoch', did you mean 'epochs'"),
        ("epochs = 3.5", "epochs must be a whole number of at least 1, got 3.5"),
        ("epochs = true", "epochs must be a whole number of at least 1, got True"),
        ('grey = "yes"', "grey must be true or false"),
        ("dataset = 3", "dataset must be a text in quotes"),
        ('dataset = "mnits"', "did you mean 'mnist'"),
        ("epochs = -3", "at least 1, got -3"),
        ("epochs", "is no TOML file"),
        ("batch-size = 32\nbatch_size = 16", "gives 'batch_size' twice"),
        ("checkpoint-every = nan", "a number of at least 0, got nan"),
        ('keep = "x"', "a whole number of at least 1 or 'all', got 'x'"),
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
    assert "Rounds between samples (an epoch has 7) [63]" in output
    options = find_runs("runs")[0].options
    assert (options["image_size"], options["batch_size"], options["epochs"]) == (8, 200, 1)


@pytest.mark.parametrize("given", [("--dataset", "digits"), ("--yes",), ("-y",)])
def test_nothing_is_asked_of_who_names_the_data_set_or_says_yes(place, monkeypatch, given):
    monkeypatch.setattr("salamandre.cli.options.on_terminal", lambda: True)
    output = call("train", *FAST, "--quiet", "--epochs", 1, *given)
    assert "[" not in output and find_runs("runs")[0].options["dataset"] == "digits"


def test_a_batch_larger_than_the_set_is_asked_for_again(place, monkeypatch):
    monkeypatch.setattr("salamandre.cli.options.on_terminal", lambda: True)
    output = call("train", "--quiet", given="digits\ncdcgan\n\n5000\n200\n\n1\n")
    assert "Error: a batch of 5,000 needs as many images, there are 1,437" in output


def test_home_is_found_in_options_and_files(place, monkeypatch):
    monkeypatch.setenv("HOME", str(place / "home"))
    letters(place / "home" / "mine", ["a", "b"])
    Path("a.toml").write_text('output = "~/runs"\ndataset = "~/mine"\nimage-size = 8\nepochs = 1')
    output = call("train", "--config", "a.toml", "--batch-size", 6, "--quiet")
    run = find_runs("~/runs")[0]
    assert run.options["dataset"] == str(place / "home" / "mine")
    assert not Path("~").exists() and str(run.folder) in output
    call("train", "--resume", f"~/runs/{run.name}", "--epochs", 2, "--quiet")
    (place / "a.toml").rename(place / "home" / "b.toml")
    assert "no TOML" not in call("train", "--config=~/b.toml", "--batch-size", 6, "--quiet")


def test_runs_are_not_written_into_their_pictures(place, monkeypatch):
    letters(place / "my pictures", ["a", "b"])
    given = ("train", "--image-size", 8, "--epochs", 1, "--batch-size", 6, "--quiet")
    monkeypatch.chdir(place / "my pictures")
    for output in ((), ("--output", "a"), ("--output", place / "my pictures" / "x")):
        message = error_of(*given, "--dataset", ".", *output, code=2)
        assert "would become part of the data" in message
    command = message.partition("such as ")[2].strip()
    assert shlex.split(command) == ["--output", str(place / "runs")]
    monkeypatch.chdir(place)
    # The folder of a run is named after that of its pictures.
    assert "part of the data" in error_of(*given, "--dataset", "my pictures", "--output=.", code=2)
    assert sorted(path.name for path in Path("my pictures").iterdir()) == ["a", "b"]
    output = call(*given, "--dataset", "my pictures")
    hint = shlex.split(output.splitlines()[-1])
    assert hint[:2] == ["salamandre", "generate"] and hint[-2:] == ["--word", "ab"]
    call(*hint[1:])


def test_short_epochs_do_not_mean_many_pictures(place):
    letters(place / "mine", ["a", "b"], count=3)
    call("train", "--dataset", "mine", "--image-size", 8, "--epochs", 130, "--quiet")
    samples = sorted(path.name for path in (only("runs") / "samples").iterdir())
    assert samples == [f"{n:08d}.png" for n in (0, 60, 120, 130)]


def readable(terminal, deadline):
    """Return whether there is something to read, or an end, before the deadline."""
    return bool(select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0])


@needs_signals
def test_a_person_answers_on_a_terminal(place):
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*COMMAND, "train", "--seed", "1"])
    text = b""
    questions = (
        (b"Data set [digits]: ", b"\n"),
        (b"[cgan]: ", b"cdcgan\n"),
        (b"Image size [8]: ", b"\n"),
        (b"Batch size [64]: ", b"200\n"),
        (b"[63]: ", b"\n"),
        (b"Epochs [200]: ", b"2\n"),
    )
    try:
        for question, answer in questions:
            deadline = time.monotonic() + 30
            while question not in text:
                assert readable(terminal, deadline), f"{question} does not come after {text}"
                text += os.read(terminal, 1 << 16)
            text = text.partition(question)[2]
            os.write(terminal, answer)
        deadline = time.monotonic() + 30
        with contextlib.suppress(OSError):  # a terminal ends with an error
            while readable(terminal, deadline) and os.read(terminal, 1 << 16):
                pass
        assert time.monotonic() < deadline, "it does not end"
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        status = os.waitpid(pid, 0)[1]
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(table(only("runs") / "curves.csv")) == 14


def test_an_impossible_size_is_asked_for_again_at_once(place, monkeypatch):
    monkeypatch.setattr("salamandre.cli.options.on_terminal", lambda: True)
    output = call("train", "--quiet", given="digits\ncdcgan\n9\n\n200\n\n1\n")
    lines = output.splitlines()
    (refused,) = (i for i, line in enumerate(lines) if "resize them to 32×32" in line)
    assert lines[refused + 1].startswith("Image size [8]")
    assert "Batch" not in "".join(lines[:refused])
    output = call("train", "--image-size", 9, given="digits\ncdcgan\n", code=2)
    assert "resize them" in output.splitlines()[-1] and "Batch" not in output


def test_one_epoch_is_not_epochs(place):
    output = call("train", *FAST, "--epochs", 1, "--batch-size", 1000)
    assert "1 round an epoch, 1 epoch: runs" in output and "\n1 round, 1 epoch: runs" in output


@pytest.fixture
def written(place):
    """A run, and a function that writes its settings anew with a change."""
    run = small_run()
    file = run.folder / "settings.json"
    settings = json.loads(file.read_text())

    def write(part, name, value):
        file.write_text(json.dumps({**settings, part: {**settings[part], name: value}}))

    return run, write


def test_a_run_from_before_an_option_existed_has_its_default(written):
    run, _ = written
    file = run.folder / "settings.json"
    settings = json.loads(file.read_text())
    options = settings["options"]
    shown = call("show", "latest")
    usual = {"batch_size": 64, "epochs": 200, "architecture": "cgan"}
    assert set(options) == {option.name for option in OPTIONS}
    for option in OPTIONS:
        rest = {name: value for name, value in options.items() if name != option.name}
        file.write_text(json.dumps({**settings, "options": rest}))
        value = usual.get(option.name, options[option.name])
        words = "default" if value is None else "no" if value is False else str(value)
        title = option.name.replace("_", " ")
        (line,) = (li for li in call("show", "latest").splitlines() if li.startswith(f"{title}  "))
        assert line.split()[-1] == words or option.name == "backend"
        if option.default is None:  # it is found from others
            assert run.name in call("runs")
            call("generate", "latest", "--word", "12")
    call("compare", "latest", "latest")
    file.write_text(json.dumps(settings))
    assert call("show", "latest").partition("files:")[0] == shown.partition("files:")[0]


@pytest.mark.parametrize("missing", ["epochs", "keep", "checkpoint_every", "latent", "seed"])
def test_a_run_from_before_an_option_existed_goes_on(written, missing):
    run, _ = written
    file = run.folder / "settings.json"
    settings = json.loads(file.read_text())
    del settings["options"][missing]
    file.write_text(json.dumps(settings))
    call("train", "--resume", "latest", "--epochs", 2, "--quiet")
    assert len(table(run.folder / "curves.csv")) == 14
    assert json.loads(file.read_text())["options"][missing] is not None


def test_damaged_settings_are_named_with_the_field(written):
    run, write = written
    for part, name, value, message in (
        ("options", "epochs", "40", "options.epochs: expected `int | null`, got `str`"),
        ("options", "epochs", 0, "options.epochs: expected `int` >= 1"),
        ("options", "keep", "x", "options.keep: expected `str` matching"),
        ("options", "checkpoint_every", None, "options.checkpoint_every: expected `float`"),
        ("images", "rounds_per_epoch", 0, "images.rounds_per_epoch: expected `int` >= 1"),
        ("images", "classes", None, "images.classes: expected `array`"),
    ):
        write(part, name, value)
        found = error_of("show", "latest", code=1)
        assert f"{run.folder}/settings.json is damaged at {message}" in found
        assert "is left out" in call("runs")
    write("options", "fog", 3)
    message = error_of("train", "--resume", "latest", code=1)
    version = sal.__version__
    assert f"written by Salamandre {version}, has an option 'fog' that this version" in message
    file = run.folder / "settings.json"
    settings = json.loads(file.read_text())
    for damaged in ({**settings, "images": {}}, {**settings, "images": None}, {"format": "x"}, []):
        file.write_text(json.dumps(damaged))
        assert "settings.json is damaged" in error_of("show", "latest", code=1)


def test_a_folder_of_a_newer_version_is_refused(written):
    run, _ = written
    (run.folder / "settings.json").write_text(
        json.dumps({"format": FORMAT + 1, "versions": {"salamandre": "9.1"}})
    )
    for command in (("train", "--resume", "latest"), ("generate", "latest"), ("show", "latest")):
        message = error_of(*command, code=1)
        assert f"written by a newer Salamandre (9.1, run folders of format {FORMAT + 1}" in message
    assert "is left out" in call("runs")
