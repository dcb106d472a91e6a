"""Remedies for games that collapse or do not converge: small objects that a game is given."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, NamedTuple

from salamandre.backend import Array, RandomStream
from salamandre.checks import real
from salamandre.component import Component
from salamandre.losses import Loss, MeanAbsoluteError
from salamandre.network import Network
from salamandre.parts import given_part


class Batch(NamedTuple):
    """Real and fake examples (N, ...), and the labels (N,) of both, if there are any.

    In a game with conditions an example is a pair: the channels of the condition, then those of the
    picture; ``game.pairing.picture`` returns the latter.
    """

    real: Array
    fake: Array
    labels: Array | None


class Remedy(Component):
    """Base of remedies: override the methods you need.

    Attributes:
        prefix: of the names of its arrays in a checkpoint.
    """

    kind = "remedies"
    required = dict.fromkeys(
        ("attach", "show", "target", "chosen", "generator_loss", "follow", "state")
    )
    prefix: ClassVar[str] = ""

    def attach(self, game: Any) -> None:
        """Prepare for a game; called once."""

    def show(self, x: Array, random: RandomStream) -> Array:
        """Return the input of the discriminator for examples x (N, ...), real or fake."""
        return x

    def target(self, target: Any, is_real: bool, count: int, game: Any) -> Any:
        """Return the target t of real or of fake examples: a number or an array (count, 1)."""
        return target

    def chosen(self, scores: Array, game: Any) -> Array | None:
        """Return which fakes the generator learns from, by their scores (N, P).

        They are indexes (k,); ``None``: all.
        """
        return None

    def generator_loss(self, batch: Batch, game: Any) -> tuple[Array, Array] | None:
        """Return a loss that is added to the generator's, and dE/dfake; ``None``: nothing."""
        return None

    def follow(self) -> None:
        """Run after each step of the generator."""

    def state(self) -> dict[str, Array]:
        """Return the arrays of a checkpoint; they are restored in place."""
        return {}


class LabelSmoothing(Remedy):
    """Each real label is drawn from a range instead of being 1.

    One-sided: fake labels stay 0 (Salimans et al. 2016, section 3.4). Not for Wasserstein scores,
    which have no labels: real ones that weigh less than fake ones let all scores fall for ever.

    Args:
        low, high: the range. Default 0.7 and 1.
    """

    def __init__(self, low: float = 0.7, high: float = 1.0) -> None:
        self.low = real("LabelSmoothing low", low, 0.5, 1)
        self.high = real("LabelSmoothing high", high, self.low)

    def attach(self, game: Any) -> None:
        """Refuse an objective without labels."""
        if not game.objective.bounded:
            raise ValueError(
                f"LabelSmoothing is for objectives with labels, not for {game.objective!r}, whose "
                f"scores would fall for ever: leave it out"
            )

    def target(self, target: Any, is_real: bool, count: int, game: Any) -> Any:
        """Return labels in the range for real examples."""
        if not is_real:
            return target
        drawn = game.random.uniform((count, 1), game.discriminator.dtype)
        smoothed = self.low + (self.high - self.low) * drawn
        return smoothed * target  # flipped ones stay 0


class LabelFlipping(Remedy):
    """Some of the discriminator's labels are wrong.

    Args:
        probability: that a label is wrong, below 0.5. Default 0.05.
    """

    def __init__(self, probability: float = 0.05) -> None:
        self.probability = real("LabelFlipping probability", probability, 0, 0.5, below=True)

    def target(self, target: Any, is_real: bool, count: int, game: Any) -> Any:
        """Return wrong labels for some examples."""
        dtype = game.discriminator.dtype
        flipped = game.random.uniform((count, 1), dtype) < self.probability
        return game.backend.xp.where(flipped, 1 - int(is_real), target).astype(dtype)


class InstanceNoise(Remedy):
    """Gaussian noise is added to all inputs of the discriminator.

    Sønderby et al. 2017; Arjovsky and Bottou 2017.

    Args:
        std: the standard deviation. Default 0.1.
    """

    def __init__(self, std: float = 0.1) -> None:
        self.std = real("InstanceNoise std", std, 0)

    def show(self, x: Array, random: RandomStream) -> Array:
        """Return x + noise."""
        return x + self.std * random.normal(x.shape, x.dtype)


class TopK(Remedy):
    """The generator learns from its best fakes alone: the k of a batch with the highest scores.

    What the discriminator says of bad fakes may lead them away from the data (Sinha et al. 2020,
    "Top-k training of GANs", section 3). k begins with the whole batch, and is multiplied by
    ``decay`` after each epoch of rounds that ``play`` or ``play_and_learn`` has played, until it is
    ``least`` of it.

    Args:
        least: the smallest k, as a share of the batch; the paper's ν. Default 0.5.
        decay: the paper's γ. Default 0.99; 1 keeps all, 0 begins with ``least`` after one epoch.
    """

    repeats = False  # the host knows how many

    def __init__(self, least: float = 0.5, decay: float = 0.99) -> None:
        self.least = real("TopK least", least, 0, 1, above=True)
        self.decay = real("TopK decay", decay, 0, 1)

    def chosen(self, scores: Array, game: Any) -> Array | None:
        """Return the indexes of the best; of patches the mean counts."""
        share = max(self.least, self.decay ** (game.rounds // game.steps_per_epoch))
        k = max(1, round(share * len(scores)))
        if k == len(scores):
            return None
        return game.backend.xp.argsort(scores.mean(axis=1))[-k:]


class FeatureMatching(Remedy):
    """The generator also matches the mean of the discriminator's features on real examples.

    The features are the inputs of its last layer with parameters; weight · ‖mean of fakes - mean of
    real examples‖² is added to the generator's loss (Salimans et al. 2016, section 3.1).

    Args:
        weight: of the added loss. Default 1.
    """

    repeats = False  # it draws a batch

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = real("FeatureMatching weight", weight, 0)

    def attach(self, game: Any) -> None:
        """Find the layer whose inputs are the features."""
        d = game.discriminator
        learners = [index for index, layer in enumerate(d.layers) if layer.parameter_count()]
        self._stop = learners[-1] if learners else 0
        if self._stop == 0:
            raise ValueError(
                "FeatureMatching needs a discriminator of at least two layers, one of them before "
                "the last with parameters; parts of a Sequential are not looked into"
            )
        self._run = d.new_pass(parameter_gradients=False, statistics=False, shared=True)

    def generator_loss(self, batch: Batch, game: Any) -> tuple[Array, Array]:
        """Return weight · ‖difference of the means‖² and its gradient."""
        real, labels = next(game.batches)
        real_mean = self._features(real, labels, game).mean(axis=0)
        difference = self._features(batch.fake, batch.labels, game).mean(axis=0) - real_mean
        value = self.weight * (difference * difference).sum()
        dy = game.backend.xp.zeros((len(batch.fake), *difference.shape), dtype=batch.fake.dtype)
        dy += 2 * self.weight / len(dy) * difference
        return value, game.discriminator.backprop(dy, self._run)

    def _features(self, x: Array, labels: Array | None, game: Any) -> Array:
        d = game.discriminator
        labels = labels if d.classes else None
        return d.compute(x, self._run, labels=labels, stop=self._stop)


class Reconstruction(Remedy):
    """Each fake picture is also to be like the real one that has the same condition.

    weight · E(fake, real) is added to the generator's loss; with the mean absolute error that is
    the L1 loss of Isola et al. 2017, equations 3 and 4.

    Args:
        weight: the paper's λ. Default 100.
        loss: E. Default ``MeanAbsoluteError()``.
    """

    def __init__(self, weight: float = 100.0, loss: Loss | None = None) -> None:
        self.weight = real("Reconstruction weight", weight, 0)
        self.loss = given_part(self, "loss", loss or MeanAbsoluteError(), Loss)

    def attach(self, game: Any) -> None:
        """Refuse a game whose real and fake examples are not pairs."""
        if game.pairing.shape is None:
            raise ValueError(
                "Reconstruction compares pictures of one condition: give the game conditions=..."
            )

    def generator_loss(self, batch: Batch, game: Any) -> tuple[Array, Array]:
        """Return weight · E and its gradient."""
        xp, picture = game.backend.xp, game.pairing.picture
        value, gradient = self.loss.compute(picture(batch.fake), picture(batch.real), xp)
        d_fake = xp.zeros_like(batch.fake)
        picture(d_fake)[...] = self.weight * gradient
        return self.weight * value, d_fake


class MovingAverage(Remedy):
    """Examples are generated by a moving average of the generator over its steps.

    a ← d a + (1 - d) p for parameters and running statistics p (Yazıcı et al. 2019, "The unusual
    effectiveness of averaging in GAN training", section 3). After t steps d is the smaller one of
    ``decay`` and (1 + t) / (10 + t), so that the initial parameters are forgotten; TensorFlow's
    ``ExponentialMovingAverage`` does the same.

    Args:
        decay: the share of the average that is kept in a step. Default 0.999.

    Attributes:
        network: the generator with averaged parameters.
    """

    prefix = "average"
    network: Network

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = real("MovingAverage decay", decay, 0, 1, below=True)

    def attach(self, game: Any) -> None:
        """Start from the generator's parameters."""
        self._followed = game.generator
        self.network = _copy(game.generator)

    def follow(self) -> None:
        """Move towards the generator."""
        average, followed = self.network, self._followed
        (share,) = average.backend.numbers(self._share, average.dtype)
        with average.changing():
            average.parameters += share * (followed.parameters - average.parameters)
            average.state += share * (followed.state - average.state)

    def _share(self) -> tuple[float]:
        """Return what the generator gets."""
        assert self._followed.optimizer is not None
        steps = self._followed.optimizer.steps
        return (1 - min(self.decay, (1 + steps) / (10 + steps)),)

    def state(self) -> dict[str, Array]:
        """Return the averages."""
        return {"parameters": self.network.parameters, **self.network.named_state()}


def _copy(network: Network) -> Network:
    """Return a copy that only generates: on a CPU its gradients take no memory."""
    optimizer = network.optimizer
    fresh = optimizer and type(optimizer)(**optimizer.config())
    gradients = network.backend.xp.zeros_like(network.parameters)  # never touched
    return copy.deepcopy(network, {id(optimizer): fresh, id(network.gradients): gradients})
