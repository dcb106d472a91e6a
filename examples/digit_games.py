"""What the examples on images share: options, images, and the run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

import salamandre as sal
from salamandre import data, evaluation, plots, runs
from salamandre.data.opening import located
from salamandre.program import INTERRUPTED, Help, WrongUsage, usage
from salamandre.texts import counted, path_of, this_program

COUNT, AMOUNT = runs.AtLeast(1), runs.AtLeast(0)
TEST_SHARE = 0.1  # of a data set without test images, by default
Found = TypeVar("Found")
Sets = tuple[data.Images, data.Images, data.Images | None]
# What a discriminator begins with, of images: Zhao et al. 2020, whole or in part.
AUGMENT: dict[str, Callable[[], list[sal.Layer]]] = {
    "none": lambda: [],
    "all": lambda: [sal.Augmentation()],
    "translation": lambda: [sal.Augmentation(colour=False, cutout=0)],
    "cutout": lambda: [sal.Augmentation(colour=False, translation=0)],
}


def new_parser(text: str | None, size: int | None = None) -> argparse.ArgumentParser:
    """Return a parser with the options of the data and the run.

    Args:
        text: the description of the program.
        size: the default height and width of the images. Default: the data set's own.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=Help)
    add = add_data(parser, size)
    add("--digits", metavar="N|N-N", help="classes to generate, such as 0-9, default all")
    add("--train", type=COUNT, metavar="N", help="learn N of the images only, default all")
    add_run(parser)
    return parser


def add_run(parser: argparse.ArgumentParser, batch_size: str = "default 64") -> None:
    """Give a parser the options of the run."""
    add = parser.add_argument_group("run").add_argument
    add("--batch-size", type=COUNT, default=64, metavar="N", help=batch_size)
    add("--seed", type=AMOUNT, default=0, metavar="N", help="of all random numbers, default 0")
    often = "rounds between pictures of samples, default 500"
    add("--sample-every", type=COUNT, default=500, metavar="N", help=often)
    # An evaluation takes two seconds, so that a run spends less than a twentieth of its time on it.
    evaluate = "rounds between evaluations by a classifier of the images, default 2500; 0: none"
    add("--evaluate", type=AMOUNT, default=2500, metavar="N", help=evaluate)
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")


def add_data(parser: argparse.ArgumentParser, size: int | None = None) -> Callable[..., Any]:
    """Give a parser the options that :func:`open_data` reads; return how to add others to them."""
    add = parser.add_argument_group("data").add_argument
    text = "a data set, a folder of pictures or files of your own; default mnist, digits if none"
    add("--dataset", type=source, metavar="NAME|PATH", help=text)
    add("--data-dir", metavar="DIR", help="a folder with the data set's files")
    text = f"height and width, default {size or 'those of the data set, 64 for pictures'}"
    add("--image-size", type=COUNT, default=size, metavar="N", help=text)
    add("--grey", action="store_true", help="convert images to grey")
    text = "of the images is kept for testing, of a data set without test images"
    add("--test-share", type=float, default=0.0, metavar="SHARE", help=text)
    text = "a text file with the name of a class in each line"
    add("--class-names", type=file, metavar="FILE", help=text)
    text = "of a CSV or Parquet file: the column of labels, or first or last"
    add("--label-column", metavar="NAME", help=text)
    return add


def add_players(parser: argparse.ArgumentParser, usual: str = "default 100") -> Callable[..., Any]:
    """Give a parser the option that all players have; return how to add others to it."""
    add = parser.add_argument_group("players").add_argument
    text = f"size of latent vectors, {usual}"
    add("--latent", type=COUNT, default=100, metavar="N", help=text)
    return add


def source(text: str) -> str:
    """Return the name of a data set, or the absolute path of a folder or file."""
    try:
        return located(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def file(text: str) -> str:
    """Return the absolute path of a file that exists."""
    path = path_of(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return str(path.absolute())


def earlier_values(**names: str) -> Callable[[str], str]:
    """Return a type of options whose values have earlier names: ``saturating="minimax"``."""

    def value(text: str) -> str:
        return names.get(text, text)

    return value


def parse(
    parser: argparse.ArgumentParser, given: Sequence[str] | None = None
) -> argparse.Namespace:
    """Return the options: those given, then those of the run to be resumed, then defaults."""
    runs.earlier_names(parser, every="sample_every")
    parser.add_argument("--tensorboard", **runs.TENSORBOARD)
    may_change = ("rounds", "sample_every", "evaluate", "data_dir", "backend", "tensorboard")
    return runs.parse_options(parser, given, may_change)


def open_data(
    options: argparse.Namespace, classes: bool = True
) -> tuple[data.Images, data.Images | None]:
    """Return training and test images; the built-in digits if MNIST cannot be loaded.

    Args:
        options: their ``dataset`` is set to the data set that was opened.
        classes: whether folders of pictures are classes. Default True.
    """
    if options.dataset and not options.resume:
        runs.keep_apart(path_of(options.output), options.dataset)
    return mnist_or_digits(options, lambda name: runs.open_images(name, vars(options), classes))


def mnist_or_digits(options: argparse.Namespace, load: Callable[[str], Found]) -> Found:
    """Return what loads from a data set: MNIST by default, or the built-in digits if it cannot.

    Args:
        options: their ``dataset`` is set to the data set that was loaded.
        load: returns it by its name.
    """
    try:
        found = load(options.dataset or "mnist")
    except data.DataUnavailable as error:
        if options.dataset or options.data_dir:
            raise
        print(f"MNIST cannot be loaded: {error}")
        print("This run uses the built-in 8×8 digits instead (--dataset digits).")
        options.dataset = "digits"
        return load(options.dataset)
    options.dataset = options.dataset or "mnist"
    return found


def open_both(options: argparse.Namespace) -> tuple[data.Images, data.Images]:
    """Return training and test images; without test images, a share of all is kept for testing."""
    train, test = open_data(options)
    if test is None:
        options.test_share = TEST_SHARE
        with usage():
            train, test = train.train_test_split(TEST_SHARE, options.seed)
        print(f"{train.name} has no test images: a share of {TEST_SHARE:g} is kept for testing.")
    return train, test


def load_images(options: argparse.Namespace, classes: bool = True) -> Sets:
    """Return the training images, those of the chosen classes, and the test images.

    Without test images or classes, nothing is evaluated: ``options.evaluate`` is set to 0.
    """
    train, test = open_data(options, classes)
    if options.evaluate and (test is None or len(train.classes) < 2):
        what = "test images (--test-share 0.1 keeps some)" if test is None else "classes"
        print(f"{train.name} has no {what}, so that no classifier evaluates the game.")
        options.evaluate = 0
    if options.digits is None:
        return train, some(train, options.train, options.seed), test
    first, _, last = options.digits.partition("-")
    try:
        wanted = range(int(first), int(last or first) + 1)
    except ValueError:
        raise WrongUsage(f"--digits takes 7 or 0-9, got {options.digits!r}") from None
    if not wanted or wanted[0] < 0 or wanted[-1] >= len(train.classes):
        raise WrongUsage(
            f"--digits must lie in 0-{len(train.classes) - 1} for {train.name}, "
            f"got {options.digits!r}"
        )
    chosen = np.isin(train.labels, list(wanted))
    if not chosen.any():
        raise WrongUsage(f"{train.name} has no training images of --digits {options.digits}")
    if test is not None:
        tested = np.isin(test.labels, list(wanted))
        if options.evaluate and not tested.any():
            print(f"{train.name} has no test images of these digits: nothing is evaluated.")
            options.evaluate = 0
        test = test[tested] if tested.any() else None
    return train, some(train[chosen], options.train, options.seed), test


def some(images: data.Images, count: int | None, seed: int) -> data.Images:
    """Return so many of the images, drawn at random as files may be sorted; ``None``: all."""
    if count is None:
        return images
    order = np.random.default_rng(seed).permutation(len(images))
    return images[np.sort(order[:count])]


def draw_nearest(game: sal.GanGame, images: data.Images, path: Path) -> None:
    """Draw samples in the upper row, and below each its nearest training image."""
    low, high = game.value_range
    samples = (game.backend.to_numpy(game.generate(16)) - low) / (high - low)
    real = images.images.astype(np.float32) / images.white
    index, _ = evaluation.nearest(samples, real)
    rows = np.concatenate([samples.reshape(-1, *images.shape), real[index]])
    plots.save_grid(rows, path, columns=len(samples))


def end_if_interrupted(run: sal.Engine | sal.GanGame, folder: Path) -> None:
    """End the program after Ctrl-C, and print how the run is continued."""
    if run.interrupted:
        end_interrupted(folder)


def end_interrupted(folder: Path) -> NoReturn:
    """End the program, and print how the run in a folder is continued."""
    print(f"interrupted; continue with\n  {this_program('--resume', folder)}")
    sys.exit(INTERRUPTED)


def run(
    options: argparse.Namespace,
    program: str,
    build: Callable[[data.Images], sal.GanGame],
    sets: Sets,
) -> None:
    """Build the game and play it in a run folder of its own.

    Args:
        options: the settings.
        program: the example's name, without .py.
        build: returns the game.
        sets: the results of :func:`load_images`.
    """
    train, images, test = sets
    with usage():
        game = build(images)
    print(f"data set {images.name}: {counted(len(images), 'image')}")
    print(f"generator\n{game.generator.summary()}\n")
    print(f"discriminator\n{game.discriminator.summary()}\n")
    judge = None
    if options.evaluate and test is not None:
        print("a classifier of the real images is trained, or found in the cache:")
        judge = evaluation.Judge.trained(train, test, backend=options.backend)
        print(f"its accuracy on {len(test)} test images is {judge.accuracy:.2%}")
    name = f"{images.name}-{program.removesuffix('_mnist')}"
    kept = runs.open_run(options, name, images, loops={".": game})
    folder = kept.folder
    runs.play(
        game,
        options.rounds,
        folder,
        every=options.sample_every,
        metrics={"judge": judge.of_game()} if judge else None,
        evaluate_every=max(1, options.evaluate),
        tensorboard=options.tensorboard,
    )
    draw_nearest(game, images, folder / "nearest.png")
    if judge and game.history.records:
        found = game.history.records[-1]
        print(
            f"of 10,000 generated images, {found['confident']:.1%} have a confidence above 0.9; "
            f"shares of classes from {found['least']:.1%} to {found['most']:.1%}; "
            f"Fréchet distance {found['frechet']:.2f}"
        )
    print(f"played in all: {counted(game.rounds, 'round')}")
    print("the run's files:", *kept.files, sep="\n  ")
    end_if_interrupted(game, folder)
