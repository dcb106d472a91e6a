"""Conditional games by name, for any data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from salamandre.activations import LeakyReLU, ReLU, Tanh
from salamandre.checks import one_of, whole
from salamandre.data.images import Images
from salamandre.games.constraints import GradientPenalty
from salamandre.games.game import GanGame
from salamandre.games.latent import Gaussian
from salamandre.games.objectives import LeastSquares, NonSaturating
from salamandre.games.remedies import MovingAverage
from salamandre.games.wgan import WGanGame
from salamandre.layer import Layer
from salamandre.layers.conditional import ConditionalBatchNorm, Embedding, LabelMap, Projection
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.shape import Flatten, Reshape
from salamandre.network import Network
from salamandre.optimizers import Adam

Players = tuple[list[Layer], list[Layer]]
LEAKY = LeakyReLU(0.2)


def new_game(
    name: str,
    images: Images,
    *,
    latent: int = 100,
    batch_size: int = 64,
    average: float = 0.999,
    unconditional_discriminator: bool = False,
    seed: int = 0,
    backend: str | None = None,
) -> GanGame:
    """Return a conditional game on labelled images.

    Args:
        name: of the architecture:
            ``"cgan"``, perceptrons with the least-squares objective (Mirza and Osindero 2014);
            ``"cdcgan"``, convolutional, with conditional batch-norm against a label map and a
            projection (Radford et al. 2016; Miyato and Koyama 2018);
            ``"cwgan"``, perceptrons with the Wasserstein objective and a gradient penalty.
        images: the real images; the generator's outputs are in -1 to 1.
        latent: the size of the latent vectors, which are Gaussian. Default 100.
        batch_size: real examples a step. Default 64.
        average: decay of the generator's :class:`MovingAverage`, 0 for none. Default 0.999.
        unconditional_discriminator: give the discriminator no labels, for comparison: the
            generator then has no reason to use its own. Default False.
        seed: of the networks and the game. Default 0.
        backend: of both networks.

    Raises:
        ValueError: an unknown name, images of a size that the architecture cannot make, or batches
            that are too small for it.
    """
    architecture = ARCHITECTURES[one_of("architecture", name, ARCHITECTURES)]
    if whole("batch_size", batch_size) < architecture.least:
        raise ValueError(
            f"{name} needs batches of at least {architecture.least} images, for the statistics of "
            f"batch-norm, got {batch_size}"
        )
    layers, d_layers = architecture.players(images.shape, len(images.classes))
    if unconditional_discriminator:
        d_layers = [layer for layer in d_layers if not isinstance(layer, (Embedding, LabelMap))]
        if isinstance(d_layers[-1], Projection):
            d_layers[-1] = NeuronLayer(1)
    rates = (2e-4, 0.5, architecture.beta2)
    generator = Network(layers, latent, optimizer=Adam(*rates), seed=seed, backend=backend)
    discriminator = Network(
        d_layers, generator.output_shape, optimizer=Adam(*rates), seed=seed + 1, backend=backend
    )
    return architecture.game(
        generator,
        discriminator,
        images,
        labels=True,
        latent=Gaussian(latent),
        batch_size=batch_size,
        remedies=[MovingAverage(average)] if average else [],
        seed=seed,
        **architecture.options,
    )


def _cgan(shape: tuple[int, ...], classes: int) -> Players:
    """128-256-512-1024 with batch-norm, against 512-512-512 with dropout."""
    generator: list[Layer] = [Embedding(classes), NeuronLayer(128, LEAKY)]
    for size in (256, 512, 1024):
        generator += [NeuronLayer(size), BatchNorm(momentum=0.2, eps=1e-3), LeakyReLU(0.2)]
    generator.append(NeuronLayer(math.prod(shape), Tanh()))
    discriminator: list[Layer] = [Embedding(classes), NeuronLayer(512, LEAKY)]
    for _ in range(2):
        discriminator += [NeuronLayer(512, LEAKY), Dropout(0.4)]
    return generator, [*discriminator, NeuronLayer(1)]


def _cwgan(shape: tuple[int, ...], classes: int) -> Players:
    """256-512 against 512-256, without batch-norm, which a gradient penalty does not allow."""
    generator = [NeuronLayer(256, LEAKY), NeuronLayer(512, LEAKY)]
    critic = [NeuronLayer(512, LEAKY), NeuronLayer(256, LEAKY)]
    last = NeuronLayer(math.prod(shape), Tanh())
    return [Embedding(classes), *generator, last], [Embedding(classes), *critic, NeuronLayer(1)]


def _cdcgan(shape: tuple[int, ...], classes: int) -> Players:
    """4×4 windows that double or halve the size, from 4×4 (or an odd size) to that of the image."""
    image_channels, height, width = shape
    times = 0
    while height % 2 == width % 2 == 0 and min(height, width) > 4:
        height, width, times = height // 2, width // 2, times + 1
    if times == 0 or max(height, width) > 15:
        raise ValueError(
            f"cdcgan halves images until they are at most 15×15, which {shape[1]}×{shape[2]} does "
            f"not allow: resize them to 32×32 or 64×64"
        )
    channels = [32 * 2**level for level in range(times)]
    first = (channels[-1], height, width)
    generator: list[Layer] = [Embedding(classes), NeuronLayer(math.prod(first)), Reshape(first)]
    generator += [ConditionalBatchNorm(classes), ReLU()]
    for count in reversed(channels[:-1]):
        generator.append(TransposedConvolutionalLayer(count, 4, 2, 1, bias=False))
        generator += [ConditionalBatchNorm(classes), ReLU()]
    generator.append(TransposedConvolutionalLayer(image_channels, 4, 2, 1, activation=Tanh()))
    discriminator: list[Layer] = [LabelMap(classes)]
    discriminator.append(ConvolutionalLayer(channels[0], 4, 2, 1, activation=LEAKY))
    for count in channels[1:]:
        discriminator.append(ConvolutionalLayer(count, 4, 2, 1, bias=False))
        discriminator += [BatchNorm(), LeakyReLU(0.2)]
    return generator, [*discriminator, Flatten(), Dropout(0.3), Projection(classes)]


class Architecture(NamedTuple):
    """The layers of both players, the beta2 of their optimizers, and the game."""

    players: Callable[[tuple[int, ...], int], Players]
    beta2: float
    game: type[GanGame]
    options: dict[str, Any]  # of the game
    least: int = 1  # examples of a batch


ARCHITECTURES = {
    "cgan": Architecture(_cgan, 0.999, GanGame, {"objective": LeastSquares()}, least=2),
    "cdcgan": Architecture(_cdcgan, 0.999, GanGame, {"objective": NonSaturating()}),
    "cwgan": Architecture(
        _cwgan, 0.9, WGanGame, {"critic_steps": 2, "lipschitz": GradientPenalty()}
    ),
}
