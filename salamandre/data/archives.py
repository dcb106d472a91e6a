"""Archives of pictures, unpacked into the cache."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from salamandre.data import cache
from salamandre.data.catalogue import WrongFormat
from salamandre.data.listing import is_hidden
from salamandre.data.own_files import refusing
from salamandre.data.pictures import suffixes
from salamandre.texts import readable_name

ENDINGS = (".tar.gz", ".tgz", ".tar")
UNFINISHED = ".unfinished"
SWELLING, MODEST = 200, 1 << 30  # times an archive's size, and bytes, that its pictures may take
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


def stem(path: Path) -> str:
    """Return the name of a folder, or of an archive without its ending."""
    ending = next((one for one in ENDINGS if path.name.lower().endswith(one)), "")
    return path.name[: len(path.name) - len(ending)]


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive of pictures, by its name."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


@contextmanager
def unpacked(archive: Path, home: Path) -> Iterator[Path]:
    """Give the folder with the pictures of a tar archive, which is unpacked once.

    Of folders in it that hold one folder only, the innermost is given. If the cache cannot be
    written, it is unpacked anew each time.

    Args:
        archive: of the kinds of :data:`ENDINGS`.
        home: the folder of the cache.

    Raises:
        CorruptData: it is damaged, holds no picture, has one with a path that leads out of it, or
            pictures of more than 1 GiB that are packed more tightly than pictures can be.
        OSError: it cannot be read or unpacked.
    """
    from filelock import FileLock

    own = home / "unpacked"
    kept = own / f"{readable_name(stem(archive))}-{cache.key(cache.origin([archive]))}"
    if not kept.is_dir() and not cache.writable(own):
        with tempfile.TemporaryDirectory() as folder:
            _unpack(archive, Path(folder))
            yield _innermost(Path(folder))
        return
    if not kept.is_dir():
        with FileLock(own / ".lock"):
            if not kept.is_dir():  # another process has not unpacked it meanwhile
                begun = own / UNFINISHED
                shutil.rmtree(begun, ignore_errors=True)  # of a process that was killed
                try:
                    _unpack(archive, begun)
                    os.replace(begun, kept)
                finally:
                    shutil.rmtree(begun, ignore_errors=True)
    yield _innermost(kept)


def _unpack(archive: Path, folder: Path) -> None:
    """Write the pictures of an archive below a folder; links, devices and other files are not."""
    endings, room = suffixes(), max(MODEST, SWELLING * archive.stat().st_size)
    folder.mkdir(exist_ok=True)
    own, count = folder.resolve(), 0
    try:
        with refusing(archive, "tar archive"), tarfile.open(archive) as tar:
            for info in tar:
                if not info.isfile() or not info.name.lower().endswith(endings):
                    continue
                target = (own / info.name).resolve()  # as the system reads the name
                if not target.is_relative_to(own):
                    raise WrongFormat(f"has a picture {info.name!r} outside of its own folder")
                content = tar.extractfile(info)
                if content is None or any(is_hidden(p) for p in target.relative_to(own).parts):
                    continue
                count, room = count + 1, room - info.size
                if room < 0:
                    raise WrongFormat(f"has pictures of more than {SWELLING} times its own size")
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    with content, target.open("wb") as out:  # of two of a name the later one counts
                        shutil.copyfileobj(content, out)
                except OSError as error:
                    if error.errno in OF_THE_DISK:
                        error.filename = str(target)
                    raise
            rest = cast(BinaryIO, tar.fileobj)  # with the checksum at its end, if it is compressed
            while block := rest.read(1 << 20):
                if block.strip(b"\0"):  # a member whose head is damaged ends the iteration
                    raise WrongFormat("has a damaged part")
            if not count:
                raise WrongFormat(f"holds no picture that ends in one of {', '.join(endings)}")
    except OSError as error:
        if error.errno in OF_THE_DISK:
            raise
        with refusing(archive, "tar archive"):
            raise WrongFormat(f"has a picture that cannot be unpacked ({error.strerror})") from None


def _innermost(folder: Path) -> Path:
    inside = list(folder.iterdir())
    while len(inside) == 1 and inside[0].is_dir():
        folder = inside[0]
        inside = list(folder.iterdir())
    return folder
