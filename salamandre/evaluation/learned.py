"""What networks say of a game: classifiers that learn from its fakes, and its critic."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from salamandre.activations import ReLU, Softmax
from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.class_names import matched
from salamandre.data import Pairs
from salamandre.data.images import Images
from salamandre.games import checks
from salamandre.games.game import GanGame
from salamandre.layer import Layer
from salamandre.layers.convolution import ConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.shape import Flatten
from salamandre.losses import CrossEntropy
from salamandre.network import Network
from salamandre.optimizers import Adam
from salamandre.schedules import CosineDecay
from salamandre.training import Engine
from salamandre.training.metrics import accuracy


def classifier(
    shape: tuple[int, ...],
    classes: int,
    steps: int,
    convolutional: bool,
    seed: int = 0,
    backend: str | None = None,
) -> Network:
    """Return an untrained classifier of images, for so many steps of batches of 64.

    A perceptron, inputs-512-128-classes, or two convolutions before neurons, 128-classes.
    """
    layers: list[Layer] = []
    if convolutional:
        for channels, kernel, padding in ((32, 6, 2), (64, 4, 1)):
            layers.append(ConvolutionalLayer(channels, kernel, 2, padding, bias=False))
            layers += [BatchNorm(), ReLU()]
        layers += [Dropout(0.2, channels=True), Flatten()]
    else:
        layers += [NeuronLayer(512, ReLU()), Dropout(0.2)]
    return Network(
        [*layers, NeuronLayer(128, ReLU()), NeuronLayer(classes, Softmax())],
        shape if convolutional else math.prod(shape),
        CrossEntropy(),
        Adam(CosineDecay(0.001, steps)),
        seed=seed,
        backend=backend,
    )


def classification_accuracy_score(
    game: GanGame,
    test: Images,
    *,
    count: int = 10_000,
    epochs: int = 5,
    convolutional: bool | None = None,
    seed: int = 1,
) -> float:
    """Return the accuracy on real images of a classifier that has learned fakes alone.

    It is low if fakes are of other classes than were asked for, look different from real ones, or
    are too much alike (Ravuri and Vinyals 2019, "Classification accuracy score for conditional
    generative models"). Compare it with that of the same classifier after real images.

    Args:
        game: a conditional one.
        test: real images. Their labels are matched by name with those of the game.
        count: fakes that are learned, of all classes in turn. Default 10,000.
        epochs: of learning them. Default 5.
        convolutional: whether the classifier is. Default: for colour images.
        seed: of fakes and classifier. Default 1.
    """
    if not game.classes:
        raise ValueError(
            "a classification accuracy score needs labels of the fakes: the game must be "
            "conditional, labels=True"
        )
    if not isinstance(test, Images):
        raise ValueError(
            f"a classification accuracy score needs Images, which have labels, got "
            f"{type(test).__name__}"
        )
    if math.prod(test.shape) != math.prod(game.generator.output_shape):
        raise ValueError(
            f"the game makes images of shape {game.generator.output_shape}, the test images are "
            f"of {test.shape}"
        )
    names = game.generator.class_names or test.classes
    labels = matched("the test images", test.labels, test.classes, "the game", names)
    fakes = game.backend.to_numpy(game.generate(whole("count", count), seed))
    low, high = game.value_range
    real = test.images.astype(fakes.dtype) / test.white * (high - low) + low
    steps = whole("epochs", epochs) * max(1, count // 64)
    network = classifier(
        test.shape,
        game.classes,
        steps,
        test.shape[0] > 1 if convolutional is None else convolutional,
        seed,
        game.backend.name,
    )
    fakes, real = (x.reshape(len(x), *network.input_shape) for x in (fakes, real))
    engine = Engine(network, (fakes, np.arange(count) % game.classes), seed=seed)
    engine.run(epochs)
    if engine.interrupted:  # half a classifier's accuracy is no score
        raise KeyboardInterrupt
    return accuracy(game.backend.to_numpy(network.predict(real)), labels)


def critic_gap(game: GanGame, held_out: Images | Pairs | np.ndarray, count: int = 1000) -> float:
    """Return the critic's mean score of training images minus that of others, over their spread.

    Both kinds are real, so it is near 0 until the critic learns its training images by heart; then
    it tells the generator to copy them. In standard deviations of the scores of the others. A
    critic that compares the images of a batch, by :class:`MinibatchDiscrimination` or
    :class:`Packing`, is shown equally many of both, in random batches of the game's size.

    Args:
        game: its discriminator is asked.
        held_out: images of the same kind that the game has not learned, such as test images; of a
            game with conditions, ``Pairs``.
        count: of each kind, at most, in equal steps, as sets may be in the order of classes.
            At least 2. Default 1000.

    Raises:
        ValueError: a single image, or less than a batch for a critic that compares them.
    """
    labelled = isinstance(held_out, Images) and game.classes is not None
    if game.classes and not labelled:
        raise ValueError("the critic of a conditional game needs Images, which have labels")
    others = checks.examples(game.generator, game.discriminator, held_out, labelled, 1)
    whole("critic_gap count", count, 2)
    if len(others) < 2:
        raise ValueError(f"critic_gap needs two held-out images or more, got {len(others)}")
    sources, size = (game.batches.source, others), None
    layers = [layer for _, layer in game.discriminator.walk()]
    # Where batch-norm predicts, it has running statistics in place of the batch.
    if any(layer.couples_examples and not _keeps_statistics(layer) for layer in layers):
        size = game.batch_size
        batches = min(count, *map(len, sources)) // size
        if not batches:
            raise ValueError(
                f"this critic compares the images of a batch: critic_gap needs {size} of each kind "
                f"at least, as in a step of the game, got count={count} of {len(sources[0])} and "
                f"{len(others)}"
            )
        count = batches * size
    known, new = (_scores(game, source.spread(count), size) for source in sources)
    rounding = float(np.finfo(game.discriminator.dtype).eps * np.abs(new).max())
    return float((known.mean() - new.mean()) / max(new.std(), rounding, 1e-12))


def critic_gap_of(
    held_out: Images | Pairs | np.ndarray, count: int = 1000
) -> Callable[[GanGame], dict[str, float]]:
    """Return :func:`critic_gap` as a metric for :class:`salamandre.games.Evaluation`."""
    return lambda game: {"critic_gap": critic_gap(game, held_out, count)}


def _keeps_statistics(layer: Layer) -> bool:
    return any(part.declared_state for _, part in layer.walk())


def _scores(game: GanGame, batch: tuple[Array, Array], size: int | None) -> np.ndarray:
    """Return the critic's scores, of random batches of a size if one is given."""
    (x, labels), network = batch, game.discriminator
    if size is not None:
        order = np.random.default_rng(0).permutation(len(x))
        x, labels = x[order], labels[order]
    y = network.predict(x, size or 256, labels=labels if network.classes else None)
    return game.backend.to_numpy(y).astype(np.float64)
