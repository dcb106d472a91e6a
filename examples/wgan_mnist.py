"""A Wasserstein game that draws handwritten digits.

    python examples/wgan_mnist.py
    python examples/wgan_mnist.py --digits 7 --rounds 2000
    python examples/wgan_mnist.py --lipschitz clipping
    python examples/wgan_mnist.py --backend cupy

Generator and critic are perceptrons. A run writes one folder: samples of the same latent points at
intervals and their animation, curves, what a classifier of digits says of the samples, the
checkpoint and the final networks. Ctrl-C stops a run with everything saved; --resume FOLDER
continues it.
"""

from __future__ import annotations

import argparse
import math
import sys

from digit_games import hidden_sizes, new_parser, parse, run

import salamandre as sal
from salamandre import data

# The settings that suit each constraint; an option changes one of them.
USUAL = {
    "generator": "256-512",
    "critic": "512-256",
    "optimizer": "adam",
    "learning_rate": 2e-4,
    "critic_steps": 2,
}
SUITED = {
    "penalty": USUAL,
    "spectral": USUAL,
    # The original's, but for a critic of 20 neurons: 200 draw better.
    "clipping": {
        "generator": "300",
        "critic": "200",
        "optimizer": "rmsprop",
        "learning_rate": 5e-4,
        "critic_steps": 5,
    },
}
OPTIMIZERS = {
    "adam": lambda rate: sal.Adam(rate, beta1=0.5, beta2=0.9),
    "rmsprop": sal.RMSProp,
}


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = new_parser(__doc__)
    add = parser.add_argument_group("players").add_argument
    add("--lipschitz", choices=SUITED, default="penalty", help="constraint, default penalty")
    add("--penalty", type=float, default=10.0, metavar="WEIGHT", help="of the penalty, default 10")
    add("--clip", type=float, default=0.05, metavar="LIMIT", help="of clipping, default 0.05")
    add("--latent", type=int, default=100, metavar="N", help="coordinates, default 100")
    add("--generator", metavar="N-N", help="hidden neurons, default 256-512; clipping 300")
    add("--critic", metavar="N-N", help="hidden neurons, default 512-256; clipping 200")
    add("--average", type=float, default=0.999, metavar="DECAY", help="of the generator, 0.999")

    add = parser.add_argument_group("learning").add_argument
    add("--rounds", type=int, default=10_000, metavar="N", help="default 10000")
    add("--critic-steps", type=int, metavar="N", help="a round, default 2; clipping 5")
    add("--initial-steps", type=int, default=20, metavar="N", help="of the critic, default 20")
    add("--optimizer", choices=OPTIMIZERS, help="of both, default adam; clipping rmsprop")
    add("--learning-rate", type=float, metavar="RATE", help="default 0.0002; clipping 0.0005")
    options = parse(parser)
    for name, value in SUITED[options.lipschitz].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def build_game(options: argparse.Namespace, images: data.Images) -> sal.WGanGame:
    """Return the game that the options describe."""
    pixels = math.prod(images.shape)

    def player(hidden: str, name: str, inputs: int, last: sal.NeuronLayer, seed: int):
        sizes = hidden_sizes(hidden, f"--{name}")
        return sal.Network(
            [*(sal.NeuronLayer(size, sal.LeakyReLU(0.2)) for size in sizes), last],
            inputs,
            optimizer=OPTIMIZERS[options.optimizer](options.learning_rate),
            seed=seed,
            backend=options.backend,
        )

    last = sal.NeuronLayer(pixels, sal.Tanh())
    generator = player(options.generator, "generator", options.latent, last, options.seed)
    critic = player(options.critic, "critic", pixels, sal.NeuronLayer(1), options.seed + 1)
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
        critic_steps=options.critic_steps,
        initial_steps=options.initial_steps,
        lipschitz=constraint,
        average=options.average,
        seed=options.seed,
    )


if __name__ == "__main__":
    try:
        options = parse_arguments()
        run(options, "wgan", lambda images: build_game(options, images))
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        sys.exit(f"wgan_mnist: {error}")
