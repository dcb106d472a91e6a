"""A Wasserstein game that draws handwritten digits.

    python examples/wgan_mnist.py
    python examples/wgan_mnist.py --digits 7 --rounds 2000
    python examples/wgan_mnist.py --lipschitz clipping --optimizer rmsprop
    python examples/wgan_mnist.py --backend cupy

Generator and critic are perceptrons. A run writes one folder: samples of the same latent points at
intervals and their animation, curves, the checkpoint and the final networks. Ctrl-C stops a run
with everything saved; --resume FOLDER continues it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import salamandre as sal
from salamandre import data, experiments, games

LIPSCHITZ = ("penalty", "clipping", "spectral")
OPTIMIZERS = {
    "adam": lambda rate: sal.Adam(rate, beta1=0.5, beta2=0.9),
    "rmsprop": sal.RMSProp,
}


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument_group("data").add_argument
    add("--dataset", choices=list(data.CATALOGUE), help="default mnist; digits if there is none")
    add("--data-dir", metavar="DIR", help="a folder with the data set's files")
    add("--digits", default="0-9", metavar="N|N-N", help="classes to be drawn, default 0-9")

    add = parser.add_argument_group("players").add_argument
    add("--latent", type=int, default=100, metavar="N", help="coordinates, default 100")
    add("--generator", default="256-512", metavar="N-N", help="hidden neurons, default 256-512")
    add("--critic", default="512-256", metavar="N-N", help="hidden neurons, default 512-256")
    add("--lipschitz", choices=LIPSCHITZ, default="penalty", help="constraint, default penalty")
    add("--penalty", type=float, default=10.0, metavar="WEIGHT", help="of the penalty, default 10")
    add("--clip", type=float, default=0.05, metavar="LIMIT", help="of clipping, default 0.05")

    add = parser.add_argument_group("learning").add_argument
    add("--rounds", type=int, default=10_000, metavar="N", help="default 10000")
    add("--batch-size", type=int, default=64, metavar="N", help="default 64")
    add("--critic-steps", type=int, default=2, metavar="N", help="a round, default 2")
    add("--initial-steps", type=int, default=20, metavar="N", help="of the critic, default 20")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="of both players, default adam")
    add("--learning-rate", type=float, default=2e-4, metavar="RATE", help="default 0.0002")
    add("--average", type=float, default=0.999, metavar="DECAY", help="of the generator, 0.999")
    add("--seed", type=int, default=0, metavar="N", help="of everything random, default 0")

    add = parser.add_argument_group("run").add_argument
    add("--every", type=int, default=500, metavar="N", help="rounds between pictures, default 500")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    add("--output", default="runs", metavar="DIR", help="where the run's folder is made (runs)")
    add("--resume", metavar="FOLDER", help="continue the run in this folder, with its settings")
    return parser.parse_args()


def load_images(options: argparse.Namespace) -> data.Images:
    """Return the training images of the chosen classes; embedded digits where MNIST is not had."""
    try:
        train, _ = data.load(options.dataset or "mnist", data_dir=options.data_dir)
    except data.DataUnavailable as error:
        if options.dataset or options.data_dir:
            raise
        print(f"MNIST cannot be had here: {error}")
        print("This run uses the embedded 8×8 digits instead (--dataset digits).")
        train, _ = data.load("digits")
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
    chosen = np.isin(train.labels, list(wanted))
    return data.Images(
        train.images[chosen], train.labels[chosen], train.classes, train.name, "train", train.white
    )


def perceptron(text: str, what: str, outputs: int, last: sal.Activation) -> list[sal.Layer]:
    """Return layers with leaky rectifiers, and a last one."""
    try:
        sizes = [int(size) for size in text.split("-")]
    except ValueError:
        raise ValueError(f"--{what} takes numbers such as 256-512, got {text!r}") from None
    hidden = [sal.NeuronLayer(size, sal.LeakyReLU(0.2)) for size in sizes]
    return [*hidden, sal.NeuronLayer(outputs, last)]


def build_game(options: argparse.Namespace, images: data.Images) -> sal.WGanGame:
    """Return the game that the options describe."""
    pixels = int(np.prod(images.shape))
    optimizer = OPTIMIZERS[options.optimizer]
    generator = sal.Network(
        perceptron(options.generator, "generator", pixels, sal.Tanh()),
        options.latent,
        optimizer=optimizer(options.learning_rate),
        seed=options.seed,
        backend=options.backend,
    )
    critic = sal.Network(
        perceptron(options.critic, "critic", 1, sal.Identity()),
        pixels,
        optimizer=optimizer(options.learning_rate),
        seed=options.seed + 1,
        backend=options.backend,
    )
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


def main() -> None:
    """Play, and save what was learned."""
    options = parse_arguments()
    folder = Path(options.resume) if options.resume else None
    if folder is not None:
        file = folder / "settings.json"
        if not file.is_file():
            raise FileNotFoundError(f"there is no run in {folder}: it has no settings.json")
        settings = json.loads(file.read_text())
        given = {"resume": options.resume, "data_dir": options.data_dir or settings["data_dir"]}
        options = argparse.Namespace(**{**settings, **given})
    images = load_images(options)
    game = build_game(options, images)
    if folder is None:
        options.dataset = images.name
        folder = experiments.run_folder(options.output, f"{images.name}-wgan", vars(options))
    elif (folder / "checkpoint.safetensors").exists():
        game.resume(folder / "checkpoint.safetensors")
        print(f"continuing after round {game.rounds}")
    print(f"data set {images.name}: {len(images)} images of the digits {options.digits}")
    print(f"generator\n{game.generator.summary()}\n\ncritic\n{game.critic.summary()}")
    game.play(
        options.rounds,
        [
            games.GameProgress(),
            games.SampleGrids(folder, options.every),
            games.GameCurves(folder),
            games.GameCheckpoint(folder / "checkpoint.safetensors", options.every),
        ],
    )
    game.generator.save(folder / "generator.safetensors")
    game.critic.save(folder / "critic.safetensors")
    if game.interrupted:
        print(f"interrupted; continue with --resume {folder}")
    print("the run's files:")
    for path in sorted(folder.iterdir()):
        print(f"  {path}")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        sys.exit(f"wgan_mnist: {error}")
