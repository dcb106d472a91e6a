"""How contestants are made ready and timed: in turns, in one process."""

from __future__ import annotations

import importlib
import os
import statistics
import time
from collections.abc import Mapping
from typing import Any

from peers import Step

BLOCK = 0.05  # seconds of a contestant's turn, about
PAUSE = 0.15  # seconds before it: OpenBLAS's threads stay awake for nearly a tenth of one
PEERS: dict[str, tuple[str, dict[str, Any]]] = {  # the module in peers/, and options for it
    "PyTorch": ("in_pytorch", {}),
    "PyTorch, channels-last": ("in_pytorch", {"channels_last": True}),
    "PyTorch, fused": ("in_pytorch", {"fused": True}),
    "PyTorch, compiled": ("in_pytorch", {"compiled": True}),
    "PyTorch, compiled, channels-last": (
        "in_pytorch",
        {"compiled": True, "channels_last": True},
    ),
    "PyTorch, CUDA graph": ("in_pytorch", {"graph": True}),
    "JAX": ("in_jax", {}),
    "scikit-learn": ("in_sklearn", {}),
    "thinc": ("in_thinc", {}),
    "bare products": ("products", {}),
}


def table_name(threads: int, plain: bool = False) -> str:
    """Return the name of the table of ``table.py``, and of its picture."""
    return f"peers{'-plain' * plain}-{threads}-thread{'s' * (threads > 1)}"


def limit(cores: int) -> None:
    """Let this process run on so many cores, and its libraries start as many threads."""
    for library in ("OPENBLAS", "OMP", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(cores)
    if hasattr(os, "sched_setaffinity"):  # JAX and others count the cores that they may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def ready(
    peers: Mapping[str, tuple[str, dict[str, Any]]], function: str, arguments: tuple
) -> tuple[dict[str, Step], dict[str, float], dict[str, str]]:
    """Make the step of each peer that can, and take it ten times.

    Returns:
        The steps; their losses at the tenth; and why the others are left out, by their names.
    """
    steps, losses, left_out = {}, {}, {}
    for name, (module, options) in peers.items():
        try:
            make = getattr(importlib.import_module(f"peers.{module}"), function)
            step: Step = make(*arguments, **options)
            losses[name] = [float(step()) for _ in range(10)][-1]
        except ModuleNotFoundError as error:
            left_out[name] = f"{error}; pip install '.[benchmarks]'"
        except Exception as error:
            if module == "ours":
                raise
            reason = str(error).strip().partition("\n")[0]
            left_out[name] = f"{type(error).__name__}: {reason[:80]}"
        else:
            steps[name] = step
    return steps, losses, left_out


def times(steps: Mapping[str, Step], seconds: float) -> dict[str, float]:
    """Return the median seconds of each step, measured in turns for about so many seconds in all.

    A turn is a short block of steps, which lets the threads of a library settle, after a pause,
    which lets those of the one before go to sleep.
    """
    found: dict[str, list[float]] = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(found.values()))) < 3:
        for name, step in steps.items():
            time.sleep(PAUSE)
            taken, warm = found[name], _timed(step)
            stop = time.perf_counter() + BLOCK
            if warm < BLOCK / 4:
                _timed(step)
            taken.append(_timed(step))
            while time.perf_counter() < stop:
                taken.append(_timed(step))
    return {name: statistics.median(values) for name, values in found.items()}


def _timed(step: Step) -> float:
    start = time.perf_counter()
    float(step())
    return time.perf_counter() - start
