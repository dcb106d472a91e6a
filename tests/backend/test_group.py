"""Groups of shares: sums, means, rows, and threads within ranks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from salamandre.backend.group import ALONE, Group, Meeting, Nested


def on_threads(groups, work):
    with ThreadPoolExecutor(len(groups)) as pool:
        return list(pool.map(work, groups))


def test_a_mean_takes_the_place_of_an_array():
    arrays = [np.array([1.0, 2.0]), np.array([3.0, 6.0]), np.array([5.0, 1.0])]
    on_threads(Meeting(3).groups(), lambda group: group.average(arrays[group.rank]))
    for array in arrays:
        np.testing.assert_array_equal(array, [3, 3])


def test_threads_within_ranks_add_up_all_shares():
    ranks, threads = Meeting(2).groups(), [Meeting(3).groups() for _ in range(2)]
    nested = [Nested(rank, thread) for rank in ranks for thread in threads[rank.rank]]
    assert [group.rank for group in nested] == list(range(6))

    def work(group):
        first = group.all_reduce(np.full(2, 10.0**group.rank))
        second = group.all_reduce(first * group.rank)  # it follows at once
        return first, second, group.all_reduce(np.array([np.inf, 1]))

    for first, second, third in on_threads(nested, work):
        assert np.array_equal(third, [np.inf, 6])
        np.testing.assert_array_equal(first, 111111)
        np.testing.assert_array_equal(second, 15 * 111111)


@pytest.mark.parametrize("count", [1, 7, 12])
def test_rows_are_all_examples_once(count):
    parts = [np.arange(count)[group.rows(count)] for group in Meeting(5).groups()]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(count))


def test_shares_are_equal_or_refused():
    group = Meeting(4).groups()[0]
    assert group.equal_share(12) == 3
    with pytest.raises(ValueError, match="a batch of 10 examples makes no 4 equal shares"):
        group.equal_share(10)


def test_one_share_has_all():
    array = np.ones(3)
    ALONE.average(array)
    assert array.sum() == 3
    assert ALONE.rows(5) == slice(0, 5)
    with pytest.raises(KeyError), Group().guard():
        raise KeyError("the block's own")
