"""Salamandre's steps."""

from __future__ import annotations

import numpy as np

import salamandre as sal
from peers import BATCH, LEAK, PLAYERS, RATE, Game, Step, dense, digits, pictures


def perceptron(sizes: list[int], batch: int, optimizer: str, backend: str = "numpy") -> Step:
    """Return a step of a classifier with ReLU."""
    layers = [sal.NeuronLayer(size, sal.ReLU()) for size in sizes[1:-1]]
    layers.append(sal.NeuronLayer(sizes[-1], sal.Softmax()))
    learner = getattr(sal, optimizer)(RATE[optimizer])
    network = sal.Network(layers, sizes[0], sal.CrossEntropy(), learner, backend=backend)
    _start(network, dense(sizes))
    x, labels = (network.backend.asarray(array) for array in digits(batch, sizes[0]))
    return lambda: network.learn(x, labels)


def perceptron_game(game: Game, images=None, seed: int = 0, backend: str = "numpy") -> sal.GanGame:
    """Return a game between perceptrons."""

    def player(sizes: tuple[int, ...], activation: sal.Activation, last: list, seed: int):
        layers = [sal.NeuronLayer(size, activation) for size in sizes[1:-1]]
        layers.append(sal.NeuronLayer(sizes[-1], *last))
        network = sal.Network(layers, sizes[0], optimizer=_adam(), backend=backend)
        _start(network, dense(sizes, seed))
        return network

    players = (
        player(game.generator, sal.ReLU(), [sal.Tanh()], 2 * seed),
        player(game.discriminator, sal.LeakyReLU(LEAK), [], 2 * seed + 1),
    )
    images = pictures(784) if images is None else images
    options = {"latent": sal.Gaussian(game.generator[0]), "batch_size": BATCH, "seed": seed}
    if not game.penalised:
        return sal.GanGame(*players, images, **options)
    options |= {"critic_steps": game.discriminator_steps, "lipschitz": sal.GradientPenalty(10)}
    return sal.WGanGame(*players, images, **options)


def perceptron_round(game: Game, backend: str = "numpy") -> Step:
    """Return a round of a game between perceptrons."""
    return _round(perceptron_game(game, backend=backend))


def cgan_round() -> Step:
    """Return a round of the architecture ``lscgan``, without its average."""
    from salamandre import data, games

    pixels = ((pictures(1, 28, 28) + 1) * 127.5).astype(np.uint8)
    labels = digits(len(pixels), 1)[1].astype(np.uint8)
    images = data.Images(pixels, labels, tuple("0123456789"), "random", "train")
    return _round(games.new_game("lscgan", images, average=0))


def dcgan_game(images=None, seed: int = 0, backend: str = "numpy", **more) -> sal.GanGame:
    """Return a DCGAN at 32×32; a round is a step of the discriminator and one of the generator."""
    start = {"initializer": sal.initializers.Gaussian(0.02)}

    def up(channels: int, *window: int) -> list[sal.Layer]:
        convolution = sal.TransposedConvolutionalLayer(channels, *window, bias=False, **start)
        return [convolution, sal.BatchNorm(), sal.ReLU()]

    def down(channels: int) -> list[sal.Layer]:
        convolution = sal.ConvolutionalLayer(channels, 4, 2, 1, bias=False, **start)
        return [convolution, sal.BatchNorm(), sal.LeakyReLU(LEAK)]

    generator = sal.Network(
        [
            *(sal.Reshape((100, 1, 1)), *up(256, 4), *up(128, 4, 2, 1), *up(64, 4, 2, 1)),
            sal.TransposedConvolutionalLayer(1, 4, 2, 1, activation=sal.Tanh(), **start),
        ],
        100,
        optimizer=_adam(),
        seed=seed,
        backend=backend,
    )
    discriminator = sal.Network(
        [
            sal.ConvolutionalLayer(64, 4, 2, 1, activation=sal.LeakyReLU(LEAK), **start),
            *(*down(128), *down(256)),
            *(sal.ConvolutionalLayer(1, 4, **start), sal.Flatten()),
        ],
        (1, 32, 32),
        optimizer=_adam(),
        seed=seed + 1,
        backend=backend,
    )
    images = pictures(1, 32, 32) if images is None else images
    options = {"latent": sal.Gaussian(100), "batch_size": BATCH, "seed": seed}
    return sal.GanGame(generator, discriminator, images, **options, **more)


def dcgan_round(backend: str = "numpy") -> Step:
    """Return a round of the DCGAN."""
    return _round(dcgan_game(backend=backend))


def layer(transposed: bool, inputs: int, outputs: int, size: int) -> Step:
    """Return a forward and backward pass of a layer, images channels-last in memory."""
    kind = sal.TransposedConvolutionalLayer if transposed else sal.ConvolutionalLayer
    network = sal.Network([kind(outputs, 4, 2, 1)], (inputs, size, size))
    run = network.new_pass(shared=True)
    random = np.random.default_rng(0)
    x = random.standard_normal((BATCH, size, size, inputs), dtype=np.float32)
    channels, height, width = network.output_shape
    dy = random.standard_normal((BATCH, height, width, channels), dtype=np.float32)

    def step() -> float:
        network.compute(x.transpose(0, 3, 1, 2), run)
        network.backprop(dy.transpose(0, 3, 1, 2), run)
        return 0.0

    return step


def small_cnn() -> Step:
    """Return a step of a classifier with windows of 3×3."""

    def convolution(channels: int) -> sal.Layer:
        return sal.ConvolutionalLayer(channels, 3, padding=1, activation=sal.ReLU())

    layers = [convolution(32), convolution(32), sal.MaxPool(2), convolution(64), sal.MaxPool(2)]
    return _classifier([*layers, sal.Flatten(), sal.NeuronLayer(128, sal.ReLU())])


def mnist_cnn() -> Step:
    """Return a step of the network of ``mnist_classifier.py --model cnn``."""

    def convolution(channels: int, *window: int) -> list[sal.Layer]:
        layer = sal.ConvolutionalLayer(channels, *window, bias=False)
        return [layer, sal.BatchNorm(), sal.ReLU()]

    layers = [*convolution(32, 6, 2, 2), *convolution(64, 4, 2, 1)]
    layers += [sal.Dropout(0.2, channels=True), sal.Flatten(), sal.NeuronLayer(128, sal.ReLU())]
    return _classifier([*layers, sal.Dropout(0.3)])


def squeezenet_network() -> sal.Network:
    """Return SqueezeNet 1.1 with random weights."""
    from salamandre import models
    from salamandre.models.weights import CAFFE

    return models.squeezenet1_1(None, preprocessing=CAFFE).network


def squeezenet(images: int, gradient: bool) -> Step:
    """Return a forward pass of SqueezeNet 1.1, and back to the images if wanted."""
    network = squeezenet_network()
    run = network.new_pass(parameter_gradients=False, shared=True)
    run.want(parameter_gradients=False, logits=True)
    x, dy = digits(images, 3, 227, 227)[0], np.ones((images, 1000), np.float32)

    def step() -> float:
        y = network.compute(x, run, training=False)
        loss = y.sum()
        if gradient:
            network.backprop(dy, run)
        return loss

    return step


def _start(network: sal.Network, weights: list[tuple[np.ndarray, np.ndarray]]) -> None:
    named = ({f"{i}.weights": w, f"{i}.bias": b} for i, (w, b) in enumerate(weights))
    network.load_tensors({name: array for pair in named for name, array in pair.items()})


def _classifier(layers: list[sal.Layer]) -> Step:
    layers = [*layers, sal.NeuronLayer(10, sal.Softmax())]
    network = sal.Network(layers, (1, 28, 28), sal.CrossEntropy(), sal.Adam(RATE["Adam"]))
    x, labels = digits(BATCH, 1, 28, 28)
    return lambda: network.learn(x, labels)


def _adam() -> sal.Adam:
    return sal.Adam(PLAYERS["rate"], beta1=PLAYERS["beta1"])


def _round(game: sal.GanGame) -> Step:
    def step():
        game.play_and_learn()
        return game.history.steps["d_loss"][-1]

    return step
