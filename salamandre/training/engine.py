"""Supervised training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from salamandre.backend import Array
from salamandre.backend.group import ALONE, Group
from salamandre.checks import whole
from salamandre.class_names import listed
from salamandre.component import encode
from salamandre.data.arrays import Data
from salamandre.data.batches import EndlessBatches, Source, named
from salamandre.data.images import Images, checksum
from salamandre.data.transforms import Transform
from salamandre.inputs import BYTES
from salamandre.learnable import Diverged
from salamandre.network import Network
from salamandre.other_names import NEEDS
from salamandre.parts import checked_part
from salamandre.training.accumulation import Accumulation
from salamandre.training.callback import Callback, Callbacks, checked_callbacks
from salamandre.training.checkpoint import State
from salamandre.training.divergence import HUGE, NotFinite
from salamandre.training.history import History
from salamandre.training.loop import Loop
from salamandre.training.testing import (
    Metrics,
    check_metrics,
    check_targets,
    checked_metrics,
    tested,
)
from salamandre.training.triggers import Epochs, Trigger, trigger


class Engine(Loop):
    """Trains a network on a data set, epoch by epoch.

    An epoch visits every example once, in an order that depends on ``seed`` and its number alone
    (a last batch smaller than the others is left out). Ctrl-C ends the run after the current step.

    Args:
        network: has a loss and an optimizer. Where it has no ``class_names``, it gets those of the
            training set; where it has some, labels are matched with them by name.
        train: :class:`salamandre.data.Images` or a pair (inputs, targets), see
            :class:`salamandre.data.batches.Source`; (inputs, ``None``) for an autoencoder, whose
            targets are its inputs.
        test: likewise, or ``None``. Its labels are matched by name with those of ``train``.
        batch_size: examples a step. Default 64.
        callbacks: see :mod:`salamandre.training.callbacks`; one or several. A function of the
            run is called after each epoch. Default none.
        seed: of the order of examples and of transforms. Default 0.
        transform: a random transform of the training inputs, such as
            ``salamandre.data.Shift(2)``. Default none.
        metrics: functions of (outputs, targets) by name, each given copies of those of the whole
            test set; targets that are no labels have the outputs' shape. Or a list of functions
            and names of :data:`salamandre.training.metrics.METRICS`, such as ``["mae"]``. Default
            accuracy, where the targets are labels or one-hot.
        test_every: how often to test. Default ``Epochs(1)``.
        attack: changes each batch before the network learns it: ``attack(network, x, targets,
            seed=...)``, such as ``functools.partial(salamandre.inspection.pgd, epsilon=0.3)`` for
            adversarial training (Madry et al. 2018, section 2.1). Default none.
        class_weights: in the training loss, of the examples of each class: numbers by class names
            or labels (1 for the others), one number for each class, or ``"balanced"``: N /
            (classes · count of the class). Default none.
        accumulate: parts that a batch is learned in, whose gradients are added: a large batch then
            needs the memory of a small one, see :class:`Accumulation`. Default 1.
        sample_weights: in the training loss, of each training example (N,); they multiply
            ``class_weights``. Default none. The loss of a step divides by the sum of its weights.
        group: the processes that learn together, :func:`salamandre.parallel.world`; each takes its
            share of every batch, and rank 0 alone tests and calls the callbacks. Default: this one.

    Attributes:
        history: its ``steps["loss"]`` are the training losses, its ``records`` the tests.
    """

    def __init__(
        self,
        network: Network,
        train: Data,
        test: Data | None = None,
        *,
        batch_size: int = 64,
        callbacks: Callbacks = (),
        seed: int = 0,
        transform: Transform | None = None,
        metrics: Metrics | None = None,
        test_every: Trigger = Epochs(1),
        attack: Callable[..., Array] | None = None,
        class_weights: Mapping[Any, float] | Sequence[float] | str | None = None,
        sample_weights: Any = None,
        accumulate: int = 1,
        group: Group = ALONE,
    ) -> None:
        super().__init__()
        checked_part("network", network, Network)
        if network.loss is None or network.optimizer is None:
            raise ValueError(f"an Engine needs a Network with {NEEDS}")
        if network.classes:
            raise ValueError(
                "an Engine gives no labels to conditional layers: take steps yourself, "
                "network.learn(x, target, labels=...), or play a game"
            )
        self.network = network
        self.batch_size = whole("batch_size", batch_size)
        group.equal_share(self.batch_size)
        self.callbacks = checked_callbacks(callbacks)
        self.seed = whole("seed", seed, least=0)
        self.attack = attack
        self.accumulate = whole("accumulate", accumulate)
        self._learner = network if accumulate == 1 else Accumulation(network, self.accumulate)
        self.train = Source(
            train,
            network,
            transform,
            class_weights=class_weights,
            sample_weights=sample_weights,
        )
        names = self.train.class_names
        pixels = self.train.pixels or network.pixels
        self.test_set = None if test is None else Source(test, network, None, pixels, names)
        if self.train.weights is not None:
            network.loss.require_weights()
        own = self.test_set.class_names if self.test_set and not isinstance(test, Images) else None
        if own and names is None:
            raise ValueError(
                f"the test targets are the classes {listed(own)}, the training targets are whole "
                f"numbers without names: give both alike, or set network.class_names"
            )
        for source in filter(None, (self.train, self.test_set)):
            check_targets(network, source)  # refused here, not by a step
        share = group.equal_share(min(self.batch_size, len(self.train)))
        network.check_threads(share)
        if self.accumulate > share:
            raise ValueError(
                f"a batch of {share} cannot be learned in {accumulate} parts: make "
                f"accumulate smaller"
            )
        self.group = group
        self.batches = EndlessBatches(self.train, self.batch_size, self.seed, group=group)
        self.metrics = checked_metrics(metrics, network, self.train.has_labels)
        if self.test_set is not None:
            check_metrics(self.metrics, network, self.test_set)
        self._tests = _Tests(test_every)
        network.join(group)
        network.class_names = names
        if self.train.pixels is not None:
            network.pixels = self.train.pixels

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.train.batch_count(self.batch_size)

    @property
    def loss(self) -> float:
        """The training loss of the latest step; NaN before the first one."""
        return self.history.mean("loss", 1)

    def run(self, epochs: int) -> History:
        """Train until ``epochs`` epochs are done in all, those of earlier runs included.

        A second ``run(epochs=3)`` has nothing to do, and says so.

        Returns:
            The history.

        Raises:
            Diverged: the loss became NaN or infinite; the step is named, and why.
        """
        planned = whole("epochs", epochs) * self.steps_per_epoch
        self._tell_if_done("epochs", epochs, self.steps_per_epoch)
        if self.batches.drawn != self.step:  # the latest step failed
            self.batches.drawn = self.step
        return self._run(planned, (self._tests, *checked_callbacks(self.callbacks)))

    def _take_step(self) -> None:
        x, targets, *weights = next(self.batches)
        given = {"weights": weights[0]} if weights else {}
        if self.attack is not None:
            seed = self.seed, self.step, *(self.group.rank,) * (self.group.rank > 0)
            x = self.attack(self.network, x, targets, seed=seed)
        try:
            loss = self._learner.learn(x, targets, **given)
        except Diverged as error:
            what, _, _ = str(error).partition(" at step")
            number = f"{what} in step {self.step + 1}".removeprefix("the ")
            raise NotFinite(number, self.step, *self._outputs(x)) from None
        self.history.append(loss=loss)

    def _outputs(self, x: Array) -> tuple[str, str]:
        """Return what the network makes of a batch whose loss is not finite, and a cure."""
        network, run = self.network, self.network.new_pass(statistics=False)
        run.draw_from(None)
        xp = network.backend.xp
        largest = float(xp.abs(network.compute(x, run)).max())
        if math.isfinite(largest) and largest < HUGE:
            loss = type(network.loss).__name__
            cure = f"rewrite {loss}, which computes what {network.dtype} cannot hold"
            return f"the outputs of its batch are finite, at most {largest:.3g}", cure
        parameter = float(xp.abs(network.parameters).max())
        inputs = max(float(xp.abs(part).max()) for part in (x if isinstance(x, tuple) else (x,)))
        found = f"the outputs of its batch reach {largest:.3g}, the parameters {parameter:.3g}"
        # Before the first step no rate can be to blame.
        cure = "" if self.step else f"scale the inputs, which reach {inputs:.3g}"
        return found, cure

    @property
    def networks(self) -> dict[str, Network]:
        """The networks that learn, by name."""
        return {"network": self.network}

    def test(self) -> dict[str, float]:
        """Evaluate on the test set, and append a record of it to the history."""
        assert self.network.optimizer is not None
        records = self.history.records
        since = self.step - int(records[-1]["step"]) if records else self.step
        before = {
            "epoch": self.step / self.steps_per_epoch,
            "learning_rate": self.network.optimizer.learning_rate,
        }
        if since:  # no step has a loss otherwise
            before["loss"] = self.history.mean("loss", since)
        metrics = self.evaluate()
        if not math.isfinite(metrics.get("test_loss", 0.0)):
            loss = f"test_loss became {metrics['test_loss']} after step {self.step}"
            raise NotFinite(loss, self.step)
        self.record(metrics, **before)
        return metrics

    def evaluate(self, data: Data | None = None, batch_size: int = 1000) -> dict[str, float]:
        """Return ``test_loss`` and the metrics on a data set, which is read block by block.

        Args:
            data: as ``test``. Default: the test set; without one the result is empty.
            batch_size: examples computed at once. Default 1000.
        """
        source = self.test_set
        if data is not None:
            source = Source(data, self.network)
            check_targets(self.network, source)
        return {} if source is None else tested(self.network, source, self.metrics, batch_size)

    def _state(self) -> State:
        identity: dict[str, Any] = {
            "network": encode(self.network),
            "train": [self.train.name, len(self.train), self.train.checksum],
            "transform": self.train.transform_name,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "backend": self.network.backend.name,
        }
        if self.attack is not None:
            identity["attack"] = named(self.attack)
        if self.accumulate > 1:
            identity["accumulate"] = self.accumulate
        if self.train.weights is not None:
            identity["weights"] = checksum(self.train.weights)
        if self.train.pixels is not None and self.train.pixels[1:] != BYTES[1:]:
            identity["pixels"] = list(self.train.pixels)
        return State(identity, self.networks)


class _Tests(Callback):
    """Tests an engine; the first callback, so that others save the record of the test."""

    def __init__(self, every: Trigger) -> None:
        self.every = trigger("test_every", every)

    def on_start(self, run: Engine) -> None:
        """Say what a test records."""
        self.recorded = ("loss", *(("test_loss", *run.metrics) if run.test_set else ()))

    def on_step(self, run: Engine) -> None:
        """Test."""
        run.test()
