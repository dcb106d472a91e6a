"""An unconditional game on images as the base of a study."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from salamandre.checks import one_of
from salamandre.data import Images
from salamandre.evaluation import Judge
from salamandre.games import (
    OBJECTIVES,
    Evaluation,
    GanGame,
    Gaussian,
    LabelFlipping,
    LabelSmoothing,
    MovingAverage,
    Remedy,
    SampleGrids,
    WGanGame,
)
from salamandre.network import Network
from salamandre.plots import save_grid
from salamandre.studies.bases import GIVEN, Base
from salamandre.studies.continuing import continued, images_of
from salamandre.studies.players import constraint, optimizer, players
from salamandre.studies.pruning import Reports
from salamandre.training import Steps

EXAMPLES = 3000  # that the judge sees
SHOWN = 36  # in a picture of samples
WASSERSTEIN = "wasserstein"
Amount = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Strength = Annotated[float, Meta(ge=0)]


def play(
    folder: Path,
    report: Reports | None = None,
    seed: int = 0,
    dataset: str = "digits",
    classes: list[str] | None = None,
    image_size: Count | None = None,
    grey: bool = False,
    test_share: Share = 0.0,
    model: Literal["perceptron", "convolutional"] = "perceptron",
    generator: str = "256-512",
    discriminator: str = "512-256",
    channels: Count = 32,
    latent: Count = 100,
    last_bias: bool = True,
    last_noise: Amount = 0,
    noise: Amount = 0,
    added_noise: Strength = 0.0,
    multiplied_noise: Strength = 0.0,
    dropout: Share = 0.0,
    minibatch: Literal["none", "discrimination", "deviation"] = "none",
    objective: str = "non-saturating",
    constraint: str = "none",
    strength: Strength | None = None,
    generator_optimizer: str = "adam",
    discriminator_optimizer: str = "adam",
    generator_rate: Rate = 2e-4,
    discriminator_rate: Rate = 2e-4,
    generator_beta1: Share = 0.5,
    discriminator_beta1: Share = 0.5,
    generator_steps: Count = 1,
    discriminator_steps: Count = 1,
    smoothing: tuple[float, float] = (1.0, 1.0),
    flipping: Share = 0.0,
    average: Share = 0.0,
    batch_size: Count = 64,
    rounds: Count = 2000,
    evaluate: Amount = 0,
    backend: str | None = None,
) -> dict[str, float]:
    """Play a game, or go on with it, in the folder of a run; return losses, scores and metrics.

    Losses and scores are means over the last 50 rounds. The metrics are those of a
    :class:`salamandre.evaluation.Judge` of all classes, which compares with the test images of the
    chosen ones; of those there is no ``divergence``, which is infinite where another one is drawn.
    There are none of a data set with one class.

    Args:
        folder: gets the tables, samples, the checkpoint, both networks and, of perceptrons,
            ``bias.png``: the biases of the generator's last layer.
        report: takes the metrics of each record, see :class:`salamandre.studies.pruning.Reports`.
        seed: of the networks and the game.
        dataset: a name or a path, for :func:`salamandre.data.open`.
        classes: the names of those that are learned, such as ``["7", "8"]``. Default: all.
        image_size: height and width. Default: those of the data set.
        grey: convert images to grey. Default False.
        test_share: of the images, of a data set without test images. Default 0: a tenth.
        model: ``"perceptron"`` (default), or ``"convolutional"`` (Radford et al. 2016) for images
            of 8, 16, 32, ... pixels.
        generator: of perceptrons, hidden neurons. Default ``"256-512"``.
        discriminator: the same. Default ``"512-256"``.
        channels: of convolutional players at the largest size. Default 32.
        latent: the size of the latent vectors, which are Gaussian. Default 100.
        last_bias: whether the generator's last layer has biases. Default True.
        last_noise: fresh inputs of the generator's last layer. Default 0.
        noise: fresh inputs of each of its hidden layers. Default 0.
        added_noise: standard deviation of noise on the outputs of these layers. Default 0.
        multiplied_noise: of the factors 1 + noise of these outputs. Default 0.
        dropout: rate in the discriminator. Default 0.
        minibatch: layer of the discriminator that compares the examples of a batch.
        objective: a name of :data:`salamandre.games.OBJECTIVES` (default ``"non-saturating"``), or
            ``"wasserstein"``.
        constraint: of the discriminator: ``"none"`` (default), ``"clipping"``, ``"penalty"``,
            ``"zero-centred"``, ``"dragan"`` or ``"spectral"``.
        strength: the limit of the weights, or the weight of the penalty. Default: a suitable one.
        generator_optimizer: a name of :data:`salamandre.models.perceptrons.OPTIMIZERS`.
        discriminator_optimizer: the same.
        generator_rate: default 0.0002.
        discriminator_rate: default 0.0002.
        generator_beta1: of Adam. Default 0.5.
        discriminator_beta1: default 0.5.
        generator_steps: a round. Default 1.
        discriminator_steps: a round. Default 1.
        smoothing: the range of the targets of real images. Default ``[1.0, 1.0]``.
        flipping: the probability of a wrong target. Default 0.
        average: decay of the generator's moving average. Default 0: none.
        batch_size: default 64.
        rounds: in all. Default 2000.
        evaluate: rounds between two pictures and evaluations. Default 0: at the end alone.
        backend: default ``SALAMANDRE_BACKEND``, else NumPy.
    """
    options = {name: value for name, value in locals().items() if name not in GIVEN}
    images, judge = _judged(options)
    game = _game(options, images)
    often = Steps(evaluate or rounds)
    callbacks = [*continued(game, images, folder, report), SampleGrids(folder, often, SHOWN)]
    if judge is not None:
        callbacks.insert(0, Evaluation({"judge": judge.of_game(EXAMPLES)}, often))
    if game.rounds < rounds:
        game.play(rounds, callbacks)
    if game.interrupted:
        raise KeyboardInterrupt
    game.save_generator(folder / "generator.safetensors")
    game.discriminator.save(folder / "discriminator.safetensors")
    if model == "perceptron" and last_bias:
        _draw_bias(game, images, folder / "bias.png")
    means = {name: game.history.mean(name) for name in game.history.steps}
    return {**means, **game.history.metrics()}


def check(**options: Any) -> None:
    """Raise ValueError for options that do not fit each other or the images."""
    _game(options, _chosen(options)[1])


def _game(options: dict[str, Any], images: Images) -> GanGame:
    """Return the game of the options."""
    layers, against = players(images.shape, options)

    def player(who: str, layers: Any, inputs: Any, seed: int) -> Network:
        named = (options[f"{who}_{name}"] for name in ("optimizer", "rate", "beta1"))
        rule = optimizer(*named)
        return Network(layers, inputs, optimizer=rule, seed=seed, backend=options["backend"])

    seed, perceptron = options["seed"], options["model"] == "perceptron"
    generator = player("generator", layers, options["latent"], seed)
    shape = math.prod(images.shape) if perceptron else images.shape
    discriminator = player("discriminator", against, shape, seed + 1)
    remedies: list[Remedy] = []
    if tuple(options["smoothing"]) != (1, 1):
        remedies.append(LabelSmoothing(*options["smoothing"]))
    if options["flipping"]:
        remedies.append(LabelFlipping(options["flipping"]))
    if options["average"]:
        remedies.append(MovingAverage(options["average"]))
    given = {
        "latent": Gaussian(options["latent"]),
        "lipschitz": constraint(options["constraint"], options["strength"]),
        "generator_steps": options["generator_steps"],
        "remedies": remedies,
        "batch_size": options["batch_size"],
        "seed": seed,
    }
    name, steps = options["objective"], options["discriminator_steps"]
    if name == WASSERSTEIN:
        if given["lipschitz"] is None:
            raise ValueError('the objective wasserstein needs a constraint, such as "clipping"')
        return WGanGame(generator, discriminator, images, critic_steps=steps, **given)
    kind = OBJECTIVES[one_of("objective", name, [*OBJECTIVES, WASSERSTEIN])]
    given |= {"objective": kind(), "discriminator_steps": steps}
    return GanGame(generator, discriminator, images, **given)


def _chosen(options: dict[str, Any]) -> tuple[Images, Images, Images]:
    """Return the training images, and those of the chosen classes and their test images."""
    train, test = images_of(options)
    names = train.classes if options["classes"] is None else options["classes"]
    for name in names:
        one_of(f"class of {train.name}", name, train.classes)
    return _of_classes(train, test, tuple(names))


@lru_cache(4)
def _of_classes(
    train: Images, test: Images, names: tuple[str, ...]
) -> tuple[Images, Images, Images]:
    """Return the parts once for all runs of a process, with the checksums that they keep."""
    if names == train.classes:
        return train, train, test
    labels = [train.classes.index(name) for name in names]
    parts = (one[np.isin(one.labels, labels)] for one in (train, test))
    return train, *parts  # type: ignore[return-value]


def _judged(options: dict[str, Any]) -> tuple[Images, Judge | None]:
    """Return the images that are learned, and their judge if there are classes."""
    train, chosen, test = _chosen(options)
    return chosen, _judge(train, test, options["backend"]) if len(train.classes) > 1 else None


@lru_cache(4)
def _judge(train: Images, test: Images, backend: str | None) -> Judge:
    return Judge.trained(train, test, backend=backend, quiet=True)


def _draw_bias(game: GanGame, images: Images, path: Path) -> None:
    """Draw the biases of the generator's last layer as an image."""
    last: Any = game.generator.layers[-1]
    bias = game.backend.to_numpy(last.bias)
    low, high = float(bias.min()), float(bias.max())
    shades = (bias - low) / ((high - low) or 1)
    save_grid(shades.reshape(1, *images.shape), path, zoom=4)


BASE = Base.of(play, check, "game")
