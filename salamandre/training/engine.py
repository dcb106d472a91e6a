"""The engine of supervised learning."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.component import decode, difference, encode
from salamandre.data.batches import Data, Source, Transform
from salamandre.evaluation import accuracy
from salamandre.network import Diverged, Network
from salamandre.storage import read_file, write_file
from salamandre.training.history import History
from salamandre.training.interrupt import watched

if TYPE_CHECKING:
    from salamandre.training.callbacks import Callback

Metric = Callable[[Array, Array], float]


class Engine:
    """Teaches a network a data set, epoch by epoch, and calls callbacks.

    An epoch visits every example once, in an order that depends on ``seed`` and its number alone
    (a last batch smaller than the others is left out). Ctrl-C ends the run after the current
    step, with everything saved; a second Ctrl-C ends it at once.

    Args:
        network: with a loss and an optimizer.
        train: :class:`salamandre.data.Images` or a pair (inputs, targets).
        test: likewise, or ``None``.
        batch_size: examples a step. Default 64.
        callbacks: see :mod:`salamandre.training.callbacks`.
        seed: of the order of examples and of transforms. Default 0.
        transform: random change of the training inputs, such as ``salamandre.data.Shift(2)``.
        metrics: functions of (outputs, targets) by name, evaluated on the test set. Default
            accuracy, where the targets are labels.
        test_every: test every so many steps instead of after each epoch.

    Attributes:
        history: see :class:`History`.
        step: steps taken.
        interrupted: whether Ctrl-C ended the latest run.
        error: what the latest run failed with, or ``None``.
    """

    def __init__(
        self,
        network: Network,
        train: Data,
        test: Data | None = None,
        *,
        batch_size: int = 64,
        callbacks: Sequence[Callback] = (),
        seed: int = 0,
        transform: Transform | None = None,
        metrics: Mapping[str, Metric] | None = None,
        test_every: int | None = None,
    ) -> None:
        if network.loss is None or network.optimizer is None:
            raise ValueError("an Engine needs a Network with a loss and an optimizer")
        self.network = network
        self.batch_size = whole("batch_size", batch_size)
        self.callbacks = tuple(callbacks)
        self.seed = whole("seed", seed, least=0)
        self.train = Source(train, network, transform)
        self.test_set = None if test is None else Source(test, network)
        for source in (self.train, self.test_set):
            if source is not None:
                self._check_targets(source)
        if metrics is None:
            classes = self.train.has_labels and network.output_shape[-1] > 1
            metrics = {"accuracy": accuracy} if classes else {}
        self.metrics = dict(metrics)
        for name in self.metrics:
            if name in ("epoch", "step", "learning_rate", "loss", "test_loss", "seconds"):
                raise ValueError(f"a metric cannot be called {name!r}: the history has one already")
        self.test_every = None if test_every is None else whole("test_every", test_every)
        self.history = History()
        self.epochs = 0
        self.interrupted = False
        self.error: BaseException | None = None
        self._stop = False
        self._seconds = 0.0

    def _check_targets(self, source: Source) -> None:
        """Let the loss refuse targets that do not fit before the first step."""
        for _, targets in source.in_order(8192):
            shape = (len(targets), *self.network.output_shape)
            self.network.loss.check(targets, shape, self.network.dtype)  # type: ignore[union-attr]

    @property
    def step(self) -> int:
        """Steps taken so far, over all runs."""
        return len(self.history.losses)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.train.batch_count(self.batch_size)

    @property
    def loss(self) -> float:
        """The training loss of the latest step."""
        return float(self.history.losses[-1]) if self.history.losses else math.nan

    def stop(self) -> None:
        """End the run after the current step."""
        self._stop = True

    def run(self, epochs: int) -> History:
        """Learn until ``epochs`` epochs are done in all, those of earlier runs included.

        Returns:
            The history.

        Raises:
            Diverged: the loss became NaN or infinite; the step is named.
        """
        self.epochs = whole("epochs", epochs)
        self.interrupted, self.error, self._stop = False, None, False
        started = time.perf_counter() - self._seconds
        with watched(self, self.callbacks, self._interrupt):
            while self.step < self.epochs * self.steps_per_epoch and not self._stop:
                self._run_epoch(started)
        return self.history

    def _run_epoch(self, started: float) -> None:
        """Run the current epoch from where it stands, to its end or to a stop."""
        epoch, first = divmod(self.step, self.steps_per_epoch)
        for x, targets in self.train.batches(self.batch_size, self.seed, epoch, first):
            self.history.losses.append(self.network.learn(x, targets))
            self._seconds = time.perf_counter() - started
            epoch_ends = self.step % self.steps_per_epoch == 0
            if self.step % self.test_every == 0 if self.test_every else epoch_ends:
                self._record()  # before on_step, which may save: a test belongs to its step
            self._tell("on_step")
            if epoch_ends:
                self._tell("on_epoch")
            if self._stop:
                return

    def _record(self) -> None:
        """Test, and append the record to the history."""
        tests = self.history.tests
        since = int(tests[-1]["step"]) if tests else 0
        losses = self.history.losses
        losses[since:] = map(float, losses[since:])  # from a GPU, read all at once
        for index in range(since, self.step):
            if not math.isfinite(losses[index]):
                raise Diverged(f"the loss became {losses[index]} at step {index + 1}")
        assert self.network.optimizer is not None
        record: dict[str, float] = {
            "epoch": self.step / self.steps_per_epoch,
            "step": self.step,
            "learning_rate": self.network.optimizer.learning_rate,
            "loss": math.fsum(losses[since:]) / (self.step - since),
            **self.evaluate(),
            "seconds": round(self._seconds, 3),
        }
        if not math.isfinite(record.get("test_loss", 0.0)):
            raise Diverged(f"the test loss became {record['test_loss']} after step {self.step}")
        tests.append(record)
        self._tell("on_test")

    def evaluate(self, batch_size: int = 1000) -> dict[str, float]:
        """Return ``test_loss`` and the metrics on the test set, block by block."""
        if self.test_set is None:
            return {}
        network, totals = self.network, dict.fromkeys(("test_loss", *self.metrics), 0.0)
        assert network.loss is not None
        for x, targets in self.test_set.in_order(batch_size):
            y = network.predict(x)
            checked = network.loss.check(targets, y.shape, network.dtype)
            totals["test_loss"] += float(network.loss.value(y, checked)) * len(y)
            for name, metric in self.metrics.items():
                totals[name] += metric(y, targets) * len(y)
        return {name: total / len(self.test_set) for name, total in totals.items()}

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def _interrupt(self) -> None:
        self.interrupted = self._stop = True

    # -- checkpoints ---------------------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        """Return what must be the same for a run to be continued."""
        return {
            "network": encode(self.network),
            "train": [self.train.name, len(self.train)],
            "transform": self.train.transform_name,
            "batch_size": self.batch_size,
            "seed": self.seed,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that :meth:`resume` needs to one safetensors file, wholly or not at all."""
        network, optimizer = self.network, self.network.optimizer
        assert optimizer is not None
        to_numpy = network.backend.to_numpy
        tensors = {f"network/{name}": array for name, array in network.tensors().items()}
        for name, memory in optimizer.memory.items():
            tensors[f"optimizer/{name}"] = to_numpy(memory)
        if not all(np.isfinite(array).all() for array in tensors.values()):
            raise Diverged(
                f"the parameters became NaN or infinite by step {self.step}: the checkpoint before "
                f"is kept; lower the learning rate or clip the gradient (clip_norm=1)"
            )
        tensors["losses"] = np.array([float(loss) for loss in self.history.losses])
        description = {
            "identity": self._identity(),
            "backend": network.backend.name,
            "optimizer_steps": optimizer.steps,
            "schedule": encode(optimizer.schedule),
            "random": network.random.state,
            "tests": self.history.tests,
            "seconds": self._seconds,
        }
        write_file(path, "checkpoint", description, tensors)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go back to the state that :meth:`save` wrote; this engine must be set up alike.

        A run that is resumed ends with the same weights, bit for bit, as one that was never
        stopped, on the same backend and machine.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a damaged file, or one of another network, data set or batch size.
        """
        stored = read_file(path, "checkpoint")
        network, optimizer = self.network, self.network.optimizer
        assert optimizer is not None
        with stored.blame():
            other = difference(stored.architecture["identity"], self._identity())
            if other:
                raise ValueError(f"it belongs to another run: its {other}")
            if stored.architecture["backend"] != network.backend.name:
                raise ValueError(
                    f"it was written on backend {stored.architecture['backend']!r}, this run "
                    f"is on {network.backend.name!r}: choose the same"
                )
            memory = {name: stored.tensors[f"optimizer/{name}"] for name in optimizer.memory}
            weights = {
                name.removeprefix("network/"): array
                for name, array in stored.tensors.items()
                if name.startswith("network/")
            }
            losses = [float(loss) for loss in stored.tensors["losses"]]
            description = stored.architecture
            schedule, state = decode(description["schedule"]), description["random"]
            steps, seconds = int(description["optimizer_steps"]), float(description["seconds"])
            history = History(losses, [dict(record) for record in description["tests"]])
            network.load_tensors(weights)
            network.random.state = state
            for name, array in memory.items():
                optimizer.memory[name][...] = network.backend.asarray(array)
            optimizer.steps, optimizer.schedule = steps, schedule
            self.history, self._seconds = history, seconds
