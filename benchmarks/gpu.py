"""Steps on a GPU, timed beside PyTorch (eager, compiled, in a CUDA graph) and JAX.

Contestants take turns in one process. Each runs blocks of steps and waits for the device at the end
of a block only, as a training loop does that prints now and then. A ratio is the peer's median time
over ours: above 1 we are faster. Everything is in float32, without TF32.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --profile          # what our own steps are made of
    python benchmarks/gpu.py --device cpu       # the same on a CPU, where no graphs are
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from importlib import metadata
from pathlib import Path

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leave memory to the others

import torch
from peers import PENALTY, Step
from timing import PEERS, ready

PERCEPTRON = [784, 300, 10]
BLOCK = 0.05  # seconds of a block, about
WORKS = {
    "784-300-10, SGD, batch 64": ("perceptron", (PERCEPTRON, 64, "SGD")),
    "784-300-10, Adam, batch 64": ("perceptron", (PERCEPTRON, 64, "Adam")),
    "WGAN-GP round, batch 64": ("perceptron_round", (PENALTY,)),
    "DCGAN round, 32×32, batch 64": ("dcgan_round", ()),
}


def made(work: tuple[str, tuple], device: str, names: list[str]):
    """Return what ``ready`` returns for us and the peers of these names on a device."""
    peers = {"ours": ("ours", {"backend": "cupy" if device == "cuda" else "numpy"})}
    for name in names:
        module, options = PEERS[name]
        on = {"device": device} if module == "in_pytorch" else {}
        peers[name] = module, options | on
    return ready(peers, *work)


def block(step: Step, count: int) -> float:
    """Return the seconds of a step in a block of so many, the wait for the device included."""
    start = time.perf_counter()
    for _ in range(count):
        loss = step()
    float(loss)
    return (time.perf_counter() - start) / count


def block_size(step: Step) -> int:
    """Return how many steps make a block."""
    return max(3, min(500, round(BLOCK / block(step, 5))))


def compare(name: str, device: str, blocks: int) -> list[str]:
    """Time the contestants; return rows of the table."""
    names = ["PyTorch", "PyTorch, compiled", *["PyTorch, CUDA graph"] * (device == "cuda"), "JAX"]
    start = time.perf_counter()
    steps, losses, left_out = made(WORKS[name], device, names)
    counts = {who: block_size(step) for who, step in steps.items()}
    print(f"<!-- ready after {time.perf_counter() - start:.1f} s -->", flush=True)
    seconds: dict[str, list[float]] = {who: [] for who in steps}
    for _ in range(blocks):
        for who, step in steps.items():
            step()
            seconds[who].append(block(step, counts[who]))
    median = {who: statistics.median(values) for who, values in seconds.items()}
    own, rows = median.pop("ours"), []
    for who, value in median.items():
        rows.append(
            f"| {name} | {who} | {own * 1e6:.0f} | {value * 1e6:.0f} | **{value / own:.2f}** "
            f"| {losses['ours']:.4g}, {losses[who]:.4g} |"
        )
    rows += [f"| {name} | {who} | | | | left out: {why} |" for who, why in left_out.items()]
    print("\n".join(rows), flush=True)
    return rows


def profile(name: str, device: str) -> tuple[list[str], list[str]]:
    """Return a row on our step (time, Python's share, launches), and rows on its kernels."""
    from torch.profiler import ProfilerActivity

    step = made(WORKS[name], device, [])[0]["ours"]
    count = block_size(step)
    whole = min(block(step, count) for _ in range(3))
    float(step())
    start = time.perf_counter()
    few = 5  # they fit into the queue of launches, so that Python does not wait for the device
    for _ in range(few):
        loss = step()
    python = (time.perf_counter() - start) / few
    float(loss)
    with torch.profiler.profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        for _ in range(few):
            loss = step()
        float(loss)
    kernels: dict[str, list[float]] = {}
    for event in found.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            kernels.setdefault(event.name, []).append(event.device_time_total)
    launches = sum(map(len, kernels.values())) / few
    busy = sum(map(sum, kernels.values())) / few
    row = (
        f"| {name} | {whole * 1e6:.0f} | {python * 1e6:.0f} | {launches:.1f} | {busy:.0f} "
        f"| {busy / whole / 1e4:.0f}% |"
    )
    print(row, flush=True)
    longest = sorted(kernels.items(), key=lambda item: -sum(item[1]))[:12]
    return [row], [
        f"| {name} | `{kernel[:70]}` | {len(times) / few:.1f} | {sum(times) / few:.1f} |"
        for kernel, times in longest
    ]


def main() -> None:
    """Print one table or the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--blocks", type=int, default=7, help="turns of each (default 7)")
    parser.add_argument("--profile", action="store_true", help="look into our own steps")
    parser.add_argument("--only", default="", metavar="WORD", help="the work with it in its name")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False
    device = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    rows = [f"{device}, PyTorch {torch.__version__}, JAX {metadata.version('jax')}, float32.", ""]
    names = [name for name in WORKS if options.only in name]
    if options.profile:
        rows += [
            "| work | µs a step | Python, µs | launches | device, µs | busy |",
            "|---" * 6 + "|",
        ]
        print("\n".join(rows), flush=True)
        more = ["", "| work | kernel | launches a step | µs a step |", "|---|---|---|---|"]
        for name in names:
            found, kernels = profile(name, options.device)
            rows, more = rows + found, more + kernels
        print("\n".join(more))
        rows += more
    else:
        rows += ["| work | peer | ours, µs | peer's, µs | ratio | losses |", "|---" * 6 + "|"]
        print("\n".join(rows), flush=True)
        for name in names:
            rows += compare(name, options.device, options.blocks)
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
