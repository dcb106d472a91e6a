"""Threads that work on the shares of a batch, while BLAS keeps to one thread in each of them."""

from __future__ import annotations

import contextvars
import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from salamandre.backend.group import Group, Meeting
from salamandre.machine import cores

if TYPE_CHECKING:
    from concurrent.futures import Future  # imported when the first batch is shared

Task = Callable[[Group], Any]


class Team:
    """So many threads, the caller's among them, each with a rank.

    They sleep between two tasks, and end with the program.

    Args:
        size: how many; at least 2.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        for rank in range(1, size):
            # Those of a pool take no more work once the main thread has ended; others may go on.
            threading.Thread(target=self._work, name=f"salamandre-{rank}", daemon=True).start()

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            del future, call  # what they hold is not kept until the next

    def run(self, task: Task) -> list[Any]:
        """Return what ``task(group)`` returns for each rank; rank 0 is the calling thread.

        An exception in one of the ranks ends the others where they next wait for each other, or at
        their end; then the first one, by rank, is raised.
        """
        from concurrent.futures import Future

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
                    call = functools.partial(contextvars.copy_context().run, attempt, group)
                    future: Future[Any] = Future()
                    self._calls.put((future, call))
                    futures.append(future)  # only what somebody works on is waited for
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
        self.busy = threading.Lock()  # one batch at a time is shared
        self.changes = threading.Lock()  # of what follows, and of the libraries' threads
        self.owner: int | None = None  # the thread in a block of one_blas_thread
        self.before: list[int] = []  # threads of each library outside of the block

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

    def limit(self) -> None:
        """Let each library use one thread."""
        with self.changes:
            self.owner = threading.get_ident()
            self.before = self.before or self._numbers()
            for library in self.libraries:
                library.set_num_threads(1)

    def free(self) -> None:
        """Let each library use its threads again."""
        with self.changes:
            for library, number in zip(self.libraries, self.before, strict=False):
                library.set_num_threads(number)
            self.owner, self.before = None, []

    def allowed(self) -> int:
        """Return how many threads they use outside of the block."""
        with self.changes:
            return max(self.before or self._numbers(), default=1)

    def _numbers(self) -> list[int]:
        return [library.get_num_threads() for library in self.libraries]


_blas = _Blas()


def allowed_threads() -> int:
    """Return how many threads BLAS may use, or the cores that the process may, if those are fewer.

    0 for a BLAS that cannot be limited to one thread.
    """
    if not _blas.libraries:
        return 0
    return min(_blas.allowed(), cores())


def free_threads() -> int:
    """Return how many threads the caller may let work at once: 1 outside of `one_blas_thread`.

    There, BLAS's own threads may be awake.
    """
    mine = _blas.owner == threading.get_ident() and not in_share()
    return allowed_threads() if mine else 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread in the block, in which no other thread can be."""
    blas = _blas  # a process that is forked in the block has another one
    if blas.owner == threading.get_ident() and blas.busy.locked():
        yield  # inside of another block
        return
    with blas.busy:
        try:
            blas.limit()
            yield
        finally:
            try:
                blas.free()
            except BaseException:  # Ctrl-C
                blas.free()
                raise


def _forget() -> None:
    """Leave the parent's threads and locks behind, after a fork."""
    global _blas
    team.cache_clear()
    _blas = _Blas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
