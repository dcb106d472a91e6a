"""What the perceptrons of ``examples/mnist_classifier.py`` reach on MNIST.

    python benchmarks/accuracy.py --output benchmarks/results/accuracy.md

Runs the example as a user does and reads what it prints: 784-300-10 with five seeds, each optimizer
on three structures, and the best perceptron.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "mnist_classifier.py"
STRUCTURES = ("784-10", "784-300-10", "784-1000-300-10")
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam")
BEST = (
    *("--structure", "784-1000-500-10", "--batch-norm", "--dropout", "0.25", "--shift", "2"),
    *("--batch-size", "128", "--epochs", "40"),
)


def run(*options: str) -> tuple[float, float]:
    """Return the final test accuracy in percent and the seconds of a run of the example."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, EXAMPLE, "--dataset", "mnist", "--output", folder, *options],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - start
    found = re.search(r"mnist: test accuracy ([\d.]+)%", done.stdout)
    assert found is not None
    print(f"{' '.join(options)}: {found[1]}%, {seconds:.0f} s", flush=True)
    return float(found[1]), seconds


def main() -> None:
    """Run everything and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="write the tables to this file too")
    parser.add_argument("--only", choices=("seeds", "optimizers", "best"))
    options = parser.parse_args()
    rows = [f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"]
    if options.only in (None, "seeds"):
        results = [run("--seed", str(seed)) for seed in range(5)]
        found = [accuracy for accuracy, _ in results]
        rows += [
            "",
            "784-300-10, 10 epochs, the defaults (`python examples/mnist_classifier.py --seed N`):",
            "",
            "| seed | " + " | ".join(map(str, range(5))) + " | mean | standard deviation |",
            "|---|" + 7 * "---|",
            f"| test accuracy | {' | '.join(f'{a:.2f}%' for a in found)} "
            f"| {statistics.mean(found):.2f}% | {statistics.stdev(found):.2f}% |",
        ]
    if options.only in (None, "optimizers"):
        rows += [
            "",
            "Optimizers, 10 epochs, seed 0, otherwise the defaults "
            "(`--structure S --optimizer O`): test accuracy (seconds in all)",
            "",
            "| | " + " | ".join(STRUCTURES) + " |",
            "|---|" + len(STRUCTURES) * "---|",
        ]
        for optimizer in OPTIMIZERS:
            cells = [run("--structure", s, "--optimizer", optimizer) for s in STRUCTURES]
            shown = " | ".join(f"{accuracy:.2f}% ({seconds:.0f})" for accuracy, seconds in cells)
            rows.append(f"| {optimizer} | {shown} |")
    if options.only in (None, "best"):
        accuracy, seconds = run(*BEST)
        rows += [
            "",
            f"The best perceptron: {accuracy:.2f}% in {seconds:.0f} s (`{' '.join(BEST)}`)",
        ]
    print("\n".join(rows))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
