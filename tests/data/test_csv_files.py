"""CSV files of pixels: headers, separators, and the column of labels."""

from __future__ import annotations

import numpy as np
import pytest
import samples
from samples import COUNT, IMAGES, LABELS

from salamandre import data
from salamandre.data import CorruptData, csv_files
from salamandre.program import WrongUsage

ROWS = IMAGES[0].reshape(COUNT, -1)


def table(folder, *columns, header="", separator=","):
    """Write columns and a header into a file."""
    rows = np.column_stack([np.asarray(column).astype(object) for column in columns]).tolist()
    lines = [header] * bool(header) + [separator.join(map(str, row)) for row in rows]
    path = folder / "set.csv"
    path.write_text("\n".join(lines), "utf-8")
    return path


def names(first=0):
    return ",".join(f"pixel{i + first}" for i in range(ROWS.shape[1]))


def test_the_digits_of_kaggle(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK", 4 * 65)  # blocks end within the file
    for header in (f"label,{names()}", f"label,{','.join(map(str, range(64)))}"):
        train, test = data.open(table(tmp_path, LABELS[0], ROWS, header=header))
        np.testing.assert_array_equal(train.images, IMAGES[0][:, None])
        np.testing.assert_array_equal(train.labels, LABELS[0])
        assert (train.classes, train.images.dtype, test) == (("0", "1", "2"), np.uint8, None)
    with pytest.warns(UserWarning, match="has no labels"):  # those to be predicted
        train, _ = data.open(table(tmp_path, ROWS, header=names()))
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])


def test_a_table_of_something_else_is_told(tmp_path):
    folder = tmp_path / "digits"
    files = samples.halves(samples.csv, "train.csv", "test.csv")
    samples.write(folder, files | {"sample_submission.csv": b"ImageId,Label\n1,0\n"})
    with pytest.warns(UserWarning, match=r"digits: .* tell no split \(sample_submission\.csv\)$"):
        train, test = data.open(folder)
    assert len(train) == len(test) == COUNT


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_file_without_a_header(tmp_path, place):
    columns = [LABELS[0], ROWS] if place == "first" else [ROWS, LABELS[0]]
    train, _ = data.open(table(tmp_path, *columns), label_column=place)
    np.testing.assert_array_equal(train.labels, LABELS[0])
    # The digit is told from pixels, which are black in corners or have many values.
    for corners in (0, np.arange(COUNT) * 40):
        pixels = ROWS.copy()
        pixels[:, 0] = pixels[:, -1] = corners
        columns = [LABELS[0], pixels] if place == "first" else [pixels, LABELS[0]]
        train, _ = data.open(table(tmp_path, *columns))
        np.testing.assert_array_equal(train.images[:, 0].reshape(COUNT, -1), pixels)
        np.testing.assert_array_equal(train.labels, LABELS[0])
    words = np.array(["cat", "dog", "emu"], object)[LABELS[0]]
    columns = [words, ROWS] if place == "first" else [ROWS, words]
    train, _ = data.open(table(tmp_path, *columns))
    assert train.classes == ("cat", "dog", "emu")
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])


def test_other_separators_columns_and_quotes(tmp_path):
    header = f"{names(1)},class".replace(",", ";")
    train, _ = data.open(table(tmp_path, ROWS, LABELS[0], header=header, separator=";"))
    np.testing.assert_array_equal(train.labels, LABELS[0])
    words = np.array(['"a, b"', '"c ""d"""', "e"], object)[LABELS[0]]
    header = f'"","sort",{names()}'
    path = table(tmp_path, range(COUNT), words, ROWS, header=header)
    train, _ = data.open(path, label_column="sort")
    assert train.classes == ("a, b", 'c "d"', "e")
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])


def test_numbers_in_0_to_1_and_colours(tmp_path):
    colours = samples.COLOURS[0].reshape(COUNT, -1)
    path = table(tmp_path, LABELS[0], colours / 255, header="")
    with pytest.warns(UserWarning, match=r"taken as numbers in 0\.\.1"):
        train, _ = data.open(path, label_column="first")
    np.testing.assert_array_equal(train.images, samples.COLOURS[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no rows below its header"),
        ("label,a,b,c,d\n", "has no rows below its header"),
        ("what,a,b,c,d\n1,2,3,4,5\n", "no column named label among what, a, b, c, d, .*label_col"),
        ("label,a,b,c,d,e\n1,2,3,4,5,6\n", "rows of 5 pixels, which are no square"),
        ("label,a,b,c,d\n1,2,3,4,5\n\n1,2,3,4\n", "has 4 fields in row 4, not 5"),
        ("label,a,b,c,d\n1,2,x,4,5\n", r"a pixel that is no number in rows 2 to 2 .*'x'"),
        ("label,a,b,c,d\n,2,3,4,5\n", "has no label for image 1"),
        (f"label,a,b,c,d\n{'x' * 300},2,3,4,5\n", "a label of 300 characters"),
        ("2,2,3,4,5\n3,3,4,5,6\n", "say which with label_column"),
        ("label,a,b,c,d\n1,2,3,4,nan\n", r"pixels in nan\.\.nan"),
        (b"label,a,b,c,d\n1,\xff,3,4,5\n", "is damaged or no CSV file"),
        (b"\x00" * 5000, "has no rows|no column|no square"),
    ],
)
def test_other_tables_are_refused(tmp_path, content, message):
    path = tmp_path / "set.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CorruptData, match=rf"set\.csv .*({message})"):
        data.open(path)


def test_a_column_that_is_not_there(tmp_path):
    path = table(tmp_path, LABELS[0], ROWS, header=f"label,{names()}")
    with pytest.raises(WrongUsage, match=r"has no column 'digit', but label, pixel0"):
        data.open(path, label_column="digit")
    with pytest.raises(WrongUsage, match=r"no header, so label_column is 'first' or 'last'"):
        data.open(table(tmp_path, LABELS[0], ROWS), label_column="digit")


def test_a_large_file_takes_little_more_memory_than_its_pixels(tmp_path):
    import tracemalloc

    path = tmp_path / "set.csv"
    line = "1," + ",".join(["200"] * 784) + "\n"
    path.write_text("0" + line[1:] + line * 3000)
    tracemalloc.start()
    train, _ = data.open(path, label_column="first")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(train) == 3001
    assert peak < 3 * train.images.nbytes < path.stat().st_size


@pytest.mark.parametrize("corner", ["noise", "sparse", "two values"])
def test_labels_that_are_sorted_are_not_looked_for_among_pixels(tmp_path, monkeypatch, corner):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 64))
    if corner != "noise":
        pixels[:, -1] = 0
        pixels[:3, -1] = [1, 5, 38] if corner == "sparse" else 1
    labels = np.arange(60) // 30
    monkeypatch.setattr(csv_files, "BLOCK", 20 * 65)  # the first block has one class only
    path = table(tmp_path, labels, pixels)
    with pytest.raises(CorruptData, match="say which with label_column"):
        data.open(path)
    train, _ = data.open(path, label_column="first")
    np.testing.assert_array_equal(train.labels, labels)


def test_many_classes_beside_black_corners_and_fractions(tmp_path):
    random = np.random.default_rng(0)
    labels, pixels = np.arange(24) % 15, random.integers(0, 256, (24, 64))
    pixels[:, -1] = 0
    train, _ = data.open(table(tmp_path, labels, pixels))
    np.testing.assert_array_equal(train.labels, labels)
    with pytest.warns(UserWarning, match=r"taken as numbers in 0\.\.1"):
        train, _ = data.open(table(tmp_path, labels, random.uniform(0, 1, (24, 64))))
    np.testing.assert_array_equal(train.labels, labels)


def test_classes_are_the_same_however_the_rows_are_parted(tmp_path):
    labels = np.array(["1", "2", "10", "1", "a", "2"], object)
    header = f"label,{names()}"
    for number, part in enumerate((slice(3), slice(3, 6))):
        table(tmp_path, labels[part], ROWS[part], header=header).rename(
            tmp_path / f"train-{number}.csv"
        )
    train, _ = data.open(tmp_path)
    assert [train.classes[label] for label in train.labels] == labels.tolist()


def test_a_header_of_the_numbers_of_columns(tmp_path):
    with pytest.warns(UserWarning, match="has no labels"):
        train, _ = data.open(table(tmp_path, ROWS, header=",".join(map(str, range(64)))))
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])
    path = table(tmp_path, ROWS, LABELS[0], header=",".join(map(str, range(65))))
    train, _ = data.open(path, label_column="last")
    np.testing.assert_array_equal(train.labels, LABELS[0])


def test_a_column_of_numbers_beside_pixels_without_labels(tmp_path):
    with pytest.warns(UserWarning, match="has no labels"):
        train, _ = data.open(table(tmp_path, range(COUNT), ROWS, header=f",{names()}"))
    np.testing.assert_array_equal(train.images, IMAGES[0][:, None])
