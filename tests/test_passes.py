"""Passes: several alive at once, what they may leave out, and whose results are whose."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from networks import LABELS, X, everything, snapshot, unchanged

import salamandre as sal

DY = np.random.default_rng(2).normal(size=(3, 6, 3))


def plain(backend, **options) -> sal.Network:
    """A network with running statistics and without random numbers."""
    layers = [
        sal.NeuronLayer(5, sal.ELU()),
        sal.BatchNorm(),
        sal.Skip([sal.NeuronLayer(4, sal.Tanh())]),
        sal.NeuronLayer(3),
    ]
    return sal.Network(layers, 4, backend=backend, dtype="float64", **options)


def alone(network, x, dy, training=True):
    """Return outputs, dE/dx and gradients of one batch, with a copy that nobody else uses."""
    network = copy.deepcopy(network)
    y = network.compute(x, training=training)
    dx = network.backprop(dy)
    to_numpy = network.backend.to_numpy
    return to_numpy(y), to_numpy(dx), np.array(to_numpy(network.gradients))


# -- several at once -----------------------------------------------------------------------------


def test_passes_alive_at_once_give_what_each_gives_alone(backend, host):
    """As real examples, fake ones and those between them go through a discriminator."""
    network = plain(backend)
    batches = [X, 2 * X[:5] - 1, X[1:3] ** 2]
    directions = [d[: len(x)] for d, x in zip(DY, batches, strict=True)]
    expected = [alone(network, x, dy) for x, dy in zip(batches, directions, strict=True)]
    passes = [network.new_pass(accumulate=n > 0, statistics=n < 2) for n in range(3)]
    outputs = [network.compute(x, run) for x, run in zip(batches, passes, strict=True)]
    for y, (y_alone, _, _) in zip(outputs, expected, strict=True):
        assert np.array_equal(host(y), y_alone)
    total = 0
    for n in (0, 2, 1):  # in another order than forwards
        dx = network.backprop(directions[n], passes[n])
        assert np.array_equal(host(dx), expected[n][1])
        total = total + expected[n][2]
        assert np.allclose(host(network.gradients), total, rtol=1e-12, atol=1e-14)
    for n in range(3):  # backprop keeps what it needs, so that it may be asked again
        assert np.array_equal(host(network.backprop(directions[n], passes[n])), expected[n][1])


@pytest.mark.parametrize("training", [True, False])
def test_a_pass_forgets_nothing_when_another_changes_the_statistics(training, backend, host):
    network = plain(backend)
    network.compute(3 * X)
    _, expected_dx, expected = alone(network, X, DY[0], training)
    run = network.new_pass()
    network.compute(X, run, training=training)
    network.compute(X + 7, network.new_pass())  # its running statistics are others
    assert np.array_equal(host(network.backprop(DY[0], run)), expected_dx)
    assert np.array_equal(host(network.gradients), expected)


def test_steps_of_a_penalty_between_passes_disturb_nothing(backend, host):
    """Second-order backprop has a pass of its own."""
    layers = [sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(1)]
    critic = sal.Network(layers, 4, optimizer=sal.SGD(0.1), backend=backend, dtype="float64")
    constraint = sal.GradientPenalty()
    constraint.attach(critic)
    real, fake = critic.backend.asarray(X.astype(float)), critic.backend.asarray(1.0 - X)
    ones = critic.backend.xp.ones((6, 1), dtype=critic.dtype)
    first, second = critic.new_pass(), critic.new_pass(accumulate=True)
    critic.compute(real, first)
    critic.compute(fake, second)
    dx = host(critic.backprop(ones, first)).copy()
    dx_second = host(critic.backprop(ones, second)).copy()
    both = host(critic.gradients).copy()
    constraint.penalty(real, fake)
    added = host(critic.gradients) - both
    assert np.abs(added).max() > 1e-3
    assert np.array_equal(host(critic.backprop(ones, first)), dx)
    assert np.array_equal(host(critic.backprop(ones, second)), dx_second)
    assert np.allclose(host(critic.gradients), both)


# -- what is wanted ------------------------------------------------------------------------------


def test_accumulating_adds_and_writing_writes(backend, host):
    network = plain(backend)
    _, _, expected = alone(network, X, DY[0])
    network.gradients[...] = 5.0
    run = network.new_pass(accumulate=True)
    for times in (1, 2):
        network.compute(X, run)
        network.backprop(DY[0], run)
        assert np.allclose(host(network.gradients), 5 + times * expected)
    run = network.new_pass()
    network.compute(X, run)
    network.backprop(DY[0], run)
    assert np.array_equal(host(network.gradients), expected)


def test_without_statistics_running_ones_stay(backend, host):
    network, twin = plain(backend), plain(backend)
    run = network.new_pass(statistics=False)
    before = network.tensors()
    y = network.compute(X, run)
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert np.array_equal(host(y), host(twin.compute(X)))  # normalised by the batch, though
    h = np.where((z := X @ before["0.weights"].T) > 0, z, np.expm1(z))
    learned = twin.tensors()
    assert np.allclose(learned["1.running_mean"], 0.1 * h.mean(axis=0))
    assert np.allclose(learned["1.running_variance"], 0.9 + 0.1 * h.var(axis=0, ddof=1))


@pytest.mark.parametrize("parameter_gradients", [True, False])
@pytest.mark.parametrize("input_gradient", [True, False])
def test_only_what_is_wanted_is_computed(parameter_gradients, input_gradient, backend, host):
    network = plain(backend)
    _, dx_alone, expected = alone(network, X, DY[0])
    run = network.new_pass(parameter_gradients, input_gradient)
    network.gradients[...] = 5.0
    network.compute(X, run)
    dx = network.backprop(DY[0], run)
    assert (dx is None) == (not input_gradient)
    assert dx is None or np.array_equal(host(dx), dx_alone)
    wanted = expected if parameter_gradients else np.full_like(expected, 5)
    assert np.array_equal(host(network.gradients), wanted)


def test_a_pass_may_change_its_mind(backend, host):
    network = plain(backend)
    _, dx_alone, expected = alone(network, X, DY[0])
    run = network.new_pass(input_gradient=False)
    for parameters, inputs in ((True, False), (False, True), (True, True)):
        run.want(parameters, inputs)
        network.gradients[...] = 5.0
        network.compute(X, run)
        dx = network.backprop(DY[0], run)
        assert dx is None if not inputs else np.array_equal(host(dx), dx_alone)
        wanted = expected if parameters else np.full_like(expected, 5)
        assert np.array_equal(host(network.gradients), wanted)


def test_a_pass_through_the_first_layers_only(backend, host):
    network = plain(backend)
    run, weights = network.new_pass(), network.tensors()["0.weights"]
    y = host(network.compute(X, run, stop=1))
    z = X @ weights.T
    assert np.allclose(y, np.where(z > 0, z, np.expm1(z)))
    dy = np.random.default_rng(0).normal(size=(6, 5))
    dz = dy * np.where(z > 0, 1, np.exp(z))
    assert np.allclose(host(network.backprop(dy, run)), dz @ weights)
    assert np.allclose(host(network.named_gradients()["0.weights"]), dz.T @ X)


def test_accumulating_over_the_first_layers_leaves_the_others_alone(backend, host):
    network = plain(backend)
    run = network.new_pass(accumulate=True)
    dy = np.random.default_rng(0).normal(size=(6, 5))
    z = X @ network.tensors()["0.weights"].T
    expected = 5 + (dy * np.where(z > 0, 1, np.exp(z))).T @ X
    network.gradients[...] = 5.0
    network.compute(X, run, stop=1)
    network.backprop(dy, run)
    assert np.allclose(host(network.named_gradients()["0.weights"]), expected)
    for name, gradient in network.named_gradients().items():
        assert name.startswith("0.") or (host(gradient) == 5).all(), name


@pytest.mark.parametrize("stop", [None, 1, 2, 3])
def test_arrays_that_are_given_to_a_pass_are_left_alone(stop):
    network, x = plain("numpy"), X.astype(float)
    run = network.new_pass()
    x.flags.writeable = False
    y = network.compute(x, run, stop=stop)
    dy = np.random.default_rng(0).normal(size=y.shape)
    dy.flags.writeable = False
    kept = dy.copy()
    network.backprop(dy, run)
    assert np.array_equal(x, X) and np.array_equal(dy, kept)


# -- mistakes ------------------------------------------------------------------------------------


def test_a_pass_of_another_network_is_refused(backend):
    network, other = everything(backend), everything(backend)
    run = other.new_pass()
    other.compute(X, run)
    before = snapshot(network)
    for call in (lambda: network.compute(X, run), lambda: network.backprop(DY[0], run)):
        with pytest.raises(ValueError, match="this pass belongs to another network") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert unchanged(network, before)
    twin = copy.deepcopy(network)
    with pytest.raises(ValueError, match="another network"):
        twin.compute(X, network.new_pass())


def test_backprop_of_a_pass_that_computed_nothing_is_refused(backend):
    network = everything(backend)
    network.compute(X)  # in the network's own pass
    run, before = network.new_pass(), snapshot(network)
    with pytest.raises(RuntimeError, match="backprop needs a compute before it"):
        network.backprop(DY[0], run)
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        network.compute(X[:, :2], run)
    with pytest.raises(RuntimeError, match="backprop needs a compute before it"):
        network.backprop(DY[0], run)
    assert unchanged(network, before)


def test_a_compute_that_failed_leaves_nothing_to_go_back_from():
    network = everything()
    run = network.new_pass()
    network.compute(X, run)
    before = network.tensors()
    with pytest.raises(ValueError, match="at least 2 values"):
        network.compute(X[:1], run)
    with pytest.raises(RuntimeError, match="compute before it"):
        network.backprop(DY[0], run)
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


# -- whose arrays --------------------------------------------------------------------------------


def test_results_of_a_pass_are_its_memory_and_others_are_the_callers():
    network = plain("numpy")
    run = network.new_pass()
    first = network.compute(X, run)
    kept = first.copy()
    second = network.compute(2 * X, run)
    assert np.shares_memory(first, second)
    free = network.compute(X)
    assert np.array_equal(free, kept) and free.flags.owndata and free.flags.c_contiguous
    answers = [network.predict(X), network.predict(X, batch_size=4), free, network.backprop(DY[0])]
    for n, one in enumerate(answers):
        assert not np.shares_memory(one, network.compute(X, run))
        assert not any(np.shares_memory(one, other) for other in answers[:n])
    copies = [answer.copy() for answer in answers]
    network.compute(3 * X)
    network.backprop(-DY[0])
    network.predict(-X)
    assert all(map(np.array_equal, answers, copies))


def test_nothing_is_allocated_from_step_to_step():
    network = plain("numpy")
    run = network.new_pass()

    def pointers():
        y = network.compute(X, run)
        dx = network.backprop(DY[0], run)
        return y.ctypes.data, dx.ctypes.data

    assert len({pointers() for _ in range(5)}) == 1


def test_a_pass_is_copied_as_a_new_one_with_the_same_wishes():
    network = everything()
    run = network.new_pass(input_gradient=False, statistics=False, accumulate=True)
    network.compute(X, run)
    twin, twins_run = copy.deepcopy((network, run))
    assert twins_run.network is twin and twins_run.output_shape is None
    assert (twins_run.statistics, twins_run.accumulate) == (False, True)
    twin.compute(X, twins_run)
    assert twin.backprop(DY[0], twins_run) is None
    assert network.learn(X, LABELS) > 0
