"""What the tests of parallel runs let each rank do: ``mpirun -n 2 python ranks.py WORK PATH``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import salamandre as sal
from salamandre import parallel
from salamandre.backend.group import Group

N, BATCH = 80, 16
RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(N, 6))
LABELS = (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 1)
IMAGES = RANDOM.uniform(-1, 1, (N, 1, 8, 8))
OPTIONS = {"dtype": "float64", "seed": 3}


def mpirun() -> str | None:
    """Return the path of mpirun, beside Python or anywhere."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which("mpirun", path=places) if find_spec("mpi4py") else None


def start(size: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python with arguments in so many processes."""
    found = mpirun()
    assert found is not None
    root = ["--allow-run-as-root"] * (getattr(os, "getuid", lambda: 1)() == 0)
    command = [found, *root, "--oversubscribe", "-n", str(size), sys.executable]
    given = [str(argument) for argument in arguments]
    return subprocess.run([*command, *given], capture_output=True, text=True, timeout=300)


def classifier(group: Group, *, threads: int | None = 1, **options) -> sal.Engine:
    layers = [
        sal.NeuronLayer(8),
        sal.BatchNorm(),
        sal.Tanh(),
        sal.MinibatchDiscrimination(2, 2),
        sal.NeuronLayer(3, sal.Softmax()),
    ]
    optimizer = sal.Momentum(0.1, clip_norm=1)
    network = sal.Network(layers, 6, sal.CrossEntropy(), optimizer, threads=threads, **OPTIONS)
    data = X, LABELS
    return sal.Engine(network, data, data, batch_size=BATCH, group=group, **options)


class KnownLatent(sal.Gaussian):
    """The same latent vectors, however many processes draw their share of them."""

    def __init__(self, size: int, group: Group) -> None:
        super().__init__(size)
        self.group, self.drawn = group, 0

    def draw(self, random, count, dtype):
        self.drawn += 1
        z = np.random.default_rng(self.drawn).normal(size=(BATCH, self.size))
        return z[self.group.rows(BATCH)]


def game(group: Group, **options) -> sal.GanGame:
    up = sal.TransposedConvolutionalLayer
    generator = sal.Network(
        [sal.Reshape((4, 1, 1)), up(3, 4), sal.BatchNorm(), sal.ReLU(), up(1, 2, 2), sal.Tanh()],
        4,
        optimizer=sal.Momentum(0.05),
        **OPTIONS,
    )
    down = sal.ConvolutionalLayer
    discriminator = sal.Network(
        [down(3, 4, 2, activation=sal.Tanh()), sal.BatchNorm(), sal.Flatten(), sal.NeuronLayer(1)],
        (1, 8, 8),
        optimizer=sal.Momentum(0.05),
        **OPTIONS,
    )
    latent = KnownLatent(4, group)
    given = {"latent": latent, "batch_size": BATCH, "group": group, **options}
    return sal.GanGame(generator, discriminator, IMAGES, **given)


def _trained(engine: sal.Engine) -> list[np.ndarray]:
    engine.run(2)
    tests = engine.history.column("test_loss") or [0.0, 0.0]  # rank 0 alone tests
    return [engine.network.parameters, engine.history.steps["loss"], tests]


def _played(played: sal.GanGame) -> list[np.ndarray]:
    played.play(4)
    players = played.generator, played.discriminator
    values = [played.history.steps[name] for name in ("d_loss", "g_loss", "d_real")]
    return [*(p.parameters for p in players), *values]


WEIGHTS = RANDOM.uniform(0, 2, N)
EQUAL: dict[str, Callable[[Group], list[np.ndarray]]] = {
    "a classifier": lambda g: _trained(classifier(g)),
    "weights of examples": lambda g: _trained(classifier(g, sample_weights=WEIGHTS)),
    "two threads in each rank": lambda g: _trained(classifier(g, threads=2)),
    "a game": lambda g: _played(game(g)),
    "a game with spectral norm": lambda g: _played(game(g, lipschitz=sal.SpectralNorm())),
}


def equal(group: Group) -> dict[str, np.ndarray]:
    """Return what must not depend on the number of ranks."""
    return {
        name: np.concatenate([np.ravel(part) for part in work(group)])
        for name, work in EQUAL.items()
    }


def _equal(path: Path, group: Group) -> None:
    found = equal(group)
    for values in found.values():  # the same bits on all ranks
        own = values[:50]
        assert (group.all_reduce(own) / group.size == own).all()
    if group.rank == 0:
        np.savez(path, **found)


class At(sal.Callback):
    """Does something at a step."""

    def __init__(self, step: int, do: Callable[[sal.Engine], object]) -> None:
        self.every, self._do = sal.training.Steps(step), do

    def on_step(self, run):
        self._do(run)


def _killed(path: Path, group: Group) -> None:
    """Rank 1 is killed in step 8; the latest checkpoint is of step 6."""
    engine = classifier(group, callbacks=[sal.training.Checkpoint(path, sal.training.Steps(3))])
    learn = engine.network.learn

    def killed(*batch, **given):
        if group.rank == 1 and engine.step == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return learn(*batch, **given)

    engine.network.learn = killed
    engine.run(2)


def _resumed(path: Path, group: Group) -> None:
    engine = classifier(group)
    engine.resume(path)
    engine.run(2)
    if group.rank == 0:
        np.save(f"{path}.npy", engine.network.parameters)


def _fails(path: Path, group: Group) -> None:
    """A callback fails in rank 0, or a step in another one."""

    def fail(*_):
        raise OSError(f"no space in {path.name}")

    engine = classifier(group, callbacks=[At(3, fail)] if path.name == "rank 0" else [])
    if path.name == "rank 1" and group.rank == 1:
        engine.network.learn = fail
    engine.run(2)


def _told(path: Path, group: Group) -> None:
    """Callbacks of rank 0 set the learning rate, and stop the run."""

    def slow(run):
        run.network.optimizer.learning_rate = 0.01

    at = [At(2, slow), At(5, lambda run: run.stop())]
    engine = classifier(group, callbacks=at, test_every=sal.training.Steps(1))
    engine.run(2)
    rates = np.array([engine.network.optimizer.learning_rate, engine.step, len(at)], float)
    assert (group.all_reduce(rates) == group.size * np.array([0.01, 5, 2])).all()
    assert bool(engine.history.records) == (group.rank == 0)


def _different(path: Path, group: Group) -> None:
    engine = classifier(group)
    engine.network.parameters[group.rank] += 1
    engine.run(2)


WORKS = {
    "equal": _equal,
    "killed": _killed,
    "resumed": _resumed,
    "fails": _fails,
    "told": _told,
    "different": _different,
}

if __name__ == "__main__":
    WORKS[sys.argv[1]](Path(sys.argv[2]), parallel.world(coupled=True))
