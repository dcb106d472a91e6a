"""Prefetching changes nothing but the time: order, results, errors and threads."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest

import salamandre as sal
from salamandre.data import Chain, Flip, RandomCrop, load, prefetch
from salamandre.data.batches import Source


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("depth", [1, 2, 50])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_the_same_items_in_the_same_order(count, depth):
    assert list(prefetch(iter(range(count)), depth)) == list(range(count))
    assert list(prefetch([None] * count, depth)) == [None] * count


def test_the_same_batches():
    train, _ = load("digits")
    network = sal.Network([sal.NeuronLayer(2)], input_shape=64)
    source = Source(train, network, Chain(RandomCrop(8, 1), Flip()))
    without, with_it = source.batches(32, 5, 1), prefetch(source.batches(32, 5, 1))
    for (x, targets), (y, others) in zip(without, with_it, strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(targets, others)


def test_items_are_made_while_the_caller_works():
    made = []

    def items():
        for number in range(9):
            made.append(number)
            yield number

    iterator = prefetch(items(), depth=2)
    assert made == []
    next(iterator)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(made) == 4  # one taken, two ready, one that waits for room
    iterator.close()
    assert len(made) == 4


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), StopAsyncIteration()])
def test_an_error_comes_where_it_happened(error):
    def items():
        yield 1
        yield 2
        raise error

    found = []
    with pytest.raises(type(error)) as caught:
        for item in prefetch(items()):
            found.append(item)
    assert found == [1, 2]
    assert caught.value is error


def test_an_error_of_the_caller_ends_the_thread():
    with pytest.raises(ZeroDivisionError):
        for item in prefetch(iter(int, 1)):  # without end
            1 / item


def test_closing_and_dropping_end_the_thread():
    iterator = prefetch(iter(int, 1))
    next(iterator)
    iterator.close()
    with pytest.raises(StopIteration):
        next(iterator)
    iterator = prefetch(iter(int, 1))
    next(iterator)
    del iterator
    prefetch(iter(int, 1))  # never asked for anything


def test_depth():
    for wrong in (0, -1, 1.5):
        with pytest.raises(ValueError, match="depth must be a whole number of at least 1"):
            prefetch([], wrong)
