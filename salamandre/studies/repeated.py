"""The same experiment with many seeds."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from salamandre.checks import whole
from salamandre.machine import cores

UNGUARDED = 99  # the exit code of a process that calls repeat() while it imports the program
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

    Raises:
        ValueError: the processes would not find the experiment.
        RuntimeError: the program calls this function when it is imported, as each process does; or
            a process was killed.
    """
    from salamandre.progress import progress

    if getattr(multiprocessing.current_process(), "_inheriting", False):
        sys.exit(UNGUARDED)  # the process that started this one says why
    seeds = list(seeds)
    most = cores() if processes is None else whole("processes", processes)
    processes = min(most, len(seeds))
    results: list[Result] = []
    if processes <= 1:
        with suppress(KeyboardInterrupt), progress(len(seeds), description, "run") as bar:
            for seed in seeds:
                results.append(experiment(seed))
                bar.update()
        return results
    _require_findable(experiment)
    with _one_thread_each():
        context = multiprocessing.get_context("spawn")
        # A terminal sends Ctrl-C to all processes; the parent handles it.
        ignore = (signal.SIGINT, signal.SIG_IGN)
        pool = ProcessPoolExecutor(processes, context, signal.signal, ignore)
        others = set(multiprocessing.active_children())  # of the caller
        children, found = set(others), []
        try:
            with _interrupts_delayed():
                for seed in seeds:
                    found.append(pool.submit(experiment, seed))
                    children.update(multiprocessing.active_children())  # before one of them ends
            with progress(len(seeds), description, "run") as bar:
                for future in found:
                    results.append(future.result())
                    bar.update()
        except KeyboardInterrupt:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
        except BrokenProcessPool:
            pool.shutdown(cancel_futures=True)  # waits for the exit codes
            raise RuntimeError(_why([child.exitcode for child in children - others])) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return results


def _require_findable(experiment: Callable[..., object]) -> None:
    """Raise ValueError for an experiment that other processes cannot import."""
    function = experiment
    while isinstance(function, partial):
        function = function.func
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    session = main.__spec__ is None and not (file and os.path.exists(file))
    if session and (file or getattr(function, "__module__", None) == "__main__"):
        raise ValueError(
            f"{function!r} cannot run in other processes, which do not find this program: write "
            f"the program into a file, or give processes=1"
        )
    try:
        pickle.dumps(experiment)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"the experiment must be a function at the top level of a module, or a "
            f"functools.partial of one with plain values, or processes must be 1: {error}"
        ) from None


def _why(codes: Iterable[int | None]) -> str:
    """Return a sentence on processes that ended with these exit codes."""
    if UNGUARDED in codes:
        return (
            "the processes of repeat() import this program, which calls repeat() again: put the "
            'call under if __name__ == "__main__":, or give processes=1'
        )
    shown = ", ".join(
        str(code) for code in dict.fromkeys(codes) if code not in (None, 0, -signal.SIGTERM)
    )
    return (
        f"a process ended before its run did (exit code {shown or 'unknown'}): it was killed, such "
        f"as for lack of memory, or could not start: give fewer processes, or processes=1 to see"
    )


@contextmanager
def _interrupts_delayed() -> Iterator[None]:
    """Delay Ctrl-C in this thread; processes that are started meanwhile never get it.

    They would print a traceback if it came while they import the program.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
