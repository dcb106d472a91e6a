"""What a game's generator makes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.backend import Array, Backend
from salamandre.checks import whole
from salamandre.data.batches import EndlessBatches
from salamandre.data.paired_images import Pairs
from salamandre.games.conditions import Pairing
from salamandre.games.latent import Latent
from salamandre.games.remedies import MovingAverage, Remedy
from salamandre.games.walks import walk_through
from salamandre.network import Network
from salamandre.texts import counted
from salamandre.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, IMAGES, POINTS = 12, 36, 1000  # of a picture of a game


class Samples:
    """The part of a game that plays no role in learning: samples of its generator."""

    generator: Network
    latent: Latent | None
    remedies: tuple[Remedy, ...]
    pairing: Pairing
    classes: int | None
    batch_size: int
    seed: int
    backend: Backend
    history: History
    image_shape: tuple[int, ...]
    value_range: tuple[float, float]
    batches: EndlessBatches

    @property
    def average(self) -> MovingAverage | None:
        """The moving average of the generator, if the game has one."""
        return next((r for r in self.remedies if isinstance(r, MovingAverage)), None)

    @property
    def best_generator(self) -> Network:
        """The network that :meth:`generate` uses: the moving average, if there is one."""
        return self.average.network if self.average else self.generator

    def generate(
        self,
        count: int | None = None,
        seed: int = 0,
        latent: Any = None,
        labels: Any = None,
        conditions: Any = None,
    ) -> Array:
        """Return examples of the generator (its moving average if there is one), (count, ...).

        The game does not change, and equal calls between two rounds give equal examples. Any
        number of threads may call it, also while the game is played.

        Args:
            count: the number of examples. Default: that of the conditions, labels or latent
                vectors.
            seed: of the latent vectors, and of the generator's other noise. Default 0.
            latent: latent vectors (count, size), instead of drawn ones.
            labels: the classes of the examples (count,), as labels or names. Default for
                conditional players: all classes in turn.
            conditions: what the pictures are made from, (count, ...): bytes, which are scaled, or
                numbers in the value range of the training pictures. Needed where the game has some.
        """
        if (conditions is None) != (self.pairing.shape is None):
            raise ValueError(
                "this game has no conditions: leave them out of generate"
                if self.pairing.shape is None
                else "this game makes pictures from conditions: give some, generate(conditions=...)"
            )
        if isinstance(conditions, Pairs):
            raise ValueError("generate takes conditions, got Pairs: give it pairs.conditions")
        if latent is not None and self.latent is None:
            raise ValueError("this game has no latent space: leave latent vectors out of generate")
        if count is None:
            given = next((g for g in (conditions, latent) if g is not None), labels)
            if np.ndim(given) == 0 or len(given) == 0:
                raise ValueError(
                    f"generate needs a count, or a row of labels, latent vectors or conditions, "
                    f"got {given!r}"
                )
            count = len(given)
        whole("seed", seed, least=0)
        for what, rows in (("conditions", conditions), ("latent vectors", latent)):
            if rows is not None and (np.ndim(rows) == 0 or len(rows) != whole("count", count)):
                given = f"{len(rows)} {what}" if np.ndim(rows) else f"{rows!r} for {what}"
                raise ValueError(f"generate has a count of {count} and {given}")
        if latent is None and self.latent:
            stream = self.backend.stream([self.seed, 3, seed])
            latent = self.latent.draw(stream, whole("count", count), self.generator.dtype)
        if labels is None and self.classes:
            labels = np.arange(count) % self.classes
        inputs = self.pairing.of_generator(latent, conditions)
        block = 256 if conditions is None else self.batch_size  # pictures take much memory
        return self.best_generator.predict(inputs, block, labels, [self.seed, 4, seed])

    def samples(self, count: int) -> np.ndarray | None:
        """Return images (count, C, H, W) in 0..1 of the same latent vectors or conditions.

        Of examples that are no images, ``None``.
        """
        if len(self.image_shape) != 3 or self.image_shape[0] not in (1, 3):
            return None
        conditions = labels = None
        if self.pairing.shape is not None:
            examples, own = next(self.batches.source.in_order(count))
            conditions, count = self.pairing.condition(examples), len(examples)
            labels = own if self.classes else None
        made = self.backend.to_numpy(self.generate(count, conditions=conditions, labels=labels))
        low, high = self.value_range
        return np.clip((made.reshape(-1, *self.image_shape) - low) / (high - low), 0, 1)

    walk = walk_through

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw examples of the latest generator above the curves of the game.

        Of a game with labels the columns are classes. Images and points in the plane are drawn;
        of others, and of a game with conditions, the curves alone are.

        Args:
            path: of a PNG file. Default: none is written; notebooks show the figure.
        """
        from salamandre.plots import plot_game

        shape, examples = self.image_shape, None
        columns = self.classes or COLUMNS
        images = len(shape) == 3 and shape[0] in (1, 3)
        if self.pairing.shape is None and (shape == (2,) or images):
            count = POINTS if shape == (2,) else columns * -(-IMAGES // columns)
            examples = self.backend.to_numpy(self.generate(count))
        if examples is not None and len(shape) == 3:
            low, high = self.value_range
            examples = (examples.reshape(-1, *shape) - low) / (high - low)
        title = f"examples after {counted(len(self.history), 'round')}"
        curves = self.history.arrays(), self.history.metric_curves()
        return plot_game(examples, *curves, path, title=title, columns=columns)

    def save_generator(self, path: str | os.PathLike[str]) -> None:
        """Write the generator that :meth:`generate` uses to a safetensors file."""
        self.best_generator.save(path)
