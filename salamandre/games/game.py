"""The adversarial game of Goodfellow et al. 2014."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.checks import real as real_number
from salamandre.checks import whole
from salamandre.component import encode
from salamandre.data.batches import EndlessBatches
from salamandre.data.images import Images
from salamandre.games import checks
from salamandre.games.average import MovingAverage
from salamandre.games.constraints import Lipschitz
from salamandre.games.latent import Latent
from salamandre.games.objectives import NonSaturating, Objective
from salamandre.network import Network
from salamandre.training.checkpoint import State
from salamandre.training.history import History
from salamandre.training.loop import Callback, Loop


class GanGame(Loop):
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
        image_shape: of a real example as it lies in the data set, such as (1, 28, 28).
        span: the range of the generator's last activation, and so of the images.
        average: see :class:`MovingAverage`.
        batches: of real examples, see :class:`salamandre.data.batches.EndlessBatches`.
        history: its ``steps`` are for each round ``d_loss``, ``g_loss``, ``d_real`` (what the
            discriminator thinks of real examples) and ``d_fake``; its ``records`` are the
            evaluations.

    Raises:
        ValueError: networks and images whose shapes do not fit, fewer images than a batch.
    """

    unit = "round"
    panels = (("d_real", "d_fake"), ("d_loss", "g_loss"))

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
        super().__init__()
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
        average = real_number("average", average, 0, 1, below=True)
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
        checks.players(generator, discriminator, self.latent)
        self.classes = checks.classes(generator, discriminator, images, labels)
        self.backend = generator.backend
        self.span = checks.output_range(generator)
        source = checks.examples(generator, discriminator, images, labels, self.batch_size)
        self.image_shape = source.example_shape
        self.batches = EndlessBatches(source, self.batch_size, self.seed)
        self.random = self.backend.stream([self.seed, 2])
        self.lipschitz.attach(discriminator)
        self.average = MovingAverage(generator, average)
        self._batch_labels: Any = None
        self._fake: Array | None = None
        self._last_learner = max(
            (i for i, layer in enumerate(discriminator.layers) if layer.parameter_count()),
            default=0,
        )
        self._couples = any(layer.couples_examples for _, layer in discriminator.walk())

    # -- a round -------------------------------------------------------------------------------

    def play_and_learn(self) -> None:
        """Play a round: the discriminator's steps, then the generator's."""
        for _ in range(self.discriminator_steps):
            figures = self.discriminator_learning()
        for _ in range(self.generator_steps):
            g_loss = self.generator_learning()
        values = {"d_loss": figures.pop("d_loss"), "g_loss": g_loss, **figures}
        self.history.append(**{name: self.backend.scalar(v) for name, v in values.items()})

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
        self.average.follow()
        return loss

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
        examples, self._batch_labels = next(self.batches)
        return examples

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
            if np.ndim(given) == 0 or len(given) == 0:
                raise ValueError(
                    f"generate needs a count, or a row of labels or latent points, got {given!r}"
                )
            count = len(given)
        if latent is None:
            stream = self.backend.stream([self.seed, 3, whole("seed", seed, least=0)])
            latent = self.latent.draw(stream, whole("count", count), g.dtype)
        if labels is None and self.classes:
            labels = np.arange(count) % self.classes
        random = copy.deepcopy(g.random.state)
        g.random.state = self.backend.stream([self.seed, 4, whole("seed", seed, least=0)]).state
        try:
            with self.average.installed():
                examples = g.predict(latent, labels=labels)
        finally:
            g.random.state = random
        self._fake = None  # the generator's latest compute is this one now
        return examples

    def save_generator(self, path: str | os.PathLike[str]) -> None:
        """Write the generator that :meth:`generate` uses to a safetensors file."""
        with self.average.installed():
            self.generator.save(path)

    # -- a whole game --------------------------------------------------------------------------

    @property
    def rounds(self) -> int:
        """Rounds played so far."""
        return self.step

    @property
    def steps_per_epoch(self) -> int:
        """Rounds that take about as many real examples as there are."""
        return max(1, len(self.batches.source) // self.batch_size // self.discriminator_steps)

    def play(self, rounds: int, callbacks: Sequence[Callback] = ()) -> History:
        """Play until ``rounds`` rounds are done in all, those of earlier calls included.

        Ctrl-C ends the game after the current round; a second one ends the program.

        Raises:
            Diverged: a loss became NaN or infinite; the round is named.
        """
        return self._run(whole("rounds", rounds), callbacks)

    def _take_step(self) -> None:
        self.play_and_learn()

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go back to the state that :meth:`save` wrote; this game must be set up alike."""
        super().resume(path)
        self._fake = None

    def _state(self) -> State:
        names = (
            *("batch_size", "discriminator_steps", "generator_steps", "label_smoothing"),
            *("label_flipping", "instance_noise", "feature_matching", "seed"),
        )
        identity: dict[str, Any] = {
            "game": type(self).__name__,
            "generator": encode(self.generator),
            "discriminator": encode(self.discriminator),
            "images": [self.batches.source.name, len(self.batches.source)],
            "classes": self.classes,
            "latent": encode(self.latent),
            "objective": encode(self.objective),
            "lipschitz": encode(self.lipschitz),
            "backend": self.backend.name,
            "average": self.average.decay,
            **{name: encode(getattr(self, name)) for name in names},
        }
        arrays = {
            **{f"average/{name}": array for name, array in self.average.values.items()},
            **{f"lipschitz/{name}": array for name, array in self.lipschitz.state().items()},
        }
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return State(identity, networks, arrays, {"game": self.random})
