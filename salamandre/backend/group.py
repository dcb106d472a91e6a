"""Sums over the shares of a batch, which are computed at the same time."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from salamandre.backend.operation import Array


class Group:
    """The shares of one batch; this one, of size 1, has the whole batch.

    A layer whose outputs depend on the whole batch adds up what each share knows of it.

    Shares are computed by threads of a process, or by processes: :mod:`salamandre.parallel`.

    Attributes:
        size: how many shares there are.
        rank: the number of this one, from 0.
        coupled: whether layers whose outputs depend on the whole batch see that of all shares.
        repeats: whether a step may be recorded, see :mod:`salamandre.backend.repetition`.
    """

    size = 1
    rank = 0
    coupled = False
    repeats = True

    def all_reduce(self, array: Array) -> Array:
        """Return the sum of the arrays that all shares have given, in the order of their ranks.

        Every share must call it, with an array of the same shape; the sum is the caller's own.
        """
        return array

    def barrier(self) -> None:
        """Wait until all shares have come here."""

    @property
    def threads(self) -> Group:
        """The shares that threads of this process compute."""
        return self

    def average(self, array: Array) -> None:
        """Put the mean over all shares in the place of an array of floats."""
        if self.size > 1:
            array[...] = self.all_reduce(array)
            array /= self.size

    def rows(self, count: int) -> slice:
        """Return the examples of this share, of so many."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def equal_share(self, count: int) -> int:
        """Return how many examples of a batch each share has; refuse what makes unequal ones."""
        if count % self.size:
            raise ValueError(
                f"a batch of {count} examples makes no {self.size} equal shares: give a multiple "
                f"of {self.size}"
            )
        return count // self.size

    def guard(self, alike: type[BaseException] | tuple[()] = ()) -> AbstractContextManager[object]:
        """Let an error in the block end all shares, which would wait for this one for ever.

        Args:
            alike: errors that all shares have at once. Default none.
        """
        return nullcontext()


class Meeting:
    """Where the shares of a group that are threads of this process meet.

    Args:
        size: how many threads there are.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size)

    def groups(self) -> list[Group]:
        """Return the group as each rank sees it, for one batch."""
        # A thread is one sum ahead of another at most, so that two tables are enough.
        tables: list[list[Array]] = [[None] * self.size for _ in range(2)]
        return [_Threads(self.barrier, rank, tables) for rank in range(self.size)]


class _Threads(Group):
    def __init__(self, barrier: threading.Barrier, rank: int, tables: list[list[Array]]) -> None:
        self.size, self.rank = len(tables[0]), rank
        self._barrier, self._tables = barrier, tables

    def all_reduce(self, array: Array) -> Array:
        """As the base."""
        table = self._tables[0]
        self._tables = self._tables[::-1]
        table[self.rank] = array + 0  # the caller may write over it while others read
        self.barrier()
        total = table[0] + table[1]
        for other in table[2:]:
            total += other
        return total

    def barrier(self) -> None:
        """As the base; BrokenBarrierError if one of the shares has failed."""
        self._barrier.wait()


class Nested(Group):
    """The threads of a process that is itself a rank: all shares of all ranks.

    Args:
        outer: the group of the process, whose ranks have as many threads each.
        inner: the group of the thread.
    """

    def __init__(self, outer: Group, inner: Group) -> None:
        self.size = outer.size * inner.size
        self.rank = outer.rank * inner.size + inner.rank
        self._outer, self._inner = outer, inner

    @property
    def threads(self) -> Group:
        """The group of the thread."""
        return self._inner

    def all_reduce(self, array: Array) -> Array:
        """As the base; the first thread of each process speaks with the others."""
        total = self._inner.all_reduce(array)
        total = self._outer.all_reduce(total) if self._inner.rank == 0 else np.zeros_like(total)
        return self._inner.all_reduce(total)


ALONE = Group()
