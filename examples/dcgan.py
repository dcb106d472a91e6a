"""A deep convolutional game (DCGAN, Radford et al. 2016) on a data set or on pictures of your own.

    python examples/dcgan.py                                  # MNIST at 32×32
    python examples/dcgan.py --dataset cifar-10
    python examples/dcgan.py --dataset holidays --image-size 64   # a folder of pictures

A run writes one folder: samples of the same latent vectors at intervals and their animation,
curves, metrics from a classifier, the checkpoint and the final networks. Ctrl-C stops
a run with everything saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from digit_games import (
    AUGMENT,
    COUNT,
    add_players,
    earlier_values,
    load_images,
    new_parser,
    parse,
    run,
)

import salamandre as sal
from salamandre import data, games, runs
from salamandre.program import run_program

SIZES = {32: (4, 2, 1), 64: (8, 4, 2, 1)}  # channels of each size from 4×4 on, times --channels


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = new_parser(__doc__, size=32)
    add = add_players(parser)
    add(
        "--channels",
        type=COUNT,
        default=32,
        metavar="N",
        help="channels at the largest image size, default 32",
    )
    add(
        "--objective",
        type=earlier_values(saturating="minimax"),
        choices=games.OBJECTIVES,
        default="non-saturating",
        help="default non-saturating",
    )
    text = "images before the discriminator, to learn from few; default none"
    add("--augment", choices=AUGMENT, default="none", help=text)
    text = "images that the discriminator sees at once, default 1"
    add("--pack", type=COUNT, default=1, metavar="N", help=text)
    add(
        "--average",
        type=float,
        default=0.999,
        metavar="DECAY",
        help="of the moving average, default 0.999",
    )

    add = parser.add_argument_group("learning").add_argument
    add("--rounds", type=COUNT, default=3000, metavar="N", help="default 3000")
    for who, rate in (("generator", 0.001), ("discriminator", 0.0005)):
        text = f"default {rate}; Radford: 0.0002"
        add(f"--{who}-rate", type=float, default=rate, metavar="RATE", help=text)
        add(f"--{who}-beta1", type=float, default=0.5, metavar="B", help="of Adam, default 0.5")
        add(f"--{who}-steps", type=COUNT, default=1, metavar="N", help="a round, default 1")
    runs.earlier_names(
        parser,
        **{"images": "dataset", "size": "image_size", "nz": "latent", "maps": "channels"},
        critic_steps="discriminator_steps",
    )
    options = parse(parser, given)
    if options.image_size not in SIZES:
        parser.error(f"--image-size must be one of {', '.join(map(str, SIZES))}")
    return options


def build_game(options: argparse.Namespace, images: data.Images) -> sal.GanGame:
    """Return the game of Radford et al. 2016, section 3: no fully connected layers, no pooling."""
    start = sal.initializers.Gaussian(0.02)
    channels = [times * options.channels for times in SIZES[options.image_size]]

    def up(count: int, *window: int) -> list[sal.Layer]:
        layer = sal.TransposedConvolutionalLayer(count, *window, bias=False, initializer=start)
        return [layer, sal.BatchNorm(), sal.ReLU()]

    def down(count: int) -> list[sal.Layer]:
        layer = sal.ConvolutionalLayer(count, 4, 2, 1, bias=False, initializer=start)
        return [layer, sal.BatchNorm(), sal.LeakyReLU(0.2)]

    def player(
        layers: list[sal.Layer], inputs: int | tuple[int, ...], rate: float, beta1: float, seed: int
    ) -> sal.Network:
        optimizer = sal.Adam(rate, beta1=beta1)
        return sal.Network(layers, inputs, optimizer=optimizer, seed=seed, backend=options.backend)

    layers: list[sal.Layer] = [sal.Reshape((options.latent, 1, 1)), *up(channels[0], 4)]
    for count in channels[1:]:
        layers += up(count, 4, 2, 1)
    last = {"activation": sal.Tanh(), "initializer": start}
    layers.append(sal.TransposedConvolutionalLayer(images.shape[0], 4, 2, 1, **last))
    rate, beta1 = options.generator_rate, options.generator_beta1
    generator = player(layers, options.latent, rate, beta1, options.seed)
    leaky = sal.LeakyReLU(0.2)
    layers = [*AUGMENT[options.augment](), *[sal.Packing(options.pack)] * (options.pack > 1)]
    layers.append(
        sal.ConvolutionalLayer(channels[-1], 4, 2, 1, activation=leaky, initializer=start)
    )
    for count in reversed(channels[:-1]):
        layers += down(count)
    layers += [sal.ConvolutionalLayer(1, 4, initializer=start), sal.Flatten()]
    rate, beta1 = options.discriminator_rate, options.discriminator_beta1
    discriminator = player(layers, images.shape, rate, beta1, options.seed + 1)
    return sal.GanGame(
        generator,
        discriminator,
        images,
        latent=sal.Gaussian(options.latent),
        batch_size=options.batch_size,
        objective=games.OBJECTIVES[options.objective](),
        discriminator_steps=options.discriminator_steps,
        generator_steps=options.generator_steps,
        remedies=[sal.MovingAverage(options.average)] if options.average else [],
        seed=options.seed,
    )


def main() -> None:
    """Play the game of the command line."""
    options = parse_arguments()
    sets = load_images(options, classes=False)
    run(options, "dcgan", partial(build_game, options), sets)


if __name__ == "__main__":
    run_program("dcgan", main)
