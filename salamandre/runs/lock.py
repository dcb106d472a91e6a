"""One process at a time in a run folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

LOCK, OWNER = "run.lock", "run.pid"
PATIENCE = 0.5  # seconds; whoever finds the owner of a killed run gone has the lock for an instant


class RunInUse(RuntimeError):
    """Another process plays the run."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a run folder to oneself for the length of the block.

    The lock is the operating system's: it ends with the process, whatever ends that. Meanwhile
    ``run.pid`` says which process has it.

    Raises:
        RunInUse: another process has it; it is named.
    """
    from filelock import FileLock, Timeout

    owner = folder / OWNER
    lock = FileLock(folder / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        number = ""
        with contextlib.suppress(OSError, ValueError):
            number = f" (number {int(owner.read_text())})"
        raise RunInUse(
            f"{folder} is being played by another process{number}: wait for its end or stop it"
        ) from None
    try:
        owner.write_text(str(os.getpid()))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def in_use(folder: Path) -> bool:
    """Return whether a process plays the run in a folder.

    The lock is left alone unless ``run.pid`` names a process, which may have been killed.
    """
    from filelock import FileLock, Timeout

    owner = folder / OWNER
    if not owner.exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            owner.unlink(missing_ok=True)
    except Timeout:
        return True
    except OSError:  # a folder that may not be written
        return False
    return False
