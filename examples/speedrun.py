"""A classifier of small pictures that learns in minutes, by all parts of today's recipes.

    python examples/speedrun.py                                  # MNIST, in a minute on two cores
    python examples/speedrun.py --dataset cifar-10               # in 30 minutes
    python examples/speedrun.py --dataset cifar-10 --budget 90
    python examples/speedrun.py --dataset cifar-10 --epochs 2 --train 5000 --without whitening flip

The parts (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU"): a whitening first layer,
which is frozen; Nesterov's momentum with a rate that grows, then falls; label smoothing; shifted
pictures; predictions averaged over views; of coloured pictures also orthogonal steps of the
convolutions (Muon, Jordan et al. 2024), higher rates of batch-norm's shifts, and each picture
mirrored in every second epoch. --without leaves some out, to see what each brings.

A run writes one folder: the model, the checkpoint and the curves. Ctrl-C stops a run with
everything saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

from digit_games import AMOUNT, COUNT, add_data, end_if_interrupted, open_both, some
from mnist_classifier import PrintEpochs

import salamandre as sal
from salamandre import data, models, runs
from salamandre.program import Help, run_program, usage

TESTS = 6  # in a run, at least; one takes a tenth of an epoch's time
PARTS = ("whitening", "muon", "shift-rate", "smoothing", "crops", "flip", "averaging")


class Recipe(NamedTuple):
    """What suits a kind of pictures.

    Attributes:
        first: window, stride and padding of the first layer.
        widths: channels of the blocks.
        eps: of the whitening.
        least: variance of the components that whitening does not leave out.
        epochs: how many.
        batch_size: examples of a step.
        learning_rate: the highest of Nesterov's momentum, for steps of so many.
        muon_rate: the highest of Muon, by which convolutions learn then; 0 for none.
        momentum: of Nesterov's.
        decay: of the weights that learn by it.
        smoothing: of the labels.
        shift_rate: multiple of the rate for batch-norm's shifts.
    """

    first: tuple[int, int, int]
    widths: tuple[int, ...]
    eps: float
    least: float
    epochs: int
    batch_size: int
    learning_rate: float
    muon_rate: float
    momentum: float
    decay: float
    smoothing: float
    shift_rate: float


GREY = Recipe((4, 2, 1), (32, 64), 1e-2, 0.0, 3, 128, 0.1, 0.0, 0.9, 5e-4, 0.1, 1.0)
# For 30 minutes, with a third of the multiplications of the work's network, and for 90.
COLOURED = {
    30: Recipe((2, 1, 0), (64, 128, 128), 5e-4, 0.02, 18, 256, 0.4, 0.05, 0.85, 1e-3, 0.2, 16.0),
    90: Recipe((2, 1, 0), (64, 256, 256), 5e-4, 0.02, 24, 256, 0.4, 0.05, 0.85, 1e-3, 0.2, 16.0),
}


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add = add_data(parser)
    add("--train", type=COUNT, metavar="N", help="learn N of the pictures only")
    add = parser.add_argument_group("learning").add_argument
    text = "minutes that coloured pictures may take on two cores, default 30"
    add("--budget", type=int, choices=COLOURED, default=30, help=text)
    add("--epochs", type=COUNT, metavar="N", help="default: what fits in the budget")
    text = "default 128 for grey pictures and 256 for coloured ones"
    add("--batch-size", type=COUNT, metavar="N", help=text)
    text = (
        "of Nesterov's momentum, the highest; default 0.1 for 128 grey pictures a step and 0.4 for "
        "256 coloured ones, in proportion"
    )
    add("--learning-rate", type=float, metavar="RATE", help=text)
    add("--without", nargs="+", choices=PARTS, default=[], metavar="PART", help=", ".join(PARTS))
    add("--seed", type=AMOUNT, default=0, metavar="N", help="of all random numbers, default 0")
    add("--threads", type=COUNT, metavar="N", help="that share a batch, default: as many as pay")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    add("--tensorboard", **runs.TENSORBOARD)
    return runs.parse_options(parser, may_change=("data_dir", "backend", "threads", "tensorboard"))


def optimizer(options: argparse.Namespace, recipe: Recipe, steps: int) -> sal.Optimizer:
    """Return Nesterov's momentum, and Muon for the convolutions with a momentum of its own."""

    def triangle(rate: float) -> sal.schedules.Schedule:
        return sal.schedules.Triangle(rate, steps, final=0.02)

    rate = triangle(options.learning_rate)
    momentum = sal.Nesterov(rate, recipe.momentum, weight_decay=recipe.decay)
    if "muon" in options.without or recipe.muon_rate == 0:
        return momentum  # for all
    return sal.Muon(triangle(recipe.muon_rate), 0.6, decay=0.02, others=momentum)


def build(options: argparse.Namespace, recipe: Recipe, train: data.Images) -> sal.Network:
    """Return the network, its first layer whitened."""
    whitening, shift_rate, smoothing = (
        part not in options.without for part in ("whitening", "shift-rate", "smoothing")
    )
    steps = options.epochs * max(1, len(train) // options.batch_size)
    network = sal.Network(
        models.quick_classifier(
            len(train.classes),
            train.shape[0],
            recipe.widths,
            *recipe.first,
            shift_rate=recipe.shift_rate if shift_rate else 1.0,
        ),
        train.shape,
        sal.CrossEntropy(label_smoothing=recipe.smoothing if smoothing else 0.0),
        optimizer(options, recipe, steps),
        seed=options.seed,
        backend=options.backend,
        threads=options.threads,
    )
    if whitening:
        models.whiten(network, train, recipe.eps, options.seed, recipe.least)
    return network


def augmentation(options: argparse.Namespace, train: data.Images) -> Any:
    """Return the transform of training pictures, ``None`` without any."""
    coloured, chosen = train.shape[0] == 3, []
    if "crops" not in options.without:
        if coloured and train.shape[1] != train.shape[2]:
            raise ValueError("crops are squares, the pictures are not: give --image-size 32")
        crops = data.Chain(data.Reflect(2), data.RandomCrop(train.shape[1]))
        chosen.append(crops if coloured else data.Shift(2))
    if coloured and "flip" not in options.without:
        chosen.append(data.AlternatingFlip(options.seed))
    return data.Chain(*chosen) if chosen else None


def between_tests(epochs: int) -> int:
    """Return the epochs from one test to the next, the last of which is at the end."""
    return max(n for n in range(1, max(1, epochs // TESTS) + 1) if epochs % n == 0)


def main() -> None:
    """Train, and test on averaged predictions."""
    options = parse_arguments()
    train, test = open_both(options)
    train = some(train, options.train, options.seed)
    coloured = train.shape[0] == 3
    recipe = COLOURED[options.budget] if coloured else GREY
    options.epochs = options.epochs or recipe.epochs
    options.batch_size = options.batch_size or recipe.batch_size
    if options.learning_rate is None:
        share = options.batch_size / recipe.batch_size
        options.learning_rate = share * recipe.learning_rate
    with usage():
        network = build(options, recipe, train)
        engine = sal.Engine(
            network,
            train,
            test,
            batch_size=options.batch_size,
            seed=options.seed,
            transform=augmentation(options, train),
            test_every=sal.Epochs(between_tests(options.epochs)),
        )
    name = f"{train.name}-speedrun"
    run = runs.open_run(options, name, train, engine.steps_per_epoch, {".": engine})
    if engine.step:
        print(f"continuing after step {engine.step}")
    engine.callbacks = (
        sal.ProgressBar(),
        PrintEpochs(),
        sal.Curves(run.folder),
        sal.Checkpoint(run.folder / "checkpoint.safetensors", every=sal.Epochs(1)),
        *([sal.TensorBoard(run.folder / "tensorboard")] if options.tensorboard else []),
    )
    print(network.summary())
    began, whole = time.process_time(), engine.step == 0
    engine.run(options.epochs)
    spent = f", {time.process_time() - began:.0f} s of processors" if whole else ""
    network.save(run.folder / "model.safetensors")
    if not engine.interrupted:
        accuracy, views = engine.evaluate()["accuracy"], ""
        if "averaging" not in options.without:
            y = models.averaged_predictions(network, test, mirror=coloured)
            right = (network.backend.to_numpy(y).argmax(1) == test.labels).mean()
            views = f", {right:.2%} averaged over views"
        print(
            f"{train.name}: test accuracy {accuracy:.2%}{views}; {engine.seconds:.0f} s with "
            f"tests{spent}"
        )
    print("the run's files:", *run.files, sep="\n  ")
    end_if_interrupted(engine, run.folder)


if __name__ == "__main__":
    run_program("speedrun", main)
