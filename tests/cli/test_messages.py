"""Every command, called wrongly: one sentence, and the exit code of its kind."""

from __future__ import annotations

import re
import shutil
import subprocess

import click
import pytest
from command import COMMAND, error_of, needs_signals, only

from salamandre.cli import main

EMPTY = "must be the name of a file or folder"
WHOLE = "must be a whole number of at least"
WRONG = [  # arguments, exit code, a part of the sentence
    ("trian", 2, "No such command 'trian'"),
    ("predict latest", 2, "No such command 'predict': it is salamandre generate RUN"),
    ("train x", 2, "unexpected extra argument (x): it may be --dataset NAME"),
    ("generate latest 135", 2, "unexpected extra argument (135): it may be --word WORD"),
    ("train --gpu", 2, "No such option --gpu: a GPU is used by --backend cupy"),
    ("train --lr 0.1", 2, "No such option --lr: each --architecture has rates of its own"),
    ("train --verbose", 2, "No such option --verbose: all is told already; --quiet tells less"),
    ("page latest --verbose", 2, "No such option '--verbose'"),
    ("train --epochs", 2, "'--epochs' requires an argument"),
    ("train --dataset empty", 2, "empty holds no picture"),
    ("train --output file.txt --epochs 1 --yes", 2, "cannot be file.txt: file.txt is a file"),
    ("train --output file.txt/x --yes", 2, "cannot be file.txt/x: file.txt is a file"),
    ("train --dataset digits --batch-size 1", 2, "cgan needs batches of at least 2 images"),
    ("train --dataset digits --image-size 4097", 2, "--image-size must be at most 4096, got 4097"),
    ("train --resume nope", 2, "there is no run 'nope' in runs"),
    ("train --resume latest --seed 9", 2, "--seed is 5 in digits/"),
    ("train --config nope.toml", 2, "nope.toml cannot be read"),
    ("train --config empty", 2, "empty cannot be read"),
    ("train --dataset mnist --data-dir empty", 1, "empty lacks train-images"),
    ("generate", 2, "name a run: its folder, a part of its name, or latest"),
    ("generate nope", 2, "there is no run 'nope' in runs; the nearest: digits/"),
    ("generate latest --checkpoint 5", 2, "keeps no networks of epoch 5"),
    ("generate latest --seed x", 2, f"{WHOLE} 0, got 'x'"),
    ("generate latest --to file.txt", 1, "file.txt: "),
    ("generate latest --to=", 2, EMPTY),
    ("generate --output empty latest", 2, "empty holds no runs"),
    ("translate latest", 2, "name the pictures to translate, after the run"),
    ("translate latest file.txt", 2, "makes no pictures from pictures, grey or coloured, but "),
    ("train --pairs grey", 2, "--pairs is for the architectures pix2pix, slides, not for cgan"),
    ("train --jitter", 2, "--jitter is for the architectures pix2pix, slides, not for cgan"),
    ("train --architecture slides --pairs gray", 2, "got 'gray', did you mean 'grey'?"),
    ("train --architecture slides --dataset empty", 2, "empty holds no picture"),
    (
        "train --architecture slides --label-column x",
        2,
        "architectures cgan, lscgan, cdcgan, dcgan, cwgan, n",
    ),
    ("show", 2, "name a run"),
    ("show empty", 2, "there is no run 'empty'"),
    ("show --output= x", 2, EMPTY),
    ("compare latest", 2, "compare needs two runs or more"),
    ("compare latest nope", 2, "there is no run 'nope'"),
    ("compare latest latest --to x.jpg", 2, "x.jpg must end in .png"),
    ("compare latest latest --to file.txt/x.png", 1, "file.txt"),
    ("runs x", 2, "unexpected extra argument"),
    ("runs --output file.txt", 2, "file.txt is a file"),
    ("datasets show", 2, "Missing argument 'NAME|PATH'"),
    ("inspect", 2, "Missing argument 'MODEL_OR_RUN'"),
    ("datasets fetch", 2, "name the data sets to be fetched"),
    ("bench --seconds -1", 2, "must be a number of at least 0, got '-1'"),
    ("bench --image-size 0", 2, f"{WHOLE} 1, got '0'"),
    ("bench --channels 2", 2, "unknown number of channels '2' (known: 1, 3)"),
]


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """A folder with a run, an empty folder and a file."""
    place = tmp_path_factory.mktemp("messages")
    shutil.copytree(trained, place / "runs")
    (place / "empty").mkdir()
    (place / "file.txt").write_text("x")
    return place


@pytest.mark.parametrize("given, code, message", WRONG, ids=[line[0] for line in WRONG])
def test_a_wrong_call_gets_one_sentence(folder, monkeypatch, given, code, message):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert message in error_of(*given.split(), code=code)
    assert sorted(folder.rglob("*")) == before


def test_no_name_at_all_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for given in (("show", ""), ("generate", "a\0b"), ("train", "--resume", "")):
        assert EMPTY in error_of(*given, code=2)


@needs_signals
def test_a_closed_pipe_and_missing_streams_are_no_error(folder):
    def shell(line):
        command = ["sh", "-c", line, "sh", *COMMAND]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    done = shell('"$@" show latest | head -1')
    assert done.stderr == "" and done.stdout.split() == [
        "run",
        f"digits/{only(folder / 'runs').name}",
    ]
    for line, code in (('"$@" runs', 0), ('"$@" show nope', 2), ('"$@" show latest --runs=', 2)):
        done = shell(f"{line} <&- >&- 2>&-")
        assert (done.returncode, done.stderr) == (code, "")


@needs_signals
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_shows_a_run(folder, monkeypatch, encoding):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    done = subprocess.run([*COMMAND, "show", "latest"], cwd=folder, capture_output=True)
    assert done.returncode == 0 and b"of digits, 1" in done.stdout, done.stderr


@pytest.mark.parametrize("command", ["train", "generate", "translate", "bench"])
def test_help_tells_each_option_with_a_value_its_default_in_the_same_words(command):
    for option in main.commands[command].params:
        if isinstance(option, click.Option) and not option.is_flag and not option.multiple:
            told = re.search(r"Default: .+\.$|; default\)", option.help)
            assert told or option.name in ("resume", "config", "word", "classes"), option.name
            assert not option.show_default
