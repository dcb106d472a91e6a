"""CIFAR-10 and CIFAR-100 in every published form, on small files of the exact format."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
import tarfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from command import call
from msgspec.structs import replace
from PIL import Image
from samples import is_mapped

from salamandre import data
from salamandre.data import CATALOGUE, CorruptData, DataUnavailable
from salamandre.data.unpickling import unpickle

REAL = os.environ.get("SALAMANDRE_DATA")
RANDOM = np.random.default_rng(0)
COUNT = 4  # examples in each member of the small sets


def md5(content):
    return hashlib.md5(content).hexdigest()


class Small:
    """A data set of the catalogue with few examples, and the members of one of its forms."""

    def __init__(self, name, form, checksums=True):
        entry, self.form = CATALOGUE[name], form
        archive = next(archive for archive in entry.forms if archive.format == form)
        self.images, self.labels, self.members, members = {}, {}, {}, []
        for member in archive.parts:
            images = RANDOM.integers(0, 256, (COUNT, 3, 32, 32), np.uint8)
            fine, coarse = RANDOM.integers(0, (10, 7), (COUNT, 2), np.uint8).T
            content = getattr(self, form)(images, fine, coarse, archive)
            labels = coarse if archive.labels == "coarse_labels" else fine
            self.images.setdefault(member.split, []).append(images)
            self.labels.setdefault(member.split, []).append(labels)
            self.members[member.name] = content
            members.append(replace(member, count=COUNT, md5=md5(content) if checksums else ""))
        self.packed = self.pack(self.members)
        self.file = replace(archive.files[0], md5=md5(self.packed), bytes=len(self.packed))
        self.archive = replace(archive, parts=tuple(members), files=(self.file,))
        self.entry = replace(entry, forms=(self.archive,))

    @staticmethod
    def records(images, fine, coarse, archive):
        before = [fine] if archive.labels == "labels" else [coarse, fine]
        return np.column_stack([*before, images.reshape(COUNT, -1)]).tobytes()

    @staticmethod
    def pickles(images, fine, coarse, archive):
        content = {"data": images.reshape(COUNT, -1), "batch_label": "batch 1 of 2"}
        if archive.labels == "labels":
            content["labels"] = fine.tolist()
        else:
            content |= {"fine_labels": fine.tolist(), "coarse_labels": coarse.tolist()}
        return pickle.dumps(content, protocol=4)

    @staticmethod
    def pack(members, mode="gz"):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode=f"w:{mode}") as archive:
            for name, content in reversed(members.items()):  # the official order is none either
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return file.getvalue()

    def write(self, folder, packed=None):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.file.name).write_bytes(self.packed if packed is None else packed)
        return folder

    def unpack(self, folder):
        for name, content in self.members.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    def agrees_with(self, train, test):
        for split, found in (("train", train), ("test", test)):
            np.testing.assert_array_equal(found.images, np.concatenate(self.images[split]))
            np.testing.assert_array_equal(found.labels, np.concatenate(self.labels[split]))
            assert (found.split, found.classes) == (split, self.entry.classes)


FORMS = [
    (name, form)
    for name in ("cifar-10", "cifar-100", "cifar-100-coarse")
    for form in ("records", "pickles")
]


@pytest.fixture
def small(monkeypatch):
    def make(name="cifar-10", form="records", **more):
        made = Small(name, form, **more)
        monkeypatch.setitem(CATALOGUE, name, made.entry)
        return made

    return make


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_archive_and_what_it_unpacks_to(small, tmp_path, name, form):
    made = small(name, form)
    made.agrees_with(*data.load(name, data_dir=made.write(tmp_path / "packed")))
    made.agrees_with(*data.load(name, data_dir=made.unpack(tmp_path / "loose")))
    folder = Path(made.archive.parts[0].name).parts[0]
    made.agrees_with(*data.load(name, data_dir=tmp_path / "loose" / folder))
    below = made.write(tmp_path / "all" / (made.entry.family or name))
    made.agrees_with(*data.load(name, data_dir=below.parent))


def test_it_is_converted_once(small, tmp_path, monkeypatch):
    made = small()
    folder = made.write(tmp_path / "data")
    data.load("cifar-10", data_dir=folder)
    monkeypatch.setattr(tarfile, "open", None)
    monkeypatch.setenv("SALAMANDRE_DATA", str(folder))
    train, test = data.load("cifar-10")
    made.agrees_with(train, test)
    assert is_mapped(train.images)


@pytest.mark.skipif(sys.platform == "win32", reason="a time of change is that of creation there")
def test_changed_files_are_converted_again(small, tmp_path):
    made = small(checksums=False)
    folder = made.unpack(tmp_path)
    path = folder / "cifar-10-batches-bin" / "test_batch.bin"
    os.utime(path, (1, 1))
    made.agrees_with(*data.load("cifar-10", data_dir=folder))
    time.sleep(0.01)  # more than a step of the file system's clock
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, (1, 1))  # as a copy that keeps size and date
    _, test = data.load("cifar-10", data_dir=folder)
    assert not test.images.any()


@pytest.mark.parametrize("form", ["records", "pickles"])
def test_an_archive_that_was_packed_again(small, tmp_path, form):
    made = small(form=form)
    folder = made.write(tmp_path / "known", Small.pack(made.members, "xz"))
    made.agrees_with(*data.load("cifar-10", data_dir=folder))  # its content has a known checksum
    made = small(form=form, checksums=False)
    folder = made.write(tmp_path / "unknown", Small.pack(made.members, "xz"))
    with pytest.warns(
        UserWarning,
        match="is not the published archive .* shapes and counts are checked, bytes are not",
    ):
        made.agrees_with(*data.load("cifar-10", data_dir=folder))
    output = call("datasets", "verify", "cifar-10", "--data-dir", folder, code=1)
    assert "cifar-10: could not be verified: " in output
    assert "as published" not in output


def test_a_changed_byte_of_an_archive_is_found_by_its_own_checksum(small, tmp_path):
    made = small(checksums=False)
    packed = bytearray(made.packed)
    packed[len(packed) // 2] ^= 1
    folder = made.write(tmp_path, bytes(packed))
    with (
        pytest.warns(UserWarning, match="is not the published archive"),
        pytest.raises(CorruptData, match=r"binary\.tar\.gz is damaged .CRC check failed"),
    ):
        data.load("cifar-10", data_dir=folder)


def change(position, value):
    def spoil(content):
        return content[:position] + bytes([value]) + content[position + 1 :]

    return spoil


BAD = {
    "cut": (lambda c: c[:-1], False, "ends after 3 of 4 examples"),
    "long": (lambda c: c + b"x", False, "has more than 4 examples"),
    "unknown label": (change(0, 10), False, "has a label that is none of the 10 classes"),
    "changed": (lambda c: c[:-1] + b"?", True, "was changed .it has MD5 .*, not "),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "loose"])
def test_a_bad_member_is_named(small, tmp_path, case, packed):
    spoil, checksums, message = BAD[case]
    made = small(checksums=checksums)
    name = "cifar-10-batches-bin/data_batch_3.bin"
    made.members[name] = spoil(made.members[name])
    if packed:
        place = made.write(tmp_path, Small.pack(made.members)) / made.file.name
        message = f"holds a {name} that {message}"
    else:
        place = made.unpack(tmp_path) / name
    with warnings.catch_warnings(), pytest.raises(CorruptData, match=f"{place} {message}") as error:
        warnings.simplefilter("ignore")
        data.load("cifar-10", data_dir=tmp_path)
    assert "replace it with a good copy of cifar-10-binary.tar.gz" in str(error.value)
    assert "\n" not in str(error.value)
    kept = (tmp_path / "cache").rglob("*train*")
    assert not [path for path in kept if path.is_file()]


@pytest.mark.parametrize("packed", [b"", b"<html>", None], ids=["empty", "web page", "cut"])
def test_a_damaged_archive_is_named(small, tmp_path, packed):
    made = small()
    folder = made.write(tmp_path, made.packed[:-2000] if packed is None else packed)
    with pytest.raises(CorruptData, match=r"binary\.tar\.gz is damaged .*copy of .* CIFAR-10"):
        data.load("cifar-10", data_dir=folder)


def test_an_archive_without_a_member(small, tmp_path):
    made = small()
    del made.members["cifar-10-batches-bin/data_batch_2.bin"]
    folder = made.write(tmp_path, Small.pack(made.members))
    with pytest.raises(CorruptData, match=r"holds 0 images in .*/data_batch_2\.bin, not 4"):
        data.load("cifar-10", data_dir=folder)


def test_an_archive_cannot_reach_out_of_itself(small, tmp_path):
    made = small()
    name = "cifar-10-batches-bin/data_batch_2.bin"
    outside = tmp_path / "outside"
    outside.write_bytes(made.members.pop(name))
    file = io.BytesIO(Small.pack({"../evil": b"x", "/tmp/evil": b"x", **made.members}, ""))
    with tarfile.open(fileobj=file, mode="a") as archive:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
    folder = made.write(tmp_path / "a" / "b", file.getvalue())
    with pytest.raises(CorruptData, match=r"holds 0 images in .*/data_batch_2\.bin, not 4"):
        data.load("cifar-10", data_dir=folder)
    assert not list(tmp_path.rglob("evil"))


def test_a_folder_that_lacks_the_set(small, tmp_path, monkeypatch):
    made = small()
    with pytest.raises(DataUnavailable, match=r"lacks cifar-10-binary\.tar\.gz; put cifar-10-bin"):
        data.load("cifar-10", data_dir=tmp_path)
    with pytest.raises(DataUnavailable, match="nowhere is no folder"):
        data.load("cifar-10", data_dir=tmp_path / "nowhere")
    made.unpack(tmp_path)
    (tmp_path / "cifar-10-batches-bin" / "data_batch_1.bin").unlink()
    with pytest.raises(DataUnavailable, match=r"lacks cifar-10-batches-bin/data_batch_1\.bin; put"):
        data.load("cifar-10", data_dir=tmp_path)
    monkeypatch.setenv("SALAMANDRE_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match="downloading was not allowed"):
        data.load("cifar-10", download=False)


def test_a_cache_that_cannot_be_written(small, tmp_path):
    made = small()
    (tmp_path / "file").touch()
    folder = made.write(tmp_path / "data")
    with pytest.warns(UserWarning, match="cannot be written .* so the data stays in memory"):
        made.agrees_with(*data.load("cifar-10", data_dir=folder, cache_dir=tmp_path / "file"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": [0] * COUNT}, "holds no array 'data'"),
        ({"data": np.zeros((COUNT, 3072)), "labels": [0] * COUNT}, "holds no array 'data'"),
        ({"data": np.zeros((3, 3072), np.uint8)}, r"data of shape \(3, 3072\), not \(4, 3072\)"),
        ({"data": np.zeros((COUNT, 3072), np.uint8), "labels": [0]}, "no list 'labels' of 4"),
        ({"data": np.zeros((COUNT, 3072), np.uint8), "labels": [-1] * COUNT}, "no list 'labels'"),
    ],
)
def test_a_pickle_of_something_else(small, tmp_path, content, message):
    made = small(form="pickles", checksums=False)
    made.members["cifar-10-batches-py/data_batch_1"] = pickle.dumps(content, protocol=4)
    with pytest.raises(CorruptData, match=message):
        data.load("cifar-10", data_dir=made.unpack(tmp_path))


# -- pictures ------------------------------------------------------------------------------------


def picture(size=(32, 32), format="PNG"):
    pixels = RANDOM.integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return pixels, file.getvalue()


@pytest.fixture
def drawn(monkeypatch):
    """CIFAR-10 as 2 + 1 pictures."""
    entry = CATALOGUE["cifar-10"]
    form = next(form for form in entry.forms if form.format == "pictures")
    count = {"train": 2, "test": 1}
    form = replace(form, parts=tuple(replace(part, count=count[part.split]) for part in form.parts))
    monkeypatch.setitem(CATALOGUE, "cifar-10", replace(entry, forms=(form,)))
    return form.files[0]


@pytest.mark.filterwarnings("ignore:.*is not the published archive")
def test_pictures_by_class(drawn, tmp_path):
    made = {
        f"cifar-10-images/{name}.png": picture()
        for name in ("train/dog/0000", "train/bird/0000", "test/truck/0000")
    }
    packed = Small.pack({name: content for name, (_, content) in made.items()})
    (tmp_path / drawn.name).write_bytes(packed)
    train, test = data.load("cifar-10", data_dir=tmp_path)
    assert [train.classes[label] for label in train.labels] == ["bird", "dog"]  # packed reversed
    assert [test.classes[label] for label in test.labels] == ["truck"]
    pixels = [made[f"cifar-10-images/train/{name}/0000.png"][0] for name in ("bird", "dog")]
    np.testing.assert_array_equal(train.images, np.stack(pixels).transpose(0, 3, 1, 2))


@pytest.mark.filterwarnings("ignore:.*is not the published archive")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"train/cat/1": b"\x89PNG"}, "holds a .*train/cat/1 that is no readable picture"),
        (
            {"train/cow/1": picture()[1]},
            "train/cow/1 that belongs to none of the 10 classes",
        ),
        (
            {"train/cat/1": picture((32, 31))[1]},
            r"cat/1 that is no .* .it has 31×32 pixels",
        ),
        (
            {"train/cat/1": picture()[1], "train/cat/2": picture()[1]},
            "cifar-10-images/train/cat/. that is one of more than 2 images",
        ),
        ({}, "holds 1 images in cifar-10-images/train, not 2"),
    ],
)
def test_other_pictures_are_refused(drawn, tmp_path, more, message):
    content = {"train/cat/0": picture()[1], "test/cat/0": picture()[1], **more}
    packed = Small.pack({f"cifar-10-images/{name}": file for name, file in content.items()})
    (tmp_path / drawn.name).write_bytes(packed)
    with pytest.raises(CorruptData, match=message):
        data.load("cifar-10", data_dir=tmp_path)


# -- the published files -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="SALAMANDRE_DATA names no folder with the published data sets")
def test_the_published_files():
    if not (Path(REAL) / "cifar-10-images.tar.gz").is_file():
        pytest.skip("CIFAR-10 is not among the published data sets here")
    train, test = data.load("cifar-10", data_dir=REAL)
    assert (len(train), len(test), train.shape, test.shape) == (50_000, 10_000, *[(3, 32, 32)] * 2)
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    names = unpickle((Path(REAL) / "cifar-10-batches-py" / "batches.meta").read_bytes())
    assert train.classes == tuple(name.decode() for name in names["label_names"])
    # The pictures of the test set are those of the batch, but for what JPEG loses.
    content = Path(REAL) / "cifar-10-images.tar.gz"
    number = test.classes.index("frog")
    with tarfile.open(content) as archive:
        file = archive.extractfile("cifar-10-images/test/frog/0000.jpg")
        pixels = np.asarray(Image.open(file)).transpose(2, 0, 1).astype(int)
    first = test.images[np.flatnonzero(test.labels == number)[0]]
    assert np.abs(pixels - first).mean() < 10


def test_classes():
    fine, coarse = CATALOGUE["cifar-100"].classes, CATALOGUE["cifar-100-coarse"].classes
    assert len(set(fine)) == len(fine) == 100
    assert len(set(coarse)) == len(coarse) == 20
    assert list(fine) == sorted(fine)
    assert list(coarse) == sorted(coarse)
    assert (CATALOGUE["cifar-10"].size, CATALOGUE["cifar-10"].channels) == (32, 3)
