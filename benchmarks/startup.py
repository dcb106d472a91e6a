"""Time ``import salamandre`` against ``import numpy``, each in fresh processes, taking turns.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time


def seconds(statement: str) -> float:
    """Return how long a new Python takes for a statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21, help="of each statement (default 21)")
    runs = parser.parse_args().runs
    statements = ("pass", "import numpy", "import salamandre")
    times: dict[str, list[float]] = {statement: [] for statement in statements}
    for _ in range(runs + 1):  # the first turn fills the caches
        for statement in statements:
            times[statement].append(seconds(statement))
    medians = {statement: statistics.median(values[1:]) for statement, values in times.items()}
    for statement, median in medians.items():
        print(f"{statement:<20} {1000 * median:6.1f} ms")
    empty, numpy, ours = medians.values()
    print(f"import salamandre / import numpy, whole process:        {ours / numpy:.2f}")
    print(
        f"import salamandre / import numpy, less an empty Python: "
        f"{(ours - empty) / (numpy - empty):.2f}"
    )


if __name__ == "__main__":
    main()
