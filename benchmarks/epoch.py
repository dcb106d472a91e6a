"""Time an epoch of the Engine against its bare steps: what batches, progress and history cost.

python benchmarks/epoch.py --output benchmarks/results/epoch.md

60,000 random images of MNIST's size, batch 64, 784-300-10, SGD. The bare steps are ``learn`` on
batches that were gathered and scaled before. Both take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="of BLAS (default 2)")
    parser.add_argument("--turns", type=int, default=9, help="of each (default 9)")
    parser.add_argument("--output", type=Path, help="write the lines to this file too")
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)

    import numpy as np

    import salamandre as sal
    from salamandre.data.batches import Source

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60_000, 1, 28, 28), dtype=np.uint8)
    labels = random.integers(0, 10, 60_000, dtype=np.uint8)
    train = sal.data.Images(images, labels, tuple("0123456789"), "random", "train")

    def network() -> sal.Network:
        layers = [sal.NeuronLayer(300, sal.ReLU()), sal.NeuronLayer(10, sal.Softmax())]
        return sal.Network(layers, 784, sal.CrossEntropy(), sal.SGD(0.01))

    bare = network()
    batches = list(Source(train, bare).batches(64, 0, 0))
    engine = sal.Engine(network(), train, batch_size=64, callbacks=[sal.ProgressBar()])
    seconds: dict[str, list[float]] = {"bare steps": [], "an epoch of the Engine": []}
    for turn in range(options.turns + 1):  # the first turn warms up
        start = time.perf_counter()
        for x, targets in batches:
            bare.learn(x, targets)
        middle = time.perf_counter()
        engine.run(turn + 1)
        end = time.perf_counter()
        seconds["bare steps"].append(middle - start)
        seconds["an epoch of the Engine"].append(end - middle)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    lines = [f"{name:<24} {median:.3f} s" for name, median in medians.items()]
    steps, epoch = medians.values()
    lines.append(f"{'ratio':<24} {epoch / steps:.3f}   ({options.threads} threads)")
    print("\n".join(lines))
    if options.output:
        options.output.write_text("```text\n" + "\n".join(lines) + "\n```\n")


if __name__ == "__main__":
    main()
