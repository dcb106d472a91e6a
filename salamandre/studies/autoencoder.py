"""An autoencoder of images as the base of a study."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from salamandre.activations import Sigmoid
from salamandre.checks import one_of
from salamandre.data import Images, Noise
from salamandre.layer import Layer
from salamandre.layers.containers import Sequential
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.losses import BinaryCrossEntropy, Loss, MeanAbsoluteError, MeanSquaredError
from salamandre.models.perceptrons import ACTIVATIONS, layer_sizes, new_optimizer
from salamandre.network import Network
from salamandre.studies.bases import GIVEN, Base
from salamandre.studies.continuing import continued, images_of, trained
from salamandre.studies.pruning import Reports
from salamandre.training import Engine

LOSSES: dict[str, type[Loss]] = {
    "l1": MeanAbsoluteError,
    "l2": MeanSquaredError,
    "cross-entropy": BinaryCrossEntropy,
}
Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]


def learn(
    folder: Path,
    report: Reports | None = None,
    seed: int = 0,
    dataset: str = "digits",
    hidden: str = "512-256",
    latent: Count = 64,
    activation: str = "relu",
    batch_norm: bool = True,
    loss: Literal["l1", "l2", "cross-entropy"] = "l2",
    noise: Annotated[float, Meta(ge=0)] = 0.0,
    optimizer: str = "adam",
    learning_rate: Rate | None = None,
    schedule: Literal["constant", "cosine"] = "cosine",
    batch_size: Count = 64,
    epochs: Count = 10,
    examples: Count | None = None,
    test_share: Share = 0.0,
    grey: bool = False,
    image_size: Count | None = None,
    backend: str | None = None,
) -> dict[str, float]:
    """Train a perceptron that gives back images through a bottleneck, in the folder of a run.

    Returns:
        ``squared``: the squared difference of an image, summed over its pixels with values in 0..1;
        ``l1``: the mean absolute difference of a pixel; ``test_loss``. All of test images.

    Args:
        folder: gets the tables, the checkpoint and ``model.safetensors``, with the parts
            ``encoder`` and ``decoder``.
        report: takes the metrics of each record, see :class:`salamandre.studies.pruning.Reports`.
        seed: of weights and batches.
        dataset: a name or a path, for :func:`salamandre.data.open`.
        hidden: the neurons of the encoder's hidden layers; the decoder has them in reverse order.
        latent: numbers in the bottleneck. Default 64.
        activation: of the hidden layers, a name of
            :data:`salamandre.models.perceptrons.ACTIVATIONS`.
        batch_norm: whether each hidden layer has batch-norm before its activation. Default True.
        loss: of the pixels. Default ``"l2"``.
        noise: standard deviation of noise on the inputs, whose clean images are the targets.
            Default 0.
        optimizer: a name of :data:`salamandre.models.perceptrons.OPTIMIZERS`.
        learning_rate: default: the one that suits the optimizer.
        schedule: ``"cosine"`` (default) to 0 over all epochs, or ``"constant"``.
        batch_size: default 64.
        epochs: in all. Default 10.
        examples: the first so many training images alone. Default: all.
        test_share: of the images, of a data set without test images. Default 0: a tenth.
        grey: convert images to grey. Default False.
        image_size: height and width. Default: those of the data set.
        backend: default ``SALAMANDRE_BACKEND``, else NumPy.
    """
    options = {name: value for name, value in locals().items() if name not in GIVEN}
    engine, images = _engine(options)
    engine.callbacks = tuple(continued(engine, images, folder, report))
    return trained(engine, epochs, folder).history.metrics()


def check(**options: Any) -> None:
    """Raise ValueError for options that do not fit each other or the images."""
    _engine({**options, "epochs": 1})


def _engine(options: dict[str, Any]) -> tuple[Engine, Images]:
    """Return the engine of the options, and its training images."""
    train, test = images_of(options)
    if options["examples"] is not None:
        train = train[: options["examples"]]
    pixels, sizes = math.prod(train.shape), layer_sizes(options["hidden"], "hidden")
    encoder = [*_hidden(sizes, options), NeuronLayer(options["latent"])]
    decoder = [*_hidden(sizes[::-1], options), NeuronLayer(pixels, Sigmoid())]
    steps = options["epochs"] * max(1, len(train) // options["batch_size"])
    rule = new_optimizer(options["optimizer"], options["learning_rate"], options["schedule"], steps)
    network = Network(
        {"encoder": Sequential(encoder), "decoder": Sequential(decoder)},
        pixels,
        LOSSES[options["loss"]](),
        rule,
        seed=options["seed"],
        backend=options["backend"],
    )
    x, t = (one.images.reshape(len(one), -1) / np.float32(one.white) for one in (train, test))
    noise = Noise(options["noise"]) if options["noise"] else None
    engine = Engine(
        network,
        (x, x),
        (noise(t, np.random.default_rng(0)) if noise else t, t),
        batch_size=options["batch_size"],
        seed=options["seed"],
        transform=noise,
        metrics={"squared": _squared, "l1": _l1},
    )
    return engine, train


def _hidden(sizes: list[int], options: dict[str, Any]) -> list[Layer]:
    kind = ACTIVATIONS[one_of("activation", options["activation"], ACTIVATIONS)]
    layers: list[Layer] = []
    for size in sizes:
        if options["batch_norm"]:
            layers += [NeuronLayer(size, bias=False), BatchNorm(), kind()]
        else:
            layers.append(NeuronLayer(size, kind()))
    return layers


def _squared(y: Any, targets: Any) -> float:
    return float(((y - targets) ** 2).sum() / len(y))


def _l1(y: Any, targets: Any) -> float:
    return float(abs(y - targets).mean())


BASE = Base.of(learn, check, "autoencoder")
