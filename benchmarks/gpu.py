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
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leave memory to the others

import torch
from peers import PENALTY, Step, in_jax, ours, pytorch

PERCEPTRON = [784, 300, 10]
BLOCK = 0.05  # seconds of a block, about
WORKS = {
    "784-300-10, SGD, batch 64": ("perceptron", (PERCEPTRON, 64, "SGD")),
    "784-300-10, Adam, batch 64": ("perceptron", (PERCEPTRON, 64, "Adam")),
    "WGAN-GP round, batch 64": ("vector_game", (PENALTY,)),
    "DCGAN round, 32×32, batch 64": ("dcgan", ()),
}


def contestants(what: str, arguments: tuple, device: str) -> dict[str, Callable[[], Step]]:
    """Return functions that make the step, by the name of the contestant."""

    def torch_step(**style: bool) -> Callable[[], Step]:
        used = pytorch.Style(device, **style)
        return lambda: getattr(pytorch, what)(*arguments, style=used)

    backend = {"cpu": "numpy", "cuda": "cupy"}[device]
    found = {
        "ours": lambda: getattr(ours, what)(*arguments, backend=backend),
        "PyTorch eager": torch_step(),
        "PyTorch compiled": torch_step(compiled=True),
        "JAX": lambda: getattr(in_jax, what)(*arguments),
    }
    if device == "cuda":
        found["PyTorch, CUDA graph"] = torch_step(graph=True)
    return found


def block(step: Step, count: int) -> float:
    """Return the seconds of a step in a block of so many, the wait for the device included."""
    start = time.perf_counter()
    for _ in range(count):
        loss = step()
    float(loss)
    return (time.perf_counter() - start) / count


def ready(make: Callable[[], Step]) -> tuple[Step, int, float]:
    """Return a step that has been compiled and warmed up, the size of a block, the loss."""
    step = make()
    for _ in range(4):
        loss = float(step())
    count = max(3, min(500, round(BLOCK / block(step, 5))))
    return step, count, loss


def compare(name: str, what: str, arguments: tuple, device: str, blocks: int) -> list[str]:
    """Time the contestants; return rows of the table."""
    steps, notes = {}, []
    for who, make in contestants(what, arguments, device).items():
        start = time.perf_counter()
        try:
            steps[who] = ready(make)
        except Exception as error:
            if who == "ours":
                raise
            first = str(error).strip().partition("\n")[0]
            notes.append(f"| {name} | {who} | left out: {type(error).__name__} {first} | | | |")
            print(notes[-1], flush=True)
            continue
        print(f"<!-- {who} is ready after {time.perf_counter() - start:.1f} s -->", flush=True)
    seconds: dict[str, list[float]] = {who: [] for who in steps}
    for _ in range(blocks):
        for who, (step, count, _) in steps.items():
            step()
            seconds[who].append(block(step, count))
    median = {who: statistics.median(values) for who, values in seconds.items()}
    own, rows = median.pop("ours"), []
    for who, value in median.items():
        losses = f"{steps['ours'][2]:.2f}, {steps[who][2]:.2f}"
        rows.append(
            f"| {name} | {who} | {own * 1e6:.0f} | {value * 1e6:.0f} | **{value / own:.2f}** "
            f"| {losses} |"
        )
        print(rows[-1], flush=True)
    return rows + notes


def profile(name: str, what: str, arguments: tuple, device: str) -> tuple[list[str], list[str]]:
    """Return a row on our step (time, Python's share, launches), and rows on its kernels."""
    from torch.profiler import ProfilerActivity

    step, count, _ = ready(contestants(what, arguments, device)["ours"])
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
    rows = [f"{device}, PyTorch {torch.__version__}, JAX {in_jax.jax.__version__}, float32.", ""]
    works = {name: work for name, work in WORKS.items() if options.only in name}
    if options.profile:
        rows += [
            "| work | µs a step | Python, µs | launches | device, µs | busy |",
            "|---" * 6 + "|",
        ]
        print("\n".join(rows), flush=True)
        more = ["", "| work | kernel | launches a step | µs a step |", "|---|---|---|---|"]
        for name, work in works.items():
            found, kernels = profile(name, *work, options.device)
            rows, more = rows + found, more + kernels
        print("\n".join(more))
        rows += more
    else:
        rows += ["| work | peer | ours, µs | peer's, µs | ratio | losses |", "|---" * 6 + "|"]
        print("\n".join(rows), flush=True)
        for name, work in works.items():
            rows += compare(name, *work, options.device, options.blocks)
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
