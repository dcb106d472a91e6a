"""From picture to picture (pix2pix, Isola et al. 2017): what is hidden, colours, drawings.

    python examples/pix2pix.py                             # the masked middles of digits
    python examples/pix2pix.py --dataset facades.tar.gz    # pictures side by side, of your own
    python examples/pix2pix.py --dataset cifar-10 --pairs grey --patch 16
    python examples/pix2pix.py --model slides              # two small networks
    python examples/pix2pix.py --objective relativistic    # true patches against made ones
    python examples/pix2pix.py --objective l1              # regression, without an adversary

A run writes one folder: at intervals pictures that show condition, result and truth of test pairs,
and their animation, curves, metrics of at most 1,000 test pairs, the checkpoint and the final
networks.
Ctrl-C stops a run with everything saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from digit_games import AMOUNT, COUNT, end_if_interrupted, mnist_or_digits, parse, source

import salamandre as sal
from salamandre import data, evaluation, inspection, models, runs
from salamandre.data.pairing import located_conditions
from salamandre.games import translators
from salamandre.program import Help, WrongUsage, run_program, usage
from salamandre.texts import counted, path_of

SIZE = 32  # of the images of a data set that has a name, by default
EVALUATED = 1000  # of the test pairs, at most
LAYER = "features.7"  # of SqueezeNet: 256 features of parts of 16×16 pixels and more


class NoAdversary(sal.LeastSquares):
    """The generator has nothing to gain from the discriminator: only other losses teach it."""

    def generator(self, scores: Any, xp: Any) -> tuple[Any, Any]:
        """Return 0 and 0."""
        return 0 * scores.mean(), xp.zeros_like(scores)


OBJECTIVES = {
    "gan": sal.NonSaturating,
    "least-squares": sal.LeastSquares,
    "relativistic": sal.RelativisticPairing,
    "l1": NoAdversary,
}
MODELS = ("unet", "encoder-decoder", "slides")


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add = parser.add_argument_group("data").add_argument
    text = "a data set or a folder of pictures, also packed; default mnist, digits if none"
    add("--dataset", type=source, metavar="NAME|PATH", help=text)
    add("--data-dir", metavar="DIR", help="a folder with the data set's files")
    text = (
        "where conditions are: right or left half, another folder, or grey, small, masked, edges; "
        "default right, of mnist, ... masked"
    )
    add("--pairs", type=conditions, metavar="KIND|DIR", help=text)
    text = f"height and width, default {SIZE} of mnist, ..., 64 of pictures, else their own"
    add("--image-size", type=COUNT, metavar="N", help=text)
    add("--jitter", action="store_true", help="enlarge, crop and mirror training pairs at random")
    text = "of the pairs is kept for testing, of a data set without test pairs, default 0.1"
    add("--test-share", type=float, default=0.1, metavar="SHARE", help=text)

    add = parser.add_argument_group("players").add_argument
    add("--model", choices=MODELS, default="unet", help="default unet")
    text = "of both networks' first layers, default 32, the paper's 64; not of slides"
    add("--channels", type=COUNT, default=32, metavar="N", help=text)
    text = "height and width of what the discriminator judges, default 34; not of slides"
    add("--patch", type=int, choices=translators.FIELDS, default=34, help=text)
    add("--latent", type=AMOUNT, default=0, metavar="N", help="size of latent vectors, default 0")
    text = "of the moving average, default 0.99; 0: none"
    add("--average", type=float, default=0.99, metavar="DECAY", help=text)

    add = parser.add_argument_group("learning").add_argument
    add("--objective", choices=OBJECTIVES, default="gan", help="default gan")
    text = "of the mean absolute error, the paper's λ, default 100"
    add("--l1", type=float, default=100.0, metavar="WEIGHT", help=text)
    add("--rounds", type=COUNT, default=4000, metavar="N", help="default 4000")
    add("--batch-size", type=COUNT, default=4, metavar="N", help="default 4")
    add("--learning-rate", type=float, default=2e-4, metavar="RATE", help="default 0.0002")

    add = parser.add_argument_group("run").add_argument
    add("--seed", type=AMOUNT, default=0, metavar="N", help="of all random numbers, default 0")
    often = "rounds between pictures of samples, default 500"
    add("--sample-every", type=COUNT, default=500, metavar="N", help=often)
    text = "rounds between evaluations of the test pairs, default 1000; 0: none"
    add("--evaluate", type=AMOUNT, default=1000, metavar="N", help=text)
    text = "of SqueezeNet 1.1, for the Fréchet distance; default none, without that distance"
    add("--weights", metavar="FILE|published", help=text)
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    return parse(parser, given)


def conditions(text: str) -> str:
    """Return the name of a way to conditions, or the absolute path of their folder."""
    try:
        return located_conditions(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def load_pairs(options: argparse.Namespace) -> tuple[data.Pairs, data.Pairs]:
    """Return training and test pairs; set the options on which they depend."""
    if not options.resume:
        for folder in filter(None, (options.dataset, options.pairs)):
            runs.keep_apart(path_of(options.output), folder)
        if options.dataset is None or options.dataset in data.CATALOGUE:
            options.pairs = options.pairs or "masked"
            options.image_size = options.image_size or SIZE
    options.pairs = options.pairs or "right"
    train, test = mnist_or_digits(options, lambda name: split(name, vars(options)))
    if test is None:
        raise WrongUsage(f"{train.name} has no test pairs: give --test-share 0.1 to keep some")
    return train, test


def split(name: str, options: dict[str, Any]) -> tuple[data.Pairs, data.Pairs | None]:
    """Return the training and test pairs of a data set; without test pairs, a share is kept."""
    train, test = runs.open_pairs(name, {**options, "test_share": 0.0})
    return runs.open_pairs(name, options) if test is None else (train, test)


def build_game(options: argparse.Namespace, train: data.Pairs) -> sal.GanGame:
    """Return the game of Isola et al. 2017, section 3."""
    size, outputs = train.shape[1:], train.shape[0]
    if options.model == "slides":
        layers = translators.encoder_decoder(size, outputs, (8, 16, 32))
        d_layers = translators.whole_picture((32, 64, 128))
    else:
        layers = translators.unet(size, outputs, options.channels, options.model == "unet")
        d_layers = translators.patch_gan(options.patch, options.channels)
    inputs: Any = train.condition_shape
    if options.latent:
        layers = translators.with_latent(layers, size)
        inputs = [(options.latent,), inputs]

    def player(layers: list[sal.Layer], inputs: Any, seed: int) -> sal.Network:
        optimizer = sal.Adam(options.learning_rate, beta1=0.5)
        return sal.Network(layers, inputs, optimizer=optimizer, seed=seed, backend=options.backend)

    remedies: list[sal.Remedy] = [sal.Reconstruction(options.l1)] if options.l1 else []
    remedies += [sal.MovingAverage(options.average)] if options.average else []
    return sal.GanGame(
        player(layers, inputs, options.seed),
        player(d_layers, train.examples.shape[1:], options.seed + 1),
        train,
        latent=sal.Gaussian(options.latent) if options.latent else None,
        batch_size=options.batch_size,
        objective=OBJECTIVES[options.objective](),
        remedies=remedies,
        seed=options.seed,
    )


def new_distance(test: data.Pairs, weights: str) -> Callable[[np.ndarray], float]:
    """Return the Fréchet distance of pictures, uint8 (N, C, H, W), from those of pairs.

    Args:
        test: the pairs.
        weights: of SqueezeNet 1.1, whose features are compared.
    """
    model = models.load("squeezenet1_1", weights)

    def features(pictures: np.ndarray) -> np.ndarray:
        coloured = pictures.repeat(3 // pictures.shape[1], axis=1)
        options: dict[str, Any] = {"pool": 1, "batch_size": 8, "cache_dir": False}
        return inspection.features(model.network, coloured, LAYER, prepare=model.prepare, **options)

    true = features(test.images)

    return lambda pictures: evaluation.frechet_distance(features(pictures), true)


def as_bytes(game: sal.GanGame, conditions: np.ndarray) -> np.ndarray:
    """Return the pictures that the generator makes of conditions, as bytes."""
    low, high = game.value_range
    made = game.backend.to_numpy(game.generate(conditions=conditions))
    return np.rint(np.clip((made - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def new_metrics(test: data.Pairs, weights: str | None) -> dict[str, Callable[[sal.GanGame], Any]]:
    """Return metrics of a game; print those of the conditions, as if they were its pictures."""
    few = test.spread(EVALUATED)
    metrics: dict[str, Any] = {"pairs": evaluation.of_pairs(few)}
    given = few.conditions.repeat(few.shape[0] // few.condition_shape[0], axis=1)
    found = evaluation.similarity(given, few.images)
    if weights:
        distance = new_distance(few, weights)
        metrics["frechet"] = lambda game: distance(as_bytes(game, few.conditions))
        found["frechet"] = distance(given)
    print(f"{counted(len(few), 'condition')} as they are: {listed(found)}")
    return metrics


def listed(found: dict[str, float]) -> str:
    """Return metrics as a text."""
    return ", ".join(f"{k} {v:.4g}" for k, v in found.items() if k not in ("round", "seconds"))


def main() -> None:
    """Play the game of the command line."""
    options = parse_arguments()
    if options.objective == "l1" and not options.l1:
        raise WrongUsage("--objective l1 has nothing to learn by with --l1 0: give it a weight")
    train, test = load_pairs(options)
    with usage():
        game = build_game(options, train)
        metrics = new_metrics(test, options.weights) if options.evaluate else {}
    print(f"data set {train.name}: {counted(len(train), 'pair')}, {len(test):,} for testing")
    print(f"generator\n{game.generator.summary()}\n")
    print(f"discriminator\n{game.discriminator.summary()}\n")
    run = runs.open_run(options, f"{train.name}-pix2pix", loops={".": game})
    runs.play(
        game,
        options.rounds,
        run.folder,
        every=options.sample_every,
        metrics=metrics,
        evaluate_every=max(1, options.evaluate),
        count=20,
        pairs=test,
        tensorboard=options.tensorboard,
    )
    if metrics and game.history.records:
        print("test pairs:", listed(game.history.records[-1]))
    print(f"played in all: {counted(game.rounds, 'round')}")
    print("the run's files:", *run.files, sep="\n  ")
    end_if_interrupted(game, run.folder)


if __name__ == "__main__":
    run_program("pix2pix", main)
