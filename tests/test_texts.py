"""Paths, names of files and printed commands."""

from __future__ import annotations

import shlex
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

import salamandre as sal
from salamandre import plots
from salamandre.texts import counted, file_name, folder_of, pasteable, path_of, readable_name

WORDS = ("-x+", "+x-", "?x?", "Hello", "hello", "HELLO", "con", "a.", "a", "a ", ".a", "x" * 300)
WORDS = (*WORDS, "x" * 301, "a/b", "a_b", "a\\b", "..", "", "hello-0123abcd", "T-shirt/top", "\0")


@given(st.lists(st.text(max_size=6), min_size=2, max_size=2, unique=True))
@settings(max_examples=200, deadline=None)
def test_different_texts_have_names_that_differ_in_more_than_case(pair):
    one, other = (unicodedata.normalize("NFC", text) for text in pair)
    if one != other:
        assert file_name(one).casefold() != file_name(other).casefold()


def test_names_are_allowed_on_all_systems_and_tell_what_they_stand_for(tmp_path):
    names = [file_name(word) for word in WORDS]
    assert len({name.casefold() for name in names}) == len(WORDS)
    for name in names:
        assert not set(name) & set('<>:"/\\|?*\0') and name == name.strip(" .")
        assert name.split(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1", "lpt1")
        (tmp_path / f"{name}.txt").write_text("x")
    assert len(list(tmp_path.iterdir())) == len(WORDS)
    assert file_name("hello") == "hello" and file_name("Hello").startswith("Hello-")
    assert file_name("a\u0308") == file_name("\xe4") == "\xe4"
    assert readable_name("T-shirt/top") == "T-shirt_top" and readable_name("COM1.x") == "_COM1.x"


def test_home_is_found_everywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert path_of("~/x") == tmp_path / "x" and path_of(Path("~")) == tmp_path
    assert path_of("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    network = sal.Network([sal.NeuronLayer(1)], 2)
    network.save("~/net.safetensors")
    assert sal.Network.load("~/net.safetensors").output_shape == (1,)
    plots.save_grid([[[[0.5]]]], "~/grid.png")
    sal.Curves("~/curves").folder.mkdir()
    assert {path.name for path in tmp_path.iterdir()} == {"net.safetensors", "grid.png", "curves"}


@pytest.mark.parametrize("path", ["", "a\0b", b"a", None, 3])
def test_what_names_no_file_is_refused(path):
    with pytest.raises(ValueError, match="must be the name of a file or folder"):
        path_of(path)


def test_commands_can_be_pasted(monkeypatch):
    words = ("salamandre", "show", "a b&c 'd' $HOME")
    assert shlex.split(pasteable(*words)) == list(words)
    monkeypatch.setattr("sys.platform", "win32")
    assert pasteable(*words) == subprocess.list2cmdline(words)


def test_one_is_not_plural():
    assert [counted(n, "round") for n in (0, 1, 1200)] == ["0 rounds", "1 round", "1,200 rounds"]


def test_a_folder_need_not_be_there_but_is_no_file_nor_below_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    for good in (tmp_path, tmp_path / "a" / "b", Path("a"), Path(".")):
        assert folder_of(good) == good
    for bad in ("file", "file/a", tmp_path / "file" / "a" / "b"):
        with pytest.raises(ValueError, match=r"^runs cannot be .*file.*: .*file is a file$"):
            folder_of(bad, "runs")
