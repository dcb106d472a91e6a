"""A generative adversarial game on handwritten digits, with all remedies for mode collapse.

    python examples/gan_mnist.py
    python examples/gan_mnist.py --digits 7 --rounds 2000
    python examples/gan_mnist.py --plain                      # no remedies: shows mode collapse
    python examples/gan_mnist.py --plain --minibatch discrimination --flipping 0.05
    python examples/gan_mnist.py --objective hinge --lipschitz spectral
    python examples/gan_mnist.py --relativistic               # the best, in half an hour of a core
    python examples/gan_mnist.py --relativistic --rounds 40000

Both players are perceptrons. A run writes one folder: samples of the same latent vectors at
intervals and their animation, curves, metrics from a classifier of digits, the checkpoint and the
final networks. Ctrl-C stops a run with everything saved; --resume RUN
continues it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from digit_games import (
    AMOUNT,
    AUGMENT,
    COUNT,
    add_players,
    load_images,
    new_parser,
    parse,
    run,
)

import salamandre as sal
from salamandre import data, games, runs
from salamandre.models.perceptrons import layer_sizes
from salamandre.program import WrongUsage, run_program
from salamandre.texts import option_name

OPTIMIZERS = {
    "adam": lambda rate, options: sal.Adam(rate, beta1=options.beta1, beta2=options.beta2),
    "rmsprop": lambda rate, options: sal.RMSProp(rate),
    "sgd": lambda rate, options: sal.SGD(rate),
}
LIPSCHITZ = {
    "none": lambda options: None,
    "spectral": lambda options: sal.SpectralNorm(),
    "penalty": lambda options: sal.GradientPenalty(options.penalty),
    "zero-centred": lambda options: sal.ZeroCentredPenalty(
        options.penalty, options.penalty, options.penalty_every
    ),
    "dragan": lambda options: sal.Dragan(options.penalty),
}
MINIBATCH = {
    "none": lambda: [],
    "discrimination": lambda: [sal.MinibatchDiscrimination(32, 8)],
    "deviation": lambda: [sal.MinibatchDeviation()],
}
PLAIN = {
    "smoothing": "1-1",
    "flipping": 0.0,
    "noise": 0,
    "added_noise": 0.0,
    "multiplied_noise": 0.0,
    "minibatch": "none",
    "pack": 1,
    "augment": "none",
    "top_k": 1.0,
    "instance_noise": 0.0,
    "matching": 0.0,
    "dropout": 0.0,
    "average": 0.0,
}
REMEDIES = {
    **PLAIN,
    "smoothing": "0.7-1",
    "minibatch": "deviation",
    "instance_noise": 0.1,
    "dropout": 0.3,
    "average": 0.999,
}
PENALTIES = ("penalty", "zero-centred", "dragan")
USERS = {"penalty": PENALTIES, "penalty_every": ("zero-centred",)}  # constraints by option
USUAL = {
    "latent": 100,
    "objective": "non-saturating",
    "lipschitz": "none",
    "penalty": 1.0,
    "penalty_every": 1,
    "rounds": 10_000,
    "generator_rate": 2e-4,
    "discriminator_rate": 2e-4,
    "falling": 0,
    "beta1": 0.5,
    "beta2": 0.999,
}
# Of Huang et al. 2024, "The GAN is dead; long live the GAN!", with rates that suit perceptrons.
RELATIVISTIC = {
    "latent": 32,
    "objective": "relativistic",
    "lipschitz": "zero-centred",
    "penalty": 1.0,
    "penalty_every": 4,
    "rounds": 120_000,
    "generator_rate": 8e-4,
    "discriminator_rate": 8e-4,
    "beta1": 0.0,
    "beta2": 0.99,
    **PLAIN,
    "average": 0.999,
}


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options. Default: those of the command line."""
    parser = new_parser(__doc__)
    add = add_players(parser, "default 100, with --relativistic 32")
    text = "relativistic pairs, zero-centred penalties and falling rates in place of remedies"
    add("--relativistic", action="store_true", help=text)
    text = "default non-saturating, with --relativistic relativistic"
    add("--objective", choices=games.OBJECTIVES, help=text)
    add("--generator", default="256-512", metavar="N-N", help="hidden neurons, default 256-512")
    add("--discriminator", default="512-256", metavar="N-N", help="hidden neurons, default 512-256")
    text = "constraint, default none, with --relativistic zero-centred"
    add("--lipschitz", choices=LIPSCHITZ, help=text)
    add("--penalty", type=float, metavar="WEIGHT", help="of the penalty, default 1")
    text = "steps from one zero-centred penalty to the next, default 1, with --relativistic 4"
    add("--penalty-every", type=COUNT, metavar="N", help=text)

    add = parser.add_argument_group("learning").add_argument
    text = "default 10000, with --relativistic 120000"
    add("--rounds", type=COUNT, metavar="N", help=text)
    add("--generator-optimizer", choices=OPTIMIZERS, default="adam", help="default adam")
    add("--discriminator-optimizer", choices=OPTIMIZERS, default="adam", help="default adam")
    text = "default 0.0002, with --relativistic 0.0008"
    add("--generator-rate", type=float, metavar="RATE", help=text)
    add("--discriminator-rate", type=float, metavar="RATE", help=text)
    text = "rounds in which rates fall to a fiftieth, default 0: they stay; --relativistic: all "
    add("--falling", type=AMOUNT, metavar="N", help=f"{text}that a run begins with")
    for name, text in (("--beta1", "0.5, with --relativistic 0"), ("--beta2", "0.999 and 0.99")):
        add(name, type=float, metavar="B", help=f"of Adam, default {text}")
    add("--generator-steps", type=COUNT, default=1, metavar="N", help="a round, default 1")
    add("--discriminator-steps", type=COUNT, default=1, metavar="N", help="a round, default 1")
    runs.earlier_names(parser, critic_steps="discriminator_steps")
    parser.set_defaults(latent=None)  # it depends on --relativistic

    group = parser.add_argument_group("remedies for mode collapse")
    add = group.add_argument
    add("--plain", action="store_true", help="none of these, except those that are given")
    add("--noise", type=AMOUNT, metavar="N", help="fresh inputs of every generator layer")
    add("--added-noise", type=float, metavar="STD", help="on outputs of every generator layer")
    text = "of factors 1 + noise of these outputs"
    add("--multiplied-noise", type=float, metavar="STD", help=text)
    add("--smoothing", metavar="LOW-HIGH", help="range of the targets of real images")
    add("--flipping", type=float, metavar="P", help="probability of a wrong target")
    add("--minibatch", choices=MINIBATCH, help="layer that compares the examples of a batch")
    add("--pack", type=COUNT, metavar="N", help="examples that the discriminator sees at once")
    add("--augment", choices=AUGMENT, help="images before the discriminator")
    text = "of the fakes, that the generator learns from after the first epoch"
    add("--top-k", type=float, metavar="SHARE", help=text)
    add(
        "--instance-noise", type=float, metavar="STD", help="of noise on the discriminator's inputs"
    )
    add("--matching", type=float, metavar="WEIGHT", help="of feature matching")
    add("--dropout", type=float, metavar="RATE", help="of dropout in the discriminator")
    add("--average", type=float, metavar="DECAY", help="of the generator's moving average")
    chosen = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in REMEDIES.items())
    group.description = f"Defaults without --plain and --relativistic: {chosen}."
    options = parse(parser, given)
    strengths = [name for name in USERS if getattr(options, name) is not None]
    usual = USUAL | (PLAIN if options.plain else REMEDIES)
    if options.relativistic:
        usual = RELATIVISTIC | (PLAIN if options.plain else {})
    for name, value in usual.items():
        if name == "minibatch" and options.lipschitz in PENALTIES:
            value = "none"  # a gradient penalty does not allow such layers
        if getattr(options, name) is None:
            setattr(options, name, value)
    for name in strengths:
        if options.lipschitz not in USERS[name] and not options.resume:
            users = " or ".join(USERS[name])
            raise WrongUsage(f"{option_name(name)} is for --lipschitz {users}: leave it out")
    if options.falling is None:
        options.falling = options.rounds  # more of them, after --resume, have the last rate
    return options


def chosen_remedies(options: argparse.Namespace) -> list[sal.Remedy]:
    """Return the remedies that the options turn on."""
    remedies: list[sal.Remedy] = [sal.LabelSmoothing(*label_range(options.smoothing))]
    for kind, strength in (
        (sal.LabelFlipping, options.flipping),
        (sal.InstanceNoise, options.instance_noise),
        (sal.FeatureMatching, options.matching),
        (sal.MovingAverage, options.average),
    ):
        if strength:
            remedies.append(kind(strength))
    if options.top_k != 1:
        remedies.append(sal.TopK(options.top_k, 0))
    return remedies


def noise(options: argparse.Namespace) -> list[sal.Layer]:
    """Return the layers after each hidden layer of the generator."""
    added, multiplied = options.added_noise, options.multiplied_noise
    layers: list[sal.Layer] = [sal.GaussianNoise(added)] if added else []
    return [*layers, sal.GaussianNoise(multiplied, multiplied=True)] if multiplied else layers


def label_range(text: str) -> tuple[float, float]:
    """Return the numbers of a text such as 0.7-1."""
    low, _, high = text.partition("-")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise ValueError(f"--smoothing takes a range such as 0.7-1, got {text!r}") from None


def build_game(options: argparse.Namespace, images: data.Images | np.ndarray) -> sal.GanGame:
    """Return the game that the options describe, of images or of points in [-1, 1]²."""
    shape = images.shape if isinstance(images, data.Images) else images.shape[1:]
    pixels = math.prod(shape)

    def optimizer(who: str) -> sal.Optimizer:
        rate = getattr(options, f"{who}_rate")
        if options.falling:
            steps = options.falling * getattr(options, f"{who}_steps")
            rate = sal.schedules.CosineDecay(rate, steps, final=rate / 50)
        return OPTIMIZERS[getattr(options, f"{who}_optimizer")](rate, options)

    hidden: list[sal.Layer] = []
    for size in layer_sizes(options.generator, "--generator"):
        hidden.append(sal.NeuronLayer(size, sal.LeakyReLU(0.2), noise=options.noise))
        hidden += noise(options)
    generator = sal.Network(
        [*hidden, sal.NeuronLayer(pixels, sal.Tanh(), noise=options.noise)],
        options.latent,
        optimizer=optimizer("generator"),
        seed=options.seed,
        backend=options.backend,
    )
    hidden = [*AUGMENT[options.augment]()]
    if hidden:
        hidden = [sal.Reshape(shape), *hidden, sal.Flatten()]
    if options.pack > 1:
        hidden.append(sal.Packing(options.pack))
    for size in layer_sizes(options.discriminator, "--discriminator"):
        hidden.append(sal.NeuronLayer(size, sal.LeakyReLU(0.2)))
        if options.dropout:
            hidden.append(sal.Dropout(options.dropout))
    discriminator = sal.Network(
        [*hidden, *MINIBATCH[options.minibatch](), sal.NeuronLayer(1)],
        pixels,
        optimizer=optimizer("discriminator"),
        seed=options.seed + 1,
        backend=options.backend,
    )
    return sal.GanGame(
        generator,
        discriminator,
        images,
        latent=sal.Gaussian(options.latent),
        batch_size=options.batch_size,
        objective=games.OBJECTIVES[options.objective](),
        lipschitz=LIPSCHITZ[options.lipschitz](options),
        discriminator_steps=options.discriminator_steps,
        generator_steps=options.generator_steps,
        remedies=chosen_remedies(options),
        seed=options.seed,
    )


def main() -> None:
    """Play the game of the command line."""
    options = parse_arguments()
    run(options, "gan_mnist", partial(build_game, options), load_images(options))


if __name__ == "__main__":
    run_program("gan_mnist", main)
