"""Time this checkout against another one of an earlier commit, both in turns on one machine.

git worktree add ../before COMMIT
python benchmarks/commits.py ../before --threads 1

Each checkout has a process of its own; they are asked in turns, so that noise of the machine meets
both. A ratio above 1 means that this checkout is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SECONDS = 0.7  # of each turn


def workloads() -> dict[str, Callable[[], Callable[[], object]]]:
    """Return what makes each step, in words that both checkouts understand."""
    import numpy as np

    import salamandre as sal
    from salamandre import data, games

    random = np.random.default_rng(0)
    leaky = sal.LeakyReLU(0.2)
    adam = {"learning_rate": 2e-4, "beta1": 0.5}

    def classifier(sizes, batch, optimizer, activation):
        hidden = [sal.NeuronLayer(size, activation) for size in sizes[1:-1]]
        network = sal.Network(
            [*hidden, sal.NeuronLayer(sizes[-1], sal.Softmax())],
            sizes[0],
            sal.CrossEntropy(),
            optimizer,
        )
        x = random.normal(size=(batch, sizes[0])).astype(np.float32)
        labels = random.integers(0, sizes[-1], batch)
        return lambda: network.learn(x, labels)

    def predictions():
        network = sal.Network(
            [sal.NeuronLayer(300, sal.ReLU()), sal.NeuronLayer(10, sal.Softmax())], 784
        )
        x = random.normal(size=(256, 784)).astype(np.float32)
        return lambda: network.predict(x)

    def perceptrons(kind, **options):
        makes = [sal.NeuronLayer(256, leaky), sal.NeuronLayer(512, leaky)]
        tells = [sal.NeuronLayer(512, leaky), sal.NeuronLayer(256, leaky)]
        generator = sal.Network(
            [*makes, sal.NeuronLayer(784, sal.Tanh())], 100, optimizer=sal.Adam(**adam)
        )
        critic = sal.Network([*tells, sal.NeuronLayer(1)], 784, optimizer=sal.Adam(**adam))
        points = np.tanh(random.normal(size=(1000, 784))).astype(np.float32)
        return kind(generator, critic, points, latent=sal.Gaussian(100), **options).play_and_learn

    def conditional():
        train, _ = data.load("digits")
        name = "lscgan" if "lscgan" in games.ARCHITECTURES else "cgan"  # as it was called
        return games.new_game(name, train, average=0).play_and_learn

    def convolutions():
        conv = sal.ConvolutionalLayer
        layers = [
            *(conv(32, 3, padding=1, bias=False), sal.BatchNorm(), sal.ReLU()),
            *(conv(32, 3, padding=1, activation=sal.ReLU()), sal.MaxPool(2)),
            *(conv(64, 3, padding=1, activation=sal.ReLU()), sal.MaxPool(2), sal.Dropout(0.2)),
            *(sal.Flatten(), sal.NeuronLayer(10, sal.Softmax())),
        ]
        network = sal.Network(layers, (1, 28, 28), sal.CrossEntropy(), sal.Adam())
        x = random.normal(size=(64, 1, 28, 28)).astype(np.float32)
        labels = random.integers(0, 10, 64)
        return lambda: network.learn(x, labels)

    def dcgan():
        conv, up = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer
        makes = [sal.Reshape((64, 1, 1))]
        for channels, *window in ((128, 4), (64, 4, 2, 1), (32, 4, 2, 1)):
            makes += [up(channels, *window, bias=False), sal.BatchNorm(), sal.ReLU()]
        tells = [conv(32, 4, 2, 1, activation=leaky)]
        for channels in (64, 128):
            tells += [conv(channels, 4, 2, 1, bias=False), sal.BatchNorm(), sal.LeakyReLU(0.2)]
        generator = sal.Network(
            [*makes, up(1, 4, 2, 1, activation=sal.Tanh())], 64, optimizer=sal.Adam(**adam)
        )
        discriminator = sal.Network(
            [*tells, conv(1, 4), sal.Flatten()], (1, 32, 32), optimizer=sal.Adam(**adam)
        )
        images = np.tanh(random.normal(size=(512, 1, 32, 32))).astype(np.float32)
        game = sal.GanGame(generator, discriminator, images, latent=sal.Gaussian(64))
        return game.play_and_learn

    small, large = (784, 300, 10), (784, 1000, 300, 10)
    penalty = {"critic_steps": 2, "lipschitz": sal.GradientPenalty()}
    return {
        "4-4-10, batch 20": lambda: classifier((4, 4, 10), 20, sal.SGD(0.1), sal.Tanh()),
        "784-300-10, batch 1": lambda: classifier(small, 1, sal.SGD(0.1), sal.Sigmoid()),
        "784-300-10, batch 64": lambda: classifier(small, 64, sal.SGD(0.1), sal.Sigmoid()),
        "784-300-10, batch 512": lambda: classifier(small, 512, sal.SGD(0.1), sal.Sigmoid()),
        "784-1000-300-10, Adam": lambda: classifier(large, 64, sal.Adam(), sal.ReLU()),
        "predict 256": predictions,
        "perceptron game": lambda: perceptrons(sal.GanGame),
        "game with gradient penalty": lambda: perceptrons(sal.WGanGame, **penalty),
        "conditional game": conditional,
        "convolutional network": convolutions,
        "DCGAN round": dcgan,
    }


def work() -> None:
    """Answer on the standard output how long steps named on the standard input take."""
    made, makers = {}, workloads()
    for line in sys.stdin:
        name = line.strip()
        if name not in made:
            made[name] = makers[name]()
            for _ in range(3):
                made[name]()
        times, end = [], time.perf_counter() + SECONDS
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            made[name]()
            times.append(time.perf_counter() - start)
        print(json.dumps(statistics.quantiles(times, n=4)[0] if len(times) > 1 else times[0]))
        sys.stdout.flush()


def process(checkout: Path, threads: int) -> subprocess.Popen[str]:
    """Return a process that works with the package of a checkout."""
    return subprocess.Popen(
        [sys.executable, Path(__file__).resolve(), "--worker"],
        env={
            **os.environ,
            "PYTHONPATH": str(checkout),
            "OPENBLAS_NUM_THREADS": str(threads),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(worker: subprocess.Popen[str], name: str) -> float:
    """Return the seconds that a step takes: the lower quartile of a turn."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(name + "\n")
    worker.stdin.flush()
    return float(json.loads(worker.stdout.readline()))


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", nargs="?", type=Path, help="the other checkout")
    parser.add_argument("--threads", type=int, default=1, help="of BLAS (default 1)")
    parser.add_argument("--turns", type=int, default=9, help="of each checkout (default 9)")
    parser.add_argument("--only", default="", help="steps with this text in their names")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work()
        return
    if options.before is None or not (options.before / "salamandre").is_dir():
        parser.error("give the folder of the other checkout")
    before, now = (process(path.resolve(), options.threads) for path in (options.before, HERE))
    print(f"| step, {options.threads} BLAS threads | time now | before / now: median | range |")
    print("|---|---|---|---|")
    for name in workloads():
        if options.only not in name:
            continue
        ratios, taken = [], []
        for turn in range(options.turns):
            order = (before, now) if turn % 2 else (now, before)
            times = {worker: ask(worker, name) for worker in order}
            ratios.append(times[before] / times[now])
            taken.append(times[now])
        print(
            f"| {name} | {1000 * statistics.median(taken):.3g} ms "
            f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |",
            flush=True,
        )
    for worker in (before, now):
        worker.terminate()


if __name__ == "__main__":
    main()
