"""The adversarial game of Goodfellow et al. 2014."""

from __future__ import annotations

import copy
import math
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.activations import CenteredSigmoid, Identity, Sigmoid, Tanh
from salamandre.backend import Array
from salamandre.checks import real as real_number
from salamandre.checks import whole
from salamandre.component import decode, difference, encode
from salamandre.data.batches import Source
from salamandre.data.images import Images
from salamandre.games.history import FIGURES, GameHistory
from salamandre.games.latent import Latent
from salamandre.games.lipschitz import Lipschitz
from salamandre.games.objectives import NonSaturating, Objective
from salamandre.layer import Layer
from salamandre.layers import Flatten, Reshape
from salamandre.learning.watch import watched
from salamandre.network import Diverged, Network
from salamandre.optimizers import Optimizer
from salamandre.storage import read_file, write_file

if TYPE_CHECKING:
    from salamandre.games.callbacks import GameCallback


class GanGame:
    """A generator that makes examples, against a discriminator that tells them from real ones.

    Args:
        generator: a Network with an optimizer, from latent points to examples.
        discriminator: a Network with an optimizer, from examples to one raw score: it ends in a
            linear neuron, since the objective has the sigmoid in it.
        images: :class:`salamandre.data.Images`, scaled to the range of the generator's last
            activation ([-1, 1] for Tanh, [0, 1] for Sigmoid), or an array (N, ...) of examples.
        latent: the latent space, such as ``salamandre.Gaussian(100)``.
        batch_size: examples of each kind a step. Default 64.
        objective: what the players gain. Default :class:`NonSaturating`.
        lipschitz: a constraint on the discriminator, such as ``SpectralNorm()``. Default none.
        discriminator_steps: of the discriminator a round. Default 1.
        generator_steps: of the generator a round. Default 1.
        label_smoothing: (low, high): each real label is drawn from this range instead of being 1
            (one-sided; Salimans et al. 2016, section 3.4). Default ``None``.
        label_flipping: the probability that a label given to the discriminator is the wrong one.
            Default 0.
        instance_noise: the deviation of Gaussian noise added to all that the discriminator sees
            in a round (Sønderby et al. 2017; Arjovsky and Bottou 2017). Default 0.
        feature_matching: the generator also matches the mean of what comes into the
            discriminator's last layer with parameters on real examples, with this weight (Salimans
            et al. 2016, section 3.1). Default 0.
        labels: for conditional players: True for the labels of :class:`Images`, or labels (N,) of
            an array of examples. A fake batch has the labels of the real batch beside it. Default
            ``None``.
        average: the decay, such as 0.999, of a moving average of the generator's parameters (and
            running statistics) that :meth:`generate` then uses (Yazıcı et al. 2019); shorter in
            the first steps. Default 0: none.
        seed: of latent points, order and labels. Default 0.

    Attributes:
        classes: how many the players know; ``None`` if they are not conditional.
        history: see :class:`GameHistory`.
        rounds: rounds played.
        planned: rounds that the latest :meth:`play` is to reach.
        interrupted: whether Ctrl-C ended the latest :meth:`play`.
        error: what the latest :meth:`play` failed with, or ``None``.

    Raises:
        ValueError: networks and images whose shapes do not fit, fewer images than a batch.
    """

    figures: tuple[str, ...] = FIGURES

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        images: Images | np.ndarray,
        *,
        latent: Latent,
        batch_size: int = 64,
        objective: Objective | None = None,
        lipschitz: Lipschitz | None = None,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        label_smoothing: tuple[float, float] | None = None,
        label_flipping: float = 0.0,
        instance_noise: float = 0.0,
        feature_matching: float = 0.0,
        labels: bool | np.ndarray | None = None,
        average: float = 0.0,
        seed: int = 0,
    ) -> None:
        for what, value, base in (
            ("generator", generator, Network),
            ("discriminator", discriminator, Network),
            ("latent", latent, Latent),
            ("objective", objective or NonSaturating(), Objective),
            ("lipschitz", lipschitz or Lipschitz(), Lipschitz),
        ):
            if not isinstance(value, base):
                raise TypeError(f"{what} must be a {base.__name__} object, got {value!r}")
        self.generator, self.discriminator, self.latent = generator, discriminator, latent
        self.batch_size = whole("batch_size", batch_size)
        self.objective = objective or NonSaturating()
        self.lipschitz = copy.copy(lipschitz or Lipschitz())
        self.discriminator_steps = whole("discriminator_steps", discriminator_steps)
        self.generator_steps = whole("generator_steps", generator_steps)
        self.label_flipping = real_number("label_flipping", label_flipping, 0, 0.5, below=True)
        self.instance_noise = real_number("instance_noise", instance_noise, 0)
        self.feature_matching = real_number("feature_matching", feature_matching, 0)
        self.average = real_number("average", average, 0, 1, below=True)
        self.seed = whole("seed", seed, least=0)
        self.label_smoothing = None
        if label_smoothing is not None:
            if np.shape(label_smoothing) != (2,):
                raise ValueError(
                    f"label_smoothing must be a range such as (0.7, 1), got {label_smoothing!r}"
                )
            low, high = label_smoothing
            low = real_number("label_smoothing low", low, 0.5, 1)
            self.label_smoothing = (low, real_number("label_smoothing high", high, low))
        self._check_networks()
        self.classes = self._check_classes(images, labels)
        self.backend = generator.backend
        self.span = self._output_range()
        self._source = self._check_images(images, labels)
        self.random = self.backend.stream([self.seed, 2])
        self.lipschitz.attach(discriminator)
        self.history = GameHistory(self.figures)
        self.rounds = self.planned = 0
        self.interrupted = False
        self.error: BaseException | None = None
        self._stop = False
        self._seconds = 0.0
        self._drawn = 0
        self._batches: Any = iter(())
        self._batch_labels: Any = None
        self._fake: Array | None = None
        # Of the parameters, and of the running statistics that belong to them.
        self._averages = {name: array + 0 for name, array in self._averaged_arrays().items()}
        self._last_learner = max(
            (i for i, layer in enumerate(discriminator.layers) if layer.parameter_count()),
            default=0,
        )
        self._couples = any(layer.couples_examples for _, layer in discriminator.walk())

    # -- checks --------------------------------------------------------------------------------

    def _check_networks(self) -> None:
        generator, discriminator = self.generator, self.discriminator
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            if network.optimizer is None:
                raise ValueError(f"the {name} needs an optimizer: Network(..., optimizer=Adam())")
        if generator.backend is not discriminator.backend:
            raise ValueError(
                f"both networks must be on one backend, got {generator.backend.name!r} and "
                f"{discriminator.backend.name!r}"
            )
        if generator.dtype != discriminator.dtype:
            raise ValueError(
                f"both networks must be of one dtype, got {generator.dtype} and "
                f"{discriminator.dtype}"
            )
        if generator.input_shape != (self.latent.size,):
            raise ValueError(
                f"the generator takes {generator.input_shape}, the latent space has "
                f"{self.latent.size} coordinates: they must agree"
            )
        if generator.output_shape != discriminator.input_shape:
            raise ValueError(
                f"the generator makes {generator.output_shape}, the discriminator takes "
                f"{discriminator.input_shape}: they must agree"
            )
        if discriminator.output_shape != (1,):
            raise ValueError(
                f"the discriminator must give one score, got outputs {discriminator.output_shape}"
            )
        last = _last_activation(discriminator)
        if last is not None and not isinstance(last, Identity):
            raise ValueError(
                f"the discriminator must end in a linear neuron, got {last!r}: leave it out, the "
                f"objective has the sigmoid in it"
            )

    def _check_classes(self, images: Images | np.ndarray, labels: Any) -> int | None:
        """Return the number of classes of conditional players."""
        known = [network.classes for network in (self.generator, self.discriminator)]
        if labels is None or labels is False:
            if any(known):
                raise ValueError("the players are conditional: the game needs labels=True")
            return None
        if known[0] is None:
            raise ValueError(
                "the game has labels, and the generator no layer that takes them: begin it with "
                "an Embedding(classes)"
            )
        if isinstance(images, Images) != (labels is True):
            raise ValueError(
                "labels must be True for Images, which have their own, and an array for an array"
            )
        found = len(images.classes) if isinstance(images, Images) else int(np.max(labels)) + 1
        for who, classes in zip(("generator", "discriminator"), known, strict=True):
            if classes is not None and classes < found:
                raise ValueError(f"the {who} knows {classes} classes, the images have {found}")
        return known[0]

    def _output_range(self) -> tuple[float, float]:
        """Return the range of the generator's last activation."""
        last = _last_activation(self.generator)
        if isinstance(last, Sigmoid):
            return 0.0, 1.0
        return (-last.k, last.k) if isinstance(last, Tanh) else (-1.0, 1.0)

    def _check_images(self, images: Images | np.ndarray, labels: Any) -> Source:
        if isinstance(images, Images):
            source = Source(images, self.discriminator, span=self.span)
        else:
            examples = np.asarray(images)
            labels = np.zeros(len(examples), np.uint8) if labels is None else np.asarray(labels)
            source = Source((examples, labels), self.discriminator)
            low, high = self.span
            bounded = isinstance(_last_activation(self.generator), (Sigmoid, Tanh, CenteredSigmoid))
            found = float(examples.min()), float(examples.max())
            if bounded and (found[0] < low - 1e-6 or found[1] > high + 1e-6):
                warnings.warn(
                    f"the images lie in [{found[0]:g}, {found[1]:g}], the generator can only reach "
                    f"[{low:g}, {high:g}]: scale them, or change its last activation",
                    stacklevel=3,
                )
        if len(source) < self.batch_size:
            raise ValueError(
                f"a batch of {self.batch_size} needs at least as many images, got {len(source)}"
            )
        return source

    # -- a round -------------------------------------------------------------------------------

    def play_and_learn(self) -> None:
        """Play a round: the discriminator's steps, then the generator's."""
        for _ in range(self.discriminator_steps):
            figures = self.discriminator_learning()
        for _ in range(self.generator_steps):
            g_loss = self.generator_learning()
        figures = {name: self.backend.scalar(value) for name, value in figures.items()}
        figures["g_loss"] = self.backend.scalar(g_loss)
        for name in ("d_loss", "g_loss"):
            if isinstance(figures[name], float) and not math.isfinite(figures[name]):
                raise Diverged(
                    f"{name} became {figures[name]} in round {self.rounds + 1}: lower the learning "
                    f"rates or constrain the discriminator (lipschitz=SpectralNorm())"
                )
        self.history.append(**figures)
        self.rounds += 1

    def discriminator_learning(self) -> dict[str, Array]:
        """Take one step of the discriminator, on a real and a fake batch.

        Returns:
            ``d_loss``, ``d_real`` and ``d_fake``, scalars of the backend.
        """
        d, xp, objective = self.discriminator, self.backend.xp, self.objective
        real, fake = self._real_batch(), self._fake_batch()
        seen_real, seen_fake = self._with_noise(real), self._with_noise(fake)
        d.input_gradient = False
        if self._couples:  # batch-norm: each kind has its own statistics
            self._condition(d)
            real_scores = d.forward(seen_real)
            real_loss, gradient = objective.discriminator(xp, real_scores, self._labels(1))
            shown_real = objective.shown(xp, real_scores)
            d.backward(gradient)
            total = d.gradients + 0
            fake_scores = d.forward(seen_fake)
            fake_loss, gradient = objective.discriminator(xp, fake_scores, self._labels(0))
            shown_fake = objective.shown(xp, fake_scores)
            d.backward(gradient)
            d.gradients += total
        else:
            self._condition(d, 2)
            scores = d.forward(xp.concatenate([seen_real, seen_fake]))
            real_scores, fake_scores = scores[: len(real)], scores[len(real) :]
            real_loss, real_part = objective.discriminator(xp, real_scores, self._labels(1))
            fake_loss, fake_part = objective.discriminator(xp, fake_scores, self._labels(0))
            shown_real, shown_fake = (objective.shown(xp, s) for s in (real_scores, fake_scores))
            d.backward(xp.concatenate([real_part, fake_part]))
        loss = real_loss + fake_loss
        figures = {"d_loss": loss, "d_real": shown_real, "d_fake": shown_fake}
        total = d.gradients + 0 if self.lipschitz.penalised else None
        if total is not None:
            figures["d_loss"] = loss + self.lipschitz.penalty(
                seen_real, seen_fake, self._labels_now(d)
            )
            d.gradients += total
        self.lipschitz.step()
        return figures

    def generator_learning(self) -> Array:
        """Take one step of the generator through the discriminator, which stays as it is.

        Returns:
            The generator's loss, a scalar of the backend.
        """
        g, d, xp = self.generator, self.discriminator, self.backend.xp
        fake = self._fake_batch() if self._fake is None else self._fake
        self._fake = None  # the next step needs another one
        statistics = {name: array + 0 for name, array in d.named_state().items()}
        self._condition(d)
        scores = d.forward(self._with_noise(fake))
        loss, gradient = self.objective.generator(xp, scores)
        d.input_gradient = True
        d_fake = d.backward(gradient, update=False)
        if self.feature_matching:
            d_fake = d_fake + 0  # the second pass writes into the same buffers
            matching, d_matching = self._match_features(fake)
            loss, d_fake = loss + matching, d_fake + d_matching
        for name, array in d.named_state().items():
            array[...] = statistics[name]
        g.input_gradient = False
        g.backward(d_fake)
        g.step()
        self._follow()
        return loss

    def _averaged_arrays(self) -> dict[str, Array]:
        """Return the generator's arrays that have a moving average, by name."""
        if not self.average:
            return {}
        return {"parameters": self.generator.parameters, **self.generator.named_state()}

    def _follow(self) -> None:
        """Move the averages; the first steps count more, so that the beginning is forgotten."""
        assert self.generator.optimizer is not None
        steps = self.generator.optimizer.steps
        share = 1 - min(self.average, (1 + steps) / (10 + steps))
        for name, array in self._averaged_arrays().items():
            self._averages[name] += share * (array - self._averages[name])

    def _match_features(self, fake: Array) -> tuple[Array, Array]:
        """Return weight · ‖mean features of fake - of real examples‖² and its gradient by fake."""
        layers = self.discriminator.layers[: self._last_learner]

        def features(x: Array) -> Array:
            for layer in layers:
                x = layer.compute(x, True)
            return x

        labels, real = self._batch_labels, self._real_batch()
        self._condition(self.discriminator)
        real_mean = features(real).mean(axis=0)
        self._batch_labels = labels
        self._condition(self.discriminator)
        difference = features(fake).mean(axis=0) - real_mean
        value = self.feature_matching * (difference * difference).sum()
        dy = self.backend.xp.zeros((len(fake), *difference.shape), dtype=fake.dtype)
        dy += 2 * self.feature_matching / len(fake) * difference
        for layer in reversed(layers):
            layer.input_gradient = True
            dy = layer.backprop(dy, False)
        return value, dy

    # -- what a round is made of ---------------------------------------------------------------

    def _real_batch(self) -> Array:
        batch = next(self._batches, None)
        if batch is None:
            epoch, first = divmod(self._drawn, self._source.batch_count(self.batch_size))
            self._batches = self._source.batches(self.batch_size, self.seed, epoch, first)
            batch = next(self._batches)
        self._drawn += 1
        self._batch_labels = batch[1]
        return batch[0]

    def _labels_now(self, network: Network) -> Array | None:
        """Return the labels of the current batch, if the network takes labels."""
        return self._batch_labels if network.classes else None

    def _condition(self, network: Network, times: int = 1) -> None:
        """Tell a conditional network the labels of the current batch, so many times over."""
        labels = self._labels_now(network)
        if labels is not None:
            labels = self.backend.xp.concatenate([labels] * times)
            network.condition(labels, len(labels))

    def _fake_batch(self) -> Array:
        """Return fresh fakes; the generator's step reuses the latest ones, as the original did."""
        z = self.latent.draw(self.random, self.batch_size, self.generator.dtype)
        self._condition(self.generator)
        self._fake = self.generator.forward(z)
        return self._fake

    def _with_noise(self, x: Array) -> Array:
        if not self.instance_noise:
            return x
        return x + self.instance_noise * self.random.normal(x.shape, x.dtype)

    def _labels(self, kind: int) -> Any:
        """Return the targets of a batch of real (1) or fake (0) examples."""
        labels: Any = kind
        shape, dtype, xp = (self.batch_size, 1), self.discriminator.dtype, self.backend.xp
        if kind and self.label_smoothing:
            low, high = self.label_smoothing
            labels = low + (high - low) * self.random.uniform(shape, dtype)
        if self.label_flipping:
            flipped = self.random.uniform(shape, dtype) < self.label_flipping
            labels = xp.where(flipped, 1 - kind, labels).astype(dtype)
        return labels

    def generate(
        self, count: int | None = None, seed: int = 0, latent: Any = None, labels: Any = None
    ) -> Array:
        """Return examples of the generator (its moving average if there is one), (count, ...).

        Between rounds, the game is left as it was: equal calls then give equal examples.

        Args:
            count: how many. Default: as many as there are labels or latent points.
            seed: of the latent points.
            latent: latent points (count, size) to be used instead.
            labels: of the classes to be drawn (count,). Default for conditional players: one
                class after the other, again and again.
        """
        g = self.generator
        if count is None:
            given = labels if latent is None else latent
            if given is None:
                raise ValueError("generate needs a count, labels or latent points")
            count = len(given)
        if latent is None:
            stream = self.backend.stream([self.seed, 3, whole("seed", seed, least=0)])
            latent = self.latent.draw(stream, whole("count", count), g.dtype)
        if labels is None and self.classes:
            labels = np.arange(count) % self.classes
        random = copy.deepcopy(g.random.state)
        g.random.state = self.backend.stream([self.seed, 4, whole("seed", seed, least=0)]).state
        try:
            with self._averaged():
                examples = g.predict(latent, labels=labels)
        finally:
            g.random.state = random
        self._fake = None  # the generator's latest compute is this one now
        return examples

    def save_generator(self, path: str | os.PathLike[str]) -> None:
        """Write the generator that :meth:`generate` uses to a safetensors file."""
        with self._averaged():
            self.generator.save(path)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the generator have its average parameters, if there are such, for a while."""
        arrays = self._averaged_arrays()
        kept = {name: array + 0 for name, array in arrays.items()}
        for name, array in arrays.items():
            array[...] = self._averages[name]
        try:
            yield
        finally:
            for name, array in arrays.items():
                array[...] = kept[name]

    # -- a whole game --------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Seconds played so far, those before a resume included."""
        return self._seconds

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of a real example as it lies in the data set, such as (1, 28, 28)."""
        return self._source.example_shape

    def stop(self) -> None:
        """End :meth:`play` after the current round."""
        self._stop = True

    def _interrupt(self) -> None:
        self.interrupted = self._stop = True

    def play(self, rounds: int, callbacks: Sequence[GameCallback] = ()) -> GameHistory:
        """Play until ``rounds`` rounds are done in all, those of earlier calls included.

        Ctrl-C ends the game after the current round; a second one ends the program.

        Raises:
            Diverged: a loss became NaN or infinite; the round is named.
        """
        self.planned = whole("rounds", rounds)
        self.interrupted, self.error, self._stop = False, None, False
        started = time.perf_counter() - self._seconds
        with watched(self, callbacks, self._interrupt):
            while self.rounds < self.planned and not self._stop:
                self.play_and_learn()
                self._seconds = time.perf_counter() - started
                for callback in callbacks:
                    callback.on_round(self)
        return self.history

    # -- checkpoints ---------------------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        """Return what must be the same for a game to be continued."""
        names = (
            *("batch_size", "discriminator_steps", "generator_steps", "label_smoothing"),
            *("label_flipping", "instance_noise", "feature_matching", "average", "seed"),
        )
        return {
            "game": type(self).__name__,
            "generator": encode(self.generator),
            "discriminator": encode(self.discriminator),
            "images": [self._source.name, len(self._source)],
            "classes": self.classes,
            "latent": encode(self.latent),
            "objective": encode(self.objective),
            "lipschitz": encode(self.lipschitz),
            "backend": self.backend.name,
            **{name: encode(getattr(self, name)) for name in names},
        }

    def _arrays(self) -> dict[str, Array]:
        """Return all arrays of a game's state by name, on its backend; they are set in place."""
        arrays = {}
        for who, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            assert network.optimizer is not None
            arrays[f"{who}/parameters"] = network.parameters
            for name, array in network.named_state().items():
                arrays[f"{who}/state/{name}"] = array
            for name, array in network.optimizer.memory.items():
                arrays[f"{who}/optimizer/{name}"] = array
        for name, array in self._averages.items():
            arrays[f"average/{name}"] = array
        for name, array in self.lipschitz.state().items():
            arrays[f"lipschitz/{name}"] = array
        return arrays

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that :meth:`resume` needs to one safetensors file, wholly or not at all."""
        tensors = {
            name: np.array(self.backend.to_numpy(array)) for name, array in self._arrays().items()
        }
        for name, array in tensors.items():
            if not np.isfinite(array).all():
                raise Diverged(
                    f"{name} became NaN or infinite by round {self.rounds}: the checkpoint before "
                    f"is kept; lower the learning rates or constrain the discriminator"
                )
        for name, values in self.history.arrays().items():
            tensors[f"history/{name}"] = values
        metrics = self.history.metrics  # as numbers, which may be infinite: JSON cannot hold such
        tensors["metrics"] = np.array([value for record in metrics for value in record.values()])
        description = {
            "identity": self._identity(),
            "optimizers": [
                [optimizer.steps, encode(optimizer.schedule)] for optimizer in self._optimizers()
            ],
            "random": [
                stream.state
                for stream in (self.random, self.generator.random, self.discriminator.random)
            ],
            "rounds": self.rounds,
            "drawn": self._drawn,
            "seconds": self._seconds,
            "metrics": [list(record) for record in metrics],
        }
        write_file(path, "game", description, tensors)

    def _optimizers(self) -> list[Optimizer]:
        assert self.generator.optimizer is not None and self.discriminator.optimizer is not None
        return [self.generator.optimizer, self.discriminator.optimizer]

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go back to the state that :meth:`save` wrote; this game must be set up alike.

        A game that is resumed goes on as if it had never been stopped, bit for bit, on the same
        backend and machine.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a damaged file, or one of another game; nothing has changed.
        """
        stored = read_file(path, "game")
        with stored.blame():
            description, tensors = stored.architecture, stored.tensors
            other = difference(description["identity"], self._identity())
            if other:
                raise ValueError(f"it belongs to another game: its {other}")
            arrays = self._arrays()
            for name, array in arrays.items():
                if name not in tensors or tensors[name].shape != array.shape:
                    raise ValueError(f"it holds no fitting array {name!r}")
            history = GameHistory(self.figures)
            for name in history.rounds:
                history.rounds[name] = [float(value) for value in tensors[f"history/{name}"]]
            numbers = iter(tensors["metrics"].tolist())
            history.metrics = [
                {name: next(numbers) for name in record} for record in description["metrics"]
            ]
            for record in history.metrics:
                record["round"] = int(record["round"])
            optimizers = [(int(n), decode(schedule)) for n, schedule in description["optimizers"]]
            states = description["random"]
            rounds, drawn = int(description["rounds"]), int(description["drawn"])
            seconds = float(description["seconds"])
            for name, array in arrays.items():
                array[...] = self.backend.asarray(tensors[name])
            for optimizer, (steps, schedule) in zip(self._optimizers(), optimizers, strict=True):
                optimizer.steps, optimizer.schedule = steps, schedule
            streams = (self.random, self.generator.random, self.discriminator.random)
            for stream, state in zip(streams, states, strict=True):
                stream.state = state
            self.history, self.rounds, self._drawn = history, rounds, drawn
            self._seconds, self._batches, self._fake = seconds, iter(()), None


def _last_activation(network: Network) -> Layer | None:
    """Return the activation that makes a network's outputs, whatever their shape is then."""
    for layer in reversed(network.layers):
        if not isinstance(layer, (Flatten, Reshape)):
            return layer.output_activation
    return None
