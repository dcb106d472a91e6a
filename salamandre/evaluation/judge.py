"""Metrics of generated images from a classifier of the real ones."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from salamandre.activations import Softmax
from salamandre.checks import array, whole
from salamandre.class_names import matched
from salamandre.component import encode
from salamandre.data import cache
from salamandre.data.images import Images
from salamandre.data.transforms import Shift
from salamandre.evaluation.classes import class_divergence, class_shares, classifier_score
from salamandre.evaluation.distances import finite, frechet_distance, precision_recall
from salamandre.evaluation.features import density_coverage, intra_class_frechet, kernel_distance
from salamandre.evaluation.learned import classifier
from salamandre.games.game import GanGame
from salamandre.network import Network
from salamandre.texts import readable_name
from salamandre.training import Engine, ProgressBar
from salamandre.training.metrics import accuracy

CONFIDENT = 0.9
FAR = 0.01  # of the values, more than which may not lie half a range outside
NEIGHBOURS = 3000  # examples of each kind for precision and recall, whose time is quadratic


class Judge:
    """A classifier that has learned the real images, and the metrics it gives of generated ones.

    Args:
        classifier: a trained Network that ends in Softmax; the outputs of the layer before
            the last one are the features.
        images: real images, with whose features and classes generated ones are compared. Their
            labels are matched by name with the classifier's ``class_names``, if it has some.

    Attributes:
        accuracy: of the classifier on ``images``, which should not be its training images.
        confident: the share of ``images`` whose most likely class has a probability above 0.9.

    Raises:
        ValueError: a classifier that does not fit the images, or does not know their classes.
    """

    def __init__(self, classifier: Network, images: Images) -> None:
        if not isinstance(classifier.output_activation, Softmax):
            raise ValueError("a Judge needs a classifier that ends in Softmax()")
        names = classifier.class_names or images.classes
        if classifier.output_shape != (len(names),):
            raise ValueError(
                f"the classifier knows {classifier.output_shape[0]} classes, "
                f"{'its class_names' if classifier.class_names else 'the images'} have {len(names)}"
            )
        what = f"the {images.split} split of {images.name!r}"
        labels = matched(what, images.labels, images.classes, "the classifier", names)
        images = replace(images, labels=labels, classes=names)
        if classifier.input_shape not in (images.shape, (math.prod(images.shape),)):
            raise ValueError(
                f"the classifier takes {classifier.input_shape}, the images are {images.shape}"
            )
        self.classifier, self.classes = classifier, images.classes
        probabilities, features = self._classified(images.images, (0.0, images.white))
        # Shuffled: the order of a data set may mean something, and metrics take the first rows.
        order = np.random.default_rng(0).permutation(len(features))
        self._features, self._labels = features[order], images.labels[order]
        self.accuracy = accuracy(probabilities, images.labels)
        self.confident = float((probabilities.max(axis=1) > CONFIDENT).mean())
        self._shares = class_shares(images.labels, len(images.classes))

    @classmethod
    def trained(
        cls,
        train: Images,
        test: Images,
        *,
        convolutional: bool | None = None,
        epochs: int = 15,
        seed: int = 0,
        cache_dir: str | os.PathLike[str] | None = None,
        backend: str | None = None,
        quiet: bool = False,
    ) -> Judge:
        """Return a judge with a classifier of ``train``, trained now or found in the cache.

        The classifier is a perceptron, inputs-512-128-classes, or two convolutions before
        neurons, 128-classes; it is kept in the cache folder (see :func:`salamandre.data.load`).

        Args:
            train: the training images of the classifier.
            test: the images that generated ones are compared with.
            convolutional: whether the classifier is; slower and better. Default: for colour
                images.
            epochs: of training. Default 15: half a minute for MNIST on two cores; convolutional
                it takes some minutes.
            seed: of the training. Default 0.
            cache_dir: default as for data sets.
            backend: of the classifier. Default as for networks.
            quiet: show no progress of the training. Default False.
        """
        if test.shape != train.shape:
            raise ValueError(f"the test images are {test.shape}, the training images {train.shape}")
        matched("the test images", test.labels, test.classes, "the training images", train.classes)
        if convolutional is None:
            convolutional = train.shape[0] > 1
        steps = whole("epochs", epochs) * max(1, len(train) // 64)
        learner = classifier(train.shape, len(train.classes), steps, convolutional, seed, backend)
        settings = [encode(learner), train.name, train.checksum, epochs, seed]
        digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
        path = (
            cache.root(cache_dir) / "judges" / f"{readable_name(train.name)}-{digest}.safetensors"
        )
        try:
            learner = Network.load(path, backend=backend)
        except (FileNotFoundError, ValueError):  # not trained yet, or damaged
            shift = Shift(1 + convolutional) if min(train.shape[1:]) >= 16 else None
            bar = [] if quiet else [ProgressBar()]
            engine = Engine(learner, train, seed=seed, transform=shift, callbacks=bar)
            engine.run(epochs)
            if engine.interrupted:
                raise KeyboardInterrupt from None
            with suppress(OSError):  # without a cache it is trained again next time
                learner.save(path)
        learner.class_names = train.classes  # files of version 0.1 hold none
        return cls(learner, test)

    def _classified(
        self, examples: np.ndarray, value_range: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and features of images, block by block."""
        network, (low, high) = self.classifier, value_range
        if not low < high:
            raise ValueError(f"value_range must have black below white, got {value_range}")
        if examples.dtype.kind in "iu" and examples.size and examples.max() > high:
            raise ValueError(
                f"value_range must have the values of black and white: of bytes to "
                f"{examples.max()} it is not {value_range}, but (0, images.white)"
            )
        size = math.prod(network.input_shape)
        if examples.ndim < 2 or not len(examples) or examples[0].size != size:
            raise ValueError(
                f"a Judge classifies images (N, ...) of the shape {network.input_shape}, got an "
                f"array {examples.shape}"
            )
        black, white = network.pixels[1:]  # in which it has learned
        run = network.new_pass(parameter_gradients=False, shared=True)
        last = len(network.layers) - 1
        probabilities, features = [], []
        for start in range(0, len(examples), 1000):
            block = np.array(finite("images", examples[start : start + 1000]), network.dtype)
            x = np.clip((block - low) / (high - low), 0, 1) * (white - black) + black
            x = x.reshape(-1, *network.input_shape)
            y = network.compute(x, run, training=False, stop=last)
            features.append(np.array(network.backend.to_numpy(y)))
            y = network.layers[last].compute(y, run.parts[last])
            probabilities.append(np.array(network.backend.to_numpy(y)))
        return np.concatenate(probabilities), np.concatenate(features).reshape(len(examples), -1)

    def classify(
        self, examples: np.ndarray, value_range: tuple[float, float] = (0.0, 1.0)
    ) -> np.ndarray:
        """Return probabilities (N, classes) of images (N, ...) with values in ``value_range``."""
        return self._classified(_in_range(examples, value_range), value_range)[0]

    def metrics(
        self, examples: np.ndarray, value_range: tuple[float, float] = (0.0, 1.0)
    ) -> dict[str, float]:
        """Return the metrics of generated images.

        Args:
            examples: (N, ...) with the elements of an image each; preferably as many as real ones.
            value_range: the values of black and white. Default (0, 1).

        Returns:
            ``classes``, the number of classes whose share is at least a tenth of their share in the
            data; ``least`` and ``most``, the smallest and the largest share of a class;
            ``confident``, the share whose most likely class has a probability above 0.9;
            ``divergence`` of the classes from the data's, the reverse KL
            (:func:`class_divergence`), unless the real images lack one of the classifier's;
            ``score`` (:func:`classifier_score`); ``frechet``
            (:func:`frechet_distance` of the features, with as many real images, if there are so
            many); and of 3,000 at most ``precision`` and ``recall`` (:func:`precision_recall`),
            ``density`` and ``coverage`` (:func:`density_coverage`), and ``kid``
            (:func:`kernel_distance`).
        """
        return self._metrics(*self._classified(_in_range(examples, value_range), value_range))

    def _metrics(self, probabilities: np.ndarray, features: np.ndarray) -> dict[str, float]:
        shares = class_shares(probabilities.argmax(axis=1), len(self.classes))
        real = self._shares > 0
        few = min(NEIGHBOURS, len(features), len(self._features))
        # Examples may be in the order of what was asked for; the real ones are shuffled already.
        order = np.random.default_rng(1).permutation(len(features))[:few]
        sets = features[order], self._features[:few]
        precision, recall = precision_recall(*sets)
        density, coverage = density_coverage(*sets, k=min(5, few - 1))
        return {
            "classes": int((shares[real] >= self._shares[real] / 10).sum()),
            "least": float(shares[real].min()),
            "most": float(shares.max()),
            "confident": float((probabilities.max(axis=1) > CONFIDENT).mean()),
            **({"divergence": class_divergence(shares, self._shares)} if real.all() else {}),
            "score": classifier_score(probabilities),
            "frechet": frechet_distance(features, self._features[: len(features)]),
            "precision": precision,
            "recall": recall,
            "density": density,
            "coverage": coverage,
            "kid": kernel_distance(*sets, size=few, subsets=1),
        }

    def of_game(self, count: int = 10_000, seed: int = 1) -> Callable[[GanGame], dict[str, float]]:
        """Return a metric for :class:`salamandre.games.Evaluation`: ``count`` examples.

        For a conditional game there are also ``right``, the share that is of the requested class,
        and ``intra``, the mean of :func:`intra_class_frechet` over classes with two examples.
        """
        whole("count", count, 4)  # precision and recall need as many
        return functools.partial(self._metrics_of, count=count, seed=whole("seed", seed, 0))

    def _metrics_of(self, game: GanGame, count: int, seed: int) -> dict[str, float]:
        examples = game.backend.to_numpy(game.generate(count, seed))
        probabilities, features = self._classified(examples, game.value_range)
        metrics = self._metrics(probabilities, features)
        if game.classes:
            requested = np.arange(count) % game.classes
            if game.generator.class_names:
                names = game.generator.class_names
                requested = matched("the game", requested, names, "the judge", self.classes)
            metrics["right"] = accuracy(probabilities, requested)
            sets = (features, requested, self._features, self._labels)
            distances = intra_class_frechet(*sets, len(self.classes))
            if not np.isnan(distances).all():  # else there are too few of each class
                metrics["intra"] = float(np.nanmean(distances))
        return metrics


def _in_range(examples: Any, value_range: tuple[float, float]) -> np.ndarray:
    """Return examples as an array; refuse what seems to be of another range.

    What a network without a last activation makes may lie a little outside, and counts as black or
    white.
    """
    found, (low, high) = array("the examples", examples), value_range
    if found.dtype.kind == "f" and found.size and low < high:
        half = (high - low) / 2
        if ((found < low - half) | (found > high + half)).mean() > FAR:
            raise ValueError(
                f"value_range must have the values of black and white, got {value_range} for "
                f"images with values from {found.min():g} to {found.max():g}: of a game it is "
                f"game.value_range"
            )
    return found
