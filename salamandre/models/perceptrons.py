"""Perceptrons that classify, and optimizers, described by names and numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from salamandre.activations import (
    ELU,
    Activation,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    SoftPlus,
    Tanh,
)
from salamandre.checks import one_of
from salamandre.compound_optimizers import Muon
from salamandre.layer import Layer
from salamandre.layers.dropout import Dropout
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.optimizer import Optimizer
from salamandre.optimizers import (
    SGD,
    Adadelta,
    AdaGrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSProp,
)
from salamandre.schedules import CosineDecay, Schedule, Triangle

#: Hidden activations by name.
ACTIVATIONS: dict[str, type[Activation]] = {
    "relu": ReLU,
    "leaky-relu": LeakyReLU,
    "elu": ELU,
    "softplus": SoftPlus,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
}
#: Optimizers by name, each with a suitable learning rate for batches of 64.
OPTIMIZERS: dict[str, tuple[type[Optimizer], float]] = {
    "sgd": (SGD, 0.5),
    "momentum": (Momentum, 0.1),
    "nesterov": (Nesterov, 0.1),
    "adagrad": (AdaGrad, 0.02),
    "rmsprop": (RMSProp, 0.002),
    "adadelta": (Adadelta, 2.0),
    "adam": (Adam, 0.002),
    "adamw": (AdamW, 0.002),
    "muon": (Muon, 0.02),
}
#: What becomes of a learning rate over so many steps, by name.
SCHEDULES: dict[str, Callable[[float, int], float | Schedule]] = {
    "cosine": CosineDecay,
    "triangle": Triangle,
    "constant": lambda rate, steps: rate,
}


def layer_sizes(text: str, what: str = "a structure") -> list[int]:
    """Return the numbers of neurons in a text such as ``"784-300-10"``.

    Args:
        text: the numbers, joined by ``-``.
        what: it is, for the message. Default ``"a structure"``.

    Raises:
        ValueError: it holds something else.
    """
    sizes = [int(size) if size.isdecimal() else 0 for size in text.split("-")]
    if 0 in sizes:
        raise ValueError(f"{what} takes numbers such as 784-300-10, got {text!r}")
    return sizes


def perceptron(
    sizes: Sequence[int],
    activation: str = "relu",
    *,
    slope: float | None = None,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    batch_norm: bool = False,
) -> list[Layer]:
    """Return the layers of a perceptron, the last of which has Softmax.

    Args:
        sizes: the neurons of each layer, without the inputs.
        activation: of hidden layers, a name of :data:`ACTIVATIONS`. Default ``"relu"``.
        slope: of a sigmoid (μ) or a leaky ReLU. Default that of the activation.
        dropout: rate after each hidden layer. Default 0: none.
        input_dropout: rate before the first layer. Default 0: none.
        batch_norm: whether each hidden layer has batch-norm before its activation. Default False.

    Raises:
        ValueError: no sizes, an unknown activation, or one without a slope.
    """
    if not len(sizes):
        raise ValueError("a perceptron has at least one layer: give its sizes, such as [300, 10]")
    kind = ACTIVATIONS[one_of("activation", activation, ACTIVATIONS)]
    if slope is not None and kind not in (LeakyReLU, Sigmoid):
        raise ValueError(f"the activation {activation} has no slope: leave it out")
    layers: list[Layer] = [Dropout(input_dropout)] if input_dropout else []
    for size in sizes[:-1]:
        function = kind() if slope is None else kind(slope)  # type: ignore[call-arg]
        if batch_norm:
            layers += [NeuronLayer(size, bias=False), BatchNorm(), function]
        else:
            layers.append(NeuronLayer(size, function))
        if dropout:
            layers.append(Dropout(dropout))
    return [*layers, NeuronLayer(sizes[-1], Softmax())]


def new_optimizer(
    name: str,
    rate: float | None = None,
    schedule: str = "constant",
    steps: int = 1,
    weight_decay: float | None = None,
) -> Optimizer:
    """Return an optimizer.

    Args:
        name: of :data:`OPTIMIZERS`.
        rate: the learning rate. Default: the one that suits it.
        schedule: of the rate, a name of :data:`SCHEDULES`. Default ``"constant"``.
        steps: how many the schedule takes. Default 1.
        weight_decay: of AdamW and Muon the decoupled one. Default: the optimizer's.

    Raises:
        ValueError: an unknown name, or a number out of range.
    """
    kind, usual = OPTIMIZERS[one_of("optimizer", name, OPTIMIZERS)]
    change = SCHEDULES[one_of("schedule", schedule, SCHEDULES)]
    decay = "decay" if kind in (AdamW, Muon) else "weight_decay"
    options: dict[str, Any] = {} if weight_decay is None else {decay: weight_decay}
    if kind is Muon:  # the others learn by a rate of their own, which changes likewise
        options["others"] = AdamW(change(0.001, steps), **options)
    return kind(change(usual if rate is None else rate, steps), **options)
