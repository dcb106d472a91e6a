"""A Wasserstein game on handwritten digits.

    python examples/wgan_mnist.py
    python examples/wgan_mnist.py --digits 7 --rounds 2000
    python examples/wgan_mnist.py --lipschitz clipping
    python examples/wgan_mnist.py --model cnn --rounds 3000
    python examples/wgan_mnist.py --backend cupy

Generator and critic are perceptrons, or convolutional with --model cnn. A run writes one folder:
samples of the same latent vectors at intervals and their animation, curves, metrics from a
classifier of digits, the checkpoint and the final networks. Ctrl-C stops a run with
everything saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import partial

from digit_games import (
    AMOUNT,
    COUNT,
    add_players,
    earlier_values,
    load_images,
    new_parser,
    parse,
    run,
)

import salamandre as sal
from salamandre import data, runs
from salamandre.models.perceptrons import layer_sizes
from salamandre.program import WrongUsage, run_program

# Suitable settings for each constraint; options change single ones.
USUAL = {
    "generator": "256-512",
    "discriminator": "512-256",
    "optimizer": "adam",
    "learning_rate": 2e-4,
    "discriminator_steps": 2,
}
SUITED = {
    "penalty": USUAL,
    "spectral": USUAL,
    # RMSProp and 5 critic steps as of Arjovsky et al. 2017; the original critic had 20 neurons.
    "clipping": {
        "generator": "300",
        "discriminator": "200",
        "optimizer": "rmsprop",
        "learning_rate": 5e-4,
        "discriminator_steps": 5,
    },
}
STRENGTHS = {"penalty": 10.0, "clip": 0.05}
OPTIMIZERS = {
    "adam": lambda rate: sal.Adam(rate, beta1=0.5, beta2=0.9),
    "rmsprop": sal.RMSProp,
}


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = new_parser(__doc__)
    add = add_players(parser)
    add("--lipschitz", choices=SUITED, default="penalty", help="constraint, default penalty")
    add("--penalty", type=float, metavar="WEIGHT", help="of the penalty, default 10")
    add("--clip", type=float, metavar="LIMIT", help="of clipping, default 0.05")
    add(
        "--model",
        type=earlier_values(conv="cnn"),
        choices=("perceptron", "cnn"),
        default="perceptron",
        help="default perceptron",
    )
    add("--generator", metavar="N-N", help="neurons, default 256-512, clipping 300; or channels")
    text = "of the critic: neurons, default 512-256, clipping 200; or channels"
    add("--discriminator", metavar="N-N", help=text)
    add(
        "--average",
        type=float,
        default=0.999,
        metavar="DECAY",
        help="of the moving average, default 0.999",
    )

    add = parser.add_argument_group("learning").add_argument
    add("--rounds", type=COUNT, default=20_000, metavar="N", help="default 20000")
    text = "of the critic in a round, default 2; clipping 5"
    add("--discriminator-steps", type=COUNT, metavar="N", help=text)
    add(
        "--initial-steps",
        type=AMOUNT,
        default=20,
        metavar="N",
        help="of the critic before the first round, default 20",
    )
    add("--optimizer", choices=OPTIMIZERS, help="of both, default adam; clipping rmsprop")
    text = "default 0.0002; clipping 0.0005; cnn 0.001"
    add("--learning-rate", type=float, metavar="RATE", help=text)
    runs.earlier_names(parser, critic="discriminator", critic_steps="discriminator_steps")
    options = parse(parser, given)
    for name, constraint in (("penalty", "penalty"), ("clip", "clipping")):
        unused = getattr(options, name) is not None and options.lipschitz != constraint
        if unused and not options.resume:
            raise WrongUsage(f"--{name} is for --lipschitz {constraint}: leave it out")
    suited = STRENGTHS | SUITED[options.lipschitz]
    if options.model == "cnn":
        suited |= {"generator": "64-32", "discriminator": "32-64", "learning_rate": 1e-3}
    for name, value in suited.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def perceptrons(
    shape: tuple[int, ...], generator: list[int], critic: list[int]
) -> tuple[list[sal.Layer], list[sal.Layer]]:
    """Return the layers of both players with these numbers of hidden neurons."""
    up = [sal.NeuronLayer(size, sal.LeakyReLU(0.2)) for size in generator]
    down = [sal.NeuronLayer(size, sal.LeakyReLU(0.2)) for size in critic]
    last = sal.NeuronLayer(math.prod(shape), sal.Tanh())
    return [*up, last], [*down, sal.NeuronLayer(1)]


def convolutional(
    shape: tuple[int, ...], generator: list[int], critic: list[int]
) -> tuple[list[sal.Layer], list[sal.Layer]]:
    """Return players with these numbers of channels; convolutions halve or double the size."""
    channels, height, width = shape
    times = 2 ** len(generator)
    if height % times or width % times:
        raise ValueError(
            f"{len(generator)} doublings cannot end at {height}×{width}: give --generator fewer "
            f"numbers of channels"
        )
    first = (generator[0], height // times, width // times)
    up: list[sal.Layer] = [sal.NeuronLayer(math.prod(first), sal.ReLU()), sal.Reshape(first)]
    for size in generator[1:]:
        up.append(sal.TransposedConvolutionalLayer(size, 4, 2, 1, activation=sal.ReLU()))
    up.append(sal.TransposedConvolutionalLayer(channels, 4, 2, 1, activation=sal.Tanh()))
    leaky = sal.LeakyReLU(0.2)
    down = [sal.ConvolutionalLayer(size, 4, 2, 1, activation=leaky) for size in critic]
    return up, [*down, sal.Flatten(), sal.NeuronLayer(1)]


def build_game(options: argparse.Namespace, images: data.Images) -> sal.WGanGame:
    """Return the game that the options describe."""
    make = convolutional if options.model == "cnn" else perceptrons
    sizes = [layer_sizes(options.generator, "--generator")]
    sizes.append(layer_sizes(options.discriminator, "--discriminator"))

    def player(layers: list[sal.Layer], inputs: int | tuple[int, ...], seed: int) -> sal.Network:
        return sal.Network(
            layers,
            inputs,
            optimizer=OPTIMIZERS[options.optimizer](options.learning_rate),
            seed=seed,
            backend=options.backend,
        )

    generator, critic = make(images.shape, *sizes)
    generator = player(generator, options.latent, options.seed)
    critic = player(critic, generator.output_shape, options.seed + 1)
    constraint = {
        "penalty": lambda: sal.GradientPenalty(options.penalty),
        "clipping": lambda: sal.WeightClipping(options.clip),
        "spectral": sal.SpectralNorm,
    }[options.lipschitz]()
    return sal.WGanGame(
        generator,
        critic,
        images,
        latent=sal.Gaussian(options.latent),
        batch_size=options.batch_size,
        critic_steps=options.discriminator_steps,
        initial_steps=options.initial_steps,
        lipschitz=constraint,
        remedies=[sal.MovingAverage(options.average)] if options.average else [],
        seed=options.seed,
    )


def main() -> None:
    """Play the game of the command line."""
    options = parse_arguments()
    run(options, "wgan_mnist", partial(build_game, options), load_images(options))


if __name__ == "__main__":
    run_program("wgan_mnist", main)
