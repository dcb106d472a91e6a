"""The players of unconditional games, described by names and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from salamandre.activations import LeakyReLU, ReLU, Tanh
from salamandre.checks import one_of
from salamandre.games import GradientPenalty, Lipschitz, SpectralNorm, WeightClipping
from salamandre.games.penalties import Dragan, ZeroCentredPenalty
from salamandre.initializers import Gaussian
from salamandre.layer import Layer
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.minibatch import MinibatchDeviation, MinibatchDiscrimination
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.noise import GaussianNoise
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.shape import Flatten, Reshape
from salamandre.models.perceptrons import OPTIMIZERS, layer_sizes, new_optimizer
from salamandre.optimizer import Optimizer
from salamandre.optimizers import Adam

Players = tuple[list[Layer], list[Layer]]
#: Constraints of the discriminator by name, each with the default of its strength.
CONSTRAINTS: dict[str, tuple[Callable[[float], Lipschitz | None], float]] = {
    "none": (lambda strength: None, 0.0),
    "clipping": (WeightClipping, 0.01),
    "penalty": (GradientPenalty, 10.0),
    "zero-centred": (lambda strength: ZeroCentredPenalty(strength, strength), 1.0),
    "dragan": (Dragan, 1.0),
    "spectral": (lambda strength: SpectralNorm(), 0.0),
}
MINIBATCH: dict[str, Callable[[], list[Layer]]] = {
    "none": lambda: [],
    "discrimination": lambda: [MinibatchDiscrimination(32, 8)],
    "deviation": lambda: [MinibatchDeviation()],
}


def constraint(name: str, strength: float | None) -> Lipschitz | None:
    """Return the constraint of a name; its strength is a limit of weights or a penalty's weight."""
    make, usual = CONSTRAINTS[one_of("constraint", name, CONSTRAINTS)]
    return make(usual if strength is None else strength)


def optimizer(name: str, rate: float, beta1: float) -> Optimizer:
    """Return the optimizer of a player; β₁ is Adam's and AdamW's."""
    kind, _ = OPTIMIZERS[one_of("optimizer", name, OPTIMIZERS)]
    return kind(rate, beta1=beta1) if issubclass(kind, Adam) else new_optimizer(name, rate)


def perceptrons(shape: tuple[int, ...], options: Mapping[str, Any]) -> Players:
    """Return perceptrons with leaky ReLU; the generator may have noise in all its layers."""
    up: list[Layer] = []
    for size in layer_sizes(options["generator"], "generator"):
        up.append(NeuronLayer(size, LeakyReLU(0.2), noise=options["noise"]))
        if options["added_noise"]:
            up.append(GaussianNoise(options["added_noise"]))
        if options["multiplied_noise"]:
            up.append(GaussianNoise(options["multiplied_noise"], multiplied=True))
    last = {"noise": options["last_noise"], "bias": options["last_bias"]}
    up.append(NeuronLayer(math.prod(shape), Tanh(), **last))
    down: list[Layer] = []
    for size in layer_sizes(options["discriminator"], "discriminator"):
        down.append(NeuronLayer(size, LeakyReLU(0.2)))
        if options["dropout"]:
            down.append(Dropout(options["dropout"]))
    return up, [*down, *MINIBATCH[options["minibatch"]](), NeuronLayer(1)]


def convolutional(shape: tuple[int, ...], options: Mapping[str, Any]) -> Players:
    """Return the players of Radford et al. 2016, section 3, for images of 8, 16, 32, ... pixels."""
    count, height, width = shape
    times = (height // 4).bit_length() - 1
    if height != width or height < 8 or height != 4 << times:
        raise ValueError(
            f"the convolutional model doubles 4×4 until it is an image, which {height}×{width} is "
            f"not: give image_size = 16, 32 or 64"
        )
    start, window = Gaussian(0.02), (4, 2, 1)
    channels = [options["channels"] << level for level in reversed(range(times))]
    plain: dict[str, Any] = {"bias": False, "initializer": start}
    up: list[Layer] = [Reshape((options["latent"], 1, 1))]
    up += [TransposedConvolutionalLayer(channels[0], 4, **plain), BatchNorm(), ReLU()]
    for size in channels[1:]:
        up += [TransposedConvolutionalLayer(size, *window, **plain), BatchNorm(), ReLU()]
    last: dict[str, Any] = {"initializer": start, "bias": options["last_bias"]}
    up.append(TransposedConvolutionalLayer(count, *window, activation=Tanh(), **last))
    leaky = LeakyReLU(0.2)
    down: list[Layer] = []
    down.append(ConvolutionalLayer(channels[-1], *window, activation=leaky, initializer=start))
    for size in reversed(channels[:-1]):
        down += [ConvolutionalLayer(size, *window, **plain), BatchNorm(), LeakyReLU(0.2)]
    return up, [*down, ConvolutionalLayer(1, 4, initializer=start), Flatten()]


MODELS = {"perceptron": perceptrons, "convolutional": convolutional}
#: Options of perceptrons that convolutional players have not, with what switches them off.
OF_PERCEPTRONS = {
    "noise": 0,
    "last_noise": 0,
    "added_noise": 0.0,
    "multiplied_noise": 0.0,
    "dropout": 0.0,
    "minibatch": "none",
}


def players(shape: tuple[int, ...], options: Mapping[str, Any]) -> Players:
    """Return the layers of generator and discriminator.

    Args:
        shape: of an image.
        options: of :func:`salamandre.studies.game.play`.

    Raises:
        ValueError: they do not fit each other, or the images.
    """
    model = options["model"]
    given = [name for name, off in OF_PERCEPTRONS.items() if options[name] != off]
    if model == "convolutional" and given:
        raise ValueError(f"{given[0]} is for the model perceptron, not for {model}: leave it out")
    return MODELS[one_of("model", model, MODELS)](shape, options)
