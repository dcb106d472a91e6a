"""Data of one's own is opened as it stands: splits, sizes, classes and guesses."""

from __future__ import annotations

import gzip
import sys

import damaged
import numpy as np
import pytest
from damaged import COLOURS, COUNT, IMAGES, LABELS, idx, written
from PIL import Image

from salamandre import data
from salamandre.data import CATALOGUE, CorruptData

RANDOM = np.random.default_rng(0)


def save(folder, **arrays):
    """Write arrays into a file ``set.npz``."""
    path = folder / "set.npz"
    np.savez(path, **arrays)
    return path


def same(found, images, labels=None):
    np.testing.assert_array_equal(found.images, images)
    if labels is not None:
        np.testing.assert_array_equal(found.labels, labels)


# -- IDX -----------------------------------------------------------------------------------------


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("form", ["idx", "idx.gz"])
def test_idx_files_of_any_content_in_the_names_of_mnist(tmp_path, form):
    folder = write(tmp_path / "letters", damaged.SAMPLES[form]()[0])
    opened = [data.open(folder), data.open(next(folder.glob("t10k-labels*")))]
    for train, test in opened:
        same(train, IMAGES[0][:, None], LABELS[0])
        same(test, IMAGES[1][:, None], LABELS[1])
        assert (train.name, train.split, test.split) == ("letters", "train", "test")
        assert train.classes == test.classes == ("0", "1", "2")
    with pytest.raises(CorruptData, match=r"other images are read with salamandre\.data\.open\("):
        data.load("mnist", data_dir=folder)


def test_a_pair_of_idx_files_alone_is_the_training_split_or_is_split(tmp_path):
    files = {"t10k-images.idx3-ubyte": idx(IMAGES[1]), "t10k-labels.idx1-ubyte": idx(LABELS[1])}
    folder = write(tmp_path / "own", files)
    train, test = data.open(folder)
    assert (len(train), test, train.split) == (COUNT, None, "train")
    train, test = data.open(folder, test_share=0.5, seed=1)
    assert (len(train), len(test), test.split) == (3, 3, "test")
    assert sorted(test.labels.tolist()) == [0, 1, 2]


def test_idx_files_of_sets_with_a_name(tmp_path):
    rows = np.column_stack([LABELS[0].astype(np.int32), np.full((COUNT, 7), 300)])
    folder = write(
        tmp_path,
        {
            "qmnist-train-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[0])),
            "qmnist-train-labels-idx2-int.gz": gzip.compress(idx(rows, 12)),
            # EMNIST stores images column by column.
            "emnist-letters-train-images-idx3-ubyte": idx(IMAGES[1].swapaxes(1, 2)),
            "emnist-letters-train-labels-idx1-ubyte": idx(LABELS[1] + 1),
        },
    )
    with pytest.raises(ValueError, match=r"several sets \(emnist-letters, qmnist\): name one of"):
        data.open(folder)
    qmnist, _ = data.open(folder / "qmnist-train-labels-idx2-int.gz")
    same(qmnist, IMAGES[0][:, None], LABELS[0])
    letters, _ = data.open(
        folder / "emnist-letters-train-images-idx3-ubyte", class_names=("x", "y", "z")
    )
    same(letters, IMAGES[1][:, None], LABELS[1])
    assert letters.classes == ("x", "y", "z")


# -- NumPy ---------------------------------------------------------------------------------------


def test_npz_with_the_names_of_medmnist_keras_and_others(tmp_path):
    images, labels = COLOURS.transpose(0, 1, 3, 4, 2), LABELS[:, :, None]  # channels last, (N, 1)
    arrays = {}
    for i, split in enumerate(("train", "test")):
        arrays |= {f"{split}_images": images[i], f"{split}_labels": labels[i]}
    train, test = data.open(save(tmp_path, **arrays))
    same(train, COLOURS[0], LABELS[0])
    same(test, COLOURS[1], LABELS[1])
    arrays |= {"val_images": images[0][:2], "val_labels": labels[0][:2]}
    with pytest.warns(UserWarning, match=r"set\.npz: passed over the split 'val'"):
        _, test = data.open(save(tmp_path, **arrays))
    assert len(test) == COUNT
    del arrays["test_images"], arrays["test_labels"]
    _, test = data.open(save(tmp_path, **arrays))
    same(test, COLOURS[0][:2], LABELS[0][:2])

    keras = {"x_train": IMAGES[0], "y_train": LABELS[0], "x_test": IMAGES[1], "y_test": LABELS[1]}
    train, test = data.open(save(tmp_path, **keras))
    same(train, IMAGES[0][:, None], LABELS[0])
    same(test, IMAGES[1][:, None], LABELS[1])
    for names in (("x", "y"), ("X", "Y"), ("images", "labels"), ("data", "target")):
        train, test = data.open(
            save(tmp_path, **dict(zip(names, (IMAGES[0], LABELS[0]), strict=True)))
        )
        same(train, IMAGES[0][:, None], LABELS[0])
        assert test is None


def test_npy_files_and_npz_of_one_array_by_their_names(tmp_path):
    for i, split in enumerate(("train", "test")):
        np.save(tmp_path / f"x_{split}.npy", COLOURS[i].reshape(COUNT, -1))  # rows, as CIFAR's
        np.save(tmp_path / f"y_{split}.npy", LABELS[i])
    train, test = data.open(tmp_path)
    same(train, COLOURS[0], LABELS[0])
    same(test, COLOURS[1], LABELS[1])
    k49 = write(tmp_path / "k49", {})
    for kind, array in (("imgs", IMAGES[0]), ("labels", LABELS[0])):
        np.savez_compressed(k49 / f"k49-train-{kind}.npz", array)
    same(data.open(k49)[0], IMAGES[0][:, None], LABELS[0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": IMAGES[0]}, r"no images among its arrays \(a\): name them x_train"),
        ({"x": IMAGES[0], "images": IMAGES[0]}, "has both x and images for the images"),
        ({"x": IMAGES[0], "y": LABELS[0][:-1]}, r"labels of shape \(5,\) for 6 images"),
        ({"x": IMAGES[0], "y": np.array([{}] * COUNT)}, "Python objects, which are not read"),
        ({"x": IMAGES[0], "y": LABELS[0] / 2}, "labels that are no whole numbers"),
        ({"x": IMAGES[0], "y": np.ones((COUNT, 3))}, "not one-hot"),
        ({"x": np.zeros((COUNT, 28, 28, 28), "u1")}, "expected 1 or 3 channels"),
        ({"x": np.zeros((COUNT, 50), "u1")}, "rows of 50 pixels, which are no square"),
        ({"x": np.zeros((0, 8, 8), "u1")}, r"images of shape \(0, 8, 8\)"),
        ({"x": np.array(["a"] * COUNT)}, "images of type <U1, expected numbers"),
        ({"x": np.full((COUNT, 4), np.nan)}, "pixels in nan..nan, expected 0..255"),
        ({"x": np.full((COUNT, 4), 256)}, r"pixels in 256\.\.256, expected 0\.\.255"),
        ({"x_train": IMAGES[0], "x_test": IMAGES[1][:, 1:]}, "different shapes"),
    ],
)
def test_other_arrays_are_refused_by_name(tmp_path, arrays, message):
    with pytest.raises(CorruptData, match=rf"set\.npz .*{message}"):
        data.open(save(tmp_path, **arrays))


# -- what a file claims --------------------------------------------------------------------------


def test_no_memory_is_taken_for_what_a_header_claims(tmp_path):
    import struct
    import tracemalloc

    claim = struct.pack(">BBBB3I", 0, 0, 8, 3, 1 << 31, 1 << 10, 1 << 10)
    header = written(lambda file: np.lib.format.write_array_header_1_0(
        file, {"shape": (1 << 40,), "fortran_order": False, "descr": "|u1"})
    )  # fmt: skip
    bad = {
        "train-images-idx3-ubyte": claim,
        "train-images-idx3-ubyte.gz": gzip.compress(claim),
        "x.npy": header,
        "x.npz": damaged.zipped({"x.npy": header}),
    }
    for name, content in bad.items():
        folder = write(tmp_path / name.replace(".", "-"), {name: content})
        tracemalloc.start()
        with pytest.raises(CorruptData, match=f"{name} claims an array of .* bytes, more than"):
            data.open(folder)
        assert tracemalloc.get_traced_memory()[1] < 10**7
        tracemalloc.stop()


# -- pixels and labels ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (IMAGES[0] / np.float32(255), r"pixels in \S+ are taken as numbers in 0\.\.1 and"),
        (IMAGES[0] / 127.5 - 1, r"numbers in -1\.\.1"),
        (IMAGES[0].astype(np.float32), r"numbers in 0\.\.255"),
    ],
)
def test_the_range_of_pixels_is_guessed_and_said_once(tmp_path, images, told):
    with pytest.warns(UserWarning, match=told) as warned:
        train, _ = data.open(save(tmp_path, x_train=images, y_train=LABELS[0], x_test=images[:2]
                                  , y_test=LABELS[0][:2]))  # fmt: skip
    assert len(warned) == 1
    same(train, IMAGES[0][:, None])


def test_whole_numbers_and_truth_values_are_pixels(tmp_path):
    same(data.open(save(tmp_path, x=IMAGES[0].astype(int), y=LABELS[0]))[0], IMAGES[0][:, None])
    black = IMAGES[0] > 127
    with pytest.warns(UserWarning, match=r"taken as numbers in 0\.\.1"):
        train, _ = data.open(save(tmp_path, x=black, y=LABELS[0]))
    same(train, 255 * black[:, None])


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (
            np.array(["cat", "dog", "ape", "cat", "dog", "ape"]),
            ("ape", "cat", "dog"),
            [1, 2, 0] * 2,
        ),
        (np.array([b"b", b"a"] * 3), ("a", "b"), [1, 0] * 3),
        (np.array([-1, 1] * 3), ("-1", "1"), [0, 1] * 3),
        (np.array([7.0, 2.0] * 3), ("2", "7"), [1, 0] * 3),
        (np.array([True, False] * 3), ("0", "1"), [1, 0] * 3),
        (np.eye(3)[LABELS[0]], ("0", "1", "2"), LABELS[0]),
        (LABELS[0][None], ("0", "1", "2"), LABELS[0]),
    ],
)
def test_labels_of_any_kind_become_classes(tmp_path, labels, classes, expected):
    train, _ = data.open(save(tmp_path, x=IMAGES[0], y=labels))
    assert train.classes == classes
    assert train.labels.tolist() == list(expected)


def test_classes_are_those_of_both_splits(tmp_path):
    train, test = data.open(
        save(
            tmp_path,
            x_train=IMAGES[0],
            y_train=np.array(["blue", "green", "red"] * 2),
            x_test=IMAGES[1],
            y_test=np.array(["blue", "red", "white"] * 2),
        )
    )
    assert train.classes == test.classes == ("blue", "green", "red", "white")
    assert [test.classes[label] for label in test.labels] == ["blue", "red", "white"] * 2


def test_more_classes_than_a_byte_counts(tmp_path):
    labels = np.arange(300)[::-1] * 10
    train, _ = data.open(save(tmp_path, x=np.zeros((300, 2, 2), np.uint8), y=labels))
    assert train.classes[299] == "2990"
    assert train.labels.tolist() == list(range(300))[::-1]


def test_class_names_from_a_file_or_a_list(tmp_path):
    path = save(tmp_path, x=IMAGES[0], y=LABELS[0])
    names = tmp_path / "names.txt"
    names.write_text("eins\nzwei\n\ndrei\n", "utf-8")
    assert data.open(path, class_names=names)[0].classes == ("eins", "zwei", "drei")
    train, _ = data.open(path, class_names=["a", "b", "c", "d"])  # one of them has no example
    assert (train.classes, train.labels.max()) == (("a", "b", "c", "d"), 2)
    for labels in (LABELS[0] + 1, np.array([-1, 0, 1] * 2), np.array(["a", "b", "c"] * 2)):
        train, _ = data.open(save(tmp_path, x=IMAGES[0], y=labels), class_names=("a", "b", "c"))
        assert train.labels.tolist() == [0, 1, 2] * 2
    with pytest.raises(ValueError, match="the label 'c', which is no class name"):
        data.open(path, class_names=("a", "b", "x"))
    path = save(tmp_path, x=IMAGES[0], y=LABELS[0])
    with pytest.raises(ValueError, match=r"labels in 0\.\.2 for 2 class names"):
        data.open(path, class_names=("a", "b"))
    with pytest.raises(ValueError, match="must be different names, got 'a' twice"):
        data.open(path, class_names=("a", "b", "a"))


def test_images_without_labels_are_of_one_class(tmp_path):
    with pytest.warns(UserWarning, match="has no labels: all images are of one class"):
        train, _ = data.open(save(tmp_path, x=IMAGES[0]))
    assert (train.classes, train.labels.any()) == (("unlabeled",), False)
    with pytest.warns(UserWarning, match="no labels for its test images: left out"):
        _, test = data.open(save(tmp_path, x_train=IMAGES[0], y_train=LABELS[0], x_test=IMAGES[1]))
    assert test is None


# -- the options ---------------------------------------------------------------------------------


def test_size_and_channels(tmp_path):
    path = save(tmp_path, x=COLOURS[0][..., :-2], y=LABELS[0])
    train, _ = data.open(path)
    assert train.shape == (3, 8, 6)
    train, _ = data.open(path, image_size=4, channels=1)
    assert train.shape == (1, 4, 4)
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 200
    grey, _ = data.open(save(tmp_path, x=red, y=[0]), channels=1)
    truth = np.asarray(Image.fromarray(red[0]).convert("L"))
    same(grey, truth[None, None])
    colour, _ = data.open(save(tmp_path, x=IMAGES[0], y=LABELS[0]), channels=3)
    same(colour, np.repeat(IMAGES[0][:, None], 3, axis=1))


def test_names_of_the_catalogue():
    whole = data.load("digits")
    train, test = data.open("digits")
    same(train, whole[0].images, whole[0].labels)
    same(test, whole[1].images, whole[1].labels)
    names = [f"number {i}" for i in range(10)]
    train, test = data.open("digits", image_size=4, channels=3, class_names=names)
    assert (train.shape, test.shape, test.classes) == ((3, 4, 4), (3, 4, 4), tuple(names))
    with pytest.raises(ValueError, match=r"digits has 10 classes .* got 1 class names"):
        data.open("digits", class_names=["a"])
    with pytest.raises(ValueError, match="digits has one of 360 images: leave it out"):
        data.open("digits", test_share=0.1)


def test_folders_of_pictures(tmp_path):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            place = tmp_path / "zoo" / split / name
            place.mkdir(parents=True)
            Image.fromarray(COLOURS[0][0].transpose(1, 2, 0)).save(place / "1.png")
    train, test = data.open(tmp_path / "zoo", image_size=8)
    assert (train.shape, train.classes, len(test)) == ((3, 8, 8), ("cat", "dog"), 2)
    (tmp_path / "zoo" / "train" / "list.csv").write_text("file,what\n1.png,cat\n")
    with pytest.warns(UserWarning, match="passed over 1 file of other kinds"):
        train, test = data.open(tmp_path / "zoo" / "train")  # not the table
    assert (train.shape, test) == ((3, 64, 64), None)
    (tmp_path / "zoo" / "train" / "list.csv").unlink()
    train, test = data.open(tmp_path / "zoo" / "train", channels=1, class_names=("dog", "cat"))
    assert (train.shape, train.classes) == ((1, 64, 64), ("dog", "cat"))


def test_sources_that_are_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"'mnst' is neither .* did you mean 'mnist'"):
        data.open("mnst")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"notes\.txt is of no known form: .* ends in \.npz"):
        data.open(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="holds no picture"):
        data.open(tmp_path)
    with pytest.raises(ValueError, match=r"label_column is for CSV and Parquet files, and .*npz"):
        data.open(save(tmp_path, x=IMAGES[0], y=LABELS[0]), label_column="y")
    for options, message in (
        ({"channels": 2}, "channels must be 1 for grey or 3"),
        ({"image_size": 0}, "image_size must be a whole number"),
        ({"test_share": 1}, "test_share must be a finite number"),
        ({"seed": -1}, "seed must be a whole number"),
    ):
        with pytest.raises(ValueError, match=message):
            data.open("digits", **options)
    assert "digits" in CATALOGUE


def test_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(bytes(200))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = r"a\.parquet is a Parquet file, which needs PyArrow: pip install 'salamandre\[data\]'"
    with pytest.raises(ImportError, match=message):
        data.open(path)
