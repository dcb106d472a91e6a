"""Threads that work on the shares of a batch, while BLAS keeps to one thread in each of them."""

from __future__ import annotations

import contextvars
import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from salamandre.backend.group import Group, Meeting
from salamandre.machine import cores

if TYPE_CHECKING:
    from concurrent.futures import Future  # imported when the first batch is shared

Task = Callable[[Group], Any]


class Team:
    """So many threads, the caller's among them, each with a rank.

    Threads are started when they are first needed, and sleep between two tasks.

    Args:
        size: how many; at least 2.
    """

    def __init__(self, size: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._size = size
        self._pool = ThreadPoolExecutor(size - 1, "salamandre")

    def run(self, task: Task) -> list[Any]:
        """Return what ``task(group)`` returns for each rank; rank 0 is the calling thread.

        An exception in one of the ranks ends the others where they next wait for each other, or at
        their end; then the first one, by rank, is raised.
        """
        meeting = Meeting(self._size)  # of this task alone: one that was given up stays away
        barrier = meeting.barrier
        first, *others = meeting.groups()

        def attempt(group: Group) -> Any:
            _inside.share = True
            try:
                return task(group)
            except BaseException:
                barrier.abort()
                raise
            finally:
                _inside.share = False

        with one_blas_thread():
            futures: list[Future[Any]] = []
            try:
                for group in others:  # with the context of the caller, such as numpy.errstate
                    context = contextvars.copy_context()
                    futures.append(self._pool.submit(context.run, attempt, group))
                results = [attempt(first)]
            except threading.BrokenBarrierError:
                results = []  # of another rank's error
            except BaseException:
                barrier.abort()
                raise
            finally:
                _finish(futures, barrier)
        errors = [e for f in futures if (e := f.exception()) is not None]
        for error in errors:
            if not isinstance(error, threading.BrokenBarrierError):
                raise error
        return results + [future.result() for future in futures]


def _finish(futures: list[Future[Any]], barrier: threading.Barrier) -> None:
    """Wait for the threads, also when interrupted: they work on the caller's memory."""
    from concurrent.futures import wait

    try:
        wait(futures)
    except BaseException:  # Ctrl-C
        barrier.abort()
        _finish(futures, barrier)
        raise


@functools.cache
def team(size: int) -> Team:
    """Return the process's team of a size."""
    return Team(size)


_inside = threading.local()


def in_share() -> bool:
    """Return whether the calling thread works on a share."""
    return getattr(_inside, "share", False)


class _Blas:
    """The libraries that NumPy's products run in, and how many threads they may use."""

    def __init__(self) -> None:
        self.busy = threading.RLock()  # one batch at a time is shared
        self.changes = threading.Lock()  # of what follows, and of the libraries' threads
        self.depth, self.allowed = 0, 1
        self.owner: int | None = None  # the thread in a block of one_blas_thread

    @functools.cached_property
    def libraries(self) -> list[Any]:
        """What sets their threads: empty for a library that cannot be told."""
        from threadpoolctl import ThreadpoolController

        found = ThreadpoolController().select(user_api="blas").lib_controllers
        if not found:
            warnings.warn(
                "the BLAS that NumPy uses cannot be limited to one thread, so that batches are not "
                "shared among threads: steps are as without sharing",
                RuntimeWarning,
                stacklevel=2,
            )
        return list(found)


_blas = _Blas()


def allowed_threads() -> int:
    """Return how many threads BLAS may use, or the cores that the process may, if those are fewer.

    0 for a BLAS that cannot be limited to one thread.
    """
    if not _blas.libraries:
        return 0
    with _blas.changes:
        return min(_blas.allowed if _blas.depth else _blas_threads(), cores())


def free_threads() -> int:
    """Return how many threads the caller may let work at once: 1 outside of `one_blas_thread`.

    There, BLAS's own threads may be awake.
    """
    mine = _blas.owner == threading.get_ident() and not in_share()
    return allowed_threads() if mine else 1


def _blas_threads() -> int:
    return max((library.get_num_threads() for library in _blas.libraries), default=1)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread in the block, in which no other thread can be."""
    with _blas.busy:
        outer, before = not _blas.depth, []
        try:
            with _blas.changes:
                if outer:
                    before = [library.get_num_threads() for library in _blas.libraries]
                    _blas.allowed, _blas.owner = max(before, default=1), threading.get_ident()
                _blas.depth += 1
                if outer:
                    for library in _blas.libraries:
                        library.set_num_threads(1)
            yield
        finally:
            with _blas.changes:
                for library, number in zip(
                    _blas.libraries, before, strict=False
                ):  # none of an inner block
                    library.set_num_threads(number)
                _blas.depth = 0 if outer else _blas.depth - 1
                _blas.owner = _blas.owner if _blas.depth else None


def _forget() -> None:
    """Leave the parent's threads and locks behind, after a fork."""
    global _blas
    team.cache_clear()
    _blas = _Blas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
