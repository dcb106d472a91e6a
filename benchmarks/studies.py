"""What studies cost, and what kills do to them: all of what is promised of them, in figures.

python benchmarks/studies.py                     # all, some minutes on two idle cores
python benchmarks/studies.py --only show         # 10,000 runs that have finished
python benchmarks/studies.py --only speed --processes 4
python benchmarks/studies.py --only kills        # 20 times kill -9 at random moments
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from salamandre import studies
from salamandre.atomic import write_atomically
from salamandre.studies.results import RESULT, Result

HERE = Path(__file__).parent
MNIST: dict[str, Any] = {
    "base": "classifier",
    "options": {"dataset": "mnist", "layers": "100-10", "epochs": 2},
    "axes": {"learning_rate": {"low": 0.0005, "high": 0.02, "count": 8, "log": True}},
    "seeds": 8,
}
DIGITS: dict[str, Any] = {
    "base": "classifier",
    "options": {"layers": "50-10", "epochs": 40},
    "axes": {"learning_rate": {"low": 0.0005, "high": 0.02, "count": 8, "log": True}},
    "seeds": 8,
}
LONGEST = 10.0  # seconds before a kill


def nothing(seed: int, rate: float = 1.0, other: float = 1.0) -> dict[str, float]:
    """Return at once: a run that is overhead alone."""
    return {"score": rate + seed, "other": other}


def play(plan: dict[str, Any], folder: Path, processes: int) -> tuple[float, list[studies.Row]]:
    """Return the seconds that a study takes, and its rows."""
    study = studies.Study(plan, folder, place=str(HERE))
    start = time.perf_counter()
    rows = study.run(processes)
    return time.perf_counter() - start, rows


def speed(folder: Path, processes: int) -> None:
    """Print how many times as fast 64 runs are in several processes."""
    one, rows = play(MNIST, folder / "one", 1)
    several, others = play(MNIST, folder / "several", processes)
    best = max(row.result.metrics["accuracy"] for row in rows if row.result)
    same = sum(
        a.result.metrics == b.result.metrics
        for a, b in zip(rows, others, strict=True)
        if a.result and b.result
    )
    print(
        f"{len(rows)} runs of 784-100-10 for 2 epochs: {one:.1f} s one after the other, "
        f"{several:.1f} s in {processes} processes: {one / several:.2f} times as fast; best "
        f"accuracy {best:.2%}, {same} of {len(rows)} with the same metrics to the last bit"
    )


def overhead(folder: Path, processes: int) -> None:
    """Print what a run costs beside its own work."""
    plan = {"base": "studies.py:nothing", "axes": {"rate": [1.0, 2.0, 3.0, 4.0]}, "seeds": 50}
    for count in (1, processes):
        play({**plan, "seeds": 1}, folder / f"warm-{count}", count)
        seconds, rows = play(plan, folder / f"nothing-{count}", count)
        print(f"overhead of a run, {count} at a time: {1000 * seconds / len(rows):.1f} ms")


def show(folder: Path, runs: int) -> None:
    """Print the time and the memory of ``salamandre study show``."""
    shares = [n / 100 for n in range(1, 101)]
    plan = {"base": "studies.py:nothing", "axes": {"rate": shares}, "seeds": runs // 100}
    study = studies.Study(plan, folder / "many" / "study", place=str(HERE))
    for planned in study.planned:
        metrics = nothing(planned.seed, planned.options["rate"])
        result = Result("finished", metrics, 0.1)
        (study.folder / planned.key).mkdir()
        write_atomically(study.folder / planned.key / RESULT, msgspec.json.encode(result))
    study.write_table()
    command = [sys.executable, "-m", "salamandre", "study", "show", "many", "--output", str(folder)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"study show of {len(study.planned):,} runs: {seconds:.2f} s, at most {peak:.0f} MiB")


def table(folder: Path) -> list[dict[str, str]]:
    """Return the table of a study, but for the times."""
    with (folder / "runs.csv").open(newline="", encoding="utf-8") as file:
        return [{n: v for n, v in row.items() if n != "duration"} for row in csv.DictReader(file)]


def kills(folder: Path, processes: int, count: int) -> None:
    """Kill a study at random moments, go on with it, and compare its table with another's."""
    draw = random.Random(0)
    play(DIGITS, folder / "undisturbed", processes)
    (folder / "killed.py").write_text(
        f"from salamandre import studies\nif __name__ == '__main__':\n"
        f"    studies.Study({DIGITS!r}, 'killed').run({processes})\n"
    )
    killed = again = 0
    while killed < count:
        process = subprocess.Popen(
            [sys.executable, "killed.py"],
            cwd=folder,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(draw.uniform(0, LONGEST))
            again += 1  # it was whole before the kill: once more from the start
            shutil.rmtree(folder / "killed")
        except subprocess.TimeoutExpired:
            if killed % 2:  # with its workers, as when a machine loses power
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
            killed += 1
    subprocess.run([sys.executable, "killed.py"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    rows = table(folder / "killed")
    same = "equal" if rows == table(folder / "undisturbed") else "DIFFERENT"
    print(
        f"{killed} kills of {len(rows)} runs in {processes} processes, begun again {again} times: "
        f"the table is {same}"
    )


def main() -> None:
    """Measure, and print a line for each result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("show", "overhead", "speed", "kills"))
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument(
        "--runs", type=int, default=10_000, metavar="N", help="shown, default 10000"
    )
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="default 20")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if options.only in (None, "show"):  # first: the peak is that of all child processes
            show(folder, options.runs)
        if options.only in (None, "overhead"):
            overhead(folder, options.processes)
        if options.only in (None, "speed"):
            speed(folder, options.processes)
        if options.only in (None, "kills"):
            kills(folder, options.processes, options.kills)


if __name__ == "__main__":
    main()
