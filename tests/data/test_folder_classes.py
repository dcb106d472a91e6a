"""Folders of pictures: which sub-folders are classes, their names and their order."""

from __future__ import annotations

import os
import sys

import pytest
from samples import draw

from salamandre.data import folder
from salamandre.runs.settings import LearnedImages, Settings


@pytest.fixture
def pets(tmp_path):
    place = tmp_path / "pets"
    for number, name in enumerate(("cat", "dog", "thé")):
        draw(place / name / "a.png", (number,) * 3)
    return place


def test_sub_folders_are_classes(tmp_path):
    draw(tmp_path / "dog" / "1.png")
    draw(tmp_path / "cat" / "old" / "2.png", (0, 0, 255))
    draw(tmp_path / "cat" / "1.png")
    images = folder(tmp_path, 8)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 1]  # cat/1, cat/old/2, dog/1
    assert images.images[1, :, 4, 4].tolist() == [0, 0, 255]
    flat = folder(tmp_path, 8, classes=False)
    assert flat.classes == (tmp_path.name,)
    assert flat.labels.tolist() == [0, 0, 0]


def test_more_classes_than_a_byte_can_tell_apart(tmp_path):
    for number in range(300):
        draw(tmp_path / f"{number:03}" / "a.png", number % 256, size=(2, 2))
    for _ in range(2):
        images = folder(tmp_path, 1, channels=1)
        assert images.labels.tolist() == list(range(300))
        assert images.images[:, 0, 0, 0].tolist() == [number % 256 for number in range(300)]


@pytest.mark.skipif(sys.platform != "linux", reason="the file system takes no such names")
def test_a_class_with_an_undecodable_name(tmp_path):
    draw(tmp_path / os.fsdecode(b"caf\xe9") / "a.png")
    draw(tmp_path / "thé" / "a.png")
    with pytest.raises(ValueError, match=r"folder 'caf\\udce9' is not valid text: rename it"):
        folder(tmp_path)
    assert len(folder(tmp_path, classes=False)) == 2


def test_class_folders_without_a_readable_picture_are_named_and_no_classes(tmp_path):
    for name in ("cat", "dog"):
        draw(tmp_path / name / "a.png")
    (tmp_path / "bird").mkdir()
    (tmp_path / "cow").mkdir()
    (tmp_path / "cow" / "a.png").write_bytes(b"no picture")
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "a.txt").touch()
    for _ in range(2):
        with pytest.warns(
            UserWarning, match=r"3 folders without a .* \(bird, emu, cow\)"
        ) as caught:
            images = folder(tmp_path, 8)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert images.classes == ("cat", "dog")
        assert images.labels.tolist() == [0, 1]


def test_decomposed_names_are_composed(tmp_path):
    """Systems write the same name in two ways; what looks alike is one class."""
    draw(tmp_path / "a\u0308" / "1.png", (1, 1, 1))
    draw(tmp_path / "b" / "1.png", (2, 2, 2))
    draw(tmp_path / "\u00e4" / "1.png", (3, 3, 3))
    images = folder(tmp_path, 8)
    assert images.classes == ("b", "\u00e4")
    assert dict(zip(images.images[:, 0, 0, 0].tolist(), images.labels.tolist(), strict=True)) == {
        1: 1,
        2: 0,
        3: 1,
    }


def test_names_of_classes_from_a_file(pets, tmp_path):
    names = tmp_path / "names.txt"
    names.write_bytes(b"\xef\xbb\xbfthe\xcc\x81\r\ncat\r\ndog\r\n\r\n")
    for given in (names, str(names), ["the\u0301", "cat", "dog"]):
        images = folder(pets, 8, class_names=given)
        assert images.classes == ("thé", "cat", "dog")
        assert dict(
            zip(images.images[:, 0, 0, 0].tolist(), images.labels.tolist(), strict=True)
        ) == {0: 1, 1: 2, 2: 0}
    assert folder(pets, 8).labels.tolist() == [0, 1, 2]


def test_a_named_class_without_pictures_stays_one(pets):
    (pets / "bird").mkdir()
    with pytest.warns(UserWarning, match=r"1 folder without a readable picture \(bird\)"):
        images = folder(pets, 8, class_names=("bird", "cat", "dog", "thé"))
    assert images.classes == ("bird", "cat", "dog", "thé")
    assert images.labels.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (
            ["cat", "dog", "thé", "cow"],
            r"name 'cow', which is no folder in .*pets: name each of 'c",
        ),
        (
            ["cat", "thé"],
            r"do not name the folder 'dog' in .*pets: name each of 'cat', 'dog', 'thé'",
        ),
        (["cat", "dog", "thé", "dog"], r"name a folder twice"),
    ],
)
def test_class_names_that_do_not_fit(pets, names, fault):
    with pytest.raises(ValueError, match=fault):
        folder(pets, 8, class_names=names)


def test_class_names_without_classes(pets):
    for place, how in ((pets / "cat", {}), (pets, {"classes": False})):
        with pytest.raises(ValueError, match=r"is read without: leave out 'cat', 'dog'$"):
            folder(place, 8, class_names=("cat", "dog"), **how)


def test_a_file_of_class_names_that_cannot_be_read(pets, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        folder(pets, 8, class_names=tmp_path / "nowhere.txt")
    (tmp_path / "names.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"names\.txt is no text in UTF-8: write the names"):
        folder(pets, 8, class_names=tmp_path / "names.txt")


def test_its_own_results_and_its_cache_are_no_data(pets, monkeypatch):
    monkeypatch.setenv("SALAMANDRE_CACHE", str(pets / "cache"))
    before = folder(pets, 8)
    Settings.new("mine", {}, LearnedImages()).write(pets / "runs" / "pets" / "20260101-000000")
    draw(pets / "runs" / "pets" / "20260101-000000" / "samples" / "1.png")
    with pytest.warns(UserWarning, match=r": passed over 1 run of Salamandre \(runs/pets/20\S+$"):
        after = folder(pets, 8)
    assert after.classes == before.classes
    assert after.checksum == before.checksum
