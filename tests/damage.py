"""Damaged files: each is refused in one sentence that names it, or is good for use.

    python tests/damage.py --count 5000 --seed 0
    python tests/damage.py --only Model --first 17 --count 1

Every form of ``saved_forms.py`` gets an equal share of ``--count`` files, in processes of their
own. A file is wrong if it is refused by anything but a ValueError or an OSError of one line with
its name or that of its folder; if a state has changed although it was refused; if reading takes
more than a second or 200 MB; if it is taken and its use fails. Memory is measured on Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

SECONDS, MEGABYTES, LONGEST = 1.0, 200, 700
STUCK = 60  # seconds after which a process is given up


def examine(form, random: Random) -> tuple[str, str]:
    """Return ``"refused"``, ``"accepted"`` or ``"wrong"`` for a damaged file, and why."""
    content = form.damaged(random)
    form.path.write_bytes(content)
    before, memory, started = form.state(), _memory(), time.process_time()
    found, error = None, None
    try:
        found = form.read()
    except Exception as caught:
        error = caught
    seconds, peak = time.process_time() - started, (_memory("VmHWM") - memory) / 1e6
    if seconds > SECONDS or peak > MEGABYTES:
        return "wrong", f"it took {seconds:.1f} s and {peak:.0f} MB"
    if error is None:
        try:
            form.use(found)
        except Exception as caught:
            if not isinstance(caught, form.uses):
                return "wrong", f"it was taken, then {_said(caught)}"
        finally:
            form.renew()
        return "accepted", ""
    text = str(error)
    if not isinstance(error, (ValueError, OSError)) or str(form.path.parent) not in text:
        return "wrong", _said(error)
    if "\n" in text or len(text) > LONGEST:
        return "wrong", f"no sentence: {text!r}"
    if form.state() != before:
        return "wrong", f"the state has changed, then {_said(error)}"
    return "refused", text


def _said(error: Exception) -> str:
    places = [f"{p.filename}:{p.lineno}" for p in traceback.extract_tb(error.__traceback__)][-3:]
    return f"{type(error).__name__}: {error} at {', '.join(places)}"


def _memory(name: str = "VmRSS") -> int:
    """Return bytes of memory of this process; asked for the present ones, the peak starts anew."""
    try:
        if name == "VmRSS":
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def examined(name: str, seed: int, first: int, count: int) -> Iterator[tuple[str, str]]:
    """Examine files of one form, in a folder of their own."""
    import saved_forms

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        form = saved_forms.forms()[name](Path(folder))
        for number in range(first, first + count):
            yield examine(form, Random(f"{name} {seed} {number}"))


def work(name: str, seed: int, first: int, count: int) -> None:
    """Print the results of one form, a line each; a file that is never read ends the process."""
    signal.alarm(STUCK)
    for result in examined(name, seed, first, count):
        signal.alarm(STUCK)
        print(json.dumps(result), flush=True)


def watched(name: str, seed: int, first: int, count: int) -> list[tuple[str, str]]:
    """Return the results of one form; a process that died was killed by the file after them."""
    results: list[tuple[str, str]] = []
    while len(results) < count:
        rest = (str(first + len(results)), str(count - len(results)))
        command = [sys.executable, __file__, "--worker", name, "--seed", str(seed)]
        command += ["--first", rest[0], "--count", rest[1]]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode > 0:  # an error of this program itself
            raise RuntimeError(f"{' '.join(command)} failed")
        results += [tuple(json.loads(line)) for line in done.stdout.splitlines()]
        if len(results) < count:
            results.append(("wrong", f"the process ended with {done.returncode}"))
    return results


def main() -> int:
    """Examine files of all forms; return the number of wrong ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5000, help="files in all, default 5000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file of a form")
    parser.add_argument("--only", nargs="+", metavar="FORM", help="of these forms only")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.seed, options.first, options.count)
        return 0
    import saved_forms

    names = options.only or list(saved_forms.forms())
    totals: Counter[str] = Counter()
    with ThreadPoolExecutor(options.processes) as pool:
        each = -(-options.count // len(names))
        tasks = {n: pool.submit(watched, n, options.seed, options.first, each) for n in names}
        for name, task in tasks.items():
            results = task.result()
            found = Counter(verdict for verdict, _ in results)
            totals += found
            print(f"{name}: {_counted(found)}", flush=True)
            for number, (verdict, why) in enumerate(results, options.first):
                if verdict == "wrong":
                    print(f"  file {number}: {why}", flush=True)
    print(f"{totals.total()} files: {_counted(totals)}")
    return totals["wrong"]


def _counted(found: Counter[str]) -> str:
    return (
        f"{found['refused']} refused, {found['accepted']} accepted (harmless), "
        f"{found['wrong']} wrong"
    )


if __name__ == "__main__":
    sys.exit(min(main(), 1))
