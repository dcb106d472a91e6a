"""CSV files with a row of pixels for each image."""

from __future__ import annotations

import csv as csv_format
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import TextIO

import numpy as np

from salamandre.data.catalogue import Unfit, WrongFormat
from salamandre.data.conversion import Arrays, square_of
from salamandre.data.own_files import Found, Wanted, label_array, splits_of

LABELS = ("label", "labels", "class", "target", "y")
NUMBERS = {"", "id", "index", "unnamed: 0"}  # columns that number the rows
BLOCK = 1 << 18  # numbers at a time
LONGEST = 1 << 22  # characters of a row
SEPARATORS = ",;\t"


def csv(paths: Sequence[Path], wanted: Wanted) -> Found:
    """Return the splits in CSV files of pixels."""
    found = splits_of(paths, "CSV file", partial(_csv_table, wanted=wanted.label_column))
    return {split: one._replace(labels=_values(one.labels)) for split, one in found.items()}


def _csv_table(path: Path, wanted: str | None) -> Arrays:
    """Return images and labels of a CSV file with a row for each image, read block by block.

    The first row may be a header. A row is a label, if there is one, and the pixels of a square
    image. Fields are separated by commas, semicolons or tabs. Labels are the column of the wanted
    name, or the first or the last; else the one named ``label`` or similarly; without a header, the
    one of the first and the last that looks like labels.

    Raises:
        WrongFormat: other rows, or the label column is not clear.
    """
    from salamandre.progress import progress

    size = path.stat().st_size
    with (
        path.open(encoding="utf-8-sig", newline="") as file,
        progress(size, path.name, "B", scale=True) as bar,
    ):
        first = file.readline(LONGEST)
        separator = max(SEPARATORS, key=first.count)
        header = _cells(first, separator)
        columns = len(header)
        named = _is_header(header)
        lines = _lines(file, columns, separator)
        rows = max(1, BLOCK // columns)
        block = list(islice(lines, rows))
        if not named:
            block.insert(0, first)
        if not block:
            raise WrongFormat("has no rows below its header")
        column: int | None
        if wanted in ("first", "last") and not (named and wanted in header):
            column = 0 if wanted == "first" else columns - 1
        elif named:
            column = _named_column(header, wanted)
        elif wanted is not None:
            raise Unfit(f"has no header, so label_column is 'first' or 'last', not {wanted}")
        else:
            column = _guessed_column(block, columns, separator)
        numbers = {i for i, name in enumerate(header) if named and name.lower() in NUMBERS}
        pixels = [i for i in range(columns) if i != column and i not in numbers]
        square_of(len(pixels))
        images, labels, row = [], list[str](), 1 + named
        while block:
            images.append(_pixels(block, separator, pixels, row))
            if column is not None:
                labels += (_cells(line, separator)[column] for line in block)
            row += len(block)
            bar.update(sum(map(len, block)))
            block = list(islice(lines, rows))
    return Arrays(np.concatenate(images), label_array(labels) if column is not None else None)


def _cells(line: str, separator: str) -> list[str]:
    if '"' in line:
        return [cell.strip() for cell in next(csv_format.reader([line], delimiter=separator))]
    return [cell.strip() for cell in line.split(separator)]


def _lines(file: TextIO, columns: int, separator: str) -> Iterator[str]:
    """Yield the rows after the first that are not empty; refuse another number of fields."""
    for row in count(2):
        if not (line := file.readline(LONGEST)):
            return
        if not line.strip():
            continue
        found = line.count(separator) + 1
        if found != columns and (found := len(_cells(line, separator))) != columns:
            raise WrongFormat(f"has {found:,} fields in row {row:,}, not {columns:,}")
        yield line


def _is_square(pixels: int) -> bool:
    return math.isqrt(pixels) ** 2 == pixels


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_header(cells: Sequence[str]) -> bool:
    """Return whether a first row holds names: texts, or the numbers of the columns."""
    numbers = [cell for cell in cells if _is_number(cell)]
    counted = [str(i) for i in range(len(numbers))], [str(i + 1) for i in range(len(numbers))]
    if len(numbers) < len(cells) - 1:
        return True
    return numbers in counted and (len(numbers) < len(cells) or len(cells) > 2)


def _named_column(header: Sequence[str], wanted: str | None) -> int | None:
    """Return the number of the column of labels; None if all are pixels."""
    lower = [name.lower() for name in header]
    if wanted is not None:
        if wanted not in header:
            raise Unfit(f"has no column {wanted!r}, but {', '.join(header[:5])}, ...")
        return header.index(wanted)
    if (name := next((name for name in LABELS if name in lower), None)) is not None:
        return lower.index(name)
    if _is_square(sum(name not in NUMBERS for name in lower)):  # as Kaggle's rows to be predicted
        return None
    raise WrongFormat(
        f"has no column named label among {', '.join(header[:5])}, ...: name it with label_column"
    )


def _guessed_column(block: Sequence[str], columns: int, separator: str) -> int | None:
    """Return the number of the column of labels in a file without a header; None for pixels."""
    if _is_square(columns):
        return None
    square_of(columns - 1)
    rows = [_cells(line, separator) for line in block]
    ends = {place: Counter(row[place] for row in rows) for place in (0, columns - 1)}
    for place, values in ends.items():
        if not all(map(_is_number, values)):
            return place
    # Pixels of a corner are all alike, or of very many values.
    likely = [
        place
        for place, values in ends.items()
        if len(values) > 1 and all(float(value).is_integer() for value in values)
    ]
    if len(likely) == 2:
        few, many = sorted(likely, key=lambda place: len(ends[place]))
        likely = [few] if 2 * len(ends[few]) <= len(ends[many]) else []
    alike = any(len(values) == 1 for values in ends.values())
    if len(likely) != 1 or (alike and not _are_labels(ends[likely[0]])):
        raise WrongFormat(
            "has no header, and its labels may be the first or the last column: say which with "
            "label_column"
        )
    return likely[0]


def _are_labels(values: Counter[str]) -> bool:
    """Return whether values are surely those of labels, where the other end may be sorted labels.

    Pixels of a corner are mostly of one value, or of many values far from each other.
    """
    numbers, count = [float(value) for value in values], values.total()
    dense = max(numbers) - min(numbers) + 1 == len(numbers)
    return max(values.values()) <= 0.75 * count and (dense or len(numbers) <= count / 4)


def _pixels(block: Sequence[str], separator: str, columns: list[int], row: int) -> np.ndarray:
    """Return rows of numbers, as bytes if they fit."""
    try:
        numbers = np.loadtxt(
            block, np.float32, delimiter=separator, usecols=columns, ndmin=2, quotechar='"',
            comments=None,
        )  # fmt: skip
    except ValueError as error:
        reason = str(error).split(" at row ")[0]
        raise WrongFormat(
            f"has a pixel that is no number in rows {row:,} to {row + len(block) - 1:,} ({reason})"
        ) from None
    with np.errstate(invalid="ignore"):
        small = numbers.astype(np.uint8)
    return small if (small == numbers).all() else numbers


def _values(labels: np.ndarray | None) -> np.ndarray | None:
    """Return labels as numbers, if all are."""
    try:
        return None if labels is None else labels.astype(np.float64)
    except ValueError:
        return labels
