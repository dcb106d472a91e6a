"""Files: whole or absent, at whatever moment the process is killed; and numbered by their names."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from salamandre.texts import path_of

SUFFIX = ".part"


def numbered(folder: Path, prefix: str, suffix: str) -> dict[int, Path]:
    """Return the files of a folder named by a number between two texts, in its order."""
    paths = folder.glob(f"{prefix}*{suffix}")
    named = {path.name[len(prefix) : -len(suffix)]: path for path in paths}
    return dict(sorted((int(text), path) for text, path in named.items() if text.isdecimal()))


@contextlib.contextmanager
def replacing(path: Path, modified: float | None = None) -> Iterator[BinaryIO]:
    """Open a new file that takes the name ``path`` when the block ends well.

    Until then it has a temporary name beside it, and what ``path`` held stays. Temporary files
    that killed processes left there for the same name are removed.

    Args:
        path: the name; its folder is made if absent.
        modified: time of change that the file shall have, in seconds. Default: the real one.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path)
    file = _create(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":  # which cannot rename an open file
                file.close()
            if modified is not None:
                os.utime(file.name, (modified, modified))
            os.replace(file.name, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, file.name):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # the name asked for
    finally:
        Path(file.name).unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file of ``data``: the old one or the new one is there at any moment."""
    with replacing(path_of(path)) as file:
        file.write(data)


def sweep(path: Path) -> None:
    """Remove what killed processes left while they wrote ``path``; what is in use stays."""
    from filelock import lock_descriptor

    for leftover in path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 8}{SUFFIX}"):
        with contextlib.suppress(OSError), leftover.open("r+b") as file:
            if sys.platform == "win32":  # which removes no open file, and so none in use
                file.close()
            if file.closed or lock_descriptor(file.fileno(), blocking=False):
                leftover.unlink()


def _create(path: Path) -> BinaryIO:
    """Open a locked temporary file beside ``path``; the lock ends with the process."""
    from filelock import lock_descriptor

    while True:
        try:
            file = open(f"{path}.{secrets.token_hex(4)}{SUFFIX}", "x+b")  # noqa: SIM115
        except OSError as error:
            error.filename = str(path)  # the name that was asked for
            raise
        with contextlib.suppress(OSError):  # a file system without locks is never swept
            lock_descriptor(file.fileno())
        if os.path.exists(file.name):  # or else it was swept before it was locked
            return file
        file.close()
