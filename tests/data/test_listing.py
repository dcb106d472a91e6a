"""Which files are pictures of a folder: links, systems' own files, runs; what is passed over."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from salamandre.data.listing import RUN, is_hidden, is_run, search
from salamandre.runs.settings import FILE, LearnedImages, Settings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "runs-0.1"


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def listed(place):
    found = search(place, (".png", ".jpg"))
    return [path for path, *_ in found.pictures], found.passed_over()


def test_files_by_their_suffix(tmp_path):
    for name in ("b/2.PNG", "a/1.png", "a/deep/er/3.jpg", "c.jpg"):
        touch(tmp_path / name)
    for name in ("read.me", "a/x.txt", "a/y.TXT", "a/none"):
        touch(tmp_path / name)
    assert listed(tmp_path) == (
        ["a/1.png", "a/deep/er/3.jpg", "b/2.PNG", "c.jpg"],
        ["4 files of other kinds (.txt, .me, no suffix)"],
    )
    assert search(tmp_path, (".png",)).folders == ["a", "b"]


def test_size_and_date(tmp_path):
    os.utime(touch(tmp_path / "a.png"), ns=(1, 5))
    ((name, size, modified, changed),) = search(tmp_path, (".png",)).pictures
    assert (name, size, modified) == ("a.png", 1, 5)
    assert changed == (tmp_path / "a.png").stat().st_ctime_ns


def test_links_to_files_and_folders_are_followed(tmp_path):
    touch(tmp_path / "elsewhere" / "deep" / "1.png")
    touch(tmp_path / "one.png")
    place = tmp_path / "place"
    touch(place / "dog" / "1.png")
    (place / "cat").symlink_to(tmp_path / "elsewhere")
    (place / "dog" / "2.png").symlink_to(tmp_path / "one.png")
    assert listed(place) == (["cat/deep/1.png", "dog/1.png", "dog/2.png"], [])
    assert search(place, (".png",)).folders == ["cat", "dog"]
    (tmp_path / "link").symlink_to(place)
    assert listed(tmp_path / "link") == listed(place)


def test_circles_end(tmp_path):
    touch(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "self").symlink_to(tmp_path / "b")
    (tmp_path / "c").symlink_to("d")
    (tmp_path / "d").symlink_to("c")
    assert listed(tmp_path) == (
        ["a/1.png"],
        ["2 links to nothing (c, d)", "2 links to what is read already (a/up, b/self)"],
    )


def test_each_picture_once_under_its_own_path(tmp_path):
    """Whichever comes first in the alphabet."""
    touch(tmp_path / "m" / "1.png")
    for name in ("a", "z"):
        (tmp_path / f"{name}-folder").symlink_to("m")
        (tmp_path / name).mkdir()
        (tmp_path / name / "link.png").symlink_to("../m/1.png")
    pictures, (told,) = listed(tmp_path)
    assert pictures == ["m/1.png"]
    assert told.startswith("4 links to what is read already (")


def test_a_copy_and_a_hard_link_are_pictures_of_their_own(tmp_path):
    path = touch(tmp_path / "a.png")
    shutil.copy(path, tmp_path / "b.png")
    os.link(path, tmp_path / "c.png")
    assert listed(tmp_path) == (["a.png", "b.png", "c.png"], [])


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        "._1.png",
        ".ipynb_checkpoints",
        "@eaDir",
        "__MACOSX",
        "$RECYCLE.BIN",
        "System Volume Information",
        "Thumbs.db",
        "THUMBS.DB",
        "desktop.ini",
        "lost+found",
    ],
)
def test_what_systems_put_there_is_left_out_without_a_word(tmp_path, name):
    touch(tmp_path / "a.png")
    touch(tmp_path / "inner" / name)
    touch(tmp_path / name / "b.png")
    assert is_hidden(name)
    assert listed(tmp_path) == (["a.png"], [])
    assert search(tmp_path, (".png",)).folders == ["inner"]


def test_folders_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    touch(tmp_path / "a" / "1.png")
    touch(tmp_path / "b" / "1.png")
    scandir = os.scandir

    def denied(path):
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert listed(tmp_path) == (["a/1.png"], ["1 folder that cannot be read (b)"])
    with pytest.raises(PermissionError):  # of the folder itself
        listed(tmp_path / "b")


def test_runs_are_no_pictures(tmp_path):
    assert RUN == FILE
    touch(tmp_path / "cat" / "1.png")
    shutil.copytree(FIXTURES, tmp_path / "old")
    new = tmp_path / "runs" / "cats" / "20270101-000000"
    Settings.new("mine.py", {}, LearnedImages()).write(new)
    touch(new / "samples" / "1.png")
    pictures, (told,) = listed(tmp_path)
    assert pictures == ["cat/1.png"]
    assert told.startswith("4 runs of Salamandre (")


@pytest.mark.parametrize(
    "content", [b"{}", b"[1]", b"{", b"\xff", b'{"editor.tabSize": 4}', b"[" * 10**5]
)
def test_settings_of_other_programs_are_no_run(tmp_path, content):
    touch(tmp_path / "a" / "1.png")
    (tmp_path / "a" / RUN).write_bytes(content)
    assert not is_run(tmp_path / "a")
    assert listed(tmp_path) == (["a/1.png"], ["1 file of other kinds (.json)"])


def test_pictures_in_a_run_can_be_named(tmp_path):
    Settings.new("mine.py", {}, LearnedImages()).write(tmp_path)
    touch(tmp_path / "1.png")
    assert listed(tmp_path)[0] == ["1.png"]
