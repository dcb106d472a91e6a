"""Files of arrays, IDX and NumPy's, in the names that people give them."""

from __future__ import annotations

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from samples import COLOURS, COUNT, IMAGES, LABELS, SAMPLES, idx, same, save, write, written, zipped

from salamandre import data
from salamandre.data import CorruptData

# -- IDX -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["idx", "idx.gz"])
def test_idx_files_of_any_content_in_the_names_of_mnist(tmp_path, form):
    folder = write(tmp_path / "letters", SAMPLES[form]()[0])
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
    with pytest.warns(UserWarning, match=r"set\.npz: passed over the images whose name tells no"):
        train, _ = data.open(save(tmp_path, x_train=images[0], y_train=labels[0], x=images[1]))
    same(train, COLOURS[0], LABELS[0])
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
    claim = struct.pack(">BBBB3I", 0, 0, 8, 3, 1 << 31, 1 << 10, 1 << 10)
    header = written(lambda file: np.lib.format.write_array_header_1_0(
        file, {"shape": (1 << 40,), "fortran_order": False, "descr": "|u1"})
    )  # fmt: skip
    bad = {
        "train-images-idx3-ubyte": claim,
        "train-images-idx3-ubyte.gz": gzip.compress(claim),
        "x.npy": header,
        "x.npz": zipped({"x.npy": header}),
    }
    for name, content in bad.items():
        folder = write(tmp_path / name.replace(".", "-"), {name: content})
        tracemalloc.start()
        with pytest.raises(CorruptData, match=f"{name} claims an array of .* bytes, more than"):
            data.open(folder)
        assert tracemalloc.get_traced_memory()[1] < 10**7
        tracemalloc.stop()
