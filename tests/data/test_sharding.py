"""Data sets in many files: read as one array, in an order of blocks, and learned as any other."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import salamandre as sal
from salamandre import data
from salamandre.data import rows as rows_module
from salamandre.data.batches import Source
from salamandre.data.rows import Rows

COUNTS = (5, 1, 12, 7)
N = sum(COUNTS)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (N, 1, 4, 4), dtype=np.uint8)
LABELS = RANDOM.integers(0, 3, N)


@pytest.fixture
def folder(tmp_path):
    ends = np.cumsum(COUNTS)[:-1]
    parts = zip(np.split(IMAGES, ends), np.split(LABELS, ends), strict=True)
    for number, (images, labels) in enumerate(parts, 8):  # 8 to 11
        np.save(tmp_path / f"x-{number}.npy", images)
        np.save(tmp_path / f"y-{number}.npy", labels)
    return tmp_path


def network(shape=(1, 4, 4), **options):
    layers = [sal.Flatten(), sal.NeuronLayer(3, sal.Softmax())]
    return sal.Network(layers, shape, sal.CrossEntropy(), sal.SGD(0.1), **options)


@pytest.mark.parametrize(
    "index",
    [slice(None), slice(3, 20, 4), slice(-3, None), 7, -1, [23, 0, 5, 5], np.arange(N) % 2 == 0],
    ids=repr,
)
def test_rows_are_those_of_all_files(folder, index):
    inputs, targets = data.shards(folder)
    assert (inputs.shape, inputs.dtype, len(inputs)) == (IMAGES.shape, IMAGES.dtype, N)
    np.testing.assert_array_equal(inputs[index], IMAGES[index])
    np.testing.assert_array_equal(targets, LABELS)


def test_taken_rows_are_in_memory(folder):
    inputs, _ = data.shards(folder)
    taken = inputs.take([1, 2])
    taken[:] = 0
    np.testing.assert_array_equal(inputs.take([1, 2]), IMAGES[1:3])
    np.testing.assert_array_equal(np.asarray(inputs), IMAGES)


def test_copies_and_pickles_read_the_same_files(folder):
    inputs, _ = data.shards(folder)
    pickled = pickle.dumps(inputs)
    assert len(pickled) < 2000
    for other in (copy.deepcopy(inputs), pickle.loads(pickled)):
        np.testing.assert_array_equal(other[:], IMAGES)


def test_an_order_reads_blocks_one_after_the_other(folder, monkeypatch):
    monkeypatch.setattr(rows_module, "BLOCK", 4 * 16)  # of 4 rows
    monkeypatch.setattr(rows_module, "WINDOW", 2)
    inputs, _ = data.shards(folder)
    orders = [inputs.order(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()
    for order in orders:
        assert sorted(order) == list(range(N))
        windows = [set(order[first : first + 8] // 4) for first in range(0, N - N % 8, 8)]
        assert all(len(blocks) <= 3 for blocks in windows)  # the last block may be short
        assert (np.diff(order) != 1).any()


@pytest.mark.parametrize("transform", [None, data.Flip()], ids=repr)
def test_an_epoch_has_each_example_once_with_its_label(folder, transform):
    source = Source(data.shards(folder), network(), transform)
    found = list(source.batches(6, seed=1, epoch=0))
    assert len(found) == 4
    pixels = {tuple(image.ravel()): k for k, image in enumerate(IMAGES)}
    pixels |= {tuple(image[..., ::-1].ravel()): k for k, image in enumerate(IMAGES)}
    seen = []
    for x, labels in found:
        assert x.dtype == np.float32
        numbers = [pixels[tuple(np.rint(image * 255).astype(int).ravel())] for image in x]
        np.testing.assert_array_equal(LABELS[numbers], labels)
        seen += numbers
    assert len(set(seen)) == N - N % 6 == 24


def test_an_engine_learns_and_resumes_bit_for_bit(folder, tmp_path):
    def engine():
        both = data.shards(folder)
        return sal.Engine(network(), both, both, batch_size=6, class_weights="balanced")

    whole, stopped, resumed = engine(), engine(), engine()
    whole.run(3)
    stopped.run(1)
    next(stopped.batches)
    stopped.batches.drawn -= 1
    stopped.save(tmp_path / "checkpoint")
    resumed.resume(tmp_path / "checkpoint")
    resumed.run(3)
    np.testing.assert_array_equal(resumed.network.parameters, whole.network.parameters)
    assert whole.history.column("accuracy") == resumed.history.column("accuracy")
    del whole, stopped, resumed
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_files_that_have_changed_are_noticed(folder, tmp_path):
    engine = sal.Engine(network(), data.shards(folder), batch_size=6)
    engine.run(1)
    engine.save(tmp_path / "checkpoint")
    np.save(folder / "x-8.npy", 255 - IMAGES[:5])
    other = sal.Engine(network(), data.shards(folder), batch_size=6)
    with pytest.raises(ValueError, match="it belongs to another run"):
        other.resume(tmp_path / "checkpoint")


def test_a_game_plays_with_inputs_alone(folder):
    for path in folder.glob("y-*"):
        path.unlink()
    inputs, targets = data.shards(folder)
    assert targets is None
    up = [sal.NeuronLayer(16, sal.Tanh()), sal.Reshape((1, 4, 4))]
    down = [sal.Flatten(), sal.NeuronLayer(1)]
    generator = sal.Network(up, 2, optimizer=sal.Adam())
    discriminator = sal.Network(down, (1, 4, 4), optimizer=sal.Adam())
    options = {"latent": sal.Gaussian(2), "batch_size": 6}
    game = sal.GanGame(generator, discriminator, inputs, **options)
    assert game.play(8).steps["d_loss"][-1] > 0


def test_an_autoencoder_learns_inputs_alone(folder):
    for path in folder.glob("y-*"):
        path.unlink()
    layers = [sal.Flatten(), sal.NeuronLayer(16, sal.Sigmoid()), sal.Reshape((1, 4, 4))]
    net = sal.Network(layers, (1, 4, 4), sal.MeanSquaredError(), sal.Adam())
    both = data.shards(folder)
    assert sal.Engine(net, both, both, batch_size=6).run(1).records[-1]["test_loss"] < 1


def test_targets_may_be_images_in_files(tmp_path):
    for number in range(2):
        np.save(tmp_path / f"x_{number}.npy", np.full((4, 1, 2, 2), number, np.float32))
        np.save(tmp_path / f"target_{number}.npy", np.full((4, 1, 2, 2), 1 - number, np.float64))
    inputs, targets = data.shards(tmp_path)
    assert isinstance(targets, Rows)
    net = sal.Network(
        [sal.ConvolutionalLayer(1, 1)], (1, 2, 2), sal.MeanSquaredError(), sal.Adam(0.1)
    )
    engine = sal.Engine(net, (inputs, targets), batch_size=4)
    assert engine.run(50).mean("loss", 4) < 1e-3


def test_nan_is_found_when_it_is_read(tmp_path):
    x = np.zeros((2000, 2), np.float32)
    x[999] = np.nan  # not among the rows that are looked at
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.zeros(2000, int))
    engine = sal.Engine(network((2,)), data.shards(tmp_path), batch_size=10)
    with pytest.raises(ValueError, match="NaN"):
        engine.run(1)


def test_a_mapped_array_is_cast_batch_by_batch(tmp_path):
    np.save(tmp_path / "x.npy", RANDOM.normal(size=(40, 2)))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    source = Source((x, np.zeros(40, int)), network((2,)))
    assert np.shares_memory(source._inputs, x)
    batch, _ = next(source.batches(8, 0, 0))
    assert batch.dtype == np.float32


def damage(folder, what):
    if what == "nothing":
        for path in folder.iterdir():
            path.unlink()
    elif what == "another shape":
        np.save(folder / "x-9.npy", np.zeros((1, 1, 4, 5), np.uint8))
    elif what == "fewer labels":
        np.save(folder / "y-8.npy", LABELS[:4])
    elif what == "objects":
        np.save(folder / "x-9.npy", np.array([{}]), allow_pickle=True)
    elif what == "cut off":
        whole = (folder / "x-10.npy").read_bytes()
        (folder / "x-10.npy").write_bytes(whole[:-50])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "has no parts of a data set: name them x-000.npy"),
        ("another shape", r"x-9.npy holds uint8 of shape \(1, 1, 4, 5\), expected rows as in x-8"),
        ("fewer labels", r"as many targets as inputs in each part, got \[4, 1, 12, 7\] targets"),
        ("objects", "x-9.npy is damaged or no .npy file"),
        ("cut off", "x-10.npy is damaged or no .npy file"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(folder, what, message):
    damage(folder, what)
    with pytest.raises(ValueError, match=message) as error:
        data.shards(folder)
    assert len(str(error.value).splitlines()) == 1


def test_parts_of_other_numbers_are_no_pairs(tmp_path):
    for name in ("x-0", "x-1", "y-0", "y-2"):
        np.save(tmp_path / f"{name}.npy", np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"same numbers, got x-1\.npy beside y-2\.npy"):
        data.shards(tmp_path)


def test_an_engine_looks_at_few_rows_before_its_first_step(tmp_path, monkeypatch):
    for part in range(2):
        np.save(tmp_path / f"x-{part}.npy", np.full((20_000, 2), part, np.float32))
    network = sal.Network([sal.NeuronLayer(2)], 2, sal.MeanSquaredError(), sal.SGD(0.1))
    shards, taken = data.shards(tmp_path), []
    take = Rows.take

    def counted(rows, part, **options):
        taken.append(len(part))
        return take(rows, part, **options)

    monkeypatch.setattr(Rows, "take", counted)
    engine = sal.Engine(network, shards, batch_size=100)
    assert sum(taken) < 10_000
    taken.clear()
    engine.run(epochs=1)
    assert sum(taken) == 40_000  # once, though they are inputs and targets


def test_more_files_than_a_process_may_open_are_one_array(tmp_path):
    resource = pytest.importorskip("resource")
    for number in range(90):
        np.save(tmp_path / f"x-{number}.npy", np.full((2, 3), number, np.float32))
    program = (
        "import resource, sys, numpy as np\n"
        "from salamandre import data\n"
        "_, most = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (85, most))\n"
        "x = np.asarray(data.shards(sys.argv[1]).inputs)\n"
        "assert (x[:, 0] == np.arange(90).repeat(2)).all()\n"
    )
    assert resource and subprocess.run([sys.executable, "-c", program, tmp_path]).returncode == 0


def test_pickled_rows_are_found_from_another_folder(folder, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(folder)
    content = pickle.dumps(data.shards(".").inputs)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    np.testing.assert_array_equal(np.asarray(pickle.loads(content)), IMAGES)


def test_hidden_files_are_no_parts(folder):
    (folder / "._x-8.npy").write_bytes(b"of a system")
    assert len(data.shards(folder).inputs) == N


def test_parts_of_two_splits_are_no_one_data_set(tmp_path):
    for split in ("train", "test"):
        np.save(tmp_path / f"x_{split}_0.npy", np.zeros((2, 3), np.float32))
        np.save(tmp_path / f"y_{split}_0.npy", np.zeros(2, int))
    with pytest.raises(ValueError, match=r"parts of several splits .*\(test, train\): give each"):
        data.shards(tmp_path)


def test_targets_need_not_name_the_split_of_their_inputs(tmp_path):
    np.save(tmp_path / "train-images-0.npy", np.zeros((2, 3), np.float32))
    np.save(tmp_path / "labels-0.npy", np.arange(2))
    assert data.shards(tmp_path).targets.tolist() == [0, 1]


def test_rows_in_files_that_are_one_hot_can_be_inputs_without_targets(tmp_path):
    np.save(tmp_path / "x-0.npy", np.eye(5, dtype=np.float32)[np.arange(40) % 5])
    train, test = data.split(data.shards(tmp_path), 0.25)
    assert (len(train[0]), len(test[0])) == (30, 10)
    autoencoder = sal.Network([sal.NeuronLayer(5)], 5, sal.MeanSquaredError(), sal.SGD(0.1))
    history = sal.Engine(autoencoder, data.shards(tmp_path), batch_size=8).run(epochs=1)
    assert len(history.steps["loss"]) == 5
