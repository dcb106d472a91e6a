"""What several processes gain over one, and a prediction for more of them.

    mpirun -n 2 python benchmarks/ranks.py
    mpirun -n 2 python benchmarks/ranks.py --rounds 9 --synchronised

The step is a round of a DCGAN at 32×32 (see peers/ours.py), one thread of BLAS in each process. In
turns, rank 0 plays with the whole batch while the others sleep, and all ranks play together: a
ratio is the time of one process over theirs. Messages are counted in a round, and timed alone.

The prediction for P ranks with a batch of 64 each is t + Σ (2 ⌈log₂ P⌉ α + 2 (P-1)/P n/β) over the
messages of a round, t the time of one process, n the bytes of a message, α the latency and β the
bandwidth of the network: an all-reduce that halves and doubles, without its additions (Thakur,
Rabenseifner and Gropp 2005, "Optimization of collective communication operations in MPICH", section
4.5).
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import math
import statistics
import time

import numpy as np
from peers.ours import dcgan_game

import salamandre as sal
from salamandre import parallel
from salamandre.backend.group import ALONE, Group

NETWORKS = {  # latency in seconds, bytes a second
    "10 Gbit/s Ethernet": (30e-6, 1.1e9),
    "100 Gbit/s InfiniBand": (2e-6, 11e9),
}
PREDICTED = (8, 64, 256, 1024)


class Counted(parallel.Ranks):
    """Notes the bytes of each message."""

    def all_reduce(self, array):
        """Return the sum."""
        self.messages.append(np.asarray(array).nbytes)
        return super().all_reduce(array)


def wait(comm) -> None:
    """Wait for all ranks, without keeping a core busy."""
    arrived = comm.Ibarrier()
    while not arrived.Test():
        time.sleep(1e-3)


def turn(game: sal.GanGame) -> float:
    """Return the seconds of a round of all ranks that play."""
    game.play_and_learn()
    game.group.barrier()
    start = time.perf_counter()
    for _ in range(5):
        game.play_and_learn()
    return (time.perf_counter() - start) / 5


def message_time(group: Group, size: int) -> float:
    """Return the seconds of a message of so many bytes."""
    array, seconds = np.zeros(size // 4, np.float32), []
    for _ in range(30):
        group.barrier()
        start = time.perf_counter()
        group.all_reduce(array)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def predicted(ranks: int, seconds: float, messages: list[int], alpha: float, beta: float) -> float:
    """Return the seconds of a round of so many ranks."""
    cost = sum(
        2 * math.ceil(math.log2(ranks)) * alpha + 2 * (ranks - 1) / ranks * size / beta
        for size in messages
    )
    return seconds + cost


def main() -> None:
    """Print the tables, in rank 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant")
    parser.add_argument("--synchronised", action="store_true", help="normalise by the whole batch")
    options = parser.parse_args()
    world = parallel.world()
    if world.size == 1:
        parser.error("start it by mpirun -n 2")
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    group = Counted(comm, options.synchronised)
    group.messages = []
    together, alone = dcgan_game(group=group), dcgan_game(group=ALONE)
    together.play_and_learn()
    group.messages.clear()
    together.play_and_learn()
    messages = list(group.messages)
    seconds: dict[str, list[float]] = {"one": [], "all": []}
    for _ in range(options.rounds):
        wait(comm)
        if world.rank == 0:
            seconds["one"].append(turn(alone))
        wait(comm)
        seconds["all"].append(turn(together))
    times = {size: message_time(group, size) for size in (8, 1024, max(messages))}
    if world.rank:
        return
    one, all_ranks = (statistics.median(seconds[who]) for who in ("one", "all"))
    ratios = [a / b for a, b in zip(seconds["one"], seconds["all"], strict=True)]
    print(
        f"a round of a batch of 64: one process {one * 1e3:.1f} ms, {world.size} processes ", end=""
    )
    print(f"{all_ranks * 1e3:.1f} ms: {one / all_ranks:.2f} ", end="")
    print(f"({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"messages of a round: {len(messages)}, {sum(messages):,} bytes, ", end="")
    print(f"the largest {max(messages):,}")
    for size, taken in times.items():
        print(f"  {size:,} bytes: {taken * 1e6:.0f} µs")
    print("\n| network | " + " | ".join(f"{p:,} ranks" for p in PREDICTED) + " |")
    print("|---" * (1 + len(PREDICTED)) + "|")
    for name, (alpha, beta) in NETWORKS.items():
        found = [predicted(p, one, messages, alpha, beta) for p in PREDICTED]
        cells = [f"{t * 1e3:.0f} ms, {one / t:.0%}" for t in found]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
