"""Games by name, for any data set of labelled images or of pairs of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from salamandre.activations import LeakyReLU, ReLU, Tanh
from salamandre.backend.group import ALONE, Group
from salamandre.checks import one_of, whole
from salamandre.data.arrays import require_one_set
from salamandre.data.images import Images
from salamandre.data.paired_images import Pairs
from salamandre.games.conditions import Pairing
from salamandre.games.constraints import GradientPenalty
from salamandre.games.game import GanGame
from salamandre.games.latent import Gaussian
from salamandre.games.objectives import Hinge, LeastSquares, Minimax, NonSaturating, Objective
from salamandre.games.penalties import ZeroCentredPenalty
from salamandre.games.relativistic import RelativisticAverage, RelativisticPairing
from salamandre.games.remedies import MovingAverage, Reconstruction, Remedy
from salamandre.games.translators import (
    encoder_decoder,
    patch_gan,
    unet,
    whole_picture,
    with_latent,
)
from salamandre.games.wgan import WGanGame
from salamandre.layer import Layer
from salamandre.layers.augmentation import Augmentation
from salamandre.layers.conditional import ConditionalBatchNorm, Embedding, LabelMap, Projection
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.shape import Flatten, Reshape
from salamandre.network import Network
from salamandre.optimizers import Adam
from salamandre.parts import checked_part
from salamandre.schedules import CosineDecay, Schedule

Players = tuple[list[Layer], list[Layer]]
LEAKY = LeakyReLU(0.2)
LEAST = 8  # height and width of a picture that patches of 16×16 make sense for
#: The objectives by the names that the command knows.
OBJECTIVES: dict[str, type[Objective]] = {
    "non-saturating": NonSaturating,
    "minimax": Minimax,
    "least-squares": LeastSquares,
    "hinge": Hinge,
    "relativistic": RelativisticPairing,
    "relativistic-average": RelativisticAverage,
}


def new_game(
    name: str,
    images: Images | Pairs,
    *,
    latent: int | None = None,
    batch_size: int = 64,
    average: float = 0.999,
    objective: str | None = None,
    penalty: float | ZeroCentredPenalty = 0.0,
    augment: bool | Augmentation = False,
    unconditional_discriminator: bool = False,
    seed: int = 0,
    backend: str | None = None,
    threads: int | None = None,
    group: Group = ALONE,
) -> GanGame:
    """Return a conditional game: on labelled images, or on pairs of images.

    Args:
        name: of the architecture:
            ``"cgan"``, perceptrons (Mirza and Osindero 2014) that play relativistic pairs with
            zero-centred penalties (Huang et al. 2024);
            ``"lscgan"``, the same ones with dropout and the least-squares objective (Mao et al.
            2017);
            ``"cdcgan"``, convolutional, the game of ``"cgan"`` with penalties whose weight falls
            from 1 to 0.1 in 15,000 steps: conditional batch-norm against a label map and a
            projection (Miyato and Koyama 2018);
            ``"dcgan"``, the same generator against batch-norm and dropout, with the non-saturating
            objective (Radford et al. 2016);
            ``"cwgan"``, perceptrons with the Wasserstein objective and a gradient penalty;
            ``"pix2pix"``, a U-Net that makes pictures from pictures against a PatchGAN, with the L1
            loss (Isola et al. 2017), channels and patches scaled from the paper's 256×256;
            ``"slides"``, the same game of two small networks.
        images: the real images, for ``"pix2pix"`` and ``"slides"`` with the conditions that they
            are to be made from. The generator's outputs are in -1 to 1.
        latent: the size of the latent vectors, which are Gaussian. Default 100; for pairs 0, none,
            else they become one more channel of the condition.
        batch_size: real examples a step. Default 64.
        average: decay of the generator's :class:`MovingAverage`, 0 for none. Default 0.999.
        objective: a name of ``OBJECTIVES``. Default: the architecture's.
        penalty: a :class:`ZeroCentredPenalty`, or the weight γ of one on real and on fake images;
            not beside batch-norm. Default 0: the architecture's constraint.
        augment: begin the discriminator with this :class:`salamandre.Augmentation`, to learn from
            few images; True for one with all its changes, of pairs without colours. Not of players
            of vectors. Default False.
        unconditional_discriminator: give the discriminator no labels, for comparison: the
            generator then has no reason to use its own. Default False.
        seed: of the networks and the game. Default 0.
        backend: of both networks.
        threads: among how many a batch is shared. Default: as many as pay.
        group: see :class:`GanGame`.

    Raises:
        ValueError: an unknown name, images of a size that the architecture cannot make or without
            what it makes them from, or batches that are too small for it.
    """
    architecture = ARCHITECTURES[one_of("architecture", name, ARCHITECTURES)]
    require_one_set(images)
    if not isinstance(images, (Images, Pairs)):
        raise ValueError(
            f"the images must be Images or Pairs, such as data.load(name) and data.open(path) "
            f"return, got a {type(images).__name__}"
        )
    if architecture.pairs != isinstance(images, Pairs):
        raise ValueError(
            f"{name} makes images from images: give it Pairs, such as those of data.pairs(...)"
            if architecture.pairs
            else f"{name} makes images from labels: give it Images, or use pix2pix for pairs"
        )
    if whole("batch_size", batch_size) < architecture.least:
        raise ValueError(
            f"{name} needs batches of at least {architecture.least} images, for the statistics of "
            f"batch-norm, got {batch_size}"
        )
    size = architecture.latent if latent is None else latent
    space = Gaussian(size) if size else None
    pairing = Pairing(space, images.condition_shape if isinstance(images, Pairs) else None)
    classes = len(images.classes) if isinstance(images, Images) else 0
    shape = images.shape
    layers, d_layers = architecture.players(shape, classes)
    if space and architecture.pairs:
        layers = with_latent(layers, shape[1:])
    if augment:
        if not any(isinstance(layer, ConvolutionalLayer) for layer in d_layers):
            raise ValueError(
                f"{name} plays with vectors, and augmentation moves the pixels of images: choose "
                f"cdcgan, or leave it out"
            )
        if augment in (True,):  # also 1 and NumPy's
            augment = Augmentation(colour=not architecture.pairs)
        d_layers = [checked_part("augment", augment, Augmentation), *d_layers]
    if unconditional_discriminator:
        if architecture.pairs:
            raise ValueError(
                f"the discriminator of {name} sees conditions, not labels: leave "
                f"unconditional_discriminator out"
            )
        d_layers = [layer for layer in d_layers if not isinstance(layer, (Embedding, LabelMap))]
        if isinstance(d_layers[-1], Projection):
            d_layers[-1] = NeuronLayer(1)
    inputs = pairing.inputs if architecture.pairs else size
    where: dict[str, Any] = {"backend": backend, "threads": threads}
    adam, d_adam = Adam(*architecture.rates), Adam(*architecture.rates)
    generator = Network(layers, inputs, optimizer=adam, seed=seed, **where)
    shown = pairing.example_shape(generator.output_shape)
    discriminator = Network(d_layers, shown, optimizer=d_adam, seed=seed + 1, **where)
    options = dict(architecture.options)
    if objective is not None:
        if architecture.game is WGanGame:
            raise ValueError(f"{name} has the Wasserstein objective: leave the other one out")
        options["objective"] = OBJECTIVES[one_of("objective", objective, OBJECTIVES)]()
    if isinstance(penalty, ZeroCentredPenalty):
        options["lipschitz"] = penalty
    elif penalty:
        options["lipschitz"] = ZeroCentredPenalty(penalty, penalty)
    return architecture.game(
        generator,
        discriminator,
        images,
        labels=not architecture.pairs,
        latent=space,
        batch_size=batch_size,
        remedies=[*architecture.remedies, *[MovingAverage(average)] * (average > 0)],
        seed=seed,
        group=group,
        **options,
    )


def _cgan(shape: tuple[int, ...], classes: int, dropout: float = 0.0) -> Players:
    """128-256-512-1024 with batch-norm, against 512-512-512."""
    generator: list[Layer] = [Embedding(classes), NeuronLayer(128, LEAKY)]
    for size in (256, 512, 1024):
        generator += [NeuronLayer(size), BatchNorm(momentum=0.2, eps=1e-3), LeakyReLU(0.2)]
    generator.append(NeuronLayer(math.prod(shape), Tanh()))
    discriminator: list[Layer] = [Embedding(classes), NeuronLayer(512, LEAKY)]
    for _ in range(2):
        discriminator += [NeuronLayer(512, LEAKY), *[Dropout(dropout)] * (dropout > 0)]
    return generator, [*discriminator, NeuronLayer(1)]


def _cwgan(shape: tuple[int, ...], classes: int) -> Players:
    """256-512 against 512-256, without batch-norm, which a gradient penalty does not allow."""
    generator = [NeuronLayer(256, LEAKY), NeuronLayer(512, LEAKY)]
    critic = [NeuronLayer(512, LEAKY), NeuronLayer(256, LEAKY)]
    last = NeuronLayer(math.prod(shape), Tanh())
    return [Embedding(classes), *generator, last], [Embedding(classes), *critic, NeuronLayer(1)]


def _cdcgan(shape: tuple[int, ...], classes: int, batch_norm: bool = False) -> Players:
    """4×4 windows that double or halve the size, from 4×4 (or an odd size) to that of the image."""
    image_channels, height, width = shape
    times = 0
    while height % 2 == width % 2 == 0 and min(height, width) > 4:
        height, width, times = height // 2, width // 2, times + 1
    if times == 0 or max(height, width) > 15:
        raise ValueError(
            f"the convolutions halve images until they are at most 15×15, which "
            f"{shape[1]}×{shape[2]} does not allow: resize them to 32×32 or 64×64"
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
    for count in channels:
        if batch_norm and count != channels[0]:
            discriminator.append(ConvolutionalLayer(count, 4, 2, 1, bias=False))
            discriminator += [BatchNorm(), LeakyReLU(0.2)]
        else:
            discriminator.append(ConvolutionalLayer(count, 4, 2, 1, activation=LEAKY))
    last: Layer = Dropout(0.3) if batch_norm else NeuronLayer(256, LEAKY)
    return generator, [*discriminator, Flatten(), last, Projection(classes)]


def _pix2pix(shape: tuple[int, ...], classes: int) -> Players:
    """U-Net against PatchGAN: the paper's 64 channels and patches of 70 pixels at 256×256."""
    size = shape[1:]
    if min(size) < LEAST:
        raise ValueError(
            f"pix2pix makes pictures of at least {LEAST}×{LEAST}, got {size[0]}×{size[1]}: resize "
            f"them"
        )
    channels = min(64, max(16, min(size) // 2))
    field = 70 if min(size) >= 128 else 34 if min(size) >= 64 else 16
    return unet(size, shape[0], channels), patch_gan(field, channels)


def _slides(shape: tuple[int, ...], classes: int) -> Players:
    """8-16-32 channels and back with dropout, against 32-64-128; windows of 3×3."""
    return encoder_decoder(shape[1:], shape[0], (8, 16, 32)), whole_picture((32, 64, 128))


class Architecture(NamedTuple):
    """What a game of a name is made of.

    Attributes:
        players: the layers of generator and discriminator for a shape of images and a number of
            classes.
        rates: learning rate, β₁ and β₂ of both optimizers.
        game: its class.
        options: of the game.
        pairs: whether images are made from conditions, not from labels.
        latent: the default size of latent vectors, 0 for none.
        remedies: of the game.
        least: the smallest batches.
    """

    players: Callable[[tuple[int, ...], int], Players]
    rates: tuple[float, float, float]
    game: type[GanGame]
    options: dict[str, Any]
    pairs: bool = False
    latent: int = 100
    remedies: Sequence[Remedy] = ()
    least: int = 1


USUAL = 2e-4, 0.5, 0.999  # rates (Radford et al. 2016)


def _relativistic(weight: float | Schedule) -> dict[str, Any]:
    """Return the options of the game of Huang et al. 2024 with a penalty in every fourth step."""
    return {
        "objective": RelativisticPairing(),
        "lipschitz": ZeroCentredPenalty(weight, weight, every=4),
    }


PAIRS: dict[str, Any] = {"pairs": True, "latent": 0, "remedies": [Reconstruction(100)]}
#: What :func:`new_game` makes by name.
ARCHITECTURES = {
    "cgan": Architecture(_cgan, (3e-4, 0.0, 0.99), GanGame, _relativistic(1), least=2),
    "lscgan": Architecture(
        partial(_cgan, dropout=0.4), USUAL, GanGame, {"objective": LeastSquares()}, least=2
    ),
    "cdcgan": Architecture(
        _cdcgan, (5e-4, 0.0, 0.99), GanGame, _relativistic(CosineDecay(1, 15_000, final=0.1))
    ),
    "dcgan": Architecture(
        partial(_cdcgan, batch_norm=True), USUAL, GanGame, {"objective": NonSaturating()}
    ),
    "cwgan": Architecture(
        _cwgan, (2e-4, 0.5, 0.9), WGanGame, {"critic_steps": 2, "lipschitz": GradientPenalty()}
    ),
    "pix2pix": Architecture(_pix2pix, USUAL, GanGame, {"objective": NonSaturating()}, **PAIRS),
    "slides": Architecture(_slides, USUAL, GanGame, {"objective": NonSaturating()}, **PAIRS),
}
