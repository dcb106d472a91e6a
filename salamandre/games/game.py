"""The adversarial game of Goodfellow et al. 2014."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from salamandre import html
from salamandre.backend import Array
from salamandre.backend.group import ALONE, Group
from salamandre.checks import whole
from salamandre.component import Component, encode, is_ours
from salamandre.data.batches import EndlessBatches
from salamandre.data.images import Images
from salamandre.data.paired_images import Pairs
from salamandre.games import checks
from salamandre.games.conditions import Pairing, paired
from salamandre.games.constraints import Lipschitz
from salamandre.games.duel import Duel
from salamandre.games.latent import Latent
from salamandre.games.objectives import NonSaturating, Objective
from salamandre.games.remedies import Batch, Remedy
from salamandre.games.samples import Samples
from salamandre.inputs import Pixels
from salamandre.network import Network
from salamandre.parts import checked_part
from salamandre.shares import stream_of_rank
from salamandre.training.callback import Callback
from salamandre.training.checkpoint import State
from salamandre.training.divergence import NotFinite
from salamandre.training.history import History
from salamandre.training.loop import Loop


class GanGame(Samples, Loop):
    """A generator of examples against a discriminator that distinguishes them from real ones.

    Args:
        generator: a Network with an optimizer, from latent vectors to examples.
        discriminator: a Network with an optimizer, from examples to one raw score, or to one
            channel of scores, each of a patch (Isola et al. 2017, section 3.2): it ends in a linear
            neuron, since the objective has the sigmoid in it.
        images: :class:`salamandre.data.Images`, scaled to the value range of the generator's last
            activation ([-1, 1] for Tanh, [0, 1] for Sigmoid), or an array (N, ...) of examples;
            or :class:`salamandre.data.Pairs`, whose conditions and transform are used.
        latent: the latent space, such as ``salamandre.Gaussian(100)``. Only with conditions it may
            be ``None``, the default: then the generator's noise is its dropout, if it has some.
        batch_size: examples of each kind a step. Default 64.
        objective: the losses of both players. Default :class:`NonSaturating`.
        lipschitz: a constraint on the discriminator, such as ``SpectralNorm()``. Default none.
        discriminator_steps: steps of the discriminator a round. Default 1.
        generator_steps: steps of the generator a round. Default 1.
        remedies: for games that collapse or do not converge, such as ``LabelSmoothing()`` and
            ``MovingAverage()`` (:mod:`salamandre.games.remedies`). Default none.
        labels: for conditional players: True for the labels of :class:`Images`, or labels (N,) of
            an array of examples. A fake batch has the labels of the real batch. Default
            ``None``.
        conditions: one for each of the images and as large, such as line drawings (N, C', H, W)
            of coloured ones (N, C, H, W): the generator makes pictures from conditions, or from
            tuples (latent vector, condition), and the discriminator takes the channels of condition
            and picture together (C' + C, H, W). A fake batch has the conditions of the real
            batch. Default ``None``.
        seed: of latent vectors, order and labels. Default 0.
        group: the processes that play together, :func:`salamandre.parallel.world`; each has its
            share of every batch, and rank 0 alone calls the callbacks. Default: this one.

    Attributes:
        classes: the number of classes that conditional players learn, else ``None``.
        image_shape: of an image of the data set, such as (1, 28, 28).
        pairing: what examples are made of, see :class:`salamandre.games.conditions.Pairing`.
        value_range: of the generator's last activation, and so of the images.
        batches: of real examples, see :class:`salamandre.data.batches.EndlessBatches`.
        history: its ``steps`` are for each round ``d_loss``, ``g_loss``, ``d_real`` (the
            discriminator's mean output on real examples) and ``d_fake``, with a gradient penalty
            also ``penalty``, the part of ``d_loss``; its ``records`` are the evaluations.

    Raises:
        ValueError: networks and images whose shapes do not fit, fewer images than a batch.
    """

    unit = "round"

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        images: Images | Pairs | np.ndarray,
        *,
        latent: Latent | None = None,
        batch_size: int = 64,
        objective: Objective | None = None,
        lipschitz: Lipschitz | None = None,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        remedies: Sequence[Remedy] = (),
        labels: bool | np.ndarray | None = None,
        conditions: np.ndarray | None = None,
        seed: int = 0,
        group: Group = ALONE,
    ) -> None:
        super().__init__()
        checked_part("generator", generator, Network)
        checked_part("discriminator", discriminator, Network)
        if latent is not None:
            latent = checked_part("latent", latent, Latent)
        objective = checked_part("objective", objective or NonSaturating(), Objective)
        lipschitz = checked_part("lipschitz", lipschitz or Lipschitz(), Lipschitz)
        given = remedies if isinstance(remedies, (list, tuple)) else (remedies,)
        remedies = [checked_part("each of the remedies", part, Remedy) for part in given]
        self.generator, self.discriminator, self.latent = generator, discriminator, latent
        self.batch_size = whole("batch_size", batch_size)
        self.objective: Objective = objective
        self.lipschitz = copy.copy(lipschitz)
        self.discriminator_steps = whole("discriminator_steps", discriminator_steps)
        self.generator_steps = whole("generator_steps", generator_steps)
        self.remedies = tuple(map(copy.copy, remedies))
        if len({type(remedy) for remedy in remedies}) < len(remedies):
            raise ValueError(f"a game takes each kind of remedy once, got {list(remedies)}")
        self.seed = whole("seed", seed, least=0)
        images, condition_shape = paired(images, conditions)
        self.pairing = Pairing(latent, condition_shape)
        checks.players(generator, discriminator, self.pairing)
        self._share = group.equal_share(self.batch_size)
        for player in (generator, discriminator):
            checks.batch(player, self._share)
        self.classes = checks.classes(generator, discriminator, images, labels)
        self.backend = generator.backend
        self.value_range = checks.output_range(generator)
        source = checks.examples(generator, discriminator, images, labels, self.batch_size)
        before = [
            (player, player.class_names, player.pixels) for player in (generator, discriminator)
        ]
        for player in (generator, discriminator):
            player.join(group)
            if player.classes:
                player.class_names = source.class_names
        discriminator.pixels = source.pixels or discriminator.pixels
        if condition_shape:
            generator.pixels = source.pixels or Pixels(255, *self.value_range)
        self.image_shape = self.pairing.picture_shape(source.example_shape)
        self.group = group
        self.batches = EndlessBatches(source, self.batch_size, self.seed, group=group)
        self.random = stream_of_rank(self.backend.stream([self.seed, 2]), group, self.backend)
        try:
            for remedy in self.remedies:
                remedy.attach(self)
            self.lipschitz.attach(discriminator)  # last, as it may change the weights
        except BaseException:  # also of a user's own remedy
            for player, names, pixels in before:
                player.class_names, player.pixels = names, pixels
            raise
        self._fakes = generator.new_pass(input_gradient=False, shared=True)
        self._duel = Duel(discriminator, self.lipschitz)

    # -- a round -------------------------------------------------------------------------------

    def play_and_learn(self) -> None:
        """Play a round: the discriminator's steps, then the generator's."""
        examples = [self._next() for _ in range(self.discriminator_steps)]
        players = self.generator, self.discriminator
        parts = self.objective, self.lipschitz, self.latent, self.remedies, *self.remedies
        optimizers = [player.optimizer for player in players]
        key = Component.changes, self.generator_steps, self.group, *players, *optimizers, *parts
        changed = {*players, self.best_generator}
        gates = [
            player.gate for player in sorted(changed, key=id)
        ]  # the order of all who take many
        with self.generator.sharing(self._share), self._duel.sharing(self._share):
            values = self.backend.repeat(self._play_round, examples, key, gates)
        self._note({name: self.backend.scalar(v) for name, v in values.items()})

    def _play_round(self, *examples: tuple[Array, Array | None]) -> dict[str, Any]:
        """Learn from real examples with their labels; return the values of the history."""
        for real, labels in examples:
            batch = Batch(real, self.make(real, labels), labels)
            values = self.discriminator_learning(batch)
        for step in range(self.generator_steps):
            if step:  # the first step uses the fakes of the discriminator's step
                batch = batch._replace(fake=self.make(batch.real, batch.labels))
            g_loss = self.generator_learning(batch)
        return {"d_loss": values.pop("d_loss"), "g_loss": g_loss, **values}

    @property
    def repeats(self) -> bool:
        """Whether rounds launch the same work each time; a game of your own may say so."""
        return is_ours(type(self))

    def draw(self) -> Batch:
        """Return the next real examples, and fakes with their labels and conditions.

        The fakes are memory of the game's pass, which holds until the next ones are made.
        """
        real, labels = self._next()
        return Batch(real, self.make(real, labels), labels)

    def _next(self) -> tuple[Array, Array | None]:
        """Return the next real examples, with their labels for conditional players."""
        real, labels = next(self.batches)
        return real, labels if self.classes else None

    def make(self, real: Array, labels: Array | None = None) -> Array:
        """Return fakes with these labels and the conditions of real examples.

        :meth:`generator_learning` learns from the latest ones.
        """
        z = self.latent and self.latent.draw(self.random, len(real), self.generator.dtype)
        inputs = self.pairing.of_generator(z, self.pairing.condition(real))
        pictures = self.generator.compute(inputs, self._fakes, labels=labels)
        return self.pairing.examples(real, pictures, self._fakes)

    def discriminator_learning(self, batch: Batch | None = None) -> dict[str, Array]:
        """Take one step of the discriminator (Goodfellow et al. 2014, algorithm 1).

        Args:
            batch: from :meth:`draw`. Default: the next one.

        Returns:
            ``d_loss``, ``d_real``, ``d_fake`` and of a constraint that has one the ``penalty`` in
            ``d_loss``; scalars of the backend.
        """
        real, fake, labels = batch or self.draw()
        xp, objective = self.backend.xp, self.objective
        real, fake = self._shown(real), self._shown(fake)
        targets = self._target(True, len(real)), self._target(False, len(real))
        scores = self._duel.scores(real, fake, labels)
        found = objective.discriminator(*scores, *targets, xp)
        loss, d_real, d_fake = objective.checked("discriminator", found, scores)
        self._duel.backprop(d_real, d_fake)
        shown_real, shown_fake = (objective.shown(s, xp) for s in scores)
        penalty = self._duel.penalty(real, fake, labels)
        self.lipschitz.step()
        values = {"d_loss": loss + penalty, "d_real": shown_real, "d_fake": shown_fake}
        return {**values, "penalty": penalty} if self.lipschitz.penalises else values

    def generator_learning(self, batch: Batch | None = None) -> Array:
        """Take one step of the generator through the discriminator, which does not change.

        Args:
            batch: contains the latest fakes. Default: the next one.

        Returns:
            The generator's loss, a scalar of the backend.
        """
        batch = batch or self.draw()
        real = None
        if self.objective.compares:
            real = self._duel.real_scores(self._shown(batch.real), batch.labels)
        scores = self._duel.fake_scores(self._shown(batch.fake), batch.labels)
        loss, gradient = self._generator_loss(real, scores)
        d_fake = self._duel.fake_gradient(gradient)
        for remedy in self.remedies:
            more = remedy.generator_loss(batch, self)
            if more is not None:
                loss, d_fake = loss + more[0], d_fake + more[1]
        self.generator.backprop(self.pairing.picture(d_fake), self._fakes)
        self.generator.step()
        for remedy in self.remedies:
            remedy.follow()
        return loss

    def _generator_loss(self, real: Array | None, fake: Array) -> tuple[Array, Array]:
        """Return the objective's loss on the fakes that a remedy has chosen, and dE/dscores."""
        found = (remedy.chosen(fake, self) for remedy in self.remedies)
        chosen = next((c for c in found if c is not None), slice(None))
        scores = fake[chosen]
        result = self.objective.generator_against(
            None if real is None else real[chosen], scores, self.backend.xp
        )
        loss, gradient = self.objective.checked("generator", result, [scores])
        d_fake = self.backend.xp.zeros_like(fake)
        d_fake[chosen] = gradient
        return loss, d_fake

    def _shown(self, x: Array) -> Array:
        for remedy in self.remedies:
            if type(remedy).show is not Remedy.show:  # it may write to the copy
                x = remedy.show(self.backend.xp.array(x), self.random)
        return x

    def _target(self, is_real: bool, count: int) -> Any:
        target: Any = int(is_real)
        for remedy in self.remedies:
            target = remedy.target(target, is_real, count, self)
        return target

    # -- the loop ------------------------------------------------------------------------------

    @property
    def rounds(self) -> int:
        """Rounds played so far."""
        self.backend.require_no_recording("the number of rounds")
        return self.step

    @property
    def steps_per_epoch(self) -> int:
        """The number of rounds that use about as many real examples as there are."""
        return max(1, len(self.batches.source) // self.batch_size // self.discriminator_steps)

    def play(self, rounds: int, callbacks: Sequence[Callback] = ()) -> History:
        """Play until ``rounds`` rounds are done in all, those of earlier calls included.

        A second ``play(rounds=1000)`` has nothing to do, and says so.

        Ctrl-C ends the game after the current round; a second one ends the program.

        Raises:
            Diverged: a loss became NaN or infinite; the round is named, and why.
        """
        self._tell_if_done("rounds", whole("rounds", rounds), 1)
        return self._run(rounds, callbacks)

    def _repr_html_(self) -> str:
        if not self.step or self.pairing.shape:
            return super()._repr_html_()
        return html.paragraph(repr(self)) + html.figure(self.plot(), "examples and curves")

    def _cure(self, error: NotFinite, found: Collection[str]) -> str:
        more = self.lipschitz.advice(found if error.before else ("d_loss", "penalty"))
        if found and not self.objective.bounded and type(self.lipschitz) is Lipschitz:
            more = "bound the critic's slope, by lipschitz=GradientPenalty()"
        if not (more or found):  # one step led to it, or one formula
            more = f"check {type(self.objective).__name__}, whose formula may overflow"
        first = "; above all, " if found else "; or "
        return f"{super()._cure(error, found)}{first * bool(more)}{more}"

    @property
    def networks(self) -> dict[str, Network]:
        """The networks that learn, by name."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def _take_step(self) -> None:
        self.play_and_learn()

    def _state(self) -> State:
        names = ("batch_size", "discriminator_steps", "generator_steps", "seed")
        source = self.batches.source
        identity: dict[str, Any] = {
            "game": type(self).__name__,
            "generator": encode(self.generator),
            "discriminator": encode(self.discriminator),
            "images": [source.name, len(source), source.checksum],
            "transform": source.transform_name,
            "classes": self.classes,
            "latent": encode(self.latent),
            "objective": encode(self.objective),
            "lipschitz": encode(self.lipschitz),
            "remedies": encode(self.remedies),
            "backend": self.backend.name,
            **{name: getattr(self, name) for name in names},
        }
        arrays = {f"lipschitz/{name}": array for name, array in self.lipschitz.state().items()}
        for remedy in self.remedies:
            prefix = remedy.prefix or type(remedy).__name__
            arrays |= {f"{prefix}/{name}": array for name, array in remedy.state().items()}
        followers = [self.average.network] if self.average else []
        return State(identity, self.networks, arrays, {"game": self.random}, followers)
