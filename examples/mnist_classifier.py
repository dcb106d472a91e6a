"""A classifier of images: a perceptron or a convolutional network.

    python examples/mnist_classifier.py
    python examples/mnist_classifier.py --model cnn
    python examples/mnist_classifier.py --dataset cifar-10 --model cnn
    python examples/mnist_classifier.py --dataset letters.npz --test-share 0.2
    python examples/mnist_classifier.py --structure 784-1000-300-10 --optimizer momentum
    python examples/mnist_classifier.py --model cnn --optimizer muon --schedule triangle
    python examples/mnist_classifier.py --dataset fashion-mnist --shift 1 --dropout 0.2 --epochs 30

A run writes one folder: the model, the checkpoint, the curves, the confusion matrix and the worst
mistakes. Ctrl-C stops a run with everything saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from digit_games import AMOUNT, COUNT, add_data, end_if_interrupted, open_both

import salamandre as sal
from salamandre import data, evaluation, plots, runs
from salamandre.models.perceptrons import (
    ACTIVATIONS,
    OPTIMIZERS,
    SCHEDULES,
    layer_sizes,
    new_optimizer,
    perceptron as perceptron_layers,
)
from salamandre.program import Help, run_program, usage
from salamandre.texts import counted


class PrintEpochs(sal.Callback):
    """Prints a line for each test above the progress bar.

    Args:
        line: a template of it; its fields are the record's. Default: test loss and accuracy.
    """

    def __init__(
        self, line: str = "test loss {test_loss:.4f}   test accuracy {accuracy:6.2%}"
    ) -> None:
        self.line = line

    def on_record(self, engine: sal.Engine) -> None:
        """Print the latest record."""
        from tqdm.auto import tqdm

        template = f"epoch {{epoch:3.0f}}/{engine.epochs}   loss {{loss:.4f}}   {self.line}"
        record = engine.history.records[-1]
        tqdm.write(f"{template}   {{seconds:6.1f}} s".format(**record), file=sys.stdout)
        sys.stdout.flush()


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add = add_data(parser)
    text = "shift training images at random, default 0"
    add("--shift", type=AMOUNT, default=0, metavar="PIXELS", help=text)
    add("--flip", action="store_true", help="mirror training images at random")

    add = parser.add_argument_group("network").add_argument
    add("--model", choices=("perceptron", *MODELS), default="perceptron", help="default perceptron")
    add("--structure", metavar="N-N-N", help="of a perceptron, default 784-300-10 on MNIST")
    add("--activation", choices=ACTIVATIONS, default="relu", help="of a perceptron, default relu")
    add("--dropout", type=float, default=0.0, metavar="RATE", help="after hidden layers, default 0")
    add("--input-dropout", type=float, default=0.0, metavar="RATE", help="default 0")
    add("--batch-norm", action="store_true", help="before each hidden activation")

    add = parser.add_argument_group("learning").add_argument
    add("--epochs", type=COUNT, metavar="N", help="default 10, on the 1,437 small digits 100")
    add("--batch-size", type=COUNT, default=64, metavar="N", help="default 64")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="default adam")
    add("--learning-rate", type=float, metavar="RATE", help="default: one that suits the optimizer")
    add("--schedule", choices=SCHEDULES, default="cosine", help="default cosine")
    text = "steps after which the parameters are drawn back to slow ones, default 0: never"
    add("--lookahead", type=AMOUNT, default=0, metavar="N", help=text)
    text = "parts of a batch whose gradients are added, default 1"
    add("--accumulate", type=COUNT, default=1, metavar="N", help=text)
    add("--find-rate", action="store_true", help="first draw the losses by learning rate")
    add("--weight-decay", type=float, metavar="RATE", help="default: the optimizer's")
    add("--label-smoothing", type=float, default=0.1, metavar="SHARE", help="default 0.1")
    add("--seed", type=AMOUNT, default=0, metavar="N", help="of all random numbers, default 0")

    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    # The schedule depends on the number of epochs, which therefore may not change.
    add("--tensorboard", **runs.TENSORBOARD)
    return runs.parse_options(parser, may_change=("data_dir", "backend", "tensorboard"))


def lenet(classes: int, channels: int) -> list[sal.Layer]:
    """Return LeNet-5 (LeCun et al. 1998, section II B), ending in Softmax."""
    return [
        *(sal.ConvolutionalLayer(6, 5, padding=2, activation=sal.Tanh()), sal.AveragePool(2)),
        *(sal.ConvolutionalLayer(16, 5, activation=sal.Tanh()), sal.AveragePool(2)),
        *(sal.Flatten(), sal.NeuronLayer(120, sal.Tanh()), sal.NeuronLayer(84, sal.Tanh())),
        sal.NeuronLayer(classes, sal.Softmax()),
    ]


def cnn(classes: int, channels: int) -> list[sal.Layer]:
    """Return convolutions with batch-norm, with stride 2 instead of pooling."""

    def convolution(outputs: int, *window: int) -> list[sal.Layer]:
        layer = sal.ConvolutionalLayer(outputs, *window, bias=False)
        return [layer, sal.BatchNorm(), sal.ReLU()]

    if channels == 1:
        convolutions = [*convolution(32, 6, 2, 2), *convolution(64, 4, 2, 1)]
        hidden: list[sal.Layer] = [sal.NeuronLayer(128, sal.ReLU())]
    else:  # colour images need a larger network
        convolutions = [*convolution(32, 3, 1, 1), *convolution(64, 4, 2, 1)]
        convolutions += convolution(128, 4, 2, 1)
        hidden = [sal.NeuronLayer(128, bias=False), sal.BatchNorm(), sal.ReLU()]
    return [
        *(*convolutions, sal.Dropout(0.2, channels=True), sal.Flatten()),
        *(*hidden, sal.Dropout(0.3), sal.NeuronLayer(classes, sal.Softmax())),
    ]


MODELS = {"lenet": lenet, "cnn": cnn}


def build_network(options: argparse.Namespace, train: data.Images) -> sal.Network:
    """Return the network that the options describe."""
    outputs = len(train.classes)
    input_shape: int | tuple[int, ...] = train.shape
    if options.model != "perceptron" and (
        options.structure
        or options.dropout
        or options.input_dropout
        or options.batch_norm
        or (options.activation != "relu" and not options.resume)
    ):
        raise ValueError(
            f"--structure, --activation, --dropout, --input-dropout and --batch-norm are a "
            f"perceptron's, not {options.model}'s: leave them out"
        )
    if options.model == "perceptron":
        input_shape = math.prod(train.shape)
        layers = perceptron(options, train)
    else:
        layers = MODELS[options.model](outputs, train.shape[0])
    steps = options.epochs * max(1, len(train) // options.batch_size)
    optimizer = new_optimizer(
        options.optimizer,
        options.learning_rate,
        options.schedule,
        steps,
        weight_decay=options.weight_decay,
    )
    return sal.Network(
        layers,
        input_shape,
        sal.CrossEntropy(label_smoothing=options.label_smoothing),
        sal.Lookahead(optimizer, options.lookahead) if options.lookahead else optimizer,
        seed=options.seed,
        backend=options.backend,
    )


def perceptron(options: argparse.Namespace, train: data.Images) -> list[sal.Layer]:
    """Return the layers of the perceptron that the options describe."""
    inputs, outputs = math.prod(train.shape), len(train.classes)
    structure = options.structure or f"{inputs}-300-{outputs}"
    sizes = layer_sizes(structure, "--structure")
    if len(sizes) < 2 or sizes[0] != inputs or sizes[-1] != outputs:
        raise ValueError(
            f"--structure for {train.name} must begin with {inputs} and end with {outputs}, "
            f"got {structure}"
        )
    return perceptron_layers(
        sizes[1:],
        options.activation,
        dropout=options.dropout,
        input_dropout=options.input_dropout,
        batch_norm=options.batch_norm,
    )


def draw_results(network: sal.Network, test: data.Images, folder: Path) -> None:
    """Save the confusion matrix and the worst mistakes as pictures."""
    pixels = test.images.astype(np.float32) / test.white
    y = network.backend.to_numpy(network.predict(pixels.reshape(-1, *network.input_shape)))
    labels, guesses = test.labels.astype(int), y.argmax(axis=1)
    counts = evaluation.confusion(labels, guesses, len(test.classes))
    right = np.trace(counts) / len(test)
    title = f"{test.name}, test set: {100 * right:.2f}% right"
    plots.plot_confusion(counts, test.classes, folder / "confusion.png", title)
    wrong = np.flatnonzero(guesses != labels)
    worst = wrong[np.argsort(y[wrong, labels[wrong]])][:24]  # the lowest confidence in the truth
    captions = [
        f"{test.classes[labels[i]]} read as {test.classes[guesses[i]]}, {y[i, guesses[i]]:.0%}"
        for i in worst
    ]
    if len(worst):
        plots.plot_images(
            pixels[worst],
            folder / "mistakes.png",
            captions=captions,
            title=f"{test.name}: the worst of {counted(len(wrong), 'mistake')} in {len(test):,}, "
            "with the network's confidence",
            ink=True,
        )


def main() -> None:
    """Train, and save the network and its results."""
    options = parse_arguments()
    train, test = open_both(options)
    if options.epochs is None:
        options.epochs = 100 if train.name == "digits" else 10
    with usage():
        network = build_network(options, train)
    chosen = [data.Shift(options.shift)] if options.shift else []
    chosen += [data.Flip()] if options.flip else []
    transform = data.Chain(*chosen) if chosen else None
    with usage():
        engine = sal.Engine(
            network,
            train,
            test,
            batch_size=options.batch_size,
            seed=options.seed,
            transform=transform,
            accumulate=options.accumulate,
        )
    name = f"{train.name}-classifier"
    run = runs.open_run(options, name, train, engine.steps_per_epoch, {".": engine})
    folder = run.folder
    if engine.step:
        print(f"continuing after step {engine.step}")
    engine.callbacks = (
        sal.ProgressBar(),
        PrintEpochs(),
        sal.Curves(folder),
        sal.Checkpoint(folder / "checkpoint.safetensors", every=sal.Epochs(1)),
        *([sal.TensorBoard(folder / "tensorboard")] if options.tensorboard else []),
    )
    print(
        f"data set {train.name}: {len(train):,} images for training and {len(test):,} for testing"
    )
    print(network.summary())
    if options.find_rate:
        rates = sal.training.lr_find(
            network, train, batch_size=options.batch_size, path=folder / "rates.png"
        )
        print(f"the suggested learning rate is {rates.suggestion:.2g}")
    engine.run(options.epochs)
    network.save(folder / "model.safetensors")
    draw_results(network, test, folder)
    if not engine.interrupted:
        accuracy, epochs = engine.evaluate()["accuracy"], counted(options.epochs, "epoch")
        print(f"{train.name}: test accuracy {100 * accuracy:.2f}% after {epochs}")
    print("the run's files:", *run.files, sep="\n  ")
    end_if_interrupted(engine, folder)


if __name__ == "__main__":
    run_program("mnist_classifier", main)
