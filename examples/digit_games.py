"""What gan_mnist.py, wgan_mnist.py and dcgan.py share: options, images, and the run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import salamandre as sal
from salamandre import data, evaluation, plots, runs
from salamandre.checks import nearest
from salamandre.program import INTERRUPTED
from salamandre.texts import counted, path_of, this_program


def new_parser(text: str | None, folders: bool = False) -> argparse.ArgumentParser:
    """Return a parser with the options of the data and the run.

    Args:
        text: the description of the program.
        folders: whether ``--dataset`` may name a folder of pictures. Default False.
    """
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument_group("data").add_argument
    text = "default mnist; digits if there is none"
    if folders:
        add("--dataset", type=set_or_folder, metavar="NAME|DIR", help=f"{text}; or pictures")
    else:
        add("--dataset", choices=list(data.CATALOGUE), help=text)
    add("--data-dir", metavar="DIR", help="a folder with the data set's files")
    add("--digits", default="0-9", metavar="N|N-N", help="classes to generate, default 0-9")

    add = parser.add_argument_group("run").add_argument
    add("--batch-size", type=int, default=64, metavar="N", help="default 64")
    add("--seed", type=int, default=0, metavar="N", help="of all random numbers, default 0")
    often = "rounds between pictures of samples, default 500"
    add("--sample-every", type=int, default=500, metavar="N", help=often)
    evaluate = "rounds between evaluations by a classifier of the digits, default 2000; 0: none"
    add("--evaluate", type=int, default=2000, metavar="N", help=evaluate)
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    return parser


def set_or_folder(text: str) -> str:
    """Return the name of a data set, or the absolute path of a folder."""
    folder = path_of(text)
    if text in data.CATALOGUE:
        return text
    if folder.is_dir():
        return str(folder.resolve())
    near = nearest(text, data.CATALOGUE)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a data set nor a folder{near}")


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
    may_change = ("rounds", "sample_every", "evaluate", "data_dir", "backend")
    options = runs.parse_options(parser, given, may_change)
    if options.rounds < 1 or options.sample_every < 1 or options.evaluate < 0:
        parser.error("--rounds and --sample-every must be at least 1, --evaluate at least 0")
    return options


def load_digits(options: argparse.Namespace) -> tuple[data.Images, data.Images]:
    """Return training and test images; the built-in digits if MNIST cannot be loaded."""
    try:
        return data.load(options.dataset or "mnist", data_dir=options.data_dir)
    except data.DataUnavailable as error:
        if options.dataset or options.data_dir:
            raise
        print(f"MNIST cannot be loaded: {error}")
        print("This run uses the built-in 8×8 digits instead (--dataset digits).")
        return data.load("digits")


def load_images(options: argparse.Namespace) -> tuple[data.Images, data.Images, data.Images]:
    """Return the training images, and the training and test images of the chosen classes."""
    train, test = load_digits(options)
    first, _, last = options.digits.partition("-")
    try:
        wanted = range(int(first), int(last or first) + 1)
    except ValueError:
        raise ValueError(f"--digits takes 7 or 0-9, got {options.digits!r}") from None
    if not wanted or wanted[0] < 0 or wanted[-1] >= len(train.classes):
        raise ValueError(
            f"--digits must lie in 0-{len(train.classes) - 1} for {train.name}, "
            f"got {options.digits!r}"
        )

    def chosen(images: data.Images) -> data.Images:
        rows = np.isin(images.labels, list(wanted))
        return replace(images, images=images.images[rows], labels=images.labels[rows])

    options.dataset = train.name
    return train, chosen(train), chosen(test)


def hidden_sizes(text: str, option: str) -> list[int]:
    """Return the numbers of neurons in a text such as 256-512."""
    try:
        return [int(size) for size in text.split("-")]
    except ValueError:
        raise ValueError(f"{option} takes numbers such as 256-512, got {text!r}") from None


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
        print(f"interrupted; continue with\n  {this_program('--resume', folder)}")
        sys.exit(INTERRUPTED)


def run(
    options: argparse.Namespace,
    program: str,
    build: Callable[[data.Images], sal.GanGame],
    sets: tuple[data.Images, data.Images, data.Images],
) -> None:
    """Build the game and play it in a run folder of its own.

    Args:
        options: the settings.
        program: the example's name, without .py.
        build: returns the game.
        sets: the results of :func:`load_images`.
    """
    train, images, test = sets
    game = build(images)
    print(f"data set {images.name}: {counted(len(images), 'image')}")
    print(f"generator\n{game.generator.summary()}\n")
    print(f"discriminator\n{game.discriminator.summary()}\n")
    judge = None
    if options.evaluate:
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
