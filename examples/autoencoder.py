"""An autoencoder: images through a bottleneck of few numbers and back.

    python examples/autoencoder.py                           # a perceptron, 64 latent coordinates
    python examples/autoencoder.py --preset convolutional
    python examples/autoencoder.py --latent 2 4 8 16 32 64   # a study, beside principal components
    python examples/autoencoder.py --preset deep             # Hinton and Salakhutdinov 2006
    python examples/autoencoder.py --preset denoising
    python examples/autoencoder.py --preset variational      # Kingma and Welling 2014
    python examples/autoencoder.py --preset map              # the same with two coordinates

A run writes one folder: the network and its halves, the checkpoint, the curves, and pictures of
inputs, reconstructions and differences, of walks between images, and of the latent space. Ctrl-C
stops a run with everything saved; --resume RUN continues it.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from autoencoder_features import LABELLED, Components, compare_features, encode
from autoencoder_pictures import (
    Reconstructions,
    as_pixels,
    draw_latent_space,
    draw_study,
    draw_walk,
    save_rows,
)
from digit_games import AMOUNT, COUNT, add_data, end_if_interrupted, open_both

import salamandre as sal
from salamandre import data, runs
from salamandre.atomic import write_atomically
from salamandre.models.perceptrons import layer_sizes
from salamandre.program import Help, run_program, usage
from salamandre.runs.run import STUDY
from salamandre.texts import counted

ACTIVATIONS = {
    "relu": sal.ReLU,
    "leaky-relu": lambda: sal.LeakyReLU(0.1),
    "elu": sal.ELU,
    "tanh": sal.Tanh,
}
LOSSES = {
    "l1": sal.MeanAbsoluteError,
    "l2": sal.MeanSquaredError,
    "cross-entropy": sal.BinaryCrossEntropy,
}
PLAIN = {
    "model": "perceptron",
    "hidden": "512-256",
    "activation": "relu",
    "batch_norm": True,  # without it L1 drives all pixels to black, where Sigmoid is flat
    "latent": [64],
    "loss": "l1",
    "noise": 0.0,
    "mask": 0.0,
    "variational": False,
    "epochs": 10,
    "batch_size": 256,
    "learning_rate": 0.003,
}
VARIATIONAL = {
    **PLAIN,
    "variational": True,
    "hidden": "500",
    "batch_norm": False,
    "latent": [20],
    "loss": "cross-entropy",
    "epochs": 40,
    "batch_size": 100,
    "learning_rate": 0.001,
}
PRESETS = {
    "plain": PLAIN,
    "convolutional": {**PLAIN, "model": "convolutional", "hidden": "32-64", "batch_size": 64},
    "deep": {
        **PLAIN,
        "hidden": "1000-500-250",
        "batch_norm": False,
        "latent": [30],
        "loss": "l2",
        "epochs": 60,
        "batch_size": 64,
        "learning_rate": 0.001,
    },
    "denoising": {
        **PLAIN,
        "hidden": "1000",
        "latent": [100],
        "loss": "cross-entropy",
        "noise": 0.5,
    },
    "variational": VARIATIONAL,
    "map": {**VARIATIONAL, "latent": [2], "hidden": "500-250"},
}


def parse_arguments() -> argparse.Namespace:
    """Return the options; those that are not given are the preset's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add_data(parser)
    add = parser.add_argument_group("network").add_argument
    text = "the default of the options without one below, default plain"
    add("--preset", choices=PRESETS, default="plain", help=text)
    add("--model", choices=("perceptron", "convolutional"), help="of both halves")
    text = "neurons, or channels of layers that halve the image, of the encoder; mirrored after it"
    add("--hidden", metavar="N-N", help=text)
    add("--activation", choices=ACTIVATIONS, help="of hidden layers")
    add("--batch-norm", action=argparse.BooleanOptionalAction, help="in hidden layers")
    text = "coordinates of the bottleneck; several make a study of as many runs"
    add("--latent", type=COUNT, nargs="+", metavar="N", help=text)
    text = "draw the latent vectors (Kingma and Welling 2014)"
    add("--variational", action=argparse.BooleanOptionalAction, help=text)

    add = parser.add_argument_group("learning").add_argument
    add("--loss", choices=LOSSES, help="of the pixels")
    add("--noise", type=float, metavar="STD", help="added to the inputs")
    add("--mask", type=float, metavar="SHARE", help="of the inputs set to 0")
    add("--epochs", type=COUNT, metavar="N", help="through the training images")
    add("--batch-size", type=COUNT, metavar="N", help="images of a step")
    add("--learning-rate", type=float, metavar="RATE", help="falls to 0")
    add("--seed", type=AMOUNT, default=0, metavar="N", help="of all random numbers, default 0")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    add("--tensorboard", **runs.TENSORBOARD)
    options = runs.parse_options(parser, may_change=("data_dir", "backend", "tensorboard"))
    for name, value in PRESETS[options.preset].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def hidden_layer(
    make: Any, size: int, options: argparse.Namespace, **window: int
) -> list[sal.Layer]:
    """Return a hidden layer of neurons or of a convolution, as the options describe it."""
    activation = ACTIVATIONS[options.activation]()
    if options.batch_norm:
        return [make(size, bias=False, **window), sal.BatchNorm(), activation]
    return [make(size, activation=activation, **window)]


def perceptron(
    shape: tuple[int, ...], sizes: list[int], codes: int, last: sal.Layer, options: Any
) -> tuple[list[sal.Layer], list[sal.Layer]]:
    """Return the layers of an encoder and of a decoder.

    Args:
        shape: of an image.
        sizes: of the encoder's hidden layers.
        codes: numbers that the encoder returns.
        last: the activation of the pixels.
        options: of the hidden layers.
    """
    encoder, decoder = (
        [layer for size in part for layer in hidden_layer(sal.NeuronLayer, size, options)]
        for part in (sizes, sizes[::-1])
    )
    return [*encoder, sal.NeuronLayer(codes)], [*decoder, sal.NeuronLayer(math.prod(shape), last)]


def convolutional(
    shape: tuple[int, ...], sizes: list[int], codes: int, last: sal.Layer, options: Any
) -> tuple[list[sal.Layer], list[sal.Layer]]:
    """Return the same, of convolutions with stride 2 and their transposes."""
    channels, height, width = shape
    parts = 2 ** len(sizes)
    if height % parts or width % parts:
        raise ValueError(
            f"--hidden of {len(sizes)} layers halves the images {len(sizes)} times, but they "
            f"are {height}×{width}: give it fewer, or the images an --image-size"
        )
    inner = (sizes[-1], height // parts, width // parts)
    halving = {"kernel": 4, "stride": 2, "padding": 1}
    encoder, decoder = (
        [layer for size in part for layer in hidden_layer(make, size, options, **halving)]
        for make, part in (
            (sal.ConvolutionalLayer, sizes),
            (sal.TransposedConvolutionalLayer, sizes[-2::-1]),
        )
    )
    first = [*hidden_layer(sal.NeuronLayer, math.prod(inner), options), sal.Reshape(inner)]
    pixels = sal.TransposedConvolutionalLayer(channels, activation=last, **halving)
    return [*encoder, sal.Flatten(), sal.NeuronLayer(codes)], [*first, *decoder, pixels]


def build_network(options: argparse.Namespace, train: data.Images, latent: int) -> sal.Network:
    """Return an autoencoder of images with so many latent coordinates."""
    codes = 2 * latent if options.variational else latent
    make = convolutional if options.model == "convolutional" else perceptron
    sizes = layer_sizes(options.hidden, "--hidden")
    loss, last = LOSSES[options.loss](), sal.Sigmoid()
    encoder, decoder = make(train.shape, sizes, codes, last, options)
    if options.variational and (options.noise or options.mask):
        raise ValueError("--noise and --mask are for autoencoders that are not variational")
    if options.variational and options.model == "convolutional":
        decoder = [*decoder, sal.Flatten()]  # to stand beside the code
    after: dict[str, sal.Layer] = {"decoder": sal.Sequential(decoder)}
    if options.variational:
        loss = sal.VariationalBound(latent, loss)
        after = {"latent": sal.Skip({"sample": sal.GaussianSample(), **after})}
    steps = options.epochs * max(1, len(train) // options.batch_size)
    return sal.Network(
        {"encoder": sal.Sequential(encoder), **after},
        train.shape if options.model == "convolutional" else math.prod(train.shape),
        loss,
        sal.Adam(sal.schedules.CosineDecay(options.learning_rate, steps)),
        seed=options.seed,
        backend=options.backend,
    )


def halves(network: sal.Network) -> tuple[sal.Network, sal.Network]:
    """Return the encoder and the decoder as networks of their own."""
    variational = isinstance(network.loss, sal.VariationalBound)
    return network.part("encoder"), network.part("latent.decoder" if variational else "decoder")


def reconstructions(y: Any, targets: Any) -> Any:
    """Return what outputs say of the pixels, as vectors: the last so many of them."""
    return y.reshape(len(y), -1)[:, -math.prod(targets.shape[1:]) :]


def l1(y: Any, targets: Any) -> float:
    """Return the mean absolute difference of a pixel, of values in 0..1."""
    return float(abs(reconstructions(y, targets) - targets.reshape(len(y), -1)).mean())


def squared(y: Any, targets: Any) -> float:
    """Return the squared difference, summed over the pixels of an image."""
    error = reconstructions(y, targets) - targets.reshape(len(y), -1)
    return float((error * error).sum() / len(y))


def transform_of(options: argparse.Namespace) -> data.Chain | None:
    """Return how the images that a network is given are changed."""
    changes: list[Any] = []
    if options.variational and options.loss == "cross-entropy":
        changes = [data.Binarise()]
    elif options.noise or options.mask:
        changes = [data.Noise(options.noise)] * bool(options.noise)
        changes += [data.Mask(options.mask)] * bool(options.mask)
    return data.Chain(*changes) if changes else None


def shown_and_wanted(options: argparse.Namespace, images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return test images as a network is given them, and as it should give them back."""
    transform = transform_of(options)
    shown = images
    if transform is not None:
        shown = transform(images, np.random.default_rng(options.seed))
    return shown, shown if options.variational else images


def build_engine(
    options: argparse.Namespace, network: sal.Network, sets: tuple[np.ndarray, np.ndarray]
) -> sal.Engine:
    """Return what trains the network to give back images in 0..1, or cleaner ones."""
    x, t = sets
    transform, (shown, _) = transform_of(options), shown_and_wanted(options, t)
    clean = transform and not options.variational
    metrics = {"l1": l1, "squared": squared}
    if isinstance(network.loss, sal.VariationalBound):
        bound, xp = network.loss, network.backend.xp
        metrics["divergence"] = lambda y, targets: float(bound.divergence(y, xp).mean())
    targets = [a.reshape(-1, *network.output_shape) if clean else None for a in (x, t)]
    return sal.Engine(
        network,
        (x, targets[0]),
        (shown, targets[1]),
        batch_size=options.batch_size,
        seed=options.seed,
        transform=transform,
        metrics=metrics,
    )


def finish(
    engine: sal.Engine, folder: Path, components: Components, sets: Any, options: Any
) -> dict[str, float]:
    """Save the network, its halves and their pictures; return what they reach."""
    network, (train, test) = engine.network, sets
    network.save(folder / "model.safetensors")
    encoder, decoder = halves(network)
    encoder.save(folder / "encoder.safetensors")
    decoder.save(folder / "decoder.safetensors")
    latent = decoder.input_shape[0]
    t = as_pixels(test)
    z = encode(encoder, t, latent)

    def images(codes: np.ndarray) -> np.ndarray:
        y = decoder.backend.to_numpy(decoder.predict(codes.astype(np.float32)))
        return y.reshape(-1, *test.shape)

    draw_walk(images, z, test, folder / "walk.png")
    if options.variational:
        samples = np.random.default_rng(options.seed).standard_normal((64, latent))
        save_rows(images(samples).reshape(8, 8, *test.shape), folder / "samples.png")
    if latent == 2:
        draw_latent_space(images, z, test, options.variational, folder)
    shown, wanted = (a.reshape(len(t), -1) for a in shown_and_wanted(options, t))
    principal = components.decode(components.encode(shown, latent))
    found = {"latent": latent, **engine.evaluate(), "pca squared": squared(principal, wanted)}
    if len(train.classes) > 1:
        found |= compare_features(encoder, components, latent, sets, options)
    return found


def told(found: dict[str, float], options: argparse.Namespace) -> str:
    """Return the results of a network as a text."""
    text = f"{counted(found['latent'], 'coordinate')}: "
    if options.variational:  # whose targets may be other ones than the images
        unit = " nats" if options.loss == "cross-entropy" else ""  # others lack a constant
        text += f"bound {found['test_loss']:.2f}{unit}, of it divergence {found['divergence']:.2f}"
    else:
        text += (
            f"L1 {found['l1']:.4f}, squared error per image {found['squared']:.2f} "
            f"(principal components {found['pca squared']:.2f})"
        )
    if "pixels" in found:
        text += (
            f"\na linear classifier of {LABELLED:,} labelled images, by latent vectors "
            f"{found['latent vectors']:.1%}, by as many principal components "
            f"{found['principal components']:.1%}, by pixels {found['pixels']:.1%}"
        )
    return text


def main() -> None:
    """Train, and save the networks and their pictures."""
    options = parse_arguments()
    train, test = open_both(options)
    pixels = as_pixels(train), as_pixels(test)
    size, widest = math.prod(train.shape), max(options.latent)
    if widest >= size:
        print(f"images of {size} pixels are no larger than {widest} coordinates: try --latent 8")
    study = len(options.latent) > 1
    engines = {}
    with usage():
        for latent in options.latent:
            network = build_network(options, train, latent)
            engine = build_engine(options, network, pixels)
            engines[f"latent-{latent}" if study else "."] = engine
    steps = next(iter(engines.values())).steps_per_epoch
    run = runs.open_run(options, f"{train.name}-autoencoder", train, steps, engines)
    components = Components(pixels[0].reshape(len(train), -1))
    table, shown = [], {}
    for name, engine in engines.items():
        folder = run.folder
        if study:
            number = int(name.removeprefix("latent-"))
            folder = run.part(name, latent=[number]).folder
        print(engine.network.summary())
        pictures = Reconstructions(folder, pixels[1], test, reconstructions, engine)
        engine.callbacks = (
            sal.ProgressBar(),
            pictures,
            sal.Curves(folder),
            sal.Checkpoint(folder / "checkpoint.safetensors", every=sal.Epochs(1)),
            *([sal.TensorBoard(folder / "tensorboard")] if options.tensorboard else []),
        )
        engine.run(options.epochs)
        end_if_interrupted(engine, run.folder)
        table.append(finish(engine, folder, components, (train, test), options))
        shown[table[-1]["latent"]] = pictures.shown()
        print(told(table[-1], options), flush=True)
    if study:
        text = io.StringIO()
        writer = csv.DictWriter(text, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        write_atomically(run.folder / STUDY, text.getvalue().encode())
        first = pixels[1][pictures.rows].reshape(len(pictures.rows), -1)
        linear = {k: components.decode(components.encode(first, k)) for k in shown}
        draw_study(table, first, shown, linear, test, run.folder)
    print("the run's files:", *run.files, sep="\n  ")


if __name__ == "__main__":
    run_program("autoencoder", main)
