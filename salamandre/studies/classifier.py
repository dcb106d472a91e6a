"""A classifier of images as the base of a study."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from salamandre.losses import CrossEntropy
from salamandre.models.perceptrons import layer_sizes, new_optimizer, perceptron
from salamandre.network import Network
from salamandre.studies.bases import GIVEN, Base
from salamandre.studies.continuing import continued, images_of, trained
from salamandre.studies.pruning import Reports
from salamandre.training import Callback, Engine

Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]


class _Limit(Callback):
    """Ends a run after so many seconds, those before a resume included."""

    recorded = ()

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_step(self, run: Engine) -> None:
        """Stop if the time is over."""
        if run.seconds >= self.seconds:
            run.test()
            run.stop()


def learn(
    folder: Path,
    report: Reports | None = None,
    seed: int = 0,
    dataset: str = "digits",
    layers: str = "100-10",
    activation: str = "relu",
    slope: float | None = None,
    dropout: Share = 0.0,
    input_dropout: Share = 0.0,
    batch_norm: bool = False,
    optimizer: str = "adam",
    learning_rate: Rate | None = None,
    schedule: Literal["constant", "cosine"] = "constant",
    weight_decay: Annotated[float, Meta(ge=0)] | None = None,
    label_smoothing: Share = 0.0,
    batch_size: Count = 64,
    epochs: Count = 10,
    seconds: Rate | None = None,
    examples: Count | None = None,
    test_share: Share = 0.0,
    grey: bool = False,
    image_size: Count | None = None,
    backend: str | None = None,
) -> dict[str, float]:
    """Train a perceptron, or go on with it, in the folder of a run; return its test.

    Args:
        folder: gets the tables, the checkpoint and ``model.safetensors``.
        report: takes the metrics of each record, see :class:`salamandre.studies.pruning.Reports`.
        seed: of weights and batches.
        dataset: a name or a path, for :func:`salamandre.data.open`.
        layers: the neurons of each layer, such as ``"300-100-10"``; the last one those of the
            classes.
        activation: see :func:`salamandre.models.perceptrons.perceptron`, as the next four.
        slope: default that of the activation.
        dropout: default none.
        input_dropout: default none.
        batch_norm: default False.
        optimizer: a name of :data:`salamandre.models.perceptrons.OPTIMIZERS`.
        learning_rate: default: the one that suits the optimizer.
        schedule: ``"constant"`` (default), or ``"cosine"`` to 0 over all epochs.
        weight_decay: default: the optimizer's.
        label_smoothing: default 0.
        batch_size: default 64.
        epochs: in all. Default 10.
        seconds: after which it ends, in the middle of an epoch too. Default: after the epochs.
        examples: the first so many training images alone. Default: all.
        test_share: of the images, of a data set without test images. Default 0: a tenth.
        grey: convert images to grey. Default False.
        image_size: height and width. Default: those of the data set.
        backend: default ``SALAMANDRE_BACKEND``, else NumPy.
    """
    options = {name: value for name, value in locals().items() if name not in GIVEN}
    engine, images = _engine(options)
    limits = [_Limit(seconds)] if seconds else []
    engine.callbacks = (*limits, *continued(engine, images, folder, report))
    return trained(engine, epochs, folder).history.metrics()


def check(**options: Any) -> None:
    """Raise ValueError for options that do not fit each other or the images."""
    _engine({**options, "epochs": 1})


def _engine(options: dict[str, Any]) -> tuple[Engine, Any]:
    """Return the engine of the options, and its training images."""
    train, test = images_of(options)
    if options["examples"] is not None:
        train = train[: options["examples"]]
    sizes, classes = layer_sizes(options["layers"], "layers"), len(train.classes)
    if sizes[-1] != classes:
        raise ValueError(
            f"layers must end with {classes}, the classes of {train.name}, got {options['layers']}"
        )
    names = ("slope", "dropout", "input_dropout", "batch_norm")
    layers = perceptron(sizes, options["activation"], **{name: options[name] for name in names})
    steps = options["epochs"] * max(1, len(train) // options["batch_size"])
    rule = new_optimizer(
        options["optimizer"],
        options["learning_rate"],
        options["schedule"],
        steps,
        options["weight_decay"],
    )
    network = Network(
        layers,
        math.prod(train.shape),
        CrossEntropy(label_smoothing=options["label_smoothing"]),
        rule,
        seed=options["seed"],
        backend=options["backend"],
    )
    batch, seed = options["batch_size"], options["seed"]
    return Engine(network, train, test, batch_size=batch, seed=seed), train


BASE = Base.of(learn, check, "classifier")
