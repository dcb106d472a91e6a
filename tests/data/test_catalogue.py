"""The catalogue and the published files agree with each other and with what is known of them."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from salamandre.data import CATALOGUE, load

PER_CLASS = {
    "mnist": (
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    "fashion-mnist": ([6000] * 10, [1000] * 10),
}


@pytest.fixture(scope="module")
def cache_of_all(tmp_path_factory):
    return tmp_path_factory.mktemp("converted")


@pytest.mark.parametrize("name", PER_CLASS)
def test_catalogue_describes_the_published_files(real, name):
    (form,) = CATALOGUE[name].forms
    assert len(form.parts) == len(form.files) == 4
    for part in form.parts:
        file = form.file(part)
        packed = (real / name / file.name).read_bytes()
        content = gzip.decompress(packed)
        assert (len(packed), hashlib.md5(packed).hexdigest()) == (file.bytes, file.md5)
        assert hashlib.md5(content).hexdigest() == part.md5
        assert np.frombuffer(content, ">u4", 2)[1] == part.count


@pytest.mark.parametrize("name", PER_CLASS)
def test_published_files_are_read_as_they_are(real, cache_of_all, name):
    entry = CATALOGUE[name]
    splits = load(name, data_dir=real, cache_dir=cache_of_all)
    for found, per_class, prefix in zip(splits, PER_CLASS[name], ("train", "t10k"), strict=True):
        assert np.bincount(found.labels).tolist() == per_class
        assert len(found) == getattr(entry, found.split)
        assert (found.name, found.classes, found.white) == (name, entry.classes, 255)
        assert found.images.max() == found.white
        with gzip.open(real / name / f"{prefix}-images-idx3-ubyte.gz") as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
        with gzip.open(real / name / f"{prefix}-labels-idx1-ubyte.gz") as file:
            labels = np.frombuffer(file.read(), np.uint8, offset=8)
        np.testing.assert_array_equal(found.images, pixels)
        np.testing.assert_array_equal(found.labels, labels)


def test_classes_of_fashion_mnist():
    assert CATALOGUE["fashion-mnist"].classes == (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )


def test_digits_are_those_of_scikit_learn():
    truth = pytest.importorskip("sklearn.datasets").load_digits()
    train, test = load("digits")
    assert (len(train), len(test)) == (1437, 360)
    assert (train.shape, train.white, train.classes) == ((1, 8, 8), 16, tuple("0123456789"))
    np.testing.assert_array_equal(
        np.concatenate([train.images, test.images])[:, 0], truth.images.astype(int)
    )
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), truth.target)
    assert (train.images.dtype, train.split, test.split) == (np.uint8, "train", "test")


def test_every_entry_says_who_made_it_and_what_is_allowed():
    for name, entry in CATALOGUE.items():
        assert name == entry.name
        assert entry.licence
        assert entry.source
        for split in ("train", "test"):
            for form in entry.forms:
                counts = [part.count for part in form.of(split) if "images" in part.kinds]
                assert sum(counts) == getattr(entry, split)
        for file in entry.forms[0].files if entry.forms else ():
            assert file.bytes > 0 or name in ("qmnist", "usps")  # whose sizes are not known
            assert entry.forms[0].mirrors
        assert len(set(entry.classes)) == len(entry.classes) > 0


def test_importing_stays_cheap():
    heavy = ["pooch", "requests", "filelock", "tqdm", "urllib.request", "platformdirs", "PIL"]
    code = f"import sys, salamandre.data; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
