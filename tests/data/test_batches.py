"""Batches: a copy goes on with the same ones, and prefetching changes nothing but the time."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import time

import numpy as np
import pytest

import salamandre as sal
from salamandre.data import Chain, Flip, RandomCrop, load, prefetch
from salamandre.data.batches import EndlessBatches, Source


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def as_pickled(batches):
    return pickle.loads(pickle.dumps(batches))


@pytest.mark.parametrize("transform", [None, Flip()], ids=repr)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, as_pickled])
def test_a_copy_goes_on_with_the_same_batches(transform, how):
    train, _ = load("digits")
    network = sal.Network([sal.NeuronLayer(2)], input_shape=64)
    batches = EndlessBatches(Source(train, network, transform), 200, seed=3)
    for _ in range(10):  # 7 in an epoch
        next(batches)
    again = how(batches)
    assert again.drawn == 10
    wanted = [next(batches) for _ in range(12)]
    for (x, targets), (y, others) in zip(wanted, (next(again) for _ in range(12)), strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(targets, others)
    assert batches.drawn == again.drawn == 22


def test_arrays_are_shared_by_a_copy_and_held_by_a_pickle(tmp_path):
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (4, 3))
    network = sal.Network([sal.NeuronLayer(2)], input_shape=3)
    source = Source((x, np.arange(4)), network)
    ((shared, _),) = copy.deepcopy(source).in_order(4)
    assert np.shares_memory(shared, x)
    stored = pickle.dumps(source)
    x[:] = 7
    ((own, _),) = pickle.loads(stored).in_order(4)
    np.testing.assert_array_equal(own, np.zeros((4, 3)))
    assert len(stored) < 2000  # without the network


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
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(made) == 3  # one taken, two ready
    iterator.close()
    assert len(made) == 3


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
