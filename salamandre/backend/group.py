"""Sums over the shares of a batch, which are computed at the same time."""

from __future__ import annotations

import threading

from salamandre.backend.operation import Array


class Group:
    """The shares of one batch; this one, of size 1, has the whole batch.

    A layer whose outputs depend on the whole batch adds up what each share knows of it.

    Attributes:
        size: how many shares there are.
        rank: the number of this one, from 0.
    """

    size = 1
    rank = 0

    def all_reduce(self, array: Array) -> Array:
        """Return the sum of the arrays that all shares have given, in the order of their ranks.

        Every share must call it, with an array of the same shape; the sum is the caller's own.
        """
        return array

    def barrier(self) -> None:
        """Wait until all shares have come here."""


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


ALONE = Group()
