"""JAX's steps: a whole step is one compiled program that may overwrite its inputs.

Images are channels-last. Random numbers are JAX's default ones, which were the quickest on a CPU.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from peers import BATCH, LEAK, PLAYERS, RATE, Game, Step, dense, digits, pictures

jax.config.update("jax_default_matmul_precision", "float32")  # on a GPU too


def perceptron(sizes: list[int], batch: int, optimizer: str) -> Step:
    """Return a step of a classifier with ReLU."""
    x, labels = map(jnp.asarray, digits(batch, sizes[0]))

    def loss(parameters: Any, _: Any) -> jax.Array:
        return cross_entropy(through(parameters, x, jax.nn.relu), labels)

    return learning(loss, weights(sizes), optimizer)


def learning(loss, parameters: Any, optimizer: str, key: jax.Array | None = None) -> Step:
    """Return a step of an optimizer on a loss of the parameters and of a key of random numbers."""
    rate = RATE[optimizer]

    def update(state, key):
        if optimizer == "Adam":
            value, gradients = jax.value_and_grad(loss)(state[0], key)
            return adam(state, gradients, rate, 0.9), value
        value, gradients = jax.value_and_grad(loss)(state, key)
        return jax.tree.map(lambda p, g: p - rate * g, state, gradients), value

    return compiled(update, fresh(parameters) if optimizer == "Adam" else parameters, key)


def compiled(update, state: Any, key: jax.Array | None) -> Step:
    """Return a step: state and key to state and loss, in one program that overwrites the state.

    Args:
        update: takes state and key.
        state: at the start.
        key: of random numbers, ``None`` if there are none.
    """

    def whole(state: Any, key: Any) -> Any:
        return *update(state, key), None if key is None else jax.random.split(key, 1)[0]

    program = jax.jit(whole, donate_argnums=(0, 1))
    kept = [jax.device_put(state), key]

    def step() -> jax.Array:
        kept[0], loss, kept[1] = program(*kept)
        return loss

    return step


def perceptron_round(game: Game) -> Step:
    """Return a round of a game between perceptrons."""
    players = weights(game.generator), weights(game.discriminator, 1)

    def generate(parameters: Any, z: jax.Array) -> jax.Array:
        return jnp.tanh(through(parameters, z, jax.nn.relu))

    def score(parameters: Any, x: jax.Array) -> jax.Array:
        return through(parameters, x, leaky)

    images = jnp.asarray(pictures(784))
    if not game.penalised:
        return gan_game(generate, score, players, images, (game.generator[0],))

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

    return compiled(play, tuple(map(fresh, players)), jax.random.key(0))


def gan_game(generate, score, players, images: jax.Array, latent: tuple[int, ...]) -> Step:
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

    return compiled(play, tuple(map(fresh, players)), jax.random.key(0))


def cgan_round() -> Step:
    """Return a round of the conditional game."""
    g_sizes, d_sizes = (110, 128, 256, 512, 1024, 784), (794, 512, 512, 512, 1)
    random = np.random.default_rng(0)
    embeddings = [random.standard_normal((10, 10), dtype=np.float32) for _ in "gd"]
    players = (
        {
            "embedding": embeddings[0],
            "dense": weights(g_sizes),
            "norms": [*map(normed, g_sizes[2:5])],
        },
        {"embedding": embeddings[1], "dense": weights(d_sizes, 1)},
    )

    def generate(p: Any, z: jax.Array, labels: jax.Array) -> jax.Array:
        (w, b), *inner, last = p["dense"]
        y = leaky(jnp.concatenate([z, p["embedding"][labels]], 1) @ w + b)
        for (w, b), norm in zip(inner, p["norms"], strict=True):
            y = leaky(batch_norm(y @ w + b, *norm, eps=1e-3))
        return jnp.tanh(y @ last[0] + last[1])

    def score(p: Any, x: jax.Array, labels: jax.Array, key: jax.Array) -> jax.Array:
        y = jnp.concatenate([x, p["embedding"][labels]], 1)
        for index, (w, b) in enumerate(p["dense"][:-1]):
            y = leaky(y @ w + b)
            y = dropout(jax.random.fold_in(key, index), y, 0.4) if index else y
        return y @ p["dense"][-1][0] + p["dense"][-1][1]

    pixels = jnp.asarray(pictures(784))
    numbers = jnp.asarray(digits(len(pixels), 1)[1])
    targets = jnp.repeat(jnp.array([1.0, 0.0]), BATCH)[:, None]

    def play(state, key):
        generator, discriminator = state
        keys = jax.random.split(key, 4)
        batch = jax.random.randint(keys[0], (BATCH,), 0, len(pixels))
        real, labels = pixels[batch], numbers[batch]
        z = jax.random.normal(keys[1], (BATCH, 100))
        fake, pull = jax.vjp(lambda p: generate(p, z, labels), generator[0])
        both, twice = jnp.concatenate([real, fake]), jnp.concatenate([labels, labels])

        def loss(p: Any) -> jax.Array:
            # The mean over real ones and the mean over fake ones are added.
            return 2 * ((score(p, both, twice, keys[2]) - targets) ** 2).mean()

        value, gradients = jax.value_and_grad(loss)(discriminator[0])
        discriminator = player_step(discriminator, gradients)

        def fooled(x: jax.Array) -> jax.Array:
            return ((score(discriminator[0], x, labels, keys[3]) - 1) ** 2).mean()

        (gradients,) = pull(jax.grad(fooled)(fake))
        return (player_step(generator, gradients), discriminator), value

    return compiled(play, tuple(map(fresh, players)), jax.random.key(0))


def dcgan_round() -> Step:
    """Return a round of the DCGAN."""
    random = np.random.default_rng(0)

    def kernel(*shape: int) -> np.ndarray:  # height, width, channels in, channels out
        return 0.02 * random.standard_normal(shape, dtype=np.float32)

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
        y = conv_transposed(z, first, 1, 0)
        for w, norm in zip(kernels, p["norms"][:-1], strict=True):
            y = conv_transposed(jax.nn.relu(batch_norm(y, *norm)), w, 2, 1)
        y = jax.nn.relu(batch_norm(y, *p["norms"][-1]))
        return jnp.tanh(conv_transposed(y, last, 2, 1) + p["bias"])

    def score(p: Any, x: jax.Array) -> jax.Array:
        first, *kernels, last = p["kernels"]
        y = leaky(convolution(x, first, 2, 1) + p["first"])
        for w, norm in zip(kernels, p["norms"], strict=True):
            y = leaky(batch_norm(convolution(y, w, 2, 1), *norm))
        return convolution(y, last, 1, 0) + p["bias"]

    images = jnp.asarray(pictures(1, 32, 32).transpose(0, 2, 3, 1))
    return gan_game(generate, score, players, images, (1, 1, 100))


def small_cnn() -> Step:
    """Return a step of a classifier with windows of 3×3."""
    random = np.random.default_rng(0)
    kernels = [
        (he(random, 3, 3, *channels), np.zeros(channels[1], np.float32))
        for channels in ((1, 32), (32, 32), (32, 64))
    ]
    x, labels = digits(BATCH, 28, 28, 1)
    x, labels = jnp.asarray(x), jnp.asarray(labels)

    def loss(parameters: Any, _: Any) -> jax.Array:
        y = x
        for index, (w, b) in enumerate(parameters["kernels"]):
            y = jax.nn.relu(convolution(y, w, 1, 1) + b)
            y = max_pool(y, 2, 2) if index else y
        return cross_entropy(
            through(parameters["dense"], y.reshape(BATCH, -1), jax.nn.relu), labels
        )

    parameters = {"kernels": kernels, "dense": weights([64 * 49, 128, 10])}
    return learning(loss, parameters, "Adam")


def mnist_cnn() -> Step:
    """Return a step of the network of ``mnist_classifier.py --model cnn``."""
    random = np.random.default_rng(0)
    parameters = {
        "kernels": [he(random, 6, 6, 1, 32), he(random, 4, 4, 32, 64)],
        "norms": [normed(32), normed(64)],
        "dense": weights([64 * 49, 128, 10]),
    }
    x, labels = digits(BATCH, 28, 28, 1)
    x, labels = jnp.asarray(x), jnp.asarray(labels)

    def loss(p: Any, key: jax.Array) -> jax.Array:
        keys, y = jax.random.split(key), x
        for w, norm, padding in zip(p["kernels"], p["norms"], (2, 1), strict=True):
            y = jax.nn.relu(batch_norm(convolution(y, w, 2, padding), *norm))
        y = dropout(keys[0], y, 0.2, (BATCH, 1, 1, 64)).reshape(BATCH, -1)
        (w, b), last = p["dense"]
        y = dropout(keys[1], jax.nn.relu(y @ w + b), 0.3)
        return cross_entropy(y @ last[0] + last[1], labels)

    return learning(loss, parameters, "Adam", jax.random.key(0))


def squeezenet(images: int, gradient: bool) -> Step:
    """Return a forward pass of SqueezeNet 1.1, and back to the images if wanted."""
    from peers.ours import squeezenet_network

    arrays = iter(squeezenet_network().named_parameters().values())
    arrays = [w.transpose(2, 3, 1, 0) if w.ndim == 4 else w for w in arrays]
    layers = list(zip(arrays[::2], arrays[1::2], strict=True))  # kernels and biases

    def score(layers: Any, x: jax.Array) -> jax.Array:
        rest = iter(layers)

        def after(y: jax.Array, stride: int = 1, padding: int = 0) -> jax.Array:
            w, b = next(rest)
            return jax.nn.relu(convolution(y, w, stride, padding) + b)

        y = max_pool(after(x, 2), 3, 2)
        for fire in range(8):
            y = after(y)
            y = jnp.concatenate([after(y), after(y, padding=1)], 3)
            y = max_pool(y, 3, 2) if fire in (1, 3) else y
        return after(y).mean((1, 2))

    def whole(layers: Any, x: jax.Array) -> Any:
        if not gradient:
            return score(layers, x).sum(), None
        y, pull = jax.vjp(lambda x: score(layers, x), x)
        return y.sum(), pull(jnp.ones_like(y))

    program, layers = jax.jit(whole), jax.device_put(layers)
    x = jnp.asarray(digits(images, 3, 227, 227)[0].transpose(0, 2, 3, 1))
    return lambda: program(layers, x)[0]


# -- parts -----------------------------------------------------------------------------------------


def weights(sizes, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weights of ``dense`` as (inputs, outputs), with which JAX is faster."""
    return [(np.ascontiguousarray(w.T), b) for w, b in dense(sizes, seed)]


def he(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Return windows (height, width, channels in, channels out) by He."""
    scale = (2 / (shape[0] * shape[1] * shape[2])) ** 0.5
    return np.float32(scale) * random.standard_normal(shape, dtype=np.float32)


def normed(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return gamma and beta of batch-norm."""
    return np.ones(channels, np.float32), np.zeros(channels, np.float32)


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


def conv_transposed(x: jax.Array, w: jax.Array, stride: int, padding: int) -> jax.Array:
    """Return a transposed convolution, channels-last."""
    pads = [(size - 1 - padding,) * 2 for size in w.shape[:2]]
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_transpose(x, w, (stride, stride), pads, dimension_numbers=axes)


def max_pool(x: jax.Array, size: int, stride: int) -> jax.Array:
    """Return the largest pixels of windows."""
    window, strides = (1, size, size, 1), (1, stride, stride, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, "VALID")


def dropout(
    key: jax.Array, x: jax.Array, rate: float, shape: tuple[int, ...] | None = None
) -> jax.Array:
    """Return x with a part of it zero, by a mask of its shape or of another that fits."""
    return x * jax.random.bernoulli(key, 1 - rate, shape or x.shape) / (1 - rate)


def batch_norm(x: jax.Array, gamma: jax.Array, beta: jax.Array, eps: float = 1e-5) -> jax.Array:
    """Return x normalised by the statistics of the batch; no running ones are kept."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    variance = (x * x).mean(axes) - mean * mean
    return (x - mean) * (jax.lax.rsqrt(variance + eps) * gamma) + beta


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
