"""Parquet files of pictures, as Hugging Face's datasets library writes them."""

from __future__ import annotations

import numpy as np
import pytest
from samples import CLASSES, COLOURS, COUNT, IMAGES, LABELS, parquet, picture, written

from salamandre import data
from salamandre.data import CorruptData, parquet_files
from salamandre.program import WrongUsage

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(path, table):
    path.write_bytes(written(lambda file: pq.write_table(table, file)))
    return path


def test_splits_and_parts_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_files, "ROWS", 4)
    for name, first, last in (("00000", 0, 4), ("00001", 4, 6)):
        content = parquet(IMAGES[0][first:last], LABELS[0][first:last])
        (tmp_path / f"train-{name}-of-00002.parquet").write_bytes(content)
    (tmp_path / "test-00000-of-00001.parquet").write_bytes(parquet(IMAGES[1], LABELS[1]))
    train, test = data.open(tmp_path)
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])
    np.testing.assert_array_equal(train.labels, LABELS[0])
    np.testing.assert_array_equal(test.images, IMAGES[1][:, None])
    assert train.classes == CLASSES


def test_columns_without_metadata(tmp_path):
    pictures = [{"bytes": picture(pixels.transpose(1, 2, 0))} for pixels in COLOURS[0]]
    table = pa.table({"img": pictures, "fine_label": LABELS[0], "kind": ["x", "y"] * 3})
    path = write(tmp_path / "set.parquet", table)
    train, _ = data.open(path)
    np.testing.assert_array_equal(train.images, COLOURS[0])
    np.testing.assert_array_equal(train.labels, LABELS[0])
    train, _ = data.open(path, label_column="kind", image_size=4, channels=1)
    assert (train.classes, train.shape) == (("x", "y"), (1, 4, 4))
    with pytest.raises(WrongUsage, match=r"no column 'sort' among img, fine_label, kind"):
        data.open(path, label_column="sort")


def test_examples_without_a_class_are_refused(tmp_path):
    """Hugging Face numbers what has no label -1; it is not the first class."""
    for labels in ([-1, 0, 1, 2, 0, 1], [-1, 0, 1] * 2):
        (tmp_path / "set.parquet").write_bytes(parquet(IMAGES[0], np.array(labels)))
        with pytest.raises(CorruptData, match=r"labels in -1\.\.\d for 3 class names"):
            data.open(tmp_path / "set.parquet")


def test_pictures_of_several_sizes(tmp_path):
    pictures = [{"bytes": picture(IMAGES[0][i][i:, i:])} for i in range(COUNT)]
    path = write(tmp_path / "set.parquet", pa.table({"image": pictures, "label": LABELS[0]}))
    with pytest.raises(ValueError, match=r"first has 8×8 pixels, picture 2 has 7×7 pixels: give"):
        data.open(path)
    assert data.open(path, image_size=8)[0].shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": [1]}, "no column of pictures among label"),
        ({"image": [{"bytes": b"no"}], "label": [1]}, "unreadable picture 1"),
        ({"image": [{"bytes": None, "path": "x"}], "label": [1]}, "unreadable picture 1"),
        ({"image": [{"bytes": picture(IMAGES[0][0])}], "label": [None]}, "no label for image 1"),
    ],
)
def test_other_tables_are_refused(tmp_path, columns, message):
    path = write(tmp_path / "set.parquet", pa.table(columns))
    with pytest.raises(CorruptData, match=rf"set\.parquet has .*{message}"):
        data.open(path)


def test_pictures_are_grey_if_all_are(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_files, "ROWS", 2)
    pixels = [*IMAGES[0][:3, :, :, None].repeat(3, 3), *COLOURS[0][3:].transpose(0, 2, 3, 1)]
    pictures = [{"bytes": picture(one[..., 0] if i < 3 else one)} for i, one in enumerate(pixels)]
    path = write(tmp_path / "set.parquet", pa.table({"image": pictures, "label": LABELS[0]}))
    train, _ = data.open(path)
    np.testing.assert_array_equal(train.images, np.stack(pixels).transpose(0, 3, 1, 2))
    assert data.open(path, channels=1)[0].shape == (1, 8, 8)


def test_splits_that_number_their_classes_differently_agree_by_name(tmp_path):
    own = list(CLASSES)[::-1]
    (tmp_path / "train.parquet").write_bytes(parquet(IMAGES[0], LABELS[0]))
    (tmp_path / "test.parquet").write_bytes(parquet(IMAGES[1], len(own) - 1 - LABELS[1], own))
    train, test = data.open(tmp_path)
    assert train.classes == test.classes == CLASSES
    np.testing.assert_array_equal(test.labels, LABELS[1])
    with pytest.raises(WrongUsage, match=r"other names of classes in its splits, .* leave the"):
        data.open(tmp_path, class_names=CLASSES)


def test_files_and_splits_are_coloured_if_one_is(tmp_path):
    grey, coloured = (
        parquet(IMAGES[0], LABELS[0]),
        parquet(COLOURS[0].transpose(0, 2, 3, 1), LABELS[0]),
    )
    (tmp_path / "train-0.parquet").write_bytes(grey)
    (tmp_path / "test.parquet").write_bytes(coloured)
    train, test = data.open(tmp_path)
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None].repeat(3, 1))
    np.testing.assert_array_equal(test.images, COLOURS[0])
    (tmp_path / "train-1.parquet").write_bytes(coloured)
    train, _ = data.open(tmp_path)
    np.testing.assert_array_equal(train.images[COUNT:], COLOURS[0])


def test_labels_that_count_from_1_or_are_of_other_classes_are_refused(tmp_path):
    (tmp_path / "train.parquet").write_bytes(parquet(IMAGES[0], LABELS[0]))
    for labels, names, message in (
        (LABELS[1] + 1, CLASSES[::-1], r"labels in 1\.\.3 for 3 class names, which another split"),
        (LABELS[1], ("a", "b", "d"), r"has other classes in its splits: it has a class 'd'"),
    ):
        (tmp_path / "test.parquet").write_bytes(parquet(IMAGES[1], labels, names))
        with pytest.raises(CorruptData, match=message):
            data.open(tmp_path)
