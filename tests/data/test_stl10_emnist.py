"""STL-10 and EMNIST on small files of the exact format: upright, labelled from 0, in blocks."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from msgspec.structs import replace

from salamandre import data
from salamandre.data import CATALOGUE, CorruptData, DataUnavailable, formats
from salamandre.data.catalogue import File

RANDOM = np.random.default_rng(0)
EMNIST = [name for name, entry in CATALOGUE.items() if entry.family == "emnist"]


def md5(content):
    return hashlib.md5(content).hexdigest()


def install(monkeypatch, name, count, content, checksums):
    """Put a small copy of an entry into the catalogue."""
    (form,) = CATALOGUE[name].forms
    parts = tuple(
        replace(part, count=count[part.split], md5=md5(content[part.name]) if checksums else "")
        for part in form.parts
    )
    form = replace(form, parts=parts)
    monkeypatch.setitem(CATALOGUE, name, replace(CATALOGUE[name], forms=(form,)))


def tar(content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


# -- STL-10 --------------------------------------------------------------------------------------


class Stl:
    """Images and labels of STL-10, and the files of its archive in their order."""

    counts = {"train": 5, "test": 3}

    def __init__(self, monkeypatch, unlabeled=7):
        self.images, self.labels, self.content = {}, {}, {}
        for split, count in (("test", 3), ("train", 5), ("unlabeled", unlabeled)):
            images = RANDOM.integers(0, 256, (count, 3, 96, 96), np.uint8)
            # A pixel is at [channel, column, row] of the file.
            self.content[f"stl10_binary/{split}_X.bin"] = images.swapaxes(2, 3).tobytes()
            self.images[split] = images
            if split != "unlabeled":
                labels = RANDOM.integers(0, 10, count, np.uint8)
                self.content[f"stl10_binary/{split}_y.bin"] = (labels + 1).astype("u1").tobytes()
                self.labels[split] = labels
        install(monkeypatch, "stl-10", self.counts, self.content, True)
        counts = {**self.counts, "train": unlabeled}
        install(monkeypatch, "stl-10-unlabeled", counts, self.content, True)

    def write(self, folder):
        (folder / "stl10_binary.tar.gz").write_bytes(tar(self.content))
        return folder


@pytest.fixture
def stl(monkeypatch):
    return Stl(monkeypatch)


def test_stl_10(stl, tmp_path):
    for found in data.load("stl-10", data_dir=stl.write(tmp_path)):
        np.testing.assert_array_equal(found.images, stl.images[found.split])
        np.testing.assert_array_equal(found.labels, stl.labels[found.split])
    assert CATALOGUE["stl-10"].classes[2] == "car"


def test_stl_10_without_labels(stl, tmp_path):
    train, test = data.load("stl-10-unlabeled", data_dir=stl.write(tmp_path))
    np.testing.assert_array_equal(train.images, stl.images["unlabeled"])
    np.testing.assert_array_equal(test.images, stl.images["test"])
    assert train.classes == ("unlabeled",)
    assert not train.labels.any()
    assert len(train.labels) == 7


def test_stl_10_unpacked(stl, tmp_path):
    for name, content in stl.content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for place in (tmp_path, tmp_path / "stl10_binary"):
        train, _ = data.load("stl-10", data_dir=place)
        np.testing.assert_array_equal(train.images, stl.images["train"])


def test_no_more_is_unpacked_than_is_needed(stl, tmp_path):
    packed = tar(stl.content)
    without = tar({name: stl.content[name] for name in list(stl.content)[:-1]})
    assert len(packed) - len(without) > 100_000
    # What comes after the labels is not even looked at, so that it may be missing.
    (tmp_path / "stl10_binary.tar.gz").write_bytes(packed[: len(packed) - 100_000])
    train, _ = data.load("stl-10", data_dir=tmp_path)
    np.testing.assert_array_equal(train.images, stl.images["train"])
    with pytest.raises(CorruptData, match=r"stl10_binary\.tar\.gz .*(damaged|ends after)"):
        data.load("stl-10-unlabeled", data_dir=tmp_path)


def test_stl_10_in_bounded_memory(monkeypatch, tmp_path):
    stl = Stl(monkeypatch, unlabeled=400)  # 11 MB
    monkeypatch.setattr(formats, "BLOCK", 1 << 18)
    stl.write(tmp_path)
    tracemalloc.start()
    train, _ = data.load("stl-10-unlabeled", data_dir=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6
    np.testing.assert_array_equal(train.images, stl.images["unlabeled"])


def test_a_changed_byte_of_stl_10(stl, tmp_path):
    content = stl.content["stl10_binary/train_X.bin"]
    stl.content["stl10_binary/train_X.bin"] = content[:-1] + bytes([content[-1] ^ 1])
    stl.write(tmp_path)
    with pytest.raises(CorruptData, match=r"holds a stl10_binary/train_X\.bin that was changed"):
        data.load("stl-10", data_dir=tmp_path)


# -- EMNIST --------------------------------------------------------------------------------------


class Emnist:
    """The files of EMNIST's archive, and what one of its sets shall be read as."""

    counts = {"train": 6, "test": 4}

    def __init__(self, monkeypatch, name):
        self.images, self.labels, self.content = {}, {}, {}
        for other in EMNIST:
            (form,), classes = CATALOGUE[other].forms, CATALOGUE[other].classes
            for split, count in self.counts.items():
                images = RANDOM.integers(0, 256, (count, 1, 28, 28), np.uint8)
                labels = RANDOM.integers(0, len(classes), count, np.uint8)
                labels[0] = len(classes) - 1
                lying = struct.pack(">4I", 2051, count, 28, 28) + images.swapaxes(2, 3).tobytes()
                numbers = (labels + form.first_label).astype(np.uint8)
                listed = struct.pack(">2I", 2049, count) + numbers.tobytes()
                start = f"gzip/{'emnist-byclass' if other == 'emnist' else other}-{split}"
                self.content[f"{start}-images-idx3-ubyte.gz"] = gzip.compress(lying)
                self.content[f"{start}-labels-idx1-ubyte.gz"] = gzip.compress(listed)
                if other == name:
                    self.images[split], self.labels[split] = images, labels
        install(monkeypatch, name, self.counts, self.content, False)
        self.name, self.monkeypatch = name, monkeypatch

    def write(self, folder):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in self.content.items():
                archive.writestr(name, content)
        folder.mkdir(exist_ok=True)
        (folder / "gzip.zip").write_bytes(file.getvalue())
        entry = CATALOGUE[self.name]
        published = File("gzip.zip", md5(file.getvalue()))
        form = replace(entry.forms[0], files=(published,))
        self.monkeypatch.setitem(CATALOGUE, self.name, replace(entry, forms=(form,)))
        return folder

    def agrees_with(self, splits):
        for found in splits:
            np.testing.assert_array_equal(found.images, self.images[found.split])
            np.testing.assert_array_equal(found.labels, self.labels[found.split])


@pytest.mark.parametrize("name", EMNIST)
def test_emnist(monkeypatch, tmp_path, name):
    made = Emnist(monkeypatch, name)
    splits = data.load(name, data_dir=made.write(tmp_path))
    made.agrees_with(splits)
    assert splits[0].labels.max() == len(splits[0].classes) - 1


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
@pytest.mark.parametrize("place", ["gzip", ""])
def test_emnist_unpacked(monkeypatch, tmp_path, packed, place):
    made = Emnist(monkeypatch, "emnist-letters")
    (tmp_path / place).mkdir(exist_ok=True)
    for name, content in made.content.items():
        path = tmp_path / place / name.removeprefix("gzip/")
        if packed:
            path.write_bytes(content)
        else:
            path.with_suffix("").write_bytes(gzip.decompress(content))
    made.agrees_with(data.load("emnist-letters", data_dir=tmp_path))


def test_only_the_members_of_the_set_are_read(monkeypatch, tmp_path):
    made = Emnist(monkeypatch, "emnist-digits")
    for name in made.content:
        if "digits" not in name:
            made.content[name] = b"nothing that could be read"
    made.agrees_with(data.load("emnist-digits", data_dir=made.write(tmp_path)))


def test_classes_of_emnist():
    assert [len(CATALOGUE[name].classes) for name in EMNIST] == [62, 47, 47, 26, 10, 10]
    merged = CATALOGUE["emnist-balanced"].classes
    assert "".join(merged[36:]) == "abdefghnqrt"  # as emnist-balanced-mapping.txt lists them
    assert merged[10] == "A"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: gzip.compress(gzip.decompress(c)[:-1]), "ends after 5 of 6 examples"),
        (lambda c: gzip.compress(gzip.decompress(c) + b"x"), "has more than 6 examples"),
        (lambda c: gzip.compress(gzip.decompress(c)[:5]), r"the IDX header \(2049,\), not \(2049"),
        (lambda c: gzip.compress(gzip.decompress(c)[:-1] + b"\0"), "none of the 26 classes"),
        (lambda c: gzip.compress(gzip.decompress(c)[:-1] + b"\x1b"), "none of the 26 classes"),
        (lambda c: b"", r"IDX header \(\), not"),
        (lambda c: b"<html>no", r"has the IDX header \(\d+, \d+\), not \(2049, 6\)"),
        (lambda c: c[:-9], "is damaged"),
    ],
)
def test_bad_labels_are_named(monkeypatch, tmp_path, spoil, message):
    made = Emnist(monkeypatch, "emnist-letters")
    name = "gzip/emnist-letters-train-labels-idx1-ubyte.gz"
    made.content[name] = spoil(made.content[name])
    with pytest.raises(CorruptData, match=rf"gzip\.zip .*{message}"):
        data.load("emnist-letters", data_dir=made.write(tmp_path))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>"])
def test_a_damaged_zip(monkeypatch, tmp_path, content):
    made = Emnist(monkeypatch, "emnist-mnist")
    (made.write(tmp_path) / "gzip.zip").write_bytes(content)
    with (
        pytest.warns(UserWarning, match="is not the published archive"),
        pytest.raises(CorruptData, match=r"gzip\.zip is damaged"),
    ):
        data.load("emnist-mnist", data_dir=tmp_path)


def test_a_folder_without_it(tmp_path):
    with pytest.raises(DataUnavailable, match=r"lacks gzip\.zip; put gzip\.zip into a folder"):
        data.load("emnist-letters", data_dir=tmp_path)
