"""The players of small games."""

from __future__ import annotations

import numpy as np

import salamandre as sal

POINTS = np.random.default_rng(3).normal(size=(200, 3)).astype(np.float32)


def players(backend="numpy", normalised=False, dtype="float32", **options):
    """A generator and a discriminator with everything that has a state."""
    generator = sal.Network(
        [
            sal.NeuronLayer(8, noise=2),
            sal.BatchNorm(),
            sal.LeakyReLU(0.2),
            sal.NeuronLayer(3, sal.Tanh(k=4)),
        ],
        5,
        optimizer=sal.Adam(0.002, beta1=0.5),
        seed=1,
        backend=backend,
        dtype=dtype,
    )
    middle = [sal.BatchNorm()] if normalised else []
    discriminator = sal.Network(
        [
            sal.NeuronLayer(8),
            *middle,
            sal.LeakyReLU(0.2),
            sal.Dropout(0.1),
            sal.NeuronLayer(1),
        ],
        3,
        optimizer=sal.RMSProp(0.001),
        seed=2,
        backend=backend,
        dtype=dtype,
    )
    return generator, discriminator


def game(kind=sal.GanGame, backend="numpy", normalised=False, **options):
    options = {"latent": sal.Gaussian(5), "batch_size": 16, "seed": 4, **options}
    return kind(*players(backend, normalised), POINTS, **options)


REMEDIES = {
    "remedies": [
        sal.LabelSmoothing(0.7, 1.0),
        sal.LabelFlipping(0.1),
        sal.InstanceNoise(0.2),
        sal.FeatureMatching(0.5),
        sal.MovingAverage(0.9),
    ],
    "generator_steps": 2,
    "discriminator_steps": 2,
}
