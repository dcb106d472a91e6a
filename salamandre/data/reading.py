"""Reading splits from their files: archives, unpacked archives and single files.

Nothing is unpacked onto the disk. If the content of a part has a known checksum, it must agree. If
only the archive has one and it differs, the archive is read with a warning, as long as its content
has the form of the data set.
"""

from __future__ import annotations

import bz2
import gzip
import math
import tarfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from salamandre.checks import reason
from salamandre.data.cache import stored
from salamandre.data.catalogue import CorruptData, DataSet, Form, Kind, Part, Split, WrongFormat
from salamandre.data.download import is_published
from salamandre.data.formats import READERS, Stream
from salamandre.data.images import label_type


def find(entry: DataSet, form: Form, split: Split, folder: Path) -> dict[Part, Path]:
    """Return the paths of the parts of a split that a folder holds, packed or unpacked."""
    folders = dict.fromkeys((folder / (entry.family or entry.name), folder / entry.name, folder))
    found = {}
    for part in form.of(split):
        names = [
            spelled
            for name in (form.file(part).name, part.name, Path(part.name).name)
            for plain in (name, name.removesuffix(".gz"))
            for spelled in (plain, plain.replace("-idx", ".idx"))  # the spelling of some mirrors
        ]
        paths = (root / name for root in folders for name in names)
        if (path := next((path for path in paths if path.is_file()), None)) is not None:
            found[part] = path
    return found


def write(entry: DataSet, form: Form, files: Mapping[Part, Path], out: BinaryIO) -> None:
    """Write the images of a split into a file, and after them their labels.

    Args:
        entry: the data set.
        form: of the files.
        files: the path of each part of the split, in order.
        out: the file; parts are written in the order of the archive, each at its position.

    Raises:
        CorruptData: a file holds something else.
    """
    from salamandre.progress import progress

    row: dict[tuple[Part, Kind], int] = {}  # of the next example of a part
    total: Counter[Kind] = Counter()
    for part in files:
        for kind in part.kinds:
            row[part, kind] = total[kind]
            total[kind] += part.count
    size = math.prod(entry.shape)
    labels = np.zeros(total["images"], label_type(len(entry.classes)))
    written = 0  # images before the position of the file
    with progress(len(labels), entry.title, "image") as bar:
        for path in dict.fromkeys(files.values()):
            parts = [part for part in files if files[part] == path]
            for part, kind, block in _pieces(entry, form, path, parts):
                start = row[part, kind]
                row[part, kind] = start + len(block)
                if kind == "labels":
                    labels[start : start + len(block)] = block
                    continue
                if start != written:
                    out.seek(start * size)
                out.write(np.ascontiguousarray(block).data)
                written = start + len(block)
                bar.update(len(block))
    out.seek(len(labels) * size)
    out.write(stored(labels, len(entry.classes)))


def _pieces(
    entry: DataSet, form: Form, path: Path, parts: Sequence[Part]
) -> Iterator[tuple[Part, Kind, np.ndarray]]:
    """Yield the blocks of images and labels in a file, and the part that each is of."""
    file = form.file(parts[0])
    packed = path.name == file.name != parts[0].name
    alone = file.name == parts[0].name
    known = all(part.md5 for part in parts) or not (packed or alone) or is_published(path, file)
    if not known and not alone:
        warnings.warn(
            f"{path} is not the published archive (its MD5 is not {file.md5}): shapes and "
            f"counts are checked, bytes are not",
            stacklevel=2,
        )
    count: Counter[tuple[Part, Kind]] = Counter()
    try:
        if not known and alone:  # its content has no known checksum, and others use its name
            raise WrongFormat("is not the published file")
        for stream in _streams(path, parts, packed):
            try:
                for kind, block in READERS[form.format](stream, form, entry):
                    if kind == "labels" and block.max() >= len(entry.classes):
                        raise WrongFormat(
                            f"has a label that is none of the {len(entry.classes)} classes"
                        )
                    count[stream.part, kind] += len(block)
                    if count[stream.part, kind] > stream.part.count:
                        raise WrongFormat(f"is one of more than {stream.part.count:,} {kind}")
                    yield stream.part, kind, block
                stream.verify()
            except WrongFormat as error:
                raise (
                    WrongFormat(f"holds a {stream.name} that {error}") if packed else error
                ) from None
        for part in parts:
            for kind in part.kinds:
                if count[part, kind] != part.count:
                    found = f"{count[part, kind]:,} {kind} in {part.name}"
                    raise WrongFormat(f"holds {found}, not {part.count:,}")
        if not known and path.suffix != ".zip":  # whose members have checksums of their own
            with tarfile.open(path) as tar:  # which has its own at its end, if it is compressed
                rest = cast(BinaryIO, tar.fileobj)
                rest.seek(0)
                while rest.read(1 << 20):
                    pass
    except Exception as error:  # damaged files raise many kinds of errors
        if isinstance(error, OSError) and error.filename:
            raise  # it could not be opened
        why = reason(error)
        problem = why if isinstance(error, WrongFormat) else f"is damaged ({why})"
        own = f"; other images are read with salamandre.data.open({str(path.parent)!r})"
        raise CorruptData(
            f"{path} {problem}: replace it with a good copy of {file.name} of {entry.title} "
            f"(MD5 {file.md5}){own if alone else ''}"
        ) from None


def _streams(path: Path, parts: Sequence[Part], packed: bool) -> Iterator[Stream]:
    """Yield the part in a file, or those in an archive: pictures one by one, not past the last."""
    if not packed:
        with path.open("rb") as file:
            yield _open(file, parts[0].name, parts[0])
        return
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for part in parts:
                for name in sorted(archive.namelist()):
                    inside = name.startswith(f"{part.name}/") and "/." not in name
                    if name == part.name or (inside and not name.endswith("/")):
                        with archive.open(name) as member:
                            yield _open(cast(BinaryIO, member), name, part)
        return
    wanted = {part.name: part for part in parts}
    with tarfile.open(path) as tar:
        for info in tar:
            name = info.name.removeprefix("./")
            top = next((top for top in wanted if f"{name}/".startswith(f"{top}/")), None)
            if top is not None and info.isfile():
                yield _open(cast(BinaryIO, tar.extractfile(info)), name, wanted[top])
                wanted.pop(name, None)
                if not wanted:
                    return


def _open(file: BinaryIO, name: str, part: Part) -> Stream:
    """Return a stream of the content; a file ``.gz`` may be unpacked already."""
    peek = cast(Any, file).peek
    if part.name.endswith(".bz2"):
        file = cast(BinaryIO, bz2.BZ2File(file))
    if part.name.endswith(".gz") and peek(2)[:2] == b"\x1f\x8b":
        file = cast(BinaryIO, gzip.GzipFile(fileobj=file))
    return Stream(file, name, part)
