"""Salamandre's steps."""

from __future__ import annotations

import salamandre as sal
from peers import BATCH, LEAK, PLAYERS, RATE, Game, Step, digits, pictures

HE, XAVIER = sal.initializers.He("normal"), sal.initializers.Xavier("normal")


def perceptron(sizes: list[int], batch: int, optimizer: str, backend: str = "numpy") -> Step:
    """Return a step of a classifier with ReLU."""
    layers = [sal.NeuronLayer(size, sal.ReLU(), initializer=HE) for size in sizes[1:-1]]
    layers.append(sal.NeuronLayer(sizes[-1], sal.Softmax(), initializer=XAVIER))
    learner = getattr(sal, optimizer)(RATE[optimizer])
    options = {"seed": 0, "backend": backend}
    network = sal.Network(layers, sizes[0], sal.CrossEntropy(), learner, **options)
    x, labels = (network.backend.asarray(array) for array in digits(batch))
    return lambda: network.learn(x, labels)


def vector_game(game: Game, backend: str = "numpy") -> Step:
    """Return a round of a game between perceptrons."""

    def player(sizes: tuple[int, ...], activation: sal.Activation, last: list, seed: int):
        *hidden, outputs = sizes[1:]
        layers = [sal.NeuronLayer(size, activation, initializer=HE) for size in hidden]
        layers.append(sal.NeuronLayer(outputs, *last, initializer=XAVIER))
        return sal.Network(layers, sizes[0], optimizer=_adam(), seed=seed, backend=backend)

    players = (
        player(game.generator, sal.ReLU(), [sal.Tanh()], 0),
        player(game.discriminator, sal.LeakyReLU(LEAK), [], 1),
    )
    options = {"latent": sal.Gaussian(game.generator[0]), "batch_size": BATCH, "seed": 0}
    images = pictures(784)
    if not game.penalised:
        return _round(sal.GanGame(*players, images, **options))
    steps = game.discriminator_steps
    penalty = sal.GradientPenalty(10)
    return _round(sal.WGanGame(*players, images, critic_steps=steps, lipschitz=penalty, **options))


def dcgan_game(images=None, seed: int = 0, backend: str = "numpy") -> sal.GanGame:
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
    return sal.GanGame(generator, discriminator, images, **options)


def dcgan(backend: str = "numpy") -> Step:
    """Return a round of the DCGAN."""
    return _round(dcgan_game(backend=backend))


def _adam() -> sal.Adam:
    return sal.Adam(PLAYERS["rate"], beta1=PLAYERS["beta1"])


def _round(game: sal.GanGame) -> Step:
    def step():
        game.play_and_learn()
        return game.history.steps["d_loss"][-1]

    return step
