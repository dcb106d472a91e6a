"""Runs of several processes: as one process, whatever their number and whoever dies."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import ranks
from command import call
from ranks import BATCH, classifier, start

import salamandre as sal
from salamandre import parallel
from salamandre.backend.group import ALONE, Group, Meeting
from salamandre.runs import find_runs
from salamandre.shares import RankStream

needs_mpi = pytest.mark.skipif(not ranks.mpirun(), reason="needs mpi4py and mpirun: [mpi]")
PROGRAM = Path(ranks.__file__)


@pytest.fixture(scope="module")
def alone():
    return ranks.equal(ALONE)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    path = tmp_path_factory.mktemp("ranks") / "found.npz"
    done = start(2, PROGRAM, "equal", path)
    assert done.returncode == 0, done.stderr
    return np.load(path)


@needs_mpi
@pytest.mark.parametrize("name", ranks.EQUAL)
def test_ranks_learn_what_one_process_learns_of_the_whole_batch(name, shared, alone):
    np.testing.assert_allclose(shared[name], alone[name], rtol=0, atol=1e-10)


@needs_mpi
def test_a_rank_that_is_killed_ends_the_run_and_others_go_on(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    assert start(2, PROGRAM, "killed", checkpoint).returncode != 0
    whole, resumed = classifier(ALONE), classifier(ALONE)
    resumed.resume(checkpoint)
    assert resumed.step == 6
    done = start(4, PROGRAM, "resumed", checkpoint)  # which learns what one process does
    assert done.returncode == 0, done.stderr
    resumed.run(2)
    whole.run(2)
    for found in (np.load(f"{checkpoint}.npy"), resumed.network.parameters):
        np.testing.assert_allclose(found, whole.network.parameters, rtol=0, atol=1e-10)


@needs_mpi
@pytest.mark.parametrize("where", ["rank 0", "rank 1"])
def test_an_error_in_one_rank_ends_all(tmp_path, where):
    done = start(2, PROGRAM, "fails", tmp_path / where)  # or else they would wait for ever
    assert done.returncode != 0
    assert done.stderr.count(f"OSError: no space in {where}") == 1


@needs_mpi
def test_what_callbacks_of_rank_0_say_holds_for_all(tmp_path):
    done = start(2, PROGRAM, "told", tmp_path)
    assert done.returncode == 0, done.stderr


@needs_mpi
def test_networks_that_differ_are_refused(tmp_path):
    done = start(2, PROGRAM, "different", tmp_path)
    assert done.returncode != 0
    assert "the parameters of the network differ between the ranks" in done.stderr


@needs_mpi
def test_the_command_trains_one_run_and_another_number_of_ranks_goes_on(tmp_path):
    words = ("--dataset", "digits", "--batch-size", "400", "--epochs", "2", "--yes")
    done = start(2, "-m", "salamandre", "train", "--output", tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("6 rounds, 2 epochs") == 1
    (run,) = find_runs(tmp_path)
    assert run.played() == 2
    call("train", "--output", tmp_path, "--resume", "latest", "--epochs", 3)
    assert run.played() == 3


@needs_mpi
def test_the_command_reports_an_error_of_all_ranks_once(tmp_path):
    done = start(
        2, "-m", "salamandre", "train", "--output", tmp_path, "--batch-size", "401", "--yes"
    )
    assert done.returncode != 0
    assert done.stderr.count("a batch of 401 examples makes no 2 equal shares") == 1


class Ranks(Group):
    """A rank of a group whose others say nothing."""

    def __init__(self, rank, size=2):
        self.rank, self.size = rank, size


def test_each_rank_has_numbers_of_its_own_and_one_state_stands_for_all():
    backend = sal.get_backend("numpy")
    streams = [RankStream(backend.stream(7), rank, backend) for rank in range(3)]
    before = streams[0].state
    drawn = [stream.normal((4,), "float32") for stream in streams]
    assert len({values.tobytes() for values in drawn}) == 3
    assert streams[0].state == streams[1].state == streams[2].state
    streams[1].state = before
    np.testing.assert_array_equal(streams[1].normal((4,), "float32"), drawn[1])


def test_ranks_see_all_examples_and_change_them_in_their_own_way():
    def noise(x, random):
        return x + random.normal(size=x.shape)

    engines = [classifier(Ranks(rank), transform=noise) for rank in range(2)]
    plain = classifier(ALONE)
    x = [next(engine.batches)[0] for engine in engines]
    rows, _ = next(plain.batches)
    changes = [ours - rows[Ranks(rank).rows(BATCH)] for rank, ours in enumerate(x)]
    assert all((change != 0).all() for change in changes)
    assert not np.isclose(*changes).any()


def test_batches_without_equal_shares_are_refused():
    with pytest.raises(ValueError, match="a batch of 16 examples makes no 3 equal shares"):
        classifier(Ranks(0, 3))


def test_a_network_leaves_a_group():
    network = classifier(Ranks(1)).network
    state = network.random.state
    network.join(ALONE)
    assert network.group is ALONE
    assert network.random.state == state
    assert network.learn(ranks.X, ranks.LABELS) > 0


def test_without_mpirun_there_is_one_process(monkeypatch):
    for name in parallel.LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    assert parallel.world() is ALONE


def test_mpirun_without_mpi4py_says_what_to_install(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r"pip install 'salamandre\[mpi\]'"):
        parallel.world()


def test_a_copy_in_another_process_is_no_rank():
    import copy
    import pickle

    comm = types.SimpleNamespace(size=2, rank=1)
    network = sal.Network([sal.NeuronLayer(2)], 3)
    network.join(parallel.Ranks(comm))
    assert copy.deepcopy(network).group is network.group
    assert pickle.loads(pickle.dumps(network)).group.size == 1


def test_arrays_of_a_gpu_go_through_nccl(monkeypatch):
    """With a stand-in: two threads, and arrays of the host that call themselves a GPU's."""
    meeting = Meeting(2)

    class OnGpu(np.ndarray):
        __cuda_array_interface__ = {}

    def init_process_group(size, rank, use_mpi):
        assert use_mpi
        group = meetings[rank]

        def all_reduce(given, out):
            out[...] = group.all_reduce(np.asarray(given))

        return types.SimpleNamespace(all_reduce=all_reduce)

    meetings = meeting.groups()
    module = types.SimpleNamespace(init_process_group=init_process_group)
    monkeypatch.setitem(sys.modules, "cupyx", types.SimpleNamespace(distributed=module))
    monkeypatch.setitem(sys.modules, "cupyx.distributed", module)
    from concurrent.futures import ThreadPoolExecutor

    def total(rank):
        group = parallel.Ranks(types.SimpleNamespace(size=2, rank=rank))
        array = np.full(3, rank + 1.0).view(OnGpu)
        found = group.all_reduce(array)
        assert (array == rank + 1).all()
        return found

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(total, range(2)):
            np.testing.assert_array_equal(found, 3)
