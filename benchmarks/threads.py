"""What sharing a batch among threads gains over one thread, and over the threads of BLAS alone.

    python benchmarks/threads.py                    # on as many cores as the process may use
    python benchmarks/threads.py --only DCGAN

Contestants take turns in one process. A turn is half a second, since the threads of BLAS stay awake
for a while after the turn of the one before. "One" is one thread for all; "BLAS" leaves the cores
to BLAS, as steps do that are not shared. A ratio is the time of one thread over theirs.

What more cores would give is a prediction, by Amdahl's law with two serial shares: the time that a
shared step spends outside of its shares, and that of Karp and Flatt 1990, (1/s - 1/p) / (1 - 1/p)
for the ratio s of p threads, which counts waiting and what memory cannot deliver as serial too.
With 4 and 8 threads losses are compared with those of one thread, whatever the number of cores.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from peers.ours import dcgan_game
from threadpoolctl import ThreadpoolController

import salamandre as sal
from salamandre.backend.team import Team
from salamandre.machine import cores

TURN, PAUSE = 0.5, 0.2  # seconds
BATCH = 64
Networks = list[sal.Network]
Step = Callable[[], float]


def cnn(*blocks: list[int]) -> tuple[Networks, Step]:
    """Return a classifier of blocks of such channels, with pooling between, and its step."""
    layers: list[sal.Layer] = []
    for index, block in enumerate(blocks):
        layers += [sal.MaxPool(2)] * bool(index)
        for channels in block:
            layers.append(sal.ConvolutionalLayer(channels, 3, padding=1, activation=sal.ReLU()))
    layers += [sal.Flatten(), sal.NeuronLayer(10, sal.Softmax())]
    network = sal.Network(layers, (1, 28, 28), sal.CrossEntropy(), sal.Adam())
    random = np.random.default_rng(0)
    x, labels = random.random((BATCH, 1, 28, 28), np.float32), random.integers(0, 10, BATCH)
    return [network], lambda: network.learn(x, labels)


def perceptron(batch: int) -> tuple[Networks, Step]:
    """Return 784-1000-300-10 and its step."""
    layers = [sal.NeuronLayer(1000, sal.ReLU()), sal.NeuronLayer(300, sal.ReLU())]
    layers.append(sal.NeuronLayer(10, sal.Softmax()))
    network = sal.Network(layers, 784, sal.CrossEntropy(), sal.Adam())
    random = np.random.default_rng(0)
    x, labels = random.random((batch, 784), np.float32), random.integers(0, 10, batch)
    return [network], lambda: network.learn(x, labels)


def penalty() -> tuple[Networks, Step]:
    """Return the players of a Wasserstein game with gradient penalty, and its round."""

    def player(sizes: list[int], activation: sal.Activation, last: sal.Activation, seed: int):
        layers = [sal.NeuronLayer(size, activation) for size in sizes[1:-1]]
        layers.append(sal.NeuronLayer(sizes[-1], last))
        return sal.Network(layers, sizes[0], optimizer=sal.Adam(2e-4, beta1=0.5), seed=seed)

    players = [
        player([100, 256, 512, 784], sal.ReLU(), sal.Tanh(), 0),
        player([784, 512, 256, 1], sal.LeakyReLU(0.2), sal.activations.Identity(), 1),
    ]
    images = np.random.default_rng(0).uniform(-1, 1, (40 * BATCH, 784)).astype(np.float32)
    options = {"critic_steps": 2, "lipschitz": sal.GradientPenalty(10), "batch_size": BATCH}
    return players, _round(sal.WGanGame(*players, images, latent=sal.Gaussian(100), **options))


def dcgan() -> tuple[Networks, Step]:
    """Return the players of a DCGAN at 32×32, and its round."""
    game = dcgan_game()
    return [game.generator, game.discriminator], _round(game)


def _round(game: sal.GanGame) -> Step:
    def step() -> float:
        game.play_and_learn()
        return game.history.steps["d_loss"][-1]

    return step


WORKS = {
    "CNN 32-32-pool-64-pool-128, windows 3×3": lambda: cnn([32, 32], [64], [128]),
    "CNN 8-pool-16, windows 3×3": lambda: cnn([8], [16]),
    "DCGAN round, 32×32": dcgan,
    "penalty round, 2 critic steps": penalty,
    "784-1000-300-10, batch 64": lambda: perceptron(64),
    "784-1000-300-10, batch 2048": lambda: perceptron(2048),
}


def contestant(make: Callable[[], tuple[Networks, Step]], threads: int, blas: int) -> Step:
    """Return a step by so many threads, with so many threads of BLAS outside of the shares."""
    networks, step = make()
    for network in networks:
        network.threads = threads
    libraries = ThreadpoolController().select(user_api="blas")

    def limited() -> float:
        with libraries.limit(limits=blas):
            return step()

    return limited


def seconds_outside(step: Step, count: int) -> float:
    """Return the time that a step spends outside of its shares."""
    run, inside = Team.run, []

    def timed(*arguments):
        start = time.perf_counter()
        try:
            return run(*arguments)
        finally:
            inside.append(time.perf_counter() - start)

    Team.run = timed
    try:
        start = time.perf_counter()
        for _ in range(count):
            step()
        return (time.perf_counter() - start - sum(inside)) / count
    finally:
        Team.run = run


def amdahl(serial: float, cores: int) -> float:
    """Return how many times as fast so many cores are as one."""
    return 1 / (serial + (1 - serial) / cores)


def times(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Return the median seconds of each step."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            time.sleep(PAUSE)
            step()
            stop = time.perf_counter() + TURN
            while (start := time.perf_counter()) < stop:
                step()
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def row(name: str, cores: int, rounds: int) -> str:
    """Measure a work; return its row of the table."""
    make = WORKS[name]
    shared = contestant(make, cores, cores)
    steps = {"one": contestant(make, 1, 1), "BLAS": contestant(make, 1, cores), "shared": shared}
    found = times(steps, rounds)
    blas, s = (found["one"] / found[who] for who in ("BLAS", "shared"))
    serial = seconds_outside(shared, 10) / found["one"], (1 / s - 1 / cores) / (1 - 1 / cores)
    predicted = [" to ".join(f"{amdahl(e, n):.1f}" for e in serial[::-1]) for n in (8, 16)]
    losses = [[step() for _ in range(5)] for step in (contestant(make, n, 1) for n in (1, 4, 8))]
    difference = max(np.abs(np.subtract(other, losses[0])).max() for other in losses[1:])
    cells = [name, f"{found['one'] * 1e3:.1f} ms", f"{blas:.2f}", f"{s:.2f}"]
    cells += [f"{serial[0]:.0%}, {serial[1]:.0%}", *predicted] if s > 1 else ["", "", ""]
    return f"| {' | '.join([*cells, f'{difference:.0e}'])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="works with this in their names")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant")
    options = parser.parse_args()
    count = cores()
    if count < 2:
        parser.error("sharing needs at least two cores")
    heads = ["step", "one thread", f"BLAS, {count} threads", f"{count} shares", "serial shares"]
    heads += ["predicted: 8 cores", "16 cores", "loss of 4 and 8 shares: difference"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in WORKS:
        if options.only in name:
            print(row(name, count, options.rounds), flush=True)


if __name__ == "__main__":
    main()
