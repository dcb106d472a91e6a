"""Training steps on a CPU, timed beside the same steps of PyTorch, JAX, scikit-learn and thinc.

    python benchmarks/table.py --threads 1          # and --threads 2
    python benchmarks/table.py --plain              # without Numba, beside eager PyTorch
    python benchmarks/table.py --only penalty       # the works with this in their names

Each row's work has a process of its own that may use so many cores, where contestants take turns.
It is measured three times. A ratio is the peer's median time over ours: above 1 we are faster; the
worst and the best of the three are shown, and the losses after ten steps. All in float32.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple

from peers import GAN, LAYERS, PENALTY
from timing import PEERS, limit, ready, table_name, times

RUNS = 3
RESULTS = Path(__file__).parent / "results"
DENSE = ["PyTorch", "PyTorch, compiled", "JAX"]
IMAGES = ["PyTorch", "PyTorch, channels-last", "PyTorch, compiled, channels-last"]
PLAIN = ["ours", "PyTorch", "PyTorch, channels-last", "PyTorch, fused", "bare products"]


class Work(NamedTuple):
    """What is timed: a function of the modules in ``peers/``, its arguments, who else does it."""

    function: str
    arguments: tuple
    peers: list[str]


def _works() -> dict[str, Work]:
    works = {}
    for batch in (1, 64, 512):
        more = ["scikit-learn", "thinc"] if batch == 64 else []
        works[f"perceptron 784-300-10, SGD, batch {batch}"] = Work(
            "perceptron", ([784, 300, 10], batch, "SGD"), [*DENSE, *more, "bare products"]
        )
    works["perceptron 784-1000-300-10, Adam, batch 64"] = Work(
        "perceptron",
        ([784, 1000, 300, 10], 64, "Adam"),
        ["PyTorch", "PyTorch, fused", "PyTorch, compiled", "JAX", "bare products"],
    )
    works["round of a GAN of perceptrons"] = Work("perceptron_round", (GAN,), DENSE)
    works["round with gradient penalty, 2 critic steps"] = Work(
        "perceptron_round", (PENALTY,), DENSE
    )
    works["round of a conditional GAN"] = Work("cgan_round", (), DENSE)
    works["CNN, windows 3×3, Adam, batch 64"] = Work("small_cnn", (), [*IMAGES, "JAX"])
    works["CNN for MNIST, batch-norm, dropout"] = Work("mnist_cnn", (), [*IMAGES, "JAX"])
    works["round of a DCGAN, 32×32"] = Work("dcgan_round", (), IMAGES)
    for transposed, inputs, outputs, size in LAYERS:
        kind = "transposed convolution" if transposed else "convolution"
        works[f"{kind} {inputs} → {outputs}, {size}×{size}"] = Work(
            "layer", (transposed, inputs, outputs, size), [*IMAGES[:2], "bare products"]
        )
    for images, gradient in ((1, False), (1, True), (8, True)):
        more = " and gradient by the image" if gradient else ""
        works[f"SqueezeNet 1.1, {images} × 227×227, forward{more}"] = Work(
            "squeezenet", (images, gradient), [*IMAGES[1:], "JAX"]
        )
    return works


WORKS = _works()


def rows(name: str, seconds: float) -> list[str]:
    """Time a work; return its rows of the table."""
    work = WORKS[name]
    peers = {"ours": ("ours", {}), **{peer: PEERS[peer] for peer in work.peers}}
    if os.environ.get("SALAMANDRE_NUMBA") == "0":
        peers = {peer: made for peer, made in peers.items() if peer in PLAIN}
    steps, losses, left_out = ready(peers, work.function, work.arguments)
    runs = [times(steps, seconds) for _ in range(RUNS)]
    own = median(run["ours"] for run in runs)
    found = []
    for peer in steps:
        if peer == "ours":
            continue
        ratios = [run[peer] / run["ours"] for run in runs]
        other = median(run[peer] for run in runs)
        found.append(
            f"| {name} | {peer} | {own * 1e3:.3g} | {other * 1e3:.3g} | **{min(ratios):.2f}** "
            f"| {max(ratios):.2f} | {losses['ours']:.4g}, {losses[peer]:.4g} |"
        )
    return found + [
        f"| {name} | {peer} | | | | | left out: {why} |" for peer, why in left_out.items()
    ]


def main() -> None:
    """Print the table, and write it if it is whole."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of everybody (default 2)")
    parser.add_argument("--plain", action="store_true", help="without Numba, beside eager PyTorch")
    parser.add_argument("--only", default="", metavar="WORD", help="works with it in their names")
    parser.add_argument(
        "--seconds", type=float, default=3, help="of each of the three measurements (default 3)"
    )
    parser.add_argument("--work", choices=WORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print("\n".join(rows(options.work, options.seconds)))
        return
    limit(options.threads)
    if options.plain:
        os.environ["SALAMANDRE_NUMBA"] = "0"
    versions = []
    for package in ("numpy", "torch", "jax", "scikit-learn", "thinc"):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{package} missing")
    lines = [
        f"{options.threads} thread{'s' * (options.threads > 1)}, "
        f"{'plain NumPy' if options.plain else 'Numba'}, float32; {', '.join(versions)}.",
        "",
        "| work | peer | ours, ms | peer's, ms | ratio, worst of 3 | best | losses |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for name in WORKS:
        if options.only in name:
            command = [sys.executable, __file__, "--work", name, "--seconds", str(options.seconds)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            lines += [line for line in done.stdout.splitlines() if line.startswith("|")]
            print(done.stdout, end="", flush=True)
    if not options.only:
        path = RESULTS / f"{table_name(options.threads, options.plain)}.md"
        path.write_text("\n".join(lines) + "\n")
        print(f"written to {path}")


if __name__ == "__main__":
    main()
