"""The gradient of a gradient penalty, through every layer that has one."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from differences import penalty_agrees
from players import POINTS, players
from pytorch_twins import nn, penalty_as_in_pytorch

import salamandre as sal

CONV, UP = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer
NEURONS = sal.NeuronLayer

# The shape of an example, layers before a last neuron, the same in PyTorch if it has them.
VECTOR, IMAGE = (4,), (2, 6, 8)
CRITICS = {
    "rectifiers": (
        VECTOR,
        [NEURONS(6, sal.LeakyReLU(0.2)), NEURONS(5, sal.ReLU())],
        [nn.Linear(4, 6), nn.LeakyReLU(0.2), nn.Linear(6, 5), nn.ReLU()],
    ),
    "smooth": (
        VECTOR,
        [NEURONS(6, sal.Tanh(1.7, 0.7)), NEURONS(5, sal.Sigmoid(mu=2)), NEURONS(5, sal.Tanh())],
        None,
    ),
    "sigmoid": (
        VECTOR,
        [NEURONS(7, sal.LeakyReLU(0.2)), NEURONS(5, sal.Tanh()), NEURONS(4, sal.Sigmoid())],
        [
            *(nn.Linear(4, 7), nn.LeakyReLU(0.2), nn.Linear(7, 5), nn.Tanh()),
            *(nn.Linear(5, 4), nn.Sigmoid()),
        ],
    ),
    "others": (VECTOR, [NEURONS(6, sal.SoftPlus(), noise=2), NEURONS(5, sal.ELU(0.7))], None),
    "apart": (VECTOR, [NEURONS(6), sal.CenteredSigmoid(1.3), sal.Dropout(0.2), sal.Tanh()], None),
    "shapes": (
        VECTOR,
        [sal.Reshape((2, 2)), sal.Flatten(), sal.Network([NEURONS(4, sal.Tanh())])],
        None,
    ),
    "embedding": (VECTOR, [sal.Embedding(3, 2), NEURONS(5, sal.Tanh())], None),
    "projection": (VECTOR, [NEURONS(5, sal.Tanh()), NEURONS(4), sal.Projection(3)], None),
    "label map": (
        VECTOR,
        [
            *(sal.Reshape((1, 2, 2)), sal.LabelMap(3), sal.Flatten()),
            NEURONS(5, sal.SoftPlus()),
        ],
        None,
    ),
    "columns": (IMAGE, [CONV(3, 3, 2, 1, sal.Tanh())], [nn.Conv2d(2, 3, 3, 2, 1), nn.Tanh()]),
    "tiles": (IMAGE, [CONV(16, 4, 2, 1), CONV(16, 2, 1, 0, sal.LeakyReLU(0.2))], None),
    "whole": (
        IMAGE,
        [CONV(4, 1, activation=sal.Sigmoid()), CONV(3, (6, 8), activation=sal.ELU())],
        None,
    ),
    "transposed": (
        IMAGE,
        [UP(3, 3, 2, 1, sal.SoftPlus(), output_padding=1)],
        [nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), nn.Softplus()],
    ),
    "max-pool": (
        IMAGE,
        [CONV(3, 3, activation=sal.Tanh()), sal.MaxPool(2, 1), CONV(2, 2, activation=sal.Tanh())],
        [nn.Conv2d(2, 3, 3), nn.Tanh(), nn.MaxPool2d(2, 1), nn.Conv2d(3, 2, 2), nn.Tanh()],
    ),
    "average-pool": (
        IMAGE,
        [CONV(3, 3, activation=sal.Tanh()), sal.AveragePool(2), CONV(2, 2, activation=sal.Tanh())],
        [nn.Conv2d(2, 3, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 2, 2), nn.Tanh()],
    ),
    "global pool": (
        IMAGE,
        [CONV(3, 3, activation=sal.Tanh()), sal.GlobalAveragePool(), NEURONS(4, sal.Tanh())],
        None,
    ),
    "upsample": (
        IMAGE,
        [CONV(3, 3, activation=sal.Tanh()), sal.Upsample(2), CONV(2, 2, activation=sal.Tanh())],
        None,
    ),
    "layer-norm": (
        IMAGE,
        [CONV(3, 3, bias=False), sal.LayerNorm(), sal.Tanh()],
        [nn.Conv2d(2, 3, 3, bias=False), nn.LayerNorm((3, 4, 6)), nn.Tanh()],
    ),
    "instance-norm": (
        IMAGE,
        [CONV(3, 3, bias=False), sal.InstanceNorm(), sal.Tanh()],
        [nn.Conv2d(2, 3, 3, bias=False), nn.InstanceNorm2d(3, affine=True), nn.Tanh()],
    ),
    "noise": (VECTOR, [NEURONS(5, sal.Tanh()), sal.GaussianNoise(0.3, True), sal.Tanh()], None),
    "added noise": (VECTOR, [NEURONS(5), sal.GaussianNoise(0.3), sal.Tanh()], None),
    "augmentation": (IMAGE, [sal.Augmentation(), CONV(3, 3, activation=sal.Tanh())], None),
    "dropout": (
        IMAGE,
        [CONV(3, 3, activation=sal.Tanh()), sal.Dropout(0.3, channels=True)],
        None,
    ),
}


def critic_of(name, backend):
    shape, layers, _ = CRITICS[name]
    layers = copy.deepcopy(layers)
    if not isinstance(layers[-1], sal.Projection):
        layers += [sal.Flatten(), NEURONS(1)]
    return sal.Network(layers, shape, optimizer=sal.SGD(0.1), backend=backend, dtype="float64")


@pytest.mark.usefixtures("tiles_of_any_batch")
@pytest.mark.parametrize("name", CRITICS)
def test_the_gradient_of_the_gradient_penalty(name, backend, host, random):
    """Against centred differences along random directions."""
    critic = critic_of(name, backend)
    penalty = sal.GradientPenalty(10)
    penalty.attach(critic)
    real, fake = map(critic.backend.asarray, random.normal(size=(2, 6, *critic.input_shape)))
    labels = critic.backend.asarray(np.array([2, 0, 1, 2, 2, 0])) if critic.classes else None
    penalty_agrees(penalty, critic, real, fake, labels, random)


@pytest.mark.parametrize("name", [name for name, (*_, theirs) in CRITICS.items() if theirs])
def test_the_gradient_penalty_against_pytorch(name, backend, host, random):
    critic, (shape, _, theirs) = critic_of(name, backend), CRITICS[name]
    penalty_as_in_pytorch(critic, theirs, shape, host, random)


@pytest.mark.parametrize("layer", [sal.BatchNorm(), sal.Softmax()], ids=repr)
def test_layers_without_a_place_under_a_gradient_penalty_are_refused(layer):
    critic = sal.Network([sal.NeuronLayer(4), layer, sal.NeuronLayer(1)], 3, optimizer=sal.SGD())
    before = critic.tensors()
    with pytest.raises(ValueError, match="cannot be part of a critic with a gradient penalty"):
        sal.GanGame(
            players()[0], critic, POINTS, latent=sal.Gaussian(5), lipschitz=sal.GradientPenalty()
        )
    after = critic.tensors()
    assert all(np.array_equal(before[n], after[n]) for n in before)


def test_batch_norm_over_images_is_refused_under_a_gradient_penalty():
    layers = [CONV(3, 3), sal.BatchNorm(), sal.Flatten(), NEURONS(1)]
    critic = sal.Network(layers, IMAGE, optimizer=sal.SGD())
    with pytest.raises(ValueError, match="BatchNorm cannot be part of a critic"):
        sal.GradientPenalty().attach(critic)
