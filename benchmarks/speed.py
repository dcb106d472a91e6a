"""Steps of perceptrons, timed beside the same steps of PyTorch, scikit-learn and thinc.

Contestants take turns in one process, in short blocks of steps with a pause between (a block lets
each library's own threads settle; a pause lets the other's go to sleep). A ratio is the peer's
median time over ours: above 1 we are faster.

    python benchmarks/speed.py --threads 1        # and --threads 2
    python benchmarks/speed.py --plain            # without Numba
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Step = Callable[[], object]


def times(contestants: dict[str, Step], block: int, rounds: int) -> dict[str, float]:
    """Return the median seconds of a step of each contestant, taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, step in contestants.items():
            time.sleep(0.02)
            for index in range(block + 2):
                start = time.perf_counter()
                step()
                if index >= 2:
                    seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def data(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch of random images and labels of MNIST's sizes."""
    random = np.random.default_rng(0)
    return random.random((batch, 784), dtype=np.float32), random.integers(0, 10, batch)


def ours(sizes: list[int], optimizer, batch: int) -> Step:
    """Return one step of a Salamandre perceptron."""
    import salamandre as sal

    layers = [sal.NeuronLayer(size, sal.ReLU()) for size in sizes[1:-1]]
    layers.append(sal.NeuronLayer(sizes[-1], sal.Softmax()))
    network = sal.Network(layers, sizes[0], sal.CrossEntropy(), optimizer, seed=0)
    x, labels = data(batch)
    return lambda: network.learn(x, labels)


def bare_products(sizes: list[int], batch: int) -> Step:
    """Return the matrix products that a step cannot do without."""
    random = np.random.default_rng(0)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    weights = [random.random(shape, dtype=np.float32) for shape in shapes]
    gradients = [np.empty_like(w) for w in weights]
    values = [random.random((batch, size), dtype=np.float32) for size in sizes]
    deltas = [np.empty_like(v) for v in values]

    def step() -> None:
        for i, w in enumerate(weights):
            np.dot(values[i], w.T, out=deltas[i + 1])
        for i in reversed(range(len(weights))):
            np.dot(values[i + 1].T, values[i], out=gradients[i])
            if i:
                np.dot(values[i + 1], weights[i], out=deltas[i])

    return step


def torch_step(sizes: list[int], make_optimizer, batch: int) -> Step:
    """Return one eager step of the same perceptron in PyTorch."""
    import torch

    torch.manual_seed(0)
    modules: list[torch.nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        modules += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    optimizer = make_optimizer(model.parameters())
    criterion = torch.nn.CrossEntropyLoss()
    x, labels = (torch.from_numpy(array) for array in data(batch))

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def sklearn_step(hidden: list[int], batch: int) -> Step:
    """Return one partial_fit of scikit-learn's MLPClassifier with SGD."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden, solver="sgd", batch_size=batch, learning_rate_init=0.1, alpha=0, momentum=0
    )
    x, labels = data(batch)
    model.partial_fit(x, labels, classes=np.arange(10))
    return lambda: model.partial_fit(x, labels)


def thinc_step(hidden: list[int], batch: int) -> Step:
    """Return one step of a thinc chain of Relu and Softmax with SGD."""
    from thinc.api import SGD, Relu, Softmax, chain
    from thinc.loss import CategoricalCrossentropy

    model = chain(*(Relu(size) for size in hidden), Softmax(10))
    x, labels = data(batch)
    model.initialize(X=x, Y=np.eye(10, dtype=np.float32)[labels])
    optimizer, loss = SGD(0.1), CategoricalCrossentropy()

    def step() -> None:
        guesses, backprop = model.begin_update(x)
        backprop(loss.get_grad(guesses, labels))
        model.finish_update(optimizer)

    return step


def compare(sizes: list[int], batch: int, contestants: dict[str, Step], blocks: int) -> list[str]:
    """Time the contestants; return rows of the table."""
    block = {1: 60, 64: 20}.get(batch, 8)
    median = times(contestants, block, blocks)
    own = median.pop("salamandre")
    name = "-".join(map(str, sizes))
    rows = []
    for peer, seconds in median.items():
        rows.append(
            f"| {name} | {batch} | {peer} | {own * 1e6:.0f} | {seconds * 1e6:.0f} "
            f"| **{seconds / own:.2f}** |"
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Run all comparisons and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of BLAS and PyTorch (default 2)")
    parser.add_argument("--plain", action="store_true", help="without Numba")
    parser.add_argument("--blocks", type=int, default=30, help="turns of each (default 30)")
    parser.add_argument("--output", type=Path, help="write the table to this file")
    options = parser.parse_args()
    if options.plain:
        os.environ["SALAMANDRE_NUMBA"] = "0"

    import torch
    from threadpoolctl import threadpool_limits

    import salamandre as sal

    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads)
    rows = [
        f"NumPy {np.__version__}, PyTorch {torch.__version__}, {options.threads} thread(s), "
        f"{'plain NumPy' if options.plain else 'Numba'}, float32, medians in microseconds.",
        "",
        "| network | batch | peer | ours | peer's | ratio |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(rows))
    small, large = [784, 300, 10], [784, 1000, 300, 10]
    for batch in (1, 64, 512):
        contestants = {
            "salamandre": ours(small, sal.SGD(0.1), batch),
            "PyTorch, SGD": torch_step(small, lambda p: torch.optim.SGD(p, 0.1), batch),
            "bare products": bare_products(small, batch),
        }
        if batch == 64:
            contestants["scikit-learn, SGD"] = sklearn_step([300], batch)
            contestants["thinc, SGD"] = thinc_step([300], batch)
        rows += compare(small, batch, contestants, options.blocks)
    contestants = {
        "salamandre": ours(large, sal.Adam(), 64),
        "PyTorch, Adam": torch_step(large, lambda p: torch.optim.Adam(p), 64),
        "PyTorch, fused Adam": torch_step(large, lambda p: torch.optim.Adam(p, fused=True), 64),
        "bare products": bare_products(large, 64),
    }
    rows += compare(large, 64, contestants, options.blocks)
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")
        print(f"written to {options.output}")


if __name__ == "__main__":
    main()
