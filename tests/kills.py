"""Programs that are killed at random moments: nothing is lost, nothing is half.

    python tests/kills.py --count 200
    python tests/kills.py --only game --count 20 --seed 3

Each work of :data:`WORKS` is begun in a folder, killed by SIGKILL, and begun again until it ends.
After each kill all files that have their names must be whole. At the end they must be those of a
work that nobody has killed, bit for bit, but for times. Processes are forks of this one, which has
done each work once: they need no imports, and compile nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import signal
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # forks have one thread
TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS / "data"), str(TESTS / "training"), str(TESTS.parent / "examples")]

import conftest  # noqa: E402  of tests/data
import numpy as np  # noqa: E402
import runs_of_0_1 as old  # noqa: E402
from pair_files import save  # noqa: E402
from tqdm import tqdm  # noqa: E402

import salamandre as sal  # noqa: E402
from salamandre import data, runs, studies  # noqa: E402
from salamandre.data import CATALOGUE  # noqa: E402
from salamandre.data.archives import unpacked  # noqa: E402
from salamandre.progress import silent  # noqa: E402
from salamandre.runs.lock import LOCK, OWNER  # noqa: E402
from salamandre.runs.run import STUDY, read_rows  # noqa: E402
from salamandre.runs.settings import FILE, read_settings  # noqa: E402
from salamandre.storage import read_file  # noqa: E402
from salamandre.studies.results import RESULT, read_result, read_table  # noqa: E402

tqdm.monitor_interval = 0  # no thread whose lock a fork would inherit

PATIENCE = 8  # kills after which a work is left alone
STUCK = 120  # seconds after which a process is given up
PICTURES = 300  # pairs side by side
TIMES = ("seconds",)


def engine(folder: Path) -> None:
    """Train a network that saves itself after each step."""
    run = old.engine()
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.exists():
        run.resume(checkpoint)
    each = sal.Steps(1)
    run.callbacks = (sal.Curves(folder, each), sal.Checkpoint(checkpoint, each))
    run.run(4)
    run.network.save(folder / "model.safetensors")


def game(folder: Path) -> None:
    """Play a game in a run folder."""
    metrics = {"mean": lambda game: float(game.generate(4).mean())}
    runs.play(old.wgan(), 24, folder, every=4, metrics=metrics, evaluate_every=6, quiet=True)


def command(folder: Path) -> None:
    """Train with the command, and resume."""
    from salamandre.cli import main

    given = ["--resume", "latest"]
    if not list(folder.glob(f"*/*/{FILE}")):
        given = ["--dataset", "digits", "--epochs", "2", "--batch-size", "256", "--seed", "1"]
        given += ["--sample-every", "4", "--checkpoint-every", "0.05"]
    main(["train", "--output", str(folder), "--quiet", *given], standalone_mode=False)


def study(folder: Path) -> None:
    """Play a study of two games, and resume it."""
    import gan_gaussians

    given = ["--rounds", "24", "--runs", "2", "--processes", "1", "--distribution", "grid"]
    begun = sorted(folder.glob(f"*/*/{FILE}"))
    given += ["--resume", str(begun[-1].parent)] if begun else ["--output", str(folder)]
    sys.argv = ["gan_gaussians.py", *given]
    gan_gaussians.main()


def planned(folder: Path) -> None:
    """Play a planned study of two classifiers, and go on with it."""
    given = {"layers": "20-10", "epochs": 2, "examples": 500}
    axes = {"learning-rate": [0.001, 0.01]}
    plan = {"base": "classifier", "options": given, "axes": axes}
    with silent():
        studies.Study(plan, folder / "study").run(1)


def convert(folder: Path) -> None:
    """Convert the files of a data set into the cache."""
    _agrees(folder, data.load("tiny", data_dir=SET.folder, cache_dir=folder / "cache"))


def download(folder: Path) -> None:
    """Download them from a slow server, and convert them."""
    _agrees(folder, data.load("tiny", cache_dir=folder / "cache"))


def pairs(folder: Path) -> None:
    """Unpack pictures, and convert pairs of them that lie side by side or are made."""
    cache = folder / "cache"
    with unpacked(SET.archive, cache), contextlib.redirect_stderr(io.StringIO()):
        for conditions in ("right", "edges"):
            found, _ = data.pairs(SET.pictures, conditions, image_size=32, cache_dir=cache)
    assert len(found) == PICTURES
    (folder / "done").touch()


def _agrees(folder: Path, splits: tuple[data.Images, data.Images]) -> None:
    SET.made.agrees_with(*splits)
    (folder / "done").touch()


class SET:
    """A tiny data set in a folder and on a server, and pictures, made by :func:`main`."""

    made, folder, pictures, archive = None, Path(), Path(), Path()


WORKS: dict[str, Callable[[Path], None]] = {
    work.__name__: work
    for work in (engine, game, command, study, planned, convert, download, pairs)
}


def contents(folder: Path) -> dict[str, object]:
    """Return what must be equal of all files of a folder; all must be whole."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name in (LOCK, OWNER, ".lock") or ".safetensors.l" in path.name:
            continue
        name = path.relative_to(folder).as_posix()
        parts = [part for part in name.split("/") if not part[:8].isdecimal() or "." in part]
        name = "/".join(parts)  # a run's folder is named by its time
        if path.suffix in (".part", ".unfinished"):
            continue  # of processes that were killed, swept by the next one that writes the file
        if path.suffix == ".safetensors":
            stored = read_file(path, "checkpoint", "network")
            tensors = {n: a.tobytes() for n, a in stored.tensors.items() if n != "records"}
            description = stored.architecture
            if "records" in description:
                names = [entry for record in description["records"] for entry in record]
                values = zip(names, stored.tensors["records"].tolist(), strict=True)
                tensors["records"] = [pair for pair in values if pair[0] not in TIMES]
                description = {n: v for n, v in description.items() if n not in TIMES}
            found[name] = (description, tensors)
        elif path.name == FILE:
            settings = read_settings(path.parent)
            found[name] = (settings.program, settings.options, settings.images)
        elif path.name == RESULT:
            result = read_result(path.parent)
            found[name] = (result.state, result.metrics, result.message)
        elif path.name == STUDY and path.parent.name == "study":
            rows = [(r.point, r.seed, r.state) for r in read_table(path, 1)]
            found[name] = rows if all(row[2] == "finished" for row in rows) else None
        elif path.name in ("curves.csv", "metrics.csv"):
            rows = read_rows(path)
            found[name] = [{n: v for n, v in row.items() if n not in TIMES} for row in rows]
        else:
            found[name] = path.read_bytes()
    return found


def forked(work: Callable[[Path], None], folder: Path) -> int:
    """Begin a work in a process of its own; return its ID."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(STUCK)
    try:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            work(folder)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def killed(work: Callable[[Path], None], folder: Path, longest: float, draw: random.Random) -> int:
    """Do a work in spite of kills at random moments; return their number.

    Raises:
        RuntimeError: a process failed or is stuck, or a file is half.
    """
    kills = 0
    while True:
        pid = forked(work, folder)
        if kills < PATIENCE:
            time.sleep(draw.uniform(0, longest))
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            kills += 1
            contents(folder)
        elif status:
            ended = os.waitstatus_to_exitcode(status)
            raise RuntimeError(f"it ended with {ended} after {kills} kills")
        else:
            return kills


def measure(name: str, count: int, seed: int) -> tuple[int, int]:
    """Return how many kills a work has seen, and how often it came to a wrong end."""
    work, draw, kills, wrong = WORKS[name], random.Random(f"{name} {seed}"), 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with contextlib.redirect_stdout(sys.stderr):
            work(folder / "first")  # compiles
            started = time.monotonic()
            work(folder / "whole")
        longest = time.monotonic() - started
        expected = contents(folder / "whole")
        while kills < count:
            trial = Path(tempfile.mkdtemp(dir=folder))
            try:
                kills += killed(work, trial, longest, draw)
                found = contents(trial)
                other = [n for n in {**expected, **found} if expected.get(n) != found.get(n)]
                if other:
                    raise RuntimeError(f"other contents of {', '.join(other)}")
            except Exception as error:
                wrong += 1
                kills += 1
                print(f"  {name}, after {kills} kills: {error}", flush=True)
    print(f"{name}: {kills} kills, {wrong} wrong", flush=True)
    return kills, wrong


def main() -> int:
    """Kill each work so many times; return the number of wrong ends."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200, help="kills in all, default 200")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS))
    options = parser.parse_args()
    SET.made = conftest.make()
    CATALOGUE["tiny"] = SET.made.entry
    with tempfile.TemporaryDirectory() as place, conftest.Mirrors(SET.made.files) as server:
        os.environ["no_proxy"] = "*"
        os.environ.pop("SALAMANDRE_DATA", None)
        SET.folder = SET.made.write(Path(place) / "tiny")
        SET.pictures = Path(place) / "pictures"
        for number, pixels in enumerate(np.random.default_rng(0).random((PICTURES, 64, 128))):
            save(SET.pictures / f"{number}.png", (255 * pixels).astype(np.uint8))
        SET.archive = SET.pictures.with_suffix(".tar.gz")
        with tarfile.open(SET.archive, "w:gz") as archive:
            archive.add(SET.pictures, "pictures")
        serving = os.fork()  # no thread, since this process will be forked too
        if not serving:
            server.serve_forever()
        SET.made.with_mirrors(server.url("slow"))
        each = -(-options.count // len(options.only))
        try:
            results = np.array([measure(name, each, options.seed) for name in options.only])
        finally:
            os.kill(serving, signal.SIGKILL)
            os.waitpid(serving, 0)
    kills, wrong = results.sum(axis=0)
    print(f"{kills} kills, {wrong} wrong")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
