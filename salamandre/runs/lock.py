"""One process at a time in a run folder."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LOCK = "run.lock"
PATIENCE = 0.5  # seconds; who only looks whether a run is being played has it for an instant
TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)


class RunInUse(RuntimeError):
    """Another process plays the run."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a run folder to oneself for the length of the block.

    The lock is the operating system's: it ends with the process, whatever ends that. On a file
    system without locks there is none.

    Raises:
        RunInUse: another process has it; it is named.
    """
    with (folder / LOCK).open("a+b") as file:
        deadline = time.monotonic() + PATIENCE
        while not _taken(file):
            if time.monotonic() > deadline:
                raise RunInUse(
                    f"{folder} is being played by another process{_owner(folder)}: wait for its "
                    f"end or stop it"
                )
            time.sleep(PATIENCE / 10)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def in_use(folder: Path) -> bool:
    """Return whether a process plays the run in a folder."""
    try:
        with (folder / LOCK).open("r+b") as file:
            return not _taken(file)
    except OSError:  # no such file, or one that may not be written
        return False


def _taken(file: BinaryIO) -> bool:
    """Take the lock, until the file is closed; return False if another process has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # far behind the text, which others may read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in TAKEN
    return True


def _owner(folder: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f" (number {int((folder / LOCK).read_text())})"
    return ""
