"""The command as a whole: help, Ctrl-C, completion, data sets, the machine's speed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from command import call, error_of, only, small_run

from salamandre.cli import main


def test_help_shows_a_first_try_to_be_pasted():
    lines = call("--help").splitlines()
    assert "    salamandre train --dataset digits" in lines
    assert "    salamandre generate latest --word 135792468" in lines


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_help_fits_narrow_terminals(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in (["train"], ["generate"], ["inspect"], ["datasets", "show"], ["compare"]):
        text, *lines = call(*command, "--help").split("\n\n")
        assert text.startswith("Usage: ")
        for line in "\n".join(lines).splitlines():
            assert len(line) <= columns or line.startswith("    salamandre"), line


def test_ctrl_c_ends_any_command_with_130_and_an_unanswered_question_with_1(place, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("salamandre.data.open", interrupt)
    assert call("train", "--dataset", "digits", code=130).strip() == "interrupted"
    monkeypatch.setattr("salamandre.cli.options.on_terminal", lambda: True)
    assert "Data set" in call("train", code=1)
    monkeypatch.setattr("click.termui.visible_prompt_func", interrupt)
    assert main(["train"], standalone_mode=False) == 130


@pytest.mark.filterwarnings("always")
def test_data_sets_are_listed_fetched_and_verified(place, monkeypatch):
    monkeypatch.setenv("SALAMANDRE_CACHE", str(place / "cache"))
    monkeypatch.delenv("SALAMANDRE_DATA", raising=False)
    assert "emnist-balanced" in call("datasets") == call("datasets", "list")
    assert call("datasets", "fetch", "digits").startswith("digits: 1,437 images")
    assert "as published" in call("datasets", "verify", "digits")
    assert "mnist: not here" in call("datasets", "verify", "mnist", code=1)
    (place / "gzip.zip").write_bytes(b"x")
    output = call("datasets", "verify", "emnist-digits", "--data-dir", place, code=1)
    assert "gzip.zip is damaged" in output
    assert "did you mean 'mnist'" in error_of("datasets", "fetch", "mnits", code=2)


def test_the_machine_is_measured(place):
    lines = call("bench", "--image-size", 8, "--batch-size", 8, "--seconds", 0.01).splitlines()
    names = ["architecture", "cgan", "lscgan", "cdcgan", "dcgan", "cwgan", "pix2pix", "slides"]
    assert [line.split()[0] for line in lines[1:]] == names


def test_completion_knows_names(place):
    small_run()
    program = "from salamandre.cli import main; main(prog_name='salamandre')"
    for words, wanted in (
        ("salamandre tr", "train"),
        ("salamandre train --dataset emnist-ba", "emnist-balanced"),
        ("salamandre generate dig", only("runs").name),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={
                **os.environ,
                "_SALAMANDRE_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
            },
            capture_output=True,
            text=True,
        )
        assert wanted in done.stdout, done
