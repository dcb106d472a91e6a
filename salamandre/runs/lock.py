"""The lock of a run folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

LOCK, OWNER = "run.lock", "run.pid"
PATIENCE = 0.5  # seconds: in_use() holds the lock for a moment after a run was killed


class RunInUse(RuntimeError):
    """The run is being played already, by another process or by this one."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run folder for this process within the block.

    The operating system releases the lock when the process ends, however it ends. Meanwhile
    ``run.pid`` holds the ID of the process.

    Raises:
        RunInUse: another process, whose ID is in the message, has the lock, or this one has it.
    """
    from filelock import FileLock, Timeout

    owner = folder / OWNER
    lock = FileLock(folder / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        number = 0
        with contextlib.suppress(OSError, ValueError):
            number = int(owner.read_text())
        who = f"another process (process ID {number})" if number else "another process"
        if number == os.getpid():
            who = "this process already"
        raise RunInUse(f"{folder} is being played by {who}: wait for its end or stop it") from None
    try:
        owner.write_text(str(os.getpid()))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def in_use(folder: Path) -> bool:
    """Return whether a process plays the run in a folder.

    The lock is tried only if ``run.pid`` names a process, since that may have been killed.
    """
    from filelock import FileLock, Timeout

    owner = folder / OWNER
    if not owner.exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            owner.unlink(missing_ok=True)
    except OSError as error:  # or else the folder is not writable
        return isinstance(error, Timeout)
    return False
