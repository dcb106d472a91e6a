"""Data sets that are published in one archive: finding it, or what it unpacks to, and reading it.

Where the content of a member has a known checksum, that decides. Where only the archive has one, an
archive with another is read with a warning, if all that it holds has the form of the data set.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from salamandre.data import cache
from salamandre.data.conversion import Pair, Piece, convert, key, recall, writable
from salamandre.data.download import download_archive, md5_of
from salamandre.data.entries import Archive, DataSet, Member, Split
from salamandre.data.errors import CorruptData, DataUnavailable
from salamandre.data.formats import READERS, Unfit
from salamandre.data.pictures import pictures

DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError),  # RuntimeError: a zip with a password
)
Opened = Generator[tuple[Path, Member, BinaryIO], None, None]
SPLITS: tuple[Split, Split] = ("train", "test")


@dataclass(frozen=True)
class Found:
    """A split of a data set on the disk.

    Attributes:
        archive: in what form.
        split: which.
        files: the archive, or each of the split's members that were unpacked from it.
    """

    archive: Archive
    split: Split
    files: tuple[Path, ...]

    @property
    def packed(self) -> bool:
        """Whether the archive itself is there."""
        return len(self.files) == 1 and self.files[0].name == self.archive.file

    def key(self, entry: DataSet) -> str:
        """Return a name that changes when the files, or what is read from them, change."""
        stats = [(str(path.resolve()), path.stat()) for path in self.files]
        listing = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
        return f"{self.split}-{key(listing, self.archive, entry.shape, entry.classes)}"


def read_archived(
    entry: DataSet,
    folder: Path | None,
    must: bool,
    cache_dir: str | os.PathLike[str] | None,
    may_download: bool,
) -> tuple[Pair, Pair]:
    """Return the images and labels of the training and of the test split.

    Args:
        entry: the data set.
        folder: that the user named.
        must: whether the folder must hold the set.
        cache_dir: where downloads and converted arrays are kept.
        may_download: whether the network may be used.

    Raises:
        CorruptData: a file of the folder holds something else.
        DataUnavailable: the folder lacks a split, or no server sent the archive.
    """
    root = cache.root(cache_dir)
    converted = root / entry.name
    given = [] if folder is None else _find(entry, folder)
    if len(given) == len(SPLITS):
        train, test = (
            recall(converted, found.key(entry), entry.shape)
            or convert(converted, found.key(entry), entry.shape, _pieces(entry, found))
            for found in given
        )
        return train, test
    if must:
        assert folder is not None
        raise DataUnavailable(_lack(entry, folder, given), entry.archives[0])
    return _published(entry, root / (entry.family or entry.name), converted, may_download)


def _published(
    entry: DataSet, home: Path, converted: Path, may_download: bool
) -> tuple[Pair, Pair]:
    """Return both splits of the archive that was, or now is, downloaded into a folder."""
    known = [recall(converted, f"{split}-published", entry.shape) for split in SPLITS]
    if known[0] is not None and known[1] is not None:
        return known[0], known[1]
    archive = next(archive for archive in entry.archives if archive.url)
    with ExitStack() as stack:
        path = home / archive.file
        if not path.is_file() or md5_of(path) != archive.md5:
            if not may_download:
                raise DataUnavailable(
                    f"{entry.title} is not in {home} and downloading was not allowed", archive
                )
            if writable(home):
                path.unlink(missing_ok=True)  # a damaged one
            else:
                home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            path = download_archive(archive, home)
        train, test = (
            convert(
                converted,
                f"{split}-published",
                entry.shape,
                _pieces(entry, Found(archive, split, (path,))),
            )
            for split in SPLITS
        )
    return train, test


def _find(entry: DataSet, folder: Path) -> list[Found]:
    """Return the splits that a folder holds, each in the first form that is there."""
    found = []
    for split in SPLITS:
        forms = (_locate(entry, archive, split, folder) for archive in entry.archives)
        found += [form for form in forms if form][:1]
    return found


def _locate(entry: DataSet, archive: Archive, split: Split, folder: Path) -> Found | None:
    for place in dict.fromkeys(
        (folder / (entry.family or entry.name), folder / entry.name, folder)
    ):
        if (place / archive.file).is_file():
            return Found(archive, split, (place / archive.file,))
        files = [_unpacked(place, member) for member in archive.of(split)]
        paths = tuple(path for path in files if path is not None)
        if len(paths) == len(files):
            return Found(archive, split, paths)
    return None


def _unpacked(place: Path, member: Member) -> Path | None:
    """Return where a member lies that was unpacked into a folder, with or without its own."""
    plain = member.name.removesuffix(".gz")
    names = (member.name, plain, Path(member.name).name, Path(plain).name)
    return next((place / name for name in names if (place / name).is_file()), None)


def _lack(entry: DataSet, folder: Path, given: list[Found]) -> str:
    """Say what a folder lacks that must hold the set."""
    if not folder.is_dir():
        return f"{folder} is no folder"
    if given:
        lacking = "test" if given[0].split == "train" else "training"
        return f"{folder} lacks the {lacking} images of {entry.title}"
    return f"{folder} lacks " + " or ".join(archive.file for archive in entry.archives)


def _pieces(entry: DataSet, found: Found) -> Iterator[Piece]:
    """Yield the images and labels of a split, each member's content verified where that is known.

    Raises:
        CorruptData: a file holds something else.
    """
    archive, path = found.archive, found.files[0]
    try:
        if found.packed and archive.md5 and not all(member.md5 for member in archive.members):
            _check_container(path, archive)
        if archive.format == "pictures":
            (member,) = archive.of(found.split)
            yield from pictures(path, member, entry.shape, entry.classes)
            return
        wanted = archive.of(found.split)
        members = list(wanted)  # those to come
        opened = _packed(path, wanted) if found.packed else _loose(found.files, wanted)
        early: dict[Member, list[Piece]] = {}  # archives hold them in any order
        with closing(opened):
            for current, member, file in opened:
                path = current
                content = _blamed(_member(entry, archive, member, file), found, member)
                if member != members[0]:
                    early[member] = list(content)
                    continue
                yield from content
                members.pop(0)
                while members and members[0] in early:
                    yield from early.pop(members.pop(0))
                if not members:
                    return
        raise Unfit(f"lacks {', '.join(member.name for member in members if member not in early)}")
    except Unfit as error:
        raise CorruptData(path, archive, str(error)) from None
    except DAMAGED as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise CorruptData(path, archive, f"is damaged ({reason})") from None


def _blamed(pieces: Iterator[Piece], found: Found, member: Member) -> Iterator[Piece]:
    """Yield pieces, and say of what is wrong with them which member of an archive it is in."""
    try:
        yield from pieces
    except ValueError as error:
        raise Unfit(f"holds a {member.name} that {error}" if found.packed else str(error)) from None


def _member(entry: DataSet, archive: Archive, member: Member, file: BinaryIO) -> Iterator[Piece]:
    """Yield the pieces of a member; its checksum is compared after the last."""
    hashed = _Hashed(file)
    for kind, block in READERS[archive.format](hashed, archive, member, entry.shape):
        if kind == "labels" and block.max() >= len(entry.classes):
            raise Unfit(f"has a label that is none of the {len(entry.classes)} classes")
        yield kind, block
    if member.md5 and hashed.md5.hexdigest() != member.md5:
        raise Unfit(f"was changed (it has MD5 {hashed.md5.hexdigest()}, not {member.md5})")


class _Hashed:
    """A file whose checksum is taken while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.md5 = hashlib.md5(usedforsecurity=False)

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self.md5.update(data)
        return data


def _packed(path: Path, members: Sequence[Member]) -> Opened:
    """Yield the members of an archive, opened, in the archive's own order."""
    wanted = {member.name: member for member in members}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name in wanted:
                    with archive.open(name) as file:
                        yield path, wanted[name], cast(BinaryIO, file)
        return
    with tarfile.open(path) as tar:
        for info in tar:
            name = info.name.removeprefix("./")
            if name in wanted and (content := tar.extractfile(info)) is not None:
                yield path, wanted[name], cast(BinaryIO, content)


def _loose(files: tuple[Path, ...], members: Sequence[Member]) -> Opened:
    """Yield the members that were unpacked, opened."""
    for path, member in zip(files, members, strict=True):
        with path.open("rb") as file:
            yield path, member, file


def _check_container(path: Path, archive: Archive) -> None:
    """Warn where an archive is not the published one and its content has no known checksum."""
    found = md5_of(path)
    if found != archive.md5:
        if path.suffix != ".zip":  # whose members have checksums of their own
            with tarfile.open(path) as tar:
                assert tar.fileobj is not None
                tar.fileobj.seek(0)
                while tar.fileobj.read(1 << 20):
                    pass  # to the end, where a compressed file has its checksum
        warnings.warn(
            f"{path} is not the published archive (it has MD5 {found}, not {archive.md5}): its "
            f"form is checked, its content cannot be",
            stacklevel=2,
        )
