"""What the latent vectors of an autoencoder are compared with: principal components, and pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from autoencoder_pictures import as_pixels

import salamandre as sal

LABELLED = 1000  # images that the classifiers of features learn from


class Components:
    """Principal components: the best linear autoencoder (Baldi, Hornik 1989).

    Args:
        x: (N, features).
    """

    def __init__(self, x: np.ndarray) -> None:
        self.mean = x.mean(axis=0)
        centred = x - self.mean
        _, vectors = np.linalg.eigh(centred.T @ centred)
        self.axes = vectors[:, ::-1]  # the one of the largest variance first

    def encode(self, x: np.ndarray, count: int) -> np.ndarray:
        """Return the first coordinates (N, count)."""
        return (x - self.mean) @ self.axes[:, :count]

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return the points (N, features) of coordinates (N, count)."""
        return self.mean + z @ self.axes[:, : z.shape[1]].T


def classified(train: np.ndarray, test: np.ndarray, sets: Any, options: Any) -> float:
    """Return the accuracy of a linear classifier that learned from features of some images."""
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    labels, wanted = (part.labels.astype(int) for part in sets)
    network = sal.Network(
        [sal.NeuronLayer(len(sets[0].classes), sal.Softmax())],
        train.shape[1],
        sal.CrossEntropy(),
        sal.Adam(0.01, weight_decay=1e-3),
        seed=options.seed,
    )
    pairs = ((train - mean) / std, labels), ((test - mean) / std, wanted)
    engine = sal.Engine(network, *pairs, batch_size=50, test_every=sal.Epochs(50))
    engine.run(50)
    if engine.interrupted:
        raise KeyboardInterrupt
    return engine.evaluate()["accuracy"]


def compare_features(
    encoder: sal.Network, components: Components, latent: int, sets: Any, options: Any
) -> dict[str, float]:
    """Return the accuracy of classifiers of latent vectors, principal components and pixels."""
    labelled = sets[0].spread(LABELLED), sets[1]  # folders are in the order of classes
    few, rest = (as_pixels(part) for part in labelled)
    rows = few.reshape(len(few), -1), rest.reshape(len(rest), -1)
    codes = [encode(encoder, x, latent) for x in (few, rest)]
    principal = [components.encode(x, latent) for x in rows]
    features = {"latent vectors": codes, "principal components": principal, "pixels": rows}
    return {name: classified(*pair, labelled, options) for name, pair in features.items()}


def encode(encoder: sal.Network, x: np.ndarray, latent: int) -> np.ndarray:
    """Return the latent vectors of images, or their means, on the host."""
    return encoder.backend.to_numpy(encoder.predict(x.reshape(-1, *encoder.input_shape)))[
        :, :latent
    ]
