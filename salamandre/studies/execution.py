"""Tasks over processes and clusters by joblib and Ray, whatever becomes of a worker."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from salamandre.atomic import write_atomically
from salamandre.checks import shortened, whole
from salamandre.machine import cores
from salamandre.runs.lock import OWNER, in_use
from salamandre.studies.plan import missing
from salamandre.studies.results import RESULT, Result
from salamandre.studies.work import Task, perform

PATIENCE = 10  # seconds for a cluster to answer
WAIT = 0.5  # seconds between two looks at runs that other processes play
TABLE = 10.0  # seconds between two tables
KILLED = "its process was killed, such as for lack of memory"
#: Errors that say so, of loky, Dask and Ray.
BROKEN = (
    "BrokenProcessPool",
    "TerminatedWorkerError",
    "KilledWorker",
    "WorkerCrashedError",
    "OutOfMemoryError",
)


@dataclass
class Workers:
    """Where runs are played.

    Args:
        processes: runs at a time. Default: the number of cores.
        cluster: see :meth:`salamandre.studies.Study.run`. Default: this machine.
    """

    processes: int | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.processes is not None:
            whole("processes", self.processes)
        if self.cluster is not None and not re.match("dask://.|ray(://.|$)", self.cluster):
            raise ValueError(
                f"a cluster must be dask://HOST:PORT, ray or ray://HOST:PORT, got {self.cluster!r}"
            )

    @property
    def count(self) -> int:
        """Runs at a time on this machine."""
        return self.processes or cores()

    @contextmanager
    def open(self, count: int) -> Iterator[Callable[..., Any] | None]:
        """Return what performs tasks in so many processes; ``None``: this process is enough."""
        if self.cluster is None and count == 1:
            yield None
            return
        if self.cluster is not None and self.cluster.startswith("ray"):
            ray = _connected_ray(self.cluster)
            yield lambda tasks: _over_ray(ray, tasks)
            return
        with contextlib.ExitStack() as stack:
            if self.cluster is not None:
                client = stack.enter_context(_dask(self.cluster.removeprefix("dask://")))
            try:
                import joblib
            except ImportError:
                raise missing("joblib", "runs in several processes") from None
            if self.cluster is None:
                begin: dict[str, Any] = {"initializer": _begin, "initargs": (os.getpid(),)}
                one = joblib.parallel_config("loky", n_jobs=count, inner_max_num_threads=1, **begin)
                stack.enter_context(one)
            else:
                stack.enter_context(joblib.parallel_config("dask", n_jobs=-1, client=client))
            yield lambda tasks: joblib.Parallel(
                return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
            )(joblib.delayed(_performed)(number, task) for number, task in tasks)


def _begin(parent: int) -> None:
    """Prepare a process: it leaves Ctrl-C to its parent, and ends when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WAIT)
        os._exit(1)

    if sys.platform != "win32":  # which never gives a process another parent
        threading.Thread(target=watch, daemon=True).start()


def _performed(number: int, task: Task) -> tuple[int, Result | None]:
    return number, perform(task)


def _dask(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise missing("Dask", "clusters dask://", "dask") from None
    try:
        return Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TimeoutError):
        raise RuntimeError(
            f"the cluster dask://{address} does not answer in {PATIENCE} seconds: is its scheduler "
            f"running there?"
        ) from None


def _connected_ray(address: str) -> Any:
    """Return Ray's module, connected to a cluster."""
    try:
        import ray
    except ImportError:
        raise missing("Ray", "clusters of Ray", "ray") from None
    if not ray.is_initialized():
        try:
            ray.init(address="auto" if address == "ray" else address, log_to_driver=False)
        except ConnectionError:
            raise RuntimeError(
                f"the cluster {address} does not answer: start it with ray start --head"
            ) from None
    return ray


def _over_ray(ray: Any, tasks: Iterable[tuple[int, Task]]) -> Iterator[tuple[int, Result | None]]:
    """Perform tasks on a cluster of Ray, and yield each result as it comes.

    Ray's own backend of joblib returns results only when all are there.
    """
    remote = ray.remote(num_cpus=1, max_retries=0)(_performed)
    count = max(1, int(ray.cluster_resources().get("CPU", 1)))
    running: list[Any] = []

    def next_result() -> tuple[int, Result | None]:
        (ended, *_), _ = ray.wait(running)
        running.remove(ended)
        found: tuple[int, Result | None] = ray.get(ended)
        return found

    try:
        for number, task in tasks:
            if len(running) == count:
                yield next_result()
            running.append(remote.remote(number, task))
        while running:
            yield next_result()
    finally:
        for left in running:
            ray.cancel(left)


def perform_all(
    tasks: Sequence[Task], workers: Workers, bar: Any, write_table: Callable[[], None]
) -> None:
    """Perform tasks.

    Args:
        tasks: of the runs that are missing.
        workers: where.
        bar: of the study.
        write_table: called now and then.
    """
    work = _Work(list(tasks), bar, write_table)
    while work.left:
        before = len(work.left)
        # A last run, too, gets a process of its own, which may be killed, and one BLAS thread.
        work.pass_over(workers, min(workers.count, max(2, before)))
        if len(work.left) == before:  # others play what is left
            bar.set_postfix_str(f"waiting for {before} of other processes")
            time.sleep(WAIT)


@dataclass
class _Work:
    """Tasks that have no result yet.

    Attributes:
        left: those tasks.
        bar: that shows it.
        write_table: called now and then.
    """

    left: list[Task]
    bar: Any
    write_table: Callable[[], None]
    _begun: dict[int, Task] = field(default_factory=dict)
    _stillborn: int = 0  # passes in a row whose workers ended before a run began
    _shown: int | None = None  # joblib takes tasks before they begin
    _written: float = field(default_factory=time.monotonic)
    _lock: Any = field(default_factory=threading.Lock)

    def pass_over(self, workers: Workers, count: int) -> None:
        """Perform each task once, but those that others play."""
        tasks, self.left = self.left, []
        for task in tasks:
            in_use(task.folder)  # forgets owners that were killed in an earlier session
        numbered = dict(enumerate(tasks))
        self._shown = count if workers.cluster is None else None
        try:
            with workers.open(count) as parallel:
                if parallel is None:
                    for number, task in self._dispatched(numbered):
                        self._end(number, task, perform(task))
                    numbered = {}
                    return
                for number, result in parallel(self._dispatched(dict(numbered))):
                    self._end(number, numbered.pop(number), result)
        except Exception as error:
            if not _is_broken(error):
                raise
            begun = self._retry_alone(numbered, workers)
            self._stillborn = 0 if begun or len(numbered) < len(tasks) else self._stillborn + 1
            if self._stillborn > 1:
                cure = "" if workers.cluster else "; processes=1 plays the runs in this one"
                raise RuntimeError(
                    f"worker processes end before they begin a run: {shortened(error)}{cure}"
                ) from error
        else:
            self._stillborn = 0
        finally:
            self._begun.clear()

    def _dispatched(self, tasks: dict[int, Task]) -> Iterator[tuple[int, Task]]:
        """Return tasks one after the other, as the workers ask for them, and show them."""
        for number, task in tasks.items():
            with self._lock:
                self._begun[number] = task
                now = [task.planned.label for task in self._begun.values()][: self._shown]
            self.bar.set_postfix_str(f"now {' | '.join(now)}".replace(", ", " "), refresh=False)
            yield number, task

    def _end(self, number: int, task: Task, result: Result | None) -> None:
        with self._lock:
            self._begun.pop(number, None)
        if result is None:
            self.left.append(task)
            return
        if not (task.folder / RESULT).exists():  # the worker sees another file system
            write_atomically(task.folder / RESULT, msgspec.json.encode(result))
        self.bar.update()
        if time.monotonic() - self._written > TABLE:
            self.write_table()
            self._written = time.monotonic()

    def _retry_alone(self, tasks: dict[int, Task], workers: Workers) -> bool:
        """Perform the tasks that a killed worker may have had, each in a process of its own.

        One that is killed again has failed; the others are left. Return whether there were any.
        """
        begun = [task for task in tasks.values() if (task.folder / OWNER).exists()]
        begun = [task for task in begun if not in_use(task.folder)]
        self.left += [task for task in tasks.values() if task not in begun]
        for task in begun:
            try:
                with workers.open(2) as parallel:
                    assert parallel is not None
                    ((_, result),) = parallel([(0, task)])
            except Exception as error:
                if not _is_broken(error):
                    raise
                result = Result("failed", message=KILLED)
            self._end(-1, task, result)
        return bool(begun)


def _is_broken(error: Exception) -> bool:
    """Return whether an error says that a worker was killed, in the words of any cluster."""
    return any(kind.__name__ in BROKEN for kind in type(error).__mro__)
