"""Parquet files with a picture in each row."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from salamandre.data.catalogue import Unfit, WrongFormat
from salamandre.data.conversion import Arrays, with_channels
from salamandre.data.own_files import (
    DENSEST,
    INSTALL,
    Found,
    Wanted,
    check_claim,
    label_array,
    splits_of,
)
from salamandre.data.pictures import WrongSize, decode, shape_of, square

LABELS = ("label", "labels", "fine_label")
PICTURES = ("image", "img", "picture")
ROWS = 256  # at a time


def parquet(paths: Sequence[Path], wanted: Wanted) -> Found:
    """Return the splits in Parquet files of pictures."""
    return splits_of(paths, "Parquet file", partial(_parquet_table, wanted=wanted))


def _parquet_table(path: Path, wanted: Wanted) -> Arrays:
    """Return images and labels of a Parquet file as Hugging Face's ``datasets`` writes it.

    A picture is a PNG or JPEG file in a column ``image`` of structs of ``bytes`` and ``path``; the
    names of the classes are in the metadata of the schema, under ``huggingface``.

    Without a wanted size all pictures have the size of the first; else they are cropped to squares
    and resized. They are grey if all are. Labels are the first column of class labels, or named
    ``label``.

    Raises:
        Unfit: a picture of another size.
        WrongFormat: other columns, or a picture that cannot be read.
        ImportError: PyArrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ImportError(f"{path} is a Parquet file, which needs PyArrow: {INSTALL}") from None
    from salamandre.progress import progress

    with (
        pq.ParquetFile(path) as table,
        progress(table.metadata.num_rows, path.name, "picture") as bar,
    ):
        schema = table.schema_arrow
        features = _features(schema.metadata or {})
        structs = [name for name in schema.names if pa.types.is_struct(schema.field(name).type)]
        labelled = [name for name, kind in features.items() if kind.get("_type") == "ClassLabel"]
        image = next((name for name in (*PICTURES, *structs) if name in structs), None)
        label = wanted.label_column or next(
            (name for name in (*labelled, *LABELS) if name in schema.names), None
        )
        if image is None:
            raise WrongFormat(f"has no column of pictures among {', '.join(schema.names)}")
        if label is not None and label not in schema.names:
            raise Unfit(f"has no column {label!r} among {', '.join(schema.names)}")
        groups = [table.metadata.row_group(i) for i in range(table.metadata.num_row_groups)]
        check_claim(sum(group.total_byte_size for group in groups), path.stat().st_size * DENSEST)
        images, labels, decoded = list[np.ndarray](), list[Any](), _Decoder(wanted)
        for batch in table.iter_batches(ROWS, columns=[name for name in (image, label) if name]):
            block: list[np.ndarray] = []
            for row in batch.column(image).to_pylist():
                data = row["bytes"] if row and isinstance(row.get("bytes"), bytes) else b""
                try:
                    block.append(decoded(data)[None])
                except WrongSize as error:
                    number = sum(map(len, images)) + len(block) + 1
                    raise Unfit(
                        f"has pictures of several sizes: the first has {decoded.size} pixels, "
                        f"picture {number:,} {str(error).removeprefix('it ')}: give image_size"
                    ) from None
                except Exception as error:  # Pillow raises many kinds for damaged pictures
                    number = sum(map(len, images)) + len(block) + 1
                    raise WrongFormat(f"has an unreadable picture {number:,} ({error})") from None
            images.append(decoded.alike(block))
            bar.update(len(block))
            if label is not None:
                labels += batch.column(label).to_pylist()
    if not images:
        raise WrongFormat("has no rows")
    names = features.get(label or "", {}).get("names")
    return Arrays(
        decoded.alike(images),
        label_array(labels) if label else None,
        tuple(names) if names else None,
    )


class _Decoder:
    """Decodes pictures to one size, that of the first, grey as long as all have been grey."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._shape: tuple[int, int, int] | None = None

    @property
    def size(self) -> str:
        """Height and width in words."""
        return "×".join(map(str, self._shape[1:])) if self._shape else "none"

    def __call__(self, data: bytes) -> np.ndarray:
        """Return the pixels (C, H, W) of a picture."""
        file, wanted = io.BytesIO(data), self._wanted
        if self._shape is None or (self._shape[0] == 1 and wanted.channels is None):
            own = shape_of(file, wanted.size, wanted.channels)
            _, height, width = self._shape or own
            self._shape = own[0], height, width
        if wanted.size is None:
            return decode(file, self._shape)
        return square(file, wanted.size, self._shape[0])

    def alike(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return images (N, C, H, W) as one array, with as many channels as any of them."""
        assert self._shape is not None
        return np.concatenate([with_channels(some, self._shape[0]) for some in images])


def _features(metadata: dict[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """Return what Hugging Face's metadata say of the columns."""
    try:
        features = msgspec.json.decode(metadata[b"huggingface"])["info"]["features"]
        return {name: kind for name, kind in features.items() if isinstance(kind, dict)}
    except (KeyError, TypeError, AttributeError, msgspec.DecodeError):  # written by something else
        return {}
