"""KMNIST, QMNIST, SVHN, USPS and Omniglot on small files of the exact format."""

from __future__ import annotations

import bz2
import gzip
import hashlib

import numpy as np
import pytest
from command import call
from msgspec.structs import replace
from PIL import Image
from samples import idx, libsvm, mat, picture, svhn, zipped

from salamandre import data
from salamandre.data import CATALOGUE, CorruptData
from salamandre.data.catalogue import File

RANDOM = np.random.default_rng(0)
COUNTS = {"train": 5, "test": 4}
SETS = ("kmnist", "qmnist", "svhn", "usps", "omniglot")


def pixels(name, split):
    images = RANDOM.integers(0, 256, (COUNTS[split], *CATALOGUE[name].shape), np.uint8)
    return images // 128 * 255 if name == "omniglot" else images


def idx_files(name, images, labels):
    files = {}
    for split, prefix in (("train", "train"), ("test", "t10k" if name == "kmnist" else "test")):
        known = labels[split]
        if name == "kmnist":
            files[f"{prefix}-labels-idx1-ubyte.gz"] = idx(known)
            files[f"{prefix}-images-idx3-ubyte.gz"] = idx(images[split][:, 0])
        else:  # class, series, writer, digit of the writer, code, index, duplicate, unused
            rows = np.column_stack([known, np.full((len(known), 7), 281_769)])
            files[f"qmnist-{prefix}-labels-idx2-int.gz"] = idx(rows, 12)
            files[f"qmnist-{prefix}-images-idx3-ubyte.gz"] = idx(images[split][:, 0])
    return {file: gzip.compress(content) for file, content in files.items()}


def drawings(folder, images, labels, classes):
    """Omniglot's archive: folders, and pictures of one bit by alphabet and character."""
    members = {f"{folder}/": b"", f"{folder}/.DS_Store": b"x", f"__MACOSX/{folder}/._x": b"x"}
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        name = f"{folder}/{classes[label]}/character{i + 1:02}/{i:04}_01.png"
        members[name] = picture(np.asarray(Image.fromarray(image[0]).convert("1")))
    return zipped(members)


class Small:
    """A set of the catalogue with few examples: its arrays and its files."""

    def __init__(self, name, monkeypatch):
        entry = CATALOGUE[name]
        (form,) = entry.forms
        self.name, self.classes = name, entry.classes
        self.images = {split: pixels(name, split) for split in COUNTS}
        self.labels = {
            split: np.sort(RANDOM.integers(0, 10, count)).astype(np.uint8)
            for split, count in COUNTS.items()
        }
        if name == "omniglot":  # training and test alphabets are different
            self.labels["test"] += 30
        self.files = self.written()
        assert self.files.keys() == {file.name for file in form.files}
        files = tuple(
            File(file.name, hashlib.md5(self.files[file.name]).hexdigest(),
                 len(self.files[file.name]) if file.bytes else 0)
            for file in form.files
        )  # fmt: skip
        parts = tuple(replace(part, count=COUNTS[part.split]) for part in form.parts)
        self.entry = replace(entry, forms=(replace(form, files=files, parts=parts),))
        monkeypatch.setitem(CATALOGUE, name, self.entry)

    def written(self):
        if self.name in ("kmnist", "qmnist"):
            return idx_files(self.name, self.images, self.labels)
        splits = [(self.images[split], self.labels[split]) for split in COUNTS]
        if self.name == "svhn":
            names = "train_32x32.mat", "test_32x32.mat"
            contents = [mat(svhn(*pair)) for pair in splits]
        elif self.name == "usps":
            names = "usps.bz2", "usps.t.bz2"
            contents = [libsvm(*pair) for pair in splits]
        else:
            folders = "images_background", "images_evaluation"
            names = [f"{folder}.zip" for folder in folders]
            pairs = zip(folders, splits, strict=True)
            contents = [drawings(folder, *pair, self.classes) for folder, pair in pairs]
        return dict(zip(names, contents, strict=True))

    def write(self, folder):
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder

    def agrees_with(self, splits):
        for found in splits:
            np.testing.assert_array_equal(found.images, self.images[found.split])
            np.testing.assert_array_equal(found.labels, self.labels[found.split])
            assert found.classes == self.classes


@pytest.fixture(params=SETS)
def small(request, monkeypatch):
    return Small(request.param, monkeypatch)


def test_files_in_a_folder(small, tmp_path):
    folder = small.write(tmp_path)
    small.agrees_with(data.load(small.name, data_dir=folder))
    output = call("datasets", "verify", small.name, "--data-dir", folder)
    assert "5 images for training and 4 for testing" in output
    assert "as published" in output


def test_files_from_a_server(small, mirrors):
    (form,) = small.entry.forms
    mirrors.files = small.files
    form = replace(form, mirrors=(mirrors.url("missing"), mirrors.url("good")))
    CATALOGUE[small.name] = replace(small.entry, forms=(form,))
    small.agrees_with(data.load(small.name))
    count = len(mirrors.requests)
    small.agrees_with(data.open(small.name, download=False))
    assert len(mirrors.requests) == count == 2 * len(form.files)


@pytest.mark.parametrize("small", SETS[:-1], indirect=True)  # an archive is read with a warning
def test_other_files_of_their_names_are_refused(small, tmp_path):
    """MNIST has the names of KMNIST, and the content of none has a known checksum."""
    name = sorted(small.files)[0]
    small.write(tmp_path)
    changed = bytearray(small.files[name])
    changed[4] ^= 1  # of a gzip header the date
    (tmp_path / name).write_bytes(changed)
    with pytest.raises(CorruptData, match=f"{name} is not the published file: replace it"):
        data.load(small.name, data_dir=tmp_path)


def test_the_files_of_mnist_are_not_taken_for_kmnist(tmp_path, monkeypatch):
    made = Small("kmnist", monkeypatch)
    for name, content in made.files.items():
        (tmp_path / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    message = r"ubyte is not the published file: .* read with salamandre\.data\.open\("
    with pytest.raises(CorruptData, match=message):
        data.load("kmnist", data_dir=tmp_path)
    train, test = data.open(tmp_path)
    np.testing.assert_array_equal(train.images, made.images["train"])
    np.testing.assert_array_equal(test.images, made.images["test"])


def test_values_of_usps_that_are_not_written_are_grey(monkeypatch, tmp_path):
    made = Small("usps", monkeypatch)
    lines = [b"10 1:-1 256:1\n", b"1 \n", *[b"2 2:0.5\n"] * 3]
    made.files["usps.bz2"] = bz2.compress(b"".join(lines)[:-1])
    (form,) = made.entry.forms
    files = (replace(form.files[0], md5=hashlib.md5(made.files["usps.bz2"]).hexdigest()),
             form.files[1])  # fmt: skip
    CATALOGUE["usps"] = replace(made.entry, forms=(replace(form, files=files),))
    train, _ = data.load("usps", data_dir=made.write(tmp_path))
    assert train.labels.tolist() == [9, 0, 1, 1, 1]
    rows = train.images.reshape(5, -1)
    assert (rows[0, 0], rows[0, 255], rows[0, 1]) == (0, 255, 128)
    assert rows[2, 1] == round((0.5 + 1) * 127.5)


def test_the_alphabets_of_omniglot():
    classes = CATALOGUE["omniglot"].classes
    assert len(classes) == 50
    assert list(classes[:30]) == sorted(classes[:30])
    assert list(classes[30:]) == sorted(classes[30:])
    assert (CATALOGUE["omniglot"].train, CATALOGUE["omniglot"].test) == (964 * 20, 659 * 20)
