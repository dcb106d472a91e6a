"""The package as its users install it: on its own, with each extra alone, and typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
OF_DEVELOPERS = {"test", "benchmarks", "docs"}
GPU = {"cuda12x", "cuda13x"}  # too large to be tried; what misses them must name them
NOT_NAMED = {"examples"}  # nothing misses it

DIGITS = """
import salamandre as sal
train, test = sal.data.load("digits")
network = sal.Network(
    [sal.NeuronLayer(10, sal.Softmax())], 64, sal.CrossEntropy(), sal.Adam(0.01), seed=0
)
"""
STUDY = """
from salamandre.studies import Study
plan = {
    "base": "classifier",
    "options": {"dataset": "digits", "layers": "10", "epochs": 1, "examples": 100},
    "metrics": ["accuracy"],
    "axes": {"learning-rate": {"low": 0.001, "high": 0.1, "count": 2}},
}
"""
# A program that needs the extra: without it, it says how it is installed.
PROGRAMS = {
    "fast": "from salamandre.cli import main; main(['doctor'])",
    "data": """
import io, pathlib
from PIL import Image
from salamandre import data
pathlib.Path("set.parquet").touch()
try:
    import pyarrow, pyarrow.parquet
except ImportError:
    pass
else:
    Image.new("L", (4, 4)).save(picture := io.BytesIO(), "PNG")
    columns = {"image": [{"bytes": picture.getvalue()}] * 4, "label": [0, 1, 0, 1]}
    pyarrow.parquet.write_table(pyarrow.table(columns), "set.parquet")
train, _ = data.open("set.parquet")
assert len(train) == 4
""",
    "evaluation": """
from salamandre import evaluation
assert evaluation.wasserstein_distance([[0.0], [1.0]], [[1.0], [3.0]]) == 1.5
""",
    "inspection": f"""
import runpy, sys
sys.argv = ["transfer_learning", "--help"]
runpy.run_path({str(ROOT / "examples/transfer_learning.py")!r})
""",
    "mpi": """
import os
os.environ["PMI_SIZE"] = "1"
from salamandre import parallel
assert parallel.world().size == 1
""",
    "sklearn": f"""{DIGITS}
x, unseen = train.images.reshape(-1, 64), test.images.reshape(-1, 64)
found = sal.estimators.SalamandreClassifier(epochs=2).fit(x, train.labels)
assert found.score(unseen, test.labels) > 0.3
""",
    "tensorboard": f"""{DIGITS}
network.fit(train, epochs=1, callbacks=[sal.training.TensorBoard("logs")], verbose=False)
""",
    "onnx": f"""{DIGITS}
import numpy as np
sal.export_onnx(network, "digits.onnx")
again = sal.import_onnx("digits.onnx")
assert np.allclose(again.predict(test), network.predict(test), atol=1e-5)
""",
    "studies": f"""{STUDY}
rows = Study(plan, "found").run(processes=2)
assert [row.state for row in rows] == ["finished"] * 2
""",
    "optuna": f"""{STUDY}
plan |= {{"sampler": "optuna", "points": 2}}
rows = Study(plan, "found").run(processes=1)
assert [row.state for row in rows] == ["finished"] * 2
""",
    "dask": f"""{STUDY}
try:
    from distributed import LocalCluster
    one = dict(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp")
    address = LocalCluster(**one, dashboard_address=None).scheduler_address
except ImportError:
    address = "tcp://127.0.0.1:9"
rows = Study(plan, "found").run(cluster=address.replace("tcp:", "dask:"))
assert [row.state for row in rows] == ["finished"] * 2
""",
    "ray": f"""{STUDY}
try:
    import ray
    ray.init(num_cpus=1, include_dashboard=False)
except ImportError:
    pass
rows = Study(plan, "found").run(cluster="ray")
assert [row.state for row in rows] == ["finished"] * 2
""",
}
LEARNS = f"""{DIGITS}
history = network.fit(train, epochs=10, verbose=False)
assert network.evaluate(test)["accuracy"] > 0.8
"""

# A program of a user's, in whose eyes mypy --strict finds no mistake but those that are marked.
USER = """
from collections.abc import Callable
from typing import Any

import numpy as np
from typing_extensions import assert_type

import salamandre as sal
from salamandre import data, evaluation, games, inspection, plots, runs, studies, training
from salamandre.layer import Linear


class Reverse(Linear):
    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def apply(self, x: Any, ctx: Any, name: str = "y") -> Any:
        return x[:, ::-1]

    def adjoint(self, dy: Any, ctx: Any, name: str = "dx") -> Any:
        return dy[:, ::-1]


class Said(sal.Callback):
    def on_end(self, run: sal.Loop) -> None:
        print(run.history)


train, test = data.load("digits")
assert_type(train, data.Images)
network = sal.Network(
    [Reverse(), sal.NeuronLayer(10, activation=sal.Softmax())],
    input_shape=64,
    loss=sal.CrossEntropy(),
    optimizer=sal.Adam(sal.schedules.CosineDecay(0.001, 100)),
)
assert_type(network.named_parameters(), dict[str, Any])
engine = sal.Engine(network, train, test, batch_size=64, callbacks=[Said(), sal.ProgressBar()])
assert_type(engine.run(epochs=1), sal.History)
assert_type(engine.evaluate(), dict[str, float])
assert_type(sal.Network.load("digits.safetensors"), sal.Network)
assert_type(network.fit(train, epochs=1, batch_size=32), sal.History)
assert_type(network.evaluate(test), dict[str, float])
game: sal.GanGame = games.new_game("cgan", train, latent=4)
assert_type(game.play(rounds=3, callbacks=[sal.ProgressBar()]), sal.History)
rows = studies.Study({"axes": {"seed": [1, 2]}}, "study").run(processes=1)
means: Callable[..., Any] = studies.summarize
found = evaluation.confusion(np.zeros(3), np.zeros(3), 10)
plots.plot_confusion(found, train.classes, "confusion.png")
maps = inspection.saliency(network, test.images[:8])
latest: runs.Run = runs.find_run("latest", "runs")

sal.NeuronLayer("ten")  # type: ignore[arg-type]
network.fit(train, epochs="ten")  # type: ignore[arg-type]
network.evaluate(test, batch=5)  # type: ignore[call-arg]
network.lern(train.images)  # type: ignore[attr-defined]
training.EarlyStopping(patience="long")  # type: ignore[arg-type]
"""


def run(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that does not see the repository's own package."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True)


def environment(folder: Path, base: Path | None = None) -> Path:
    """Make an environment without packages, or with those of another, which stay as they are.

    Returns:
        The folder of its programs.
    """
    venv.create(folder, symlinks=os.name != "nt")
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    if base is not None:
        (packages,) = folder.glob("[Ll]ib/**/site-packages")
        (others,) = base.parent.glob("[Ll]ib/**/site-packages")
        (packages / "base.pth").write_text(str(others))
    return programs


def install(programs: Path, what: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "-q"]
    done = run(*pip, "--no-compile", what, folder=programs)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel, built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "-o", str(folder), str(ROOT), folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def base(wheel, tmp_path_factory) -> Path:
    """The programs of an environment that has the wheel without extras."""
    programs = environment(tmp_path_factory.mktemp("base"))
    install(programs, str(wheel))
    return programs


def test_the_wheel_has_all_files_of_the_package(wheel):
    files = [path for path in (ROOT / "salamandre").rglob("*") if path.is_file()]
    here = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        there = {name for name in archive.namelist() if name.startswith("salamandre/")}
    assert there == here


def test_a_network_and_the_command_need_no_extra(base, tmp_path):
    done = run(str(base / "python"), "-c", LEARNS, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    command = str(base / "salamandre")
    for words in (["--help"], ["train", "--dataset", "digits", "--epochs", "1", "--quiet"]):
        done = run(command, *words, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    told = run(command, "doctor", folder=tmp_path).stdout
    named = set(re.findall(r"salamandre\[(\w+)\]", told))
    assert named == {"cuda12x", *PROGRAMS} - {"inspection"}  # which brings what sklearn does


def test_a_type_checker_knows_the_installed_package(base, tmp_path):
    (tmp_path / "program.py").write_text(USER)
    options = ["--strict", "--python-executable", str(base / "python")]
    done = run(sys.executable, "-m", "mypy", *options, "program.py", folder=tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_extra_of_users_is_tried():
    provided = set(metadata.metadata("salamandre").get_all("Provides-Extra"))
    assert provided == {*PROGRAMS, *GPU, *NOT_NAMED, *OF_DEVELOPERS}


@pytest.mark.parametrize("extra", PROGRAMS)
def test_an_extra_is_named_where_it_is_missing_and_is_enough(extra, base, tmp_path):
    if extra == "ray" and sys.version_info >= (3, 14):
        pytest.skip("Ray has no packages for this Python")
    program = ["-c", PROGRAMS[extra]]
    line = f"pip install 'salamandre[{extra}]'"
    missing = run(str(base / "python"), *program, folder=tmp_path)
    assert line in missing.stdout + missing.stderr
    there = environment(tmp_path / "with", base)
    install(there, f"salamandre[{extra}]")
    done = run(str(there / "python"), *program, folder=tmp_path)
    assert done.returncode == 0 and line not in done.stdout, done.stderr
