"""Reading a split from its files: archives, what they unpack to, files that are published singly.

Nothing is unpacked onto the disk. Where the content of a part has a known checksum, that decides.
Where only the archive has one, an archive with another is read with a warning, if all that it holds
has the form of the data set.
"""

from __future__ import annotations

import gzip
import lzma
import math
import tarfile
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from salamandre.data.catalogue import CorruptData, DataSet, File, Form, Kind, Part, Split
from salamandre.data.download import is_published
from salamandre.data.formats import READERS, Stream, Unfit

DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError),  # RuntimeError: a zip with a password
)


def find(entry: DataSet, form: Form, split: Split, folder: Path) -> dict[Part, Path]:
    """Return those parts of a split that a folder holds, packed or unpacked, and where."""
    places = dict.fromkeys((folder / (entry.family or entry.name), folder / entry.name, folder))
    found = {}
    for part in form.of(split):
        names = [
            spelled
            for name in (form.file(part).name, part.name, Path(part.name).name)
            for plain in (name, name.removesuffix(".gz"))
            for spelled in (plain, plain.replace("-idx", ".idx"))  # as some mirrors have it
        ]
        paths = (place / name for place in places for name in names)
        if (path := next((path for path in paths if path.is_file()), None)) is not None:
            found[part] = path
    return found


def write(entry: DataSet, form: Form, files: Mapping[Part, Path], out: BinaryIO) -> None:
    """Write the images of a split into a file, and after them their labels.

    Args:
        entry: the data set.
        form: in which it is there.
        files: the parts of the split in their order, and where they are.
        out: the file; parts are written in the order in which an archive has them.

    Raises:
        CorruptData: a file holds something else.
    """
    from tqdm.auto import tqdm

    row: dict[tuple[Part, Kind], int] = {}  # where the next example of a part goes
    end: dict[tuple[Part, Kind], int] = {}
    total: Counter[Kind] = Counter()
    for part in files:
        for kind in part.kinds:
            row[part, kind] = total[kind]
            total[kind] += part.count
            end[part, kind] = total[kind]
    size, labels = math.prod(entry.shape), np.zeros(total["images"], np.uint8)
    written = 0  # images up to where the file is
    with tqdm(total=len(labels), desc=entry.title, unit=" images", disable=None) as bar:
        for path in dict.fromkeys(files.values()):
            parts = [part for part in files if files[part] == path]
            try:
                for part, kind, block in _pieces(entry, form, path, parts):
                    start = row[part, kind]
                    row[part, kind] += len(block)
                    if row[part, kind] > end[part, kind]:
                        raise Unfit(f"holds more than {part.count:,} {kind} of {part.name}")
                    if kind == "labels":
                        labels[start : row[part, kind]] = block
                    else:
                        if start != written:
                            out.seek(start * size)
                        out.write(np.ascontiguousarray(block).data)
                        written = row[part, kind]
                        bar.update(len(block))
                for (part, kind), stop in end.items():
                    if part in parts and row[part, kind] < stop:
                        found = part.count - (stop - row[part, kind])
                        raise Unfit(f"holds {found:,} of the {part.count:,} {kind} of {part.name}")
            except (Unfit, *DAMAGED) as error:
                reason = str(error).split("\n")[0].rstrip(":") or type(error).__name__
                problem = reason if isinstance(error, Unfit) else f"is damaged ({reason})"
                published = form.file(parts[0])
                raise CorruptData(
                    f"{path} {problem}: replace it with a good copy of {published.name} of "
                    f"{entry.title} (MD5 {published.md5})"
                ) from None
    out.seek(len(labels) * size)
    out.write(labels.data)


def _pieces(
    entry: DataSet, form: Form, path: Path, parts: Sequence[Part]
) -> Iterator[tuple[Part, Kind, np.ndarray]]:
    """Yield the blocks of images and labels in a file, and the part that each is of."""
    file = form.file(parts[0])
    packed = path.name == file.name != parts[0].name
    if packed and not all(part.md5 for part in parts):
        _check_archive(path, file)
    for stream in _packed(path, parts) if packed else _loose(path, parts[0]):
        try:
            for kind, block in READERS[form.format](stream, form, entry):
                if kind == "labels" and block.max() >= len(entry.classes):
                    raise Unfit(f"has a label that is none of the {len(entry.classes)} classes")
                yield stream.part, kind, block
            stream.verify()
        except Unfit as error:
            raise Unfit(f"holds a {stream.name} that {error}") if packed else error from None


def _loose(path: Path, part: Part) -> Iterator[Stream]:
    """Yield the one part that a file is."""
    with path.open("rb") as file:
        yield _open(file, part.name, part)


def _packed(path: Path, parts: Sequence[Part]) -> Iterator[Stream]:
    """Yield the parts in an archive, each picture for itself, and read no further than needed."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for part in parts:
                if part.name in archive.NameToInfo:
                    with archive.open(part.name) as member:
                        yield _open(cast(BinaryIO, member), part.name, part)
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
    """Return a stream of the content, also where a ``.gz`` was unpacked and kept its name."""
    peek = cast(Any, file).peek
    if part.name.endswith(".gz") and peek(2)[:2] == b"\x1f\x8b":
        file = cast(BinaryIO, gzip.GzipFile(fileobj=file))
    return Stream(file, name, part)


def _check_archive(path: Path, file: File) -> None:
    """Warn where an archive is not the published one and its content has no known checksum."""
    if is_published(path, file):
        return
    if path.suffix != ".zip":  # whose members have checksums of their own
        with tarfile.open(path) as tar:
            assert tar.fileobj is not None
            tar.fileobj.seek(0)
            while tar.fileobj.read(1 << 20):
                pass  # to the end, where a compressed file has its checksum
    warnings.warn(
        f"{path} is not the published archive (its MD5 is not {file.md5}): its form is "
        f"checked, its content cannot be",
        stacklevel=2,
    )
