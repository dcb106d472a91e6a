"""JAX's steps: a whole step is one compiled program that may overwrite its inputs.

Images are channels-last. The random generator is XLA's own, which is quicker than JAX's default.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from peers import BATCH, LEAK, PLAYERS, RATE, Game, Step, digits, pictures

jax.config.update("jax_default_matmul_precision", "float32")  # on a GPU too


def perceptron(sizes: list[int], batch: int, optimizer: str) -> Step:
    """Return a step of a classifier with ReLU."""
    x, labels = map(jnp.asarray, digits(batch))
    parameters = dense(np.random.default_rng(0), sizes)

    def loss(parameters: Any) -> jax.Array:
        return cross_entropy(through(parameters, x, jax.nn.relu), labels)

    return learning(loss, parameters, optimizer)


def learning(loss, parameters: Any, optimizer: str) -> Step:
    """Return a step of an optimizer on a loss of the parameters."""
    rate = RATE[optimizer]

    def update(state, _):
        if optimizer == "Adam":
            value, gradients = jax.value_and_grad(loss)(state[0])
            return adam(state, gradients, rate, 0.9), value
        value, gradients = jax.value_and_grad(loss)(state)
        return jax.tree.map(lambda p, g: p - rate * g, state, gradients), value

    return compiled(update, fresh(parameters) if optimizer == "Adam" else parameters)


def compiled(update, state: Any) -> Step:
    """Return a step: state and key to state and loss, in one program that overwrites the state."""
    program = jax.jit(
        lambda state, key: (*update(state, key), jax.random.split(key, 1)[0]), donate_argnums=(0, 1)
    )
    kept = [jax.device_put(state), jax.random.key(0, impl="unsafe_rbg")]

    def step() -> jax.Array:
        kept[0], loss, kept[1] = program(*kept)
        return loss

    return step


def vector_game(game: Game) -> Step:
    """Return a round of a game between perceptrons."""
    random = np.random.default_rng(0)
    players = dense(random, game.generator), dense(random, game.discriminator)

    def generate(parameters: Any, z: jax.Array) -> jax.Array:
        return jnp.tanh(through(parameters, z, jax.nn.relu))

    def score(parameters: Any, x: jax.Array) -> jax.Array:
        return through(parameters, x, leaky)

    images = jnp.asarray(pictures(784))
    if not game.penalised:
        return gan_round(generate, score, players, images, (game.generator[0],))

    def critic_loss(critic: Any, real: jax.Array, fake: jax.Array, key: jax.Array) -> jax.Array:
        share = jax.random.uniform(key, (BATCH, 1))
        between = share * real + (1 - share) * fake
        slope = jax.grad(lambda x: score(critic, x).sum())(between)
        penalty = 10 * ((jnp.linalg.norm(slope, axis=1) - 1) ** 2).mean()
        return score(critic, fake).mean() - score(critic, real).mean() + penalty

    def play(state, key):
        generator, critic = state
        for step_key in jax.random.split(key, game.discriminator_steps):
            keys = jax.random.split(step_key, 3)
            z = jax.random.normal(keys[0], (BATCH, game.generator[0]))
            fake, pull = jax.vjp(lambda p, z=z: generate(p, z), generator[0])
            real = images[jax.random.randint(keys[1], (BATCH,), 0, len(images))]
            loss, gradients = jax.value_and_grad(critic_loss)(critic[0], real, fake, keys[2])
            critic = player_step(critic, gradients)
        d_fake = jax.grad(lambda x: -score(critic[0], x).mean())(fake)
        return (player_step(generator, pull(d_fake)[0]), critic), loss

    return compiled(play, tuple(map(fresh, players)))


def gan_round(generate, score, players, images: jax.Array, latent: tuple[int, ...]) -> Step:
    """Return a round of the non-saturating game."""

    def play(state, key):
        generator, discriminator = state
        keys = jax.random.split(key, 2)
        z = jax.random.normal(keys[0], (BATCH, *latent))
        fake, pull = jax.vjp(lambda p: generate(p, z), generator[0])
        real = images[jax.random.randint(keys[1], (BATCH,), 0, len(images))]

        def loss(p: Any) -> jax.Array:
            return jax.nn.softplus(-score(p, real)).mean() + jax.nn.softplus(score(p, fake)).mean()

        value, gradients = jax.value_and_grad(loss)(discriminator[0])
        discriminator = player_step(discriminator, gradients)
        d_fake = jax.grad(lambda x: jax.nn.softplus(-score(discriminator[0], x)).mean())(fake)
        return (player_step(generator, pull(d_fake)[0]), discriminator), value

    return compiled(play, tuple(map(fresh, players)))


def dcgan() -> Step:
    """Return a round of the DCGAN."""
    random = np.random.default_rng(0)

    def kernel(*shape: int) -> np.ndarray:  # height, width, channels in, channels out
        return 0.02 * random.standard_normal(shape, dtype=np.float32)

    def normed(channels: int) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(channels, np.float32), np.zeros(channels, np.float32)

    channels = (100, 256, 128, 64, 1)
    generator = [kernel(4, 4, *pair) for pair in itertools.pairwise(channels)]
    discriminator = [kernel(4, 4, *pair) for pair in itertools.pairwise((1, 64, 128, 256, 1))]
    bias = np.zeros(1, np.float32)
    players = (
        {"kernels": generator, "norms": [*map(normed, channels[1:-1])], "bias": bias},
        {
            "kernels": discriminator,
            "norms": [*map(normed, (128, 256))],
            "bias": bias,
            "first": np.zeros(64, np.float32),
        },
    )

    def generate(p: Any, z: jax.Array) -> jax.Array:
        first, *kernels, last = p["kernels"]
        y = transposed(z, first, 1, 0)
        for w, norm in zip(kernels, p["norms"][:-1], strict=True):
            y = transposed(jax.nn.relu(batch_norm(y, *norm)), w, 2, 1)
        y = jax.nn.relu(batch_norm(y, *p["norms"][-1]))
        return jnp.tanh(transposed(y, last, 2, 1) + p["bias"])

    def score(p: Any, x: jax.Array) -> jax.Array:
        first, *kernels, last = p["kernels"]
        y = leaky(convolution(x, first, 2, 1) + p["first"])
        for w, norm in zip(kernels, p["norms"], strict=True):
            y = leaky(batch_norm(convolution(y, w, 2, 1), *norm))
        return convolution(y, last, 1, 0) + p["bias"]

    images = jnp.asarray(pictures(1, 32, 32).transpose(0, 2, 3, 1))
    return gan_round(generate, score, players, images, (1, 1, 100))


# -- parts -----------------------------------------------------------------------------------------


def dense(random: np.random.Generator, sizes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weights (inputs, outputs) by He, the last ones by Xavier, and biases of zero."""
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        variance = 2 / (inputs if len(layers) < len(sizes) - 2 else inputs + outputs)
        w = random.standard_normal((inputs, outputs), dtype=np.float32) * variance**0.5
        layers.append((w.astype(np.float32), np.zeros(outputs, np.float32)))
    return layers


def through(layers: Any, x: jax.Array, activation) -> jax.Array:
    """Return the outputs of a perceptron before its last activation."""
    for w, b in layers[:-1]:
        x = activation(x @ w + b)
    return x @ layers[-1][0] + layers[-1][1]


def leaky(x: jax.Array) -> jax.Array:
    """Return the leaky rectifier of games."""
    return jax.nn.leaky_relu(x, LEAK)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean over the batch."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
    return -chosen.mean()


def convolution(x: jax.Array, w: jax.Array, stride: int, padding: int) -> jax.Array:
    """Return a convolution, channels-last."""
    pads = [(padding, padding)] * 2
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, w, (stride, stride), pads, dimension_numbers=axes)


def transposed(x: jax.Array, w: jax.Array, stride: int, padding: int) -> jax.Array:
    """Return a transposed convolution, channels-last."""
    pads = [(size - 1 - padding,) * 2 for size in w.shape[:2]]
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_transpose(x, w, (stride, stride), pads, dimension_numbers=axes)


def batch_norm(x: jax.Array, gamma: jax.Array, beta: jax.Array) -> jax.Array:
    """Return x normalised by the statistics of the batch; no running ones are kept."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    variance = (x * x).mean(axes) - mean * mean
    return (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * gamma) + beta


def fresh(parameters: Any) -> tuple[Any, Any, Any, Any]:
    """Return the state of Adam: parameters, both means, and the number of steps."""
    zeros = jax.tree.map(np.zeros_like, parameters)
    return parameters, zeros, jax.tree.map(np.copy, zeros), np.zeros((), np.float32)


def adam(state: Any, gradients: Any, rate: float, beta1: float) -> Any:
    """Return the state after a step of Adam."""
    parameters, means, squares, t = state
    t = t + 1
    means = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, means, gradients)
    squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradients)
    root = jnp.sqrt(1 - 0.999**t)
    size = rate * root / (1 - beta1**t)
    parameters = jax.tree.map(
        lambda p, m, v: p - size * m / (jnp.sqrt(v) + 1e-8 * root), parameters, means, squares
    )
    return parameters, means, squares, t


def player_step(state: Any, gradients: Any) -> Any:
    """Return the state of a player after a step."""
    return adam(state, gradients, PLAYERS["rate"], PLAYERS["beta1"])
