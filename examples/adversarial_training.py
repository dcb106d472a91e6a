"""How an attack fools a network, and how a network learns to withstand it.

    python examples/adversarial_training.py                             # MNIST
    python examples/adversarial_training.py --dataset fashion-mnist --epsilon 0.05 0.1
    python examples/adversarial_training.py --epsilon 0.1 0.2 0.3 0.35 --images 1000

Two convolutional networks learn: one plainly, one on images that are attacked anew in each step,
by one step along the sign of the gradient from a random start (Wong, Rice, Kolter 2020). Both are
then attacked by FGSM and by PGD of 40 steps. A run writes one folder: both networks, their curves,
a table of the accuracies, and a picture of attacked images. Ctrl-C stops a run with everything
saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from digit_games import AMOUNT, COUNT, add_data, end_if_interrupted, end_interrupted, open_both
from mnist_classifier import PrintEpochs, cnn

import salamandre as sal
from salamandre import data, evaluation, inspection, runs
from salamandre.atomic import write_atomically
from salamandre.program import Help, WrongUsage, run_program, usage

ATTACKS = {"FGSM": inspection.fgsm, "PGD-40": inspection.pgd}
HELD = 500  # training images that are not learned, but tested and attacked after each epoch
DRAWN = 3  # test images in the picture
BATCH = 250  # images attacked at a time
LINES = {  # printed after each epoch
    "plain": "accuracy on images held out {accuracy:6.1%}",
    "robust": "accuracy on images held out {accuracy:6.1%}, under PGD-40 {robust_accuracy:6.1%}",
}


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add_data(parser)
    add = parser.add_argument_group("learning").add_argument
    add("--epochs", type=COUNT, default=10, metavar="N", help="of each network, default 10")
    text = "of adversarial training, default 100"
    add("--batch-size", type=COUNT, default=100, metavar="N", help=text)
    add("--seed", type=AMOUNT, default=0, metavar="N", help="of all random numbers, default 0")

    add = parser.add_argument_group("attack").add_argument
    text = "largest changes of a pixel, of white's value; the largest is learned against"
    add("--epsilon", nargs="+", type=float, default=[0.1, 0.2, 0.3], metavar="SHARE", help=text)
    add("--images", type=COUNT, metavar="N", help="test images attacked in the end, default all")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    add("--tensorboard", **runs.TENSORBOARD)
    return runs.parse_options(parser, may_change=("images", "data_dir", "backend", "tensorboard"))


def plain_engine(options: argparse.Namespace, train: data.Images, held: data.Images) -> sal.Engine:
    """Return the plain training of the convolutional network of ``mnist_classifier.py``."""
    network = sal.Network(
        cnn(len(train.classes), train.shape[0]),
        train.shape,
        sal.CrossEntropy(label_smoothing=0.1),
        sal.Adam(sal.schedules.CosineDecay(0.002, options.epochs * max(1, len(train) // 64))),
        seed=options.seed,
        backend=options.backend,
    )
    return sal.Engine(network, train, held, seed=options.seed, transform=data.Shift(1))


def robust_engine(options: argparse.Namespace, train: data.Images, held: data.Images) -> sal.Engine:
    """Return the adversarial training of a small network (Wong, Rice, Kolter 2020, section 5.1).

    The rate rises to 0.005 for two fifths of the steps, and falls to 0. The initial weights are as
    small as PyTorch's, in which the paper's program is written: larger ones, which pass a change of
    the image on enlarged, end in a network that withstands a single step alone.
    """
    steps = options.epochs * max(1, len(train) // options.batch_size)
    start = sal.initializers.LeCun(gain=3**-0.5)
    network = sal.Network(
        [
            sal.ConvolutionalLayer(16, 4, 2, 1, activation=sal.ReLU(), initializer=start),
            sal.ConvolutionalLayer(32, 4, 2, 1, activation=sal.ReLU(), initializer=start),
            sal.Flatten(),
            sal.NeuronLayer(100, sal.ReLU(), initializer=start),
            sal.NeuronLayer(len(train.classes), sal.Softmax(), initializer=start),
        ],
        train.shape,
        sal.CrossEntropy(),
        sal.Adam(sal.schedules.CosineDecay(0.005, steps, warmup=2 * steps // 5)),
        seed=options.seed,
        backend=options.backend,
    )
    epsilon = max(options.epsilon)
    attack = partial(
        inspection.fgsm,
        epsilon=epsilon,
        step=1.25 * epsilon,
        random_start=True,
        batch_size=options.batch_size,
    )
    return sal.Engine(
        network,
        train,
        held,
        batch_size=options.batch_size,
        seed=options.seed,
        attack=attack,
        metrics=watched(network, held, options),
    )


def watched(
    network: sal.Network, held: data.Images, options: argparse.Namespace
) -> dict[str, Callable[..., float]]:
    """Return the metrics of each epoch: accuracy, and accuracy under PGD-40.

    One-step training may come to withstand its own attack alone, from one epoch to the next
    ("catastrophic overfitting", Wong, Rice, Kolter 2020, section 5.4).
    """
    attack = partial(inspection.pgd, epsilon=max(options.epsilon), batch_size=BATCH)

    def robust_accuracy(*_: object) -> float:
        found = inspection.robustness(network, pixels(held), held.labels, attack)
        return found["accuracy_attacked"]

    return {"accuracy": evaluation.accuracy, "robust_accuracy": robust_accuracy}


def attacked_accuracies(
    networks: dict[str, sal.Network], test: data.Images, options: argparse.Namespace
) -> str:
    """Return, and print row by row, a table of accuracies under attack, in percent."""
    test = test.spread(options.images or len(test))
    x, labels = pixels(test), test.labels
    lines = [
        "| network | attack | unchanged | "
        + " | ".join(f"ε = {e:g}" for e in options.epsilon)
        + " |"
    ]
    lines.append("|---" * (3 + len(options.epsilon)) + "|")
    print("", *lines, sep="\n", flush=True)
    for name, network in networks.items():
        for attack, function in ATTACKS.items():
            found = [
                inspection.robustness(
                    network, x, labels, partial(function, epsilon=epsilon, batch_size=BATCH)
                )
                for epsilon in options.epsilon
            ]
            cells = [found[0]["accuracy"], *(each["accuracy_attacked"] for each in found)]
            numbers = " | ".join(f"{100 * cell:.2f}" for cell in cells)
            lines.append(f"| {name} | {attack} | {numbers} |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def draw(networks: dict[str, sal.Network], test: data.Images, epsilon: float, path: Path) -> None:
    """Draw a few test images as PGD changes them for each network."""
    test = test.spread(DRAWN)
    x, labels = pixels(test), test.labels.astype(int)
    rows = []
    for name, network in networks.items():
        changed = inspection.pgd(network, x, labels, epsilon)
        for image, after in zip(x, network.backend.to_numpy(changed), strict=True):
            titles = [f"{name}: {guess(network, shown, test.classes)}" for shown in (image, after)]
            rows.append((image, after, tuple(titles)))
    rows = [rows[n::DRAWN][k] for n in range(DRAWN) for k in range(len(networks))]
    before, after, captions = zip(*rows, strict=True)
    inspection.draw_adversarial(np.stack(before), np.stack(after), path, captions=captions)


def guess(network: sal.Network, image: np.ndarray, classes: tuple[str, ...]) -> str:
    """Return what a network takes an image for, and its confidence."""
    y = network.backend.to_numpy(network.predict(image[None]))[0]
    return f"{classes[y.argmax()]} ({100 * y.max():.0f}%)"


def pixels(images: data.Images) -> np.ndarray:
    """Return images (N, C, H, W) from 0 to 1."""
    return images.images / np.float32(images.white)


def main() -> None:
    """Learn twice, attack both networks, and save what comes of it."""
    options = parse_arguments()
    if not all(math.isfinite(epsilon) and epsilon > 0 for epsilon in options.epsilon):
        raise WrongUsage(f"--epsilon takes positive numbers, got {options.epsilon}")
    train, test = open_both(options)
    with usage():
        train, held = train.train_test_split(min(HELD / len(train), 0.1), options.seed)
        engines = {
            "plain": plain_engine(options, train, held),
            "robust": robust_engine(options, train, held),
        }
    run = runs.open_run(options, f"{train.name}-adversarial", train, 1, engines)
    folder = run.folder
    for name, engine in engines.items():
        print(f"the {name} network\n{engine.network.summary()}\n")
        own = folder / name
        own.mkdir(exist_ok=True)
        engine.callbacks = (
            *(sal.ProgressBar(), PrintEpochs(LINES[name]), sal.Curves(own)),
            sal.Checkpoint(own / "checkpoint.safetensors", every=sal.Epochs(1)),
            *([sal.TensorBoard(own / "tensorboard")] if options.tensorboard else []),
        )
        if name == "robust":  # before a catastrophic overfitting, if there is one
            best = own / "best.safetensors"
            engine.callbacks += (sal.EarlyStopping("robust_accuracy", options.epochs, "max", best),)
        engine.run(options.epochs)
        end_if_interrupted(engine, folder)
        engine.network.save(folder / f"{name}.safetensors")
    networks = {name: engine.network for name, engine in engines.items()}
    try:
        table = attacked_accuracies(networks, test, options)
        write_atomically(folder / "table.md", table.encode())
        draw(networks, test, max(options.epsilon), folder / "attacked.png")
    except KeyboardInterrupt:  # both networks are saved
        end_interrupted(folder)
    print("the run's files:", *run.files, sep="\n  ")


if __name__ == "__main__":
    run_program("adversarial_training", main)
