"""One run on several processes, on one machine or many: data-parallel training by MPI.

Each process, a rank, has the same networks, computes its share of each batch, and all take the same
step by the mean of their gradients::

    group = parallel.world()
    engine = sal.Engine(network, train, test, batch_size=256, group=group)

started as ``mpirun -n 4 python program.py``. The batch is that of all ranks together, so that their
number changes nothing but the time, the rounding and random numbers. Rank 0 alone runs callbacks,
and so writes files.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.backend.group import ALONE, Group

RANKS = {"OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK", "PMI_SIZE": "PMI_RANK"}
LAUNCHED = (*RANKS, "PMIX_RANK")  # set by mpirun, mpiexec, srun
PATIENCE = 2.0  # seconds that rank 0 has to report an error that all ranks have


def launched() -> tuple[int, int]:
    """Return how many processes ``mpirun`` has started, and the number of this one from 0 on.

    One process, number 0, where only ``PMIX_RANK`` says that there are more.
    """
    for size, rank in RANKS.items():
        if size in os.environ:
            return int(os.environ[size]), int(os.environ.get(rank, 0))
    return 1, 0


def world(coupled: bool = False) -> Group:
    """Return the group of all processes that ``mpirun`` has started; without it, a group of one.

    BLAS is told to use no more threads than the cores of a machine divided by its ranks.

    Args:
        coupled: whether batch-norm and other layers whose outputs depend on the whole batch see
            that of all ranks. Default False: each rank's share.

    Raises:
        ImportError: there are several processes, and mpi4py is missing.
    """
    if not any(name in os.environ for name in LAUNCHED):
        return ALONE
    try:
        from mpi4py import MPI
    except ImportError:
        raise ImportError(
            "training by several processes needs mpi4py: pip install 'salamandre[mpi]'"
        ) from None
    if MPI.COMM_WORLD.size == 1:
        return ALONE
    _share_cores()
    return Ranks(MPI.COMM_WORLD, coupled)


class Ranks(Group):
    """Processes, each with a share of a batch.

    Arrays of the host go through MPI, those of a GPU through NCCL, for which each process must see
    a GPU of its own.

    Args:
        comm: a communicator of mpi4py.
        coupled: see :func:`world`.
    """

    repeats = False  # a recording holds no message

    def __init__(self, comm: Any, coupled: bool = False) -> None:
        self.size, self.rank, self.coupled = comm.size, comm.rank, coupled
        self._comm, self._failed = comm, False

    def all_reduce(self, array: Array) -> Array:
        """As the base; all ranks get the same bits."""
        if hasattr(array, "__cuda_array_interface__"):
            total = array.copy()
            self._nccl.all_reduce(total, total)
            return total
        from mpi4py import MPI

        total = np.array(array, order="C")
        self._comm.Allreduce(MPI.IN_PLACE, total)
        return total

    @functools.cached_property
    def _nccl(self) -> Any:
        from cupyx.distributed import init_process_group

        return init_process_group(self.size, self.rank, use_mpi=True)

    def barrier(self) -> None:
        """As the base."""
        self._comm.Barrier()

    @contextmanager
    def guard(self, alike: type[BaseException] | tuple[()] = ()) -> Iterator[None]:
        """As the base: when this process ends, MPI ends all others."""
        try:
            yield
        except alike:
            raise
        except BaseException:
            if self.rank:  # what rank 0 reports, need not be reported again
                time.sleep(PATIENCE)
            if not self._failed:
                self._failed = True
                atexit.register(self._abort)
            raise

    def _abort(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        self._comm.Abort(1)

    def __deepcopy__(self, memo: Any) -> Ranks:
        return self

    def __reduce__(self) -> tuple[Any, ...]:  # in another process it would be another rank
        return Group, ()


@functools.cache
def _share_cores() -> None:
    """Limit the threads of BLAS, so that the ranks of a machine do not fight for its cores."""
    from mpi4py import MPI
    from threadpoolctl import ThreadpoolController

    machine = MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED)
    known = hasattr(os, "sched_getaffinity")
    own = os.sched_getaffinity(0) if known else range(os.cpu_count() or 1)
    cores = set().union(*machine.allgather(set(own)))
    # Everywhere the same, since batches are shared among as many threads.
    fair = MPI.COMM_WORLD.allreduce(max(1, len(cores) // machine.size), MPI.MIN)
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        library.set_num_threads(min(fair, library.get_num_threads()))
