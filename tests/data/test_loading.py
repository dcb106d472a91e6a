"""Bad files in a folder: every one is refused by name, every good spelling is accepted."""

from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import pytest

from salamandre.data import CorruptData, DataUnavailable, load, reading

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"


def header(change):
    def spoil(files):
        content = gzip.decompress(files[TRAIN_IMAGES])
        files[TRAIN_IMAGES] = gzip.compress(change(content))

    return spoil


def put(name, source):
    return lambda files: files.update({name: source(files)})


BAD = {
    "cut gzip": (put(TEST_LABELS, lambda f: f[TEST_LABELS][:-5]), TEST_LABELS, "is damaged .Com"),
    "gzip with a changed byte": (
        put(TEST_IMAGES, lambda f: f[TEST_IMAGES][:99] + b"?" + f[TEST_IMAGES][100:]),
        TEST_IMAGES,
        "is damaged .",
    ),
    "cut payload": (header(lambda c: c[:-1]), TRAIN_IMAGES, "ends after 39 of 40 examples"),
    "long payload": (header(lambda c: c + b"x"), TRAIN_IMAGES, "has more than 40 examples"),
    "a bomb": (header(lambda c: c + bytes(10**7)), TRAIN_IMAGES, "has more than 40 examples"),
    "cut header": (header(lambda c: c[:9]), TRAIN_IMAGES, r"has the IDX header \(2051, 40\), not"),
    "empty": (put(TRAIN_LABELS, lambda f: b""), TRAIN_LABELS, r"has the IDX header \(\), not"),
    "unknown magic number": (
        header(lambda c: struct.pack(">I", 77) + c[4:]),
        TRAIN_IMAGES,
        r"has the IDX header \(77, 40, 6, 5\), not \(2051, 40, 6, 5\)",
    ),
    "height and width exchanged": (
        header(lambda c: c[:8] + struct.pack(">2I", 5, 6) + c[16:]),
        TRAIN_IMAGES,
        r"has the IDX header \(2051, 40, 5, 6\), not \(2051, 40, 6, 5\)",
    ),
    "one pixel changed": (
        header(lambda c: c[:-1] + bytes([c[-1] ^ 1])),
        TRAIN_IMAGES,
        "was changed .it has MD5",
    ),
    "labels in place of images": (
        put(TRAIN_IMAGES, lambda f: f[TRAIN_LABELS]),
        TRAIN_IMAGES,
        r"has the IDX header \(2049, 40, ",
    ),
    "images in place of labels": (
        put(TEST_LABELS, lambda f: f[TEST_IMAGES]),
        TEST_LABELS,
        r"has the IDX header \(2051, 10\), not \(2049, 10\)",
    ),
    "train in place of test": (
        put(TEST_IMAGES, lambda f: f[TRAIN_IMAGES]),
        TEST_IMAGES,
        r"has the IDX header \(2051, 40, 6, 5\), not \(2051, 10, 6, 5\)",
    ),
    "a web page": (
        put(TRAIN_LABELS, lambda f: b"<html>404</html>"),
        TRAIN_LABELS,
        r"has the IDX header \(\d+, \d+\), not \(2049, 40\)",
    ),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("cached", [False, True], ids=["first start", "second start"])
def test_a_bad_file_is_named(tiny, tmp_path, case, cached):
    spoil, name, message = BAD[case]
    folder = tiny.write(tmp_path / "data")
    if cached:
        load("tiny", data_dir=folder)
    spoil(tiny.files)
    tiny.write(folder)
    with pytest.raises(CorruptData, match=f"{folder / name} {message}") as caught:
        load("tiny", data_dir=folder)
    assert f": replace it with a good copy of {name} of Tiny (MD5 " in str(caught.value)
    assert "\n" not in str(caught.value)
    kept = (tmp_path / "cache").rglob(f"{'train' if 'train' in name else 'test'}*")
    assert len(list(kept)) == cached


def test_files_of_another_set(tiny, other, tmp_path):
    folder = other.write(tmp_path)
    with pytest.raises(CorruptData, match=f"{TRAIN_IMAGES} was changed"):
        load("tiny", data_dir=folder)


def test_no_changed_byte_and_no_cut_changes_the_data(tiny, tmp_path):
    (form,) = tiny.entry.forms
    labels = tiny.arrays["train", "labels"]
    good = tiny.files[TRAIN_LABELS]
    files = {part: tiny.write(tmp_path) / part.name for part in form.of("train")}
    path = tmp_path / TRAIN_LABELS
    refused = 0
    for i in range(len(good)):
        for bad in (good[:i], good[:i] + bytes([good[i] ^ 0x55]) + good[i + 1 :]):
            path.write_bytes(bad)
            out = io.BytesIO()
            try:
                reading.write(tiny.entry, form, files, out)
            except CorruptData as error:
                assert str(path) in str(error)
                refused += 1
            else:  # a byte of the gzip header, such as its date
                assert out.getvalue()[-40:] == labels.tobytes()
    assert refused > 2 * len(good) - 20


@pytest.mark.parametrize("subfolder", ["", "tiny"])
@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
@pytest.mark.parametrize("dot", [".", "-"])
def test_every_spelling_is_found(tiny, tmp_path, subfolder, packed, dot):
    folder = tmp_path / "data" / subfolder
    folder.mkdir(parents=True)
    for name, packed_content in tiny.files.items():
        content = packed_content if packed else gzip.decompress(packed_content)
        spelled = name.replace("-idx", f"{dot}idx")
        (folder / (spelled if packed else spelled.removesuffix(".gz"))).write_bytes(content)
    tiny.agrees_with(*load("tiny", data_dir=tmp_path / "data"))


def test_the_content_decides_not_the_container(tiny, tmp_path):
    for name, packed in tiny.files.items():
        content = gzip.decompress(packed)
        # as a browser leaves it that unpacked a file and kept its name, or another gzip wrote it
        good = content if "labels" in name else gzip.compress(content, 1, mtime=99)
        (tmp_path / name).write_bytes(good)
    tiny.agrees_with(*load("tiny", data_dir=tmp_path))


def test_plain_and_packed_may_be_mixed(tiny, tmp_path):
    folder = tiny.write(tmp_path)
    packed = folder / TRAIN_LABELS
    (folder / TRAIN_LABELS.removesuffix(".gz")).write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    tiny.agrees_with(*load("tiny", data_dir=folder))


def test_a_named_folder_must_hold_the_set(tiny, mirrors, tmp_path):
    tiny.with_mirrors(mirrors.url("good"))
    folder = tiny.write(tmp_path / "data")
    (folder / TRAIN_LABELS).unlink()
    (folder / TEST_IMAGES).unlink()
    with pytest.raises(
        DataUnavailable, match=f"{folder} lacks {TRAIN_LABELS}, {TEST_IMAGES}; put .*--data-dir"
    ):
        load("tiny", data_dir=folder)
    with pytest.raises(DataUnavailable, match="nowhere is no folder; put"):
        load("tiny", data_dir=tmp_path / "nowhere")
    assert mirrors.requests == []


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match=r"is a path: use data.open"):
        load(str(tmp_path))
    for wrong in (None, 3, "", "a" * 5000):
        with pytest.raises(ValueError, match="unknown data set"):
            load(wrong)
    with pytest.raises(ValueError, match=r"unknown data set 'fashion_mnist', did you mean .fash.*"):
        load("fashion_mnist")
    with pytest.raises(ValueError, match=r"known: mnist, fashion-mnist, digits"):
        load("quux")


def test_arrays_are_bytes_in_the_order_of_the_file(tiny, tmp_path):
    folder = tiny.write(tmp_path)
    train, _ = load("tiny", data_dir=folder)
    content = gzip.decompress((folder / TRAIN_IMAGES).read_bytes())
    truth = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 1, 6, 5)
    assert train.images.dtype == train.labels.dtype == np.uint8
    np.testing.assert_array_equal(train.images, truth)
