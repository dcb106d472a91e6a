"""Every file that the package reads: how one is made, damaged, read and used.

For ``damage.py``. A reader may refuse a damaged file; then the state must be what it was. A file
that it takes must be good for use.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import mutations
import numpy as np
from msgspec import Struct

TESTS = Path(__file__).parent
sys.path += [str(TESTS / "training"), str(TESTS / "data"), str(TESTS / "onnx")]

import runs_of_0_1 as old  # noqa: E402
from samples import SAMPLES  # noqa: E402

import salamandre as sal  # noqa: E402
from salamandre import data, runs  # noqa: E402
from salamandre.runs.lock import OWNER, in_use  # noqa: E402
from salamandre.runs.run import read_rows  # noqa: E402
from salamandre.runs.settings import FILE, LearnedImages  # noqa: E402
from salamandre.storage import _checksum, _serialized, read_file  # noqa: E402


class Form:
    """A kind of file.

    Attributes:
        path: of the file that is damaged.
        uses: errors that the use of a file that was taken may raise.
    """

    path: Path
    uses: tuple[type[BaseException], ...] = ()

    def __init__(self, folder: Path) -> None:
        """Write an undamaged file to an empty folder."""

    def damaged(self, random: Random) -> bytes:
        """Return the content of a damaged file."""
        return mutations.damaged_bytes(self.content, random)

    def read(self) -> Any:
        """Read it."""

    def use(self, found: Any) -> None:
        """Use what was read."""

    def state(self) -> bytes:
        """Return what must be the same after a file was refused."""
        return b""

    def renew(self) -> None:
        """Make anew what a file that was taken has changed."""


class Stored(Form):
    """A safetensors file of ours, which is sealed by a checksum of its description and arrays."""

    def sealed(self, kind: str) -> None:
        self.content = self.path.read_bytes()
        stored = read_file(self.path, kind, "game")
        self.kind, self.description, self.arrays = kind, stored.architecture, stored.tensors

    def damaged(self, random: Random) -> bytes:
        choice = random.random()
        if choice < 0.2:
            return super().damaged(random)
        text, arrays = json.dumps(self.description), self.arrays
        if choice < 0.8:
            text = mutations.damaged_json(self.description, random)
        else:
            arrays = mutations.damaged_arrays(arrays, random)
        metadata = {"format": "salamandre", "version": "1", "kind": self.kind}
        metadata |= {"architecture": text, "checksum": _checksum(text, arrays)}
        return _serialized(arrays, metadata)


class Model(Stored):
    """A saved network; judges in the cache and the generators of runs are of the same kind."""

    uses = (ValueError, FloatingPointError, MemoryError, RuntimeWarning)

    def __init__(self, folder: Path) -> None:
        layers = [
            *(sal.Reshape((2, 6, 4)), sal.Augmentation(), sal.Packing(2)),
            sal.ConvolutionalLayer(3, (3, 2), padding=1),
            *(sal.BatchNorm(momentum=0.3), sal.LeakyReLU(0.2), sal.MaxPool(2), sal.Upsample(2)),
            sal.Skip([sal.ConvolutionalLayer(3, 3, padding="same", activation=sal.ELU(0.5))]),
            *(sal.TransposedConvolutionalLayer(2, 2, 2, activation=sal.SoftPlus()),),
            *(sal.InstanceNorm(), sal.AveragePool(2), sal.Flatten(), sal.LayerNorm()),
            sal.NeuronLayer(6, sal.Tanh(1.7159, 2 / 3), noise=2),
            *(sal.MinibatchDiscrimination(2, 3), sal.MinibatchDeviation(), sal.Dropout(0.1)),
            sal.GaussianNoise(0.1, multiplied=True),
            sal.Parallel([sal.NeuronLayer(3), sal.Network([sal.NeuronLayer(2)])], names=["a", "b"]),
            *(sal.NeuronLayer(4, sal.Sigmoid(), initializer=sal.initializers.Gaussian(0.1)),),
            sal.Network([sal.NeuronLayer(3, sal.Softmax())], 4, seed=5),
        ]
        adam = sal.Adam(sal.schedules.CosineDecay(0.01, 100, warmup=5), clip_norm=1.0)
        net = sal.Network(layers, 48, sal.CrossEntropy(label_smoothing=0.1), adam, frozen=["2"])
        self.path = folder / "net.safetensors"
        net.save(self.path)
        self.sealed("network")

    def read(self) -> sal.Network:
        return sal.Network.load(self.path)

    def use(self, net: sal.Network) -> None:
        if isinstance(net.input_shape[0], tuple) or np.prod(net.input_shape) > 1e5:
            return
        x = np.random.default_rng(0).normal(size=(6, *net.input_shape)).astype(net.dtype)
        y = net.predict(x)
        if net.loss and net.optimizer:
            whole = isinstance(net.loss, sal.CrossEntropy)
            for _ in range(2):
                net.learn(x, np.zeros(6, int) if whole else np.zeros(y.shape))
        net.save(self.path)


class Checkpoint(Stored):
    """A checkpoint of a run, as this version writes it."""

    name = "engine"
    uses = (FloatingPointError, RuntimeWarning)

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoint.safetensors"
        self.write()
        self.sealed("checkpoint")
        self.renew()

    def make(self) -> Any:
        return getattr(old, self.name)()

    def write(self) -> None:
        run = self.make()
        self.play(run, 8)
        run.save(self.path)

    def play(self, run: Any, steps: int) -> None:
        run._run(steps, [run._tests] if isinstance(run, sal.Engine) else [self.evaluation])

    evaluation = sal.games.Evaluation({"number": lambda game: game.rounds}, every=sal.Steps(4))

    def renew(self) -> None:
        self.run = self.make()
        self.play(self.run, 3)

    def read(self) -> None:
        self.run.resume(self.path)

    def use(self, found: None) -> None:
        self.play(self.run, self.run.step + 2)
        self.run.history.to_csv()
        self.run.history.records_csv()
        self.run.save(self.path)

    def state(self) -> bytes:
        run, state = self.run, self.run._state()
        found = blake2b(repr((run.history.steps, run.history.records)).encode())
        found.update(repr((run.step, run.batches.drawn, run.seconds)).encode())
        for name, array in state.all_arrays().items():
            found.update(name.encode() + np.array(array).tobytes())
        for name, stream in state.all_streams().items():
            found.update(f"{name} {stream.state}".encode())
        for network in state.networks.values():
            found.update(repr((network.optimizer.steps, network.optimizer.schedule)).encode())
        return found.digest()


class GanCheckpoint(Checkpoint):
    name = "gan"


class WganCheckpoint(Checkpoint):
    name = "wgan"


class RemediesCheckpoint(Checkpoint):
    name = "remedies"


class CheckpointOf01(Checkpoint):
    """A checkpoint that version 0.1 wrote."""

    def write(self) -> None:
        self.path.write_bytes((old.FIXTURES / f"{self.name}.safetensors").read_bytes())


class GameOf01(CheckpointOf01):
    name = "gan"


with suppress(ImportError):  # the extra onnx, or onnxruntime
    import file_of_0_2

    class OnnxOf02(Form):
        """An ONNX file that version 0.2 wrote."""

        uses = (FloatingPointError, RuntimeWarning)

        def __init__(self, folder: Path) -> None:
            self.path, self.content = folder / "net.onnx", file_of_0_2.FILE.read_bytes()

        def read(self) -> sal.Network:
            return sal.import_onnx(self.path)

        def use(self, net: sal.Network) -> None:
            x = np.ones((2, *net.input_shape), np.float32)
            net.predict(x, labels=[0, 0] if net.classes else None)


class Known(Struct):
    """The options of a program."""

    epochs: int = 3
    rate: float | None = 0.1
    names: list[str] = []


class RunSettings(Form):
    """The settings of a run, and what is shown of it."""

    uses = (ValueError,)

    def __init__(self, folder: Path) -> None:
        options = {"epochs": 3, "rate": 0.5, "names": ["a", "b"]}
        images = LearnedImages("digits", 1500, (1, 8, 8), tuple("0123456789"), 20)
        settings = runs.Settings.new("p.py", options, images)
        self.path = folder / "name" / "run" / FILE
        settings.write(self.path.parent)
        self.content = self.path.read_bytes()

    def damaged(self, random: Random) -> bytes:
        if random.random() < 0.3:
            return super().damaged(random)
        return mutations.damaged_json(json.loads(self.content), random).encode()

    def read(self) -> Any:
        run = runs.find_run(str(self.path.parent), self.path.parents[2])
        run.check_options(Known)
        return run

    def use(self, run: Any) -> None:
        run.change_options(epochs=4)
        assert runs.find_run("latest", self.path.parents[2]).options["epochs"] == 4
        run.state(), run.planned, run.played(), run.losses(), run.metrics(), run.samples


class Table(RunSettings):
    """The table of the steps of a run."""

    table = "curves.csv"
    rows = "round,d_loss,g_loss\n" + "".join(f"{n},0.{n},1.5\n" for n in range(1, 40))

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = self.path.with_name(self.table)
        self.content = self.rows.encode()

    def damaged(self, random: Random) -> bytes:
        if random.random() < 0.5:
            return Form.damaged(self, random)
        cells = [row.split(",") for row in self.rows.splitlines()]
        row = random.choice(cells)
        extreme = random.choice([*map(str, mutations.EXTREMES), "nan", '"', "1_0", "１", "\n", ","])
        row[random.randrange(len(row))] = extreme
        return "\n".join(",".join(row) for row in cells).encode("utf-8", "surrogatepass")

    def read(self) -> Any:
        run = runs.run.Run(self.path.parent, "name/run")
        return run.losses(), run.metrics(), run.played(), run.state(), read_rows(self.path)

    def use(self, found: Any) -> None:
        pass


class Metrics(Table):
    """The table of its records."""

    table = "metrics.csv"
    rows = "round,score,seconds\n4,0.5,1.5\n8,,2.5\n"


class Owner(Form):
    """The file with the ID of the process that plays a run."""

    def __init__(self, folder: Path) -> None:
        self.path, self.content = folder / OWNER, str(os.getpid()).encode()

    def read(self) -> None:
        assert not in_use(self.path.parent)


class Sample(Form):
    """A file of a data set or of data of one's own; packed ones are damaged inside too."""

    def __init__(self, name: str, folder: Path) -> None:
        files, self._read = SAMPLES[name]()
        self.folder = folder / "data"
        self.folder.mkdir()
        for file, content in files.items():
            (self.folder / file).write_bytes(content)
        self.files, self.path = files, self.folder / min(files)

    def damaged(self, random: Random) -> bytes:
        for file, content in self.files.items():
            (self.folder / file).write_bytes(content)
        self.path = self.folder / random.choice(sorted(self.files))
        content = self.files[self.path.name]
        if random.random() < 0.5:
            return mutations.damaged_bytes(content, random)
        return mutations.damaged_inside(content, random)

    def read(self) -> Any:
        return self._read(self.folder)


class Picture(Form):
    """A picture in a folder of classes."""

    suffix = ".png"

    def __init__(self, folder: Path) -> None:
        from PIL import Image

        random = np.random.default_rng(0)
        for name in ("a", "b"):
            (folder / "pictures" / name).mkdir(parents=True)
            for number in range(2):
                pixels = random.integers(0, 256, (9, 8, 3), np.uint8)
                path = folder / "pictures" / name / f"{number}{self.suffix}"
                Image.fromarray(pixels).save(path)
        self.path, self.content = path, path.read_bytes()

    def read(self) -> Any:
        cache = self.path.parents[2] / "cache"
        return data.folder(self.path.parents[1], 8, cache_dir=cache)

    def use(self, images: Any) -> None:
        images.images.sum()


class Jpeg(Picture):
    suffix = ".jpg"


def forms() -> dict[str, Callable[[Path], Form]]:
    """Return all kinds of files that have a reader, by their names."""
    bases = {Form, Stored, Sample}
    found: dict[str, Callable[[Path], Form]] = {
        name: kind
        for name, kind in globals().items()
        if isinstance(kind, type) and issubclass(kind, Form) and kind not in bases
    }
    return found | {name: partial(Sample, name) for name in SAMPLES}
