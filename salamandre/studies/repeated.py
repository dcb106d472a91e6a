"""The same experiment with many seeds, and statistics of the results."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")
Setting = TypeVar("Setting")


def repeat(
    experiment: Callable[[Setting], Result],
    seeds: Iterable[Setting],
    processes: int | None = None,
    description: str = "",
) -> list[Result]:
    """Return ``experiment(seed)`` for all seeds, in parallel, with a progress bar.

    Ctrl-C, or an experiment that raises KeyboardInterrupt, ends it at once; the results so far are
    returned in order.

    Args:
        experiment: a function at the top level of a module, or a ``functools.partial`` of one.
        seeds: one for each run, or other values that the runs differ in.
        processes: runs at a time. Default: the number of cores. Each has one BLAS thread.
        description: shown before the bar. Default none.
    """
    from salamandre.progress import progress

    seeds = list(seeds)
    processes = min(processes or os.cpu_count() or 1, len(seeds))
    results: list[Result] = []
    if processes <= 1:
        with suppress(KeyboardInterrupt), progress(len(seeds), description, "run") as bar:
            for seed in seeds:
                results.append(experiment(seed))
                bar.update()
        return results
    with _one_thread_each():
        context = multiprocessing.get_context("spawn")
        # A terminal sends Ctrl-C to all processes; the parent handles it.
        ignore = (signal.SIGINT, signal.SIG_IGN)
        pool = ProcessPoolExecutor(processes, context, signal.signal, ignore)
        try:
            with progress(len(seeds), description, "run") as bar:
                for result in pool.map(experiment, seeds):
                    results.append(result)
                    bar.update()
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.terminate()
        finally:
            pool.shutdown(cancel_futures=True)
    return results


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Give new processes one BLAS thread: more would compete for the cores."""
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]
        os.environ.update(before)


def mean_band(
    values: np.ndarray, confidence: float = 0.95, resamples: int = 2000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean over runs and the two ends of its confidence band.

    The band is the percentile bootstrap (Efron and Tibshirani 1993, chapter 13): the runs are
    drawn again with replacement, with a fixed seed, and the band holds the middle ``confidence``
    of the means. Unlike a Gaussian band it stays within the range of the values.

    Args:
        values: (runs, ...).
        confidence: in (0, 1). Default 0.95.
        resamples: the number of bootstrap samples. Default 2000.

    Returns:
        mean, low, high, each of shape (...).
    """
    values = np.asarray(values, dtype=float)
    random = np.random.default_rng(0)
    counts = random.multinomial(len(values), np.full(len(values), 1 / len(values)), resamples)
    means = np.tensordot(counts / len(values), values, axes=1)
    tail = (1 - confidence) / 2
    return values.mean(axis=0), *np.quantile(means, [tail, 1 - tail], axis=0)
