"""Stacked MNIST: a game whose 1,000 modes are counted.

    python examples/stacked_mnist.py                      # the networks of Lin et al. 2018
    python examples/stacked_mnist.py --players quarter --penalty 0 --pack 4
    python examples/stacked_mnist.py --penalty 0 --average 0    # a plain DCGAN

Each image is three random digits, one in each colour channel. A classifier of digits reads the
three digits of 26,000 samples: a mode is found if a sample is of it, and the reverse KL divergence
of the modes from equal shares says how evenly they are drawn. A run writes one folder, as
dcgan.py does. Ctrl-C stops a run with everything saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from digit_games import (
    AMOUNT,
    COUNT,
    add_data,
    add_players,
    add_run,
    end_if_interrupted,
    open_both,
    parse,
)

import salamandre as sal
from salamandre import data, evaluation, games, runs
from salamandre.data import toy
from salamandre.program import Help, WrongUsage, run_program, usage
from salamandre.texts import counted

SAMPLES = 26_000  # that are counted, as in the papers
START = sal.initializers.Gaussian(0.02)  # of weights before batch-norm (Radford et al. 2016)


class Players(NamedTuple):
    """The sizes of both networks.

    Attributes:
        window: height and width of all windows.
        generator: channels of its layers, from the smallest image on.
        discriminator: channels of its layers, each of which halves the image.
    """

    window: int
    generator: tuple[int, ...]
    discriminator: tuple[int, ...]


PLAYERS = {
    # Of Srivastava et al. 2017 and Lin et al. 2018, after Radford et al. 2016.
    "dcgan": Players(5, (512, 256, 128, 64), (64, 128, 256, 512)),
    # Metz et al. 2017: a discriminator of a quarter of the generator's channels.
    "quarter": Players(3, (64, 32, 16, 8), (2, 4, 8)),
}


CHOSEN = "objective", "discriminator_rate", "batch_size", "rounds"  # by whether there are penalties
# With penalties and a slower discriminator the game collapses in its first rounds.
WITH_PENALTIES = "relativistic", 0.001, 32, 13_000
WITHOUT = "non-saturating", 0.0002, 64, 6000


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add_data(parser)
    add_run(parser, "default 32 with penalties and 64 without")
    parser.set_defaults(batch_size=None)
    add = add_players(parser)
    add("--players", choices=PLAYERS, default="dcgan", help="sizes of both, default dcgan")
    text = "of the training set, default 128000"
    add("--stacks", type=COUNT, default=128_000, metavar="N", help=text)
    text = "default relativistic with penalties and non-saturating without"
    add("--objective", choices=games.OBJECTIVES, help=text)
    text = "of zero-centred penalties at real and fake images, in place of batch-norm; default 0.3"
    add("--penalty", type=float, default=0.3, metavar="WEIGHT", help=text)
    text = "steps of the discriminator from one penalty to the next, default 1"
    add("--penalty-every", type=COUNT, default=1, metavar="N", help=text)
    text = "images that the discriminator sees at once, without penalties; default 1"
    add("--pack", type=COUNT, default=1, metavar="N", help=text)
    text = "of the moving average, default 0.999"
    add("--average", type=float, default=0.999, metavar="DECAY", help=text)
    add = parser.add_argument_group("learning").add_argument
    text = "default 13000 with penalties and 6000 without"
    add("--rounds", type=COUNT, metavar="N", help=text)
    rate: dict[str, Any] = {"type": float, "metavar": "RATE"}
    add("--generator-rate", **rate, default=0.0002, help="of Adam, default 0.0002")
    text = "of Adam, default 0.001 with penalties and 0.0002 without"
    add("--discriminator-rate", **rate, help=text)
    text = "rounds in whose second half the rates fall to a fiftieth, 0: they stay; default all "
    add("--falling", type=AMOUNT, metavar="N", help=f"{text}with penalties and 0 without")
    text = "largest norm of the discriminator's gradient, 0: any; default 1 with penalties, which "
    add("--clip", type=float, metavar="NORM", help=f"{text}have spikes, and 0 without")
    options = parse(parser, given)
    if options.penalty < 0:
        raise WrongUsage(f"--penalty must be at least 0, got {options.penalty:g}")
    if options.penalty and options.pack > 1:
        raise WrongUsage("--pack needs --penalty 0: a penalty is of single images, not of packs")
    if not options.penalty and options.penalty_every > 1 and not options.resume:
        raise WrongUsage("--penalty-every needs penalties: give a --penalty above 0")
    usual = WITH_PENALTIES if options.penalty else WITHOUT
    for name, value in zip(CHOSEN, usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    calm = options.penalty and not options.resume  # runs from before these options have neither
    if options.falling is None:  # more rounds, after --resume, have the last rate
        options.falling = options.rounds if calm else 0
    if options.clip is None:
        options.clip = 1.0 if calm else 0.0
    if options.clip < 0:
        raise WrongUsage(f"--clip must be at least 0, got {options.clip:g}")
    return options


def generator_layers(players: Players, shape: tuple[int, ...]) -> list[sal.Layer]:
    """Return layers from latent vectors to images (channels, height, width)."""
    window, middle, (channels, *size) = players.window, players.window // 2, shape
    sizes = [tuple(size)]  # from the smallest on
    for _ in players.discriminator:
        sizes.insert(0, tuple((side + 1) // 2 for side in sizes[0]))

    def up(count: int, small: tuple[int, ...], large: tuple[int, ...]) -> sal.Layer:
        more = [b - (2 * a - 1) for a, b in zip(small, large, strict=True)]
        return sal.TransposedConvolutionalLayer(
            count, window, 2, middle, initializer=START, output_padding=more
        )

    first = (players.generator[0], *sizes[0])
    layers: list[sal.Layer] = [sal.NeuronLayer(math.prod(first), initializer=START)]
    layers += [sal.Reshape(first), sal.BatchNorm(), sal.ReLU()]
    for index, count in enumerate(players.generator[1:]):
        layers += [up(count, *sizes[index : index + 2]), sal.BatchNorm(), sal.ReLU()]
    if len(players.generator) < len(sizes):
        layers.append(up(channels, *sizes[-2:]))
    else:
        layers.append(sal.ConvolutionalLayer(channels, window, 1, middle, initializer=START))
    return [*layers, sal.Tanh()]


def discriminator_layers(players: Players, pack: int, normalised: bool) -> list[sal.Layer]:
    """Return layers from images to scores, with batch-norm in all but the first, or without."""
    window, middle = players.window, players.window // 2
    start = START if normalised else sal.initializers.He()
    layers: list[sal.Layer] = [sal.Packing(pack)] if pack > 1 else []
    for index, count in enumerate(players.discriminator):
        layers.append(sal.ConvolutionalLayer(count, window, 2, middle, initializer=start))
        layers += [sal.BatchNorm()] if normalised and index else []
        layers.append(sal.LeakyReLU(0.2))
    return [*layers, sal.Flatten(), sal.NeuronLayer(1, initializer=start)]


def build_game(options: argparse.Namespace, images: data.Images) -> sal.GanGame:
    """Return the game; penalties and batch-norm in the discriminator exclude each other."""
    players, weight = PLAYERS[options.players], options.penalty

    def player(
        layers: list[sal.Layer],
        inputs: int | tuple[int, ...],
        rate: float | sal.schedules.Schedule,
        seed: int,
        clip: float | None = None,
    ) -> sal.Network:
        if options.falling:
            rate = sal.schedules.Triangle(rate, options.falling, peak=0.5, first=1.0, final=0.02)
        optimizer = sal.Adam(rate, beta1=0.5, beta2=0.99, clip_norm=clip)
        return sal.Network(layers, inputs, optimizer=optimizer, seed=seed, backend=options.backend)

    generator = generator_layers(players, images.shape)
    discriminator = discriminator_layers(players, options.pack, normalised=not weight)
    return sal.GanGame(
        player(generator, options.latent, options.generator_rate, options.seed),
        player(
            discriminator,
            images.shape,
            options.discriminator_rate,
            options.seed + 1,
            options.clip or None,
        ),
        images,
        latent=sal.Gaussian(options.latent),
        batch_size=options.batch_size,
        objective=games.OBJECTIVES[options.objective](),
        lipschitz=sal.ZeroCentredPenalty(weight, weight, options.penalty_every) if weight else None,
        remedies=[sal.MovingAverage(options.average)] if options.average else [],
        seed=options.seed,
    )


def modes(game: sal.GanGame, judge: evaluation.Judge, count: int = SAMPLES) -> dict[str, float]:
    """Return how many modes the generator draws, and their reverse KL from equal shares."""
    samples = game.backend.to_numpy(game.generate(count, seed=1))
    kinds = len(judge.classes)
    labels = np.zeros(count, dtype=int)
    for channel in samples.swapaxes(0, 1):
        found = judge.classify(channel[:, None], game.value_range)
        labels = labels * kinds + found.argmax(axis=1)
    shares = evaluation.class_shares(labels, kinds ** samples.shape[1])
    equal = np.full(len(shares), 1 / len(shares))
    return {
        "modes": int((shares > 0).sum()),
        "divergence": evaluation.class_divergence(shares, equal),
    }


def main() -> None:
    """Play the game of the command line."""
    options = parse_arguments()
    digits, test = open_both(options)
    with usage():
        images = toy.stacked(digits, options.stacks, options.seed)
        game = build_game(options, images)
    print(f"data set {images.name}: {counted(len(images), 'image')}")
    print(f"generator\n{game.generator.summary()}\n")
    print(f"discriminator\n{game.discriminator.summary()}\n")
    metrics = None
    if options.evaluate:
        judge = evaluation.Judge.trained(digits, test, convolutional=True, backend=options.backend)
        print(f"the judge's accuracy on {len(test)} test images is {judge.accuracy:.2%}")
        metrics = {"modes": partial(modes, judge=judge)}
    run = runs.open_run(options, images.name, images, loops={".": game})
    runs.play(
        game,
        options.rounds,
        run.folder,
        every=options.sample_every,
        metrics=metrics,
        evaluate_every=max(1, options.evaluate),
        tensorboard=options.tensorboard,
    )
    if metrics and game.history.records:
        found = game.history.records[-1]
        print(
            f"of {len(images.classes)} modes {found['modes']:.0f} are drawn; "
            f"reverse KL {found['divergence']:.3f}"
        )
    print("the run's files:", *run.files, sep="\n  ")
    end_if_interrupted(game, run.folder)


if __name__ == "__main__":
    run_program("stacked_mnist", main)
