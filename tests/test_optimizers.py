"""Optimizers against PyTorch and the papers' formulas."""

from __future__ import annotations

import copy
import functools
import math

import numpy as np
import pytest
from pytorch_twins import X, as_torch, close, nn, same_weights, torch, twins

import salamandre as sal

F = nn.functional

OPTIMIZERS = {
    "SGD": (lambda r: sal.SGD(r), lambda p, r: torch.optim.SGD(p, r)),
    "SGD, decay": (
        lambda r: sal.SGD(r, weight_decay=0.1),
        lambda p, r: torch.optim.SGD(p, r, weight_decay=0.1),
    ),
    "Momentum": (
        lambda r: sal.Momentum(r, 0.8),
        lambda p, r: torch.optim.SGD(p, r, momentum=0.8),
    ),
    "Nesterov": (
        lambda r: sal.Nesterov(r, 0.8, weight_decay=0.01),
        lambda p, r: torch.optim.SGD(p, r, momentum=0.8, nesterov=True, weight_decay=0.01),
    ),
    "AdaGrad": (lambda r: sal.AdaGrad(r), lambda p, r: torch.optim.Adagrad(p, r)),
    "RMSProp": (
        lambda r: sal.RMSProp(r, weight_decay=0.01),
        lambda p, r: torch.optim.RMSprop(p, r, weight_decay=0.01),
    ),
    "RMSProp, centred": (
        lambda r: sal.RMSProp(r, 0.9, 1e-6, centred=True),
        lambda p, r: torch.optim.RMSprop(p, r, 0.9, 1e-6, centered=True),
    ),
    "Adadelta": (lambda r: sal.Adadelta(r), lambda p, r: torch.optim.Adadelta(p, r)),
    "Adam": (lambda r: sal.Adam(r), lambda p, r: torch.optim.Adam(p, r)),
    "Adam of GANs": (
        lambda r: sal.Adam(r, beta1=0.5, beta2=0.9, weight_decay=0.1),
        lambda p, r: torch.optim.Adam(p, r, betas=(0.5, 0.9), weight_decay=0.1),
    ),
    "AdamW": (
        lambda r: sal.AdamW(r, decay=0.1),
        lambda p, r: torch.optim.AdamW(p, r, weight_decay=0.1),
    ),
}


def batches(steps):
    random = np.random.default_rng(6)
    for _ in range(steps):
        yield random.normal(size=(7, 5)), random.integers(0, 3, 7)


TRAJECTORIES = [
    *((name, "") for name in OPTIMIZERS),
    *(
        (name, "clip_" + what)
        for name in ("SGD, decay", "Adam")
        for what in ("norm", "value", "weights")
    ),
]


@functools.cache
def pytorch_trajectory(name, change):
    """Return a module's state after some of 100 steps."""
    _, module = twins("numpy")
    optimizer, found = OPTIMIZERS[name][1](module.parameters(), 0.01), {}
    for step, (x, labels) in enumerate(batches(100)):
        optimizer.zero_grad()
        F.cross_entropy(module(as_torch(x)), as_torch(labels)).backward()
        if change == "clip_norm":
            nn.utils.clip_grad_norm_(module.parameters(), 0.05)
        elif change == "clip_value":
            nn.utils.clip_grad_value_(module.parameters(), 0.05)
        optimizer.step()
        if change == "clip_weights":
            with torch.no_grad():
                for p in module.parameters():
                    p.clamp_(-0.05, 0.05)
        if step in (0, 1, 9, 99):
            found[step] = copy.deepcopy(module)
    return found


@pytest.mark.parametrize("name, change", TRAJECTORIES)
def test_trajectories_of_100_steps(name, change, backend):
    optimizer = OPTIMIZERS[name][0](0.01)
    if change:
        optimizer = type(optimizer)(**{**optimizer.config(), change: 0.05})
    network, _ = twins(backend, optimizer)
    expected = pytorch_trajectory(name, change)
    for step, (x, labels) in enumerate(batches(100)):
        network.learn(x, labels)
        assert step not in expected or same_weights(network, expected[step])


@pytest.mark.parametrize("name", ["SGD", "Momentum", "Nesterov", "Adam", "RMSProp"])
def test_a_rate_that_is_changed_between_steps(name, backend):
    """What the optimizer remembers does not depend on the rate, as in PyTorch."""
    network, module = twins(backend, OPTIMIZERS[name][0](0.01))
    optimizer = OPTIMIZERS[name][1](module.parameters(), 0.01)
    for step, (x, labels) in enumerate(batches(12)):
        network.optimizer.learning_rate = optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
        network.learn(x, labels)
        optimizer.zero_grad()
        F.cross_entropy(module(as_torch(x)), as_torch(labels)).backward()
        optimizer.step()
    assert same_weights(network, module)


def centred_adadelta(p, gradients, rate, rho, eps):
    """Zeiler's formula with the variance in place of the mean square, number by number."""
    s = d = m = 0.0
    for g in gradients:
        s = rho * s + (1 - rho) * g**2
        m = rho * m + (1 - rho) * g
        delta = math.sqrt(d + eps) / math.sqrt(s - m**2 + eps) * g
        d = rho * d + (1 - rho) * delta**2
        p = p - rate * delta
    return p


def test_centred_adadelta_against_a_transcription(backend, host):
    random = np.random.default_rng(2)
    start, gradients = random.normal(size=6), random.normal(0.3, 1, (100, 6))
    optimizer = sal.Adadelta(0.7, rho=0.95, eps=1e-5, centred=True)
    side = sal.get_backend(backend)
    parameters = side.asarray(start.copy())
    optimizer.attach(side, parameters)
    for gradient in gradients:
        optimizer.step(parameters, side.asarray(gradient))
    expected = [
        centred_adadelta(p, g, 0.7, 0.95, 1e-5) for p, g in zip(start, gradients.T, strict=True)
    ]
    assert close(host(parameters), np.array(expected))


def test_clip_norm_holds_gradients_whose_squares_overflow():
    optimizer = sal.SGD(1.0, clip_norm=1.0)
    side = sal.get_backend("numpy")
    parameters = np.zeros(2, np.float32)
    optimizer.attach(side, parameters)
    optimizer.step(parameters, np.array([3e30, 4e30], np.float32))
    assert parameters == pytest.approx([-0.6, -0.8], rel=1e-5)


def test_a_rule_with_more_slots_than_the_compiled_loops():
    class Many(sal.Optimizer):
        slots = ("a", "b", "c", "d")

        @staticmethod
        def rule(p, g, a, b, c, d, rate):
            p -= rate * g
            return p, a, b, c, d

    network = sal.Network([sal.NeuronLayer(1)], 5, sal.MeanSquaredError(), Many(0.1))
    assert network.learn(X, X[:, :1]) > network.learn(X, X[:, :1])


def test_an_optimizer_in_use_leaves_the_layers_free():
    optimizer, layer = sal.SGD(), sal.NeuronLayer(1)
    sal.Network([sal.NeuronLayer(1)], 1, optimizer=optimizer)
    with pytest.raises(ValueError, match="belongs to a network already"):
        sal.Network([layer], 1, optimizer=optimizer)
    assert not layer.built


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if OPTIMIZERS[name][0](0.01).slots])
def test_what_forgets_does_not_sink_into_subnormal_numbers(name):
    """Their arithmetic is slow; gradients of pixels that are always black stay 0."""
    optimizer, parameters = OPTIMIZERS[name][0](0.01), np.full(4, 0.5, np.float32)
    optimizer.attach(sal.get_backend("numpy"), parameters)
    gradients = np.full(4, 1e-3, np.float32)
    for _ in range(2000):
        optimizer.step(parameters, gradients, [slice(0, 4)])
        gradients[:] = 0
    least = np.finfo(np.float32).tiny
    for array in optimizer.memory.values():
        assert ((array == 0) | (abs(array) >= least)).all()
