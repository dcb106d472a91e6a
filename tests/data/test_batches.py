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


def reconstructing(**options):
    return sal.Network([sal.NeuronLayer(64)], 64, sal.MeanSquaredError(), sal.Adam(), **options)


@pytest.mark.parametrize("transform", [None, Flip(1)], ids=repr)
def test_targets_that_are_none_are_the_inputs_as_the_network_gets_them(transform):
    train, _ = load("digits")
    images = train.images * np.uint8(15)
    source = Source((images, None), reconstructing(), transform)
    assert source.reconstructed and not source.has_labels and len(source) == len(train)
    x, targets = next(source.batches(50, seed=0, epoch=0))
    assert x.shape == (50, 64) and x.max() <= 1
    np.testing.assert_array_equal(x, targets)
    order = np.random.default_rng([0, 0]).permutation(len(train))[:50]
    wanted = images[order][..., :: -1 if transform else 1].reshape(50, 64) / np.float32(255)
    np.testing.assert_allclose(targets, wanted, rtol=1e-6)
    for (x, targets), alone in zip(source.in_order(400), source.targets_in_order(400), strict=True):
        np.testing.assert_array_equal(x, targets)
        np.testing.assert_array_equal(alone, targets)


def test_an_engine_learns_to_reconstruct_and_tells_it_from_other_targets():
    train, test = load("digits")
    x, t = (part.images.reshape(-1, 64) / np.float32(16) for part in (train, test))
    engine = sal.Engine(reconstructing(), (x, None), (t, None), batch_size=32)
    before = engine.evaluate()["test_loss"]
    engine.run(3)
    assert engine.metrics == {} and engine.evaluate()["test_loss"] < before / 3
    given = sal.Engine(reconstructing(), (x, x), (t, t), batch_size=32)
    given.run(3)
    assert np.array_equal(given.network.parameters, engine.network.parameters)
    assert given.train.checksum != engine.train.checksum


def test_arrays_without_targets_are_split():
    x = np.arange(20.0).reshape(10, 2)
    (one, none), (other, nothing) = sal.data.split((x, None), 0.3)
    assert none is nothing is None and len(one) == 7 and len(other) == 3
    np.testing.assert_array_equal(np.sort(np.concatenate([one, other]), axis=0), x)


@pytest.mark.parametrize("highest", [40, 59, 200])
@pytest.mark.parametrize("scaled", [True, False])
def test_pixels_that_a_transform_scales_are_scaled_once_dark_ones_too(highest, scaled):
    images = np.random.default_rng(0).integers(0, highest + 1, (50, 1, 8, 8)).astype(np.uint8)
    factor = np.float32(1 / 255 if scaled else 1)
    source = Source((images, None), reconstructing(), lambda x, random: x * factor)
    x, _ = next(EndlessBatches(source, 50, seed=0))
    assert float(x.max()) == pytest.approx(images.max() / 255, rel=1e-6)


@pytest.mark.parametrize("highest", [40, 200])
def test_pixels_in_units_of_their_deviation_are_told_dark_ones_too(highest):
    images = np.random.default_rng(0).integers(0, highest + 1, (50, 1, 8, 8)).astype(np.uint8)
    with pytest.raises(ValueError, match="which are scaled after it: let it keep the range"):
        Source((images, None), reconstructing(), lambda x, random: (x - x.mean()) / x.std())


def test_dark_pixels_that_a_transform_darkens_are_not_taken_as_scaled():
    images = np.random.default_rng(0).integers(0, 50, (50, 1, 8, 8)).astype(np.uint8)
    source = Source((images, None), reconstructing(), lambda x, random: x * np.float32(0.2))
    x, _ = next(EndlessBatches(source, 50, seed=0))
    assert float(x.max()) == pytest.approx(images.max() * 0.2 / 255, rel=1e-6)
