"""What is said of a run that diverged is true: who follows the advice has a run that does not."""

from __future__ import annotations

import re

import numpy as np
import pytest

import salamandre as sal

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(64, 4)).astype(np.float32)
Y = X @ np.array([[1.0], [2.0], [-1.0], [0.5]], np.float32)


class Exponential(sal.Loss):
    """E = mean of exp(y) - t y, which overflows float32 for y above 88."""

    def compute(self, y, target, xp):
        grown = xp.exp(y)
        return (grown - target * y).mean(), (grown - target) / y.size


def engine(optimizer, loss=None, x=X, **options):
    network = sal.Network([sal.NeuronLayer(1)], 4, loss or sal.MeanSquaredError(), optimizer)
    return sal.Engine(network, (x, Y), batch_size=8, seed=1, **options)


def message(run, epochs=40):
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged) as caught:
        run.run(epochs)
    assert run.error is caught.value
    return str(caught.value)


def test_a_rate_that_is_too_high():
    run = engine(sal.SGD(10.0))
    said = message(run)
    losses = run.history.steps["loss"]
    assert re.match(
        rf"loss became (inf|nan) in step {run.step + 1}: in the steps before, loss", said
    )
    usual, last = map(float, re.search("loss from (.+) to (.+) had grown", said).groups())
    assert last == pytest.approx(losses[-1], rel=0.01) and losses[0] <= usual <= losses[-1] / 10
    assert "lower the learning rate (network 10) or clip the gradient of the network" in said
    engine(sal.SGD(0.1)).run(40)
    engine(sal.SGD(10.0, clip_norm=1)).run(40)


def test_the_rates_of_all_optimizers_are_told_once():
    said = message(engine(sal.Muon(0.1, others=sal.SGD(1e30))))
    assert "lower the learning rate (network 0.1, network/others 1e+30) or clip the gra" in said
    said = message(engine(sal.Lookahead(sal.SGD(1e30))))
    assert "lower the learning rate (network 1e+30) or clip the gradient of the network (" in said


def test_a_gradient_that_is_clipped_already_is_not_advised_to_be():
    said = message(engine(sal.SGD(1e36, clip_norm=1)))
    assert "lower the learning rate (network 1e+36)" in said and "clip" not in said
    assert "clip" not in message(engine(sal.SGD(1e36, clip_value=1)))
    said = message(engine(sal.Adam(1e30)))  # its steps are as long for a small gradient
    assert "lower the learning rate (network 1e+30)" in said and "clip" not in said
    network = engine(sal.Adam(1e30)).network
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"rate \(network 1e\+30\)$"):
        for _ in range(3):
            network.learn(X, Y)


def test_one_step_that_is_too_long_shows_in_the_parameters():
    run = engine(sal.SGD(0.1))
    run.run(2)
    run.network.optimizer.learning_rate = 1e30
    said = message(run)
    reach = float(re.search("the parameters ([^;]+);", said)[1])
    assert reach == pytest.approx(abs(run.network.parameters).max(), rel=0.01) and reach > 1e20


def test_a_loss_that_overflows_is_named():
    x = X.copy()
    x[17] = 300  # one example among small ones
    run = engine(sal.SGD(1e-4), Exponential(), x)
    run.network.parameters[...] = 0.1
    said = message(run)
    assert "nothing had grown" in said or "nothing was learned" in said
    assert re.search("outputs of its batch are finite, at most 1[12]", said)
    assert said.endswith("rewrite Exponential, which computes what float32 cannot hold")
    assert "learning rate" not in said
    kept = engine(sal.SGD(1e-4), Exponential())
    kept.network.parameters[...] = 0.1
    kept.run(40)


def test_inputs_that_are_too_large_for_the_first_step():
    said = message(engine(sal.SGD(0.1), x=X * 1e25))
    assert "in step 1: nothing was learned before; the outputs of its batch reach" in said
    reach = float(re.search(r"; scale the inputs, which reach (\S+)$", said)[1])
    assert 1e25 < reach < 1e26 and "learning rate" not in said
    engine(sal.SGD(0.1), x=X).run(1)


def test_an_activation_of_a_users_own_that_overflows_diverges():
    class Normalized(sal.Activation):
        """y = exp(x) / Σ exp(x), as one writes it without a thought of large x."""

        def function(self, x, out, ctx):
            y = ctx.xp.exp(x)
            return ctx.xp.divide(y, y.sum(axis=1, keepdims=True), out=out)

        def gradient(self, dy, x, y, out, ctx):
            return ctx.xp.multiply(y, dy - (dy * y).sum(axis=1, keepdims=True), out=out)

    layers = [sal.NeuronLayer(3, Normalized())]
    network = sal.Network(layers, 4, sal.CrossEntropy(), sal.SGD(1e4))
    run = sal.Engine(network, (100 * X, np.arange(64) % 3), batch_size=8)
    assert "the outputs of its batch reach nan" in message(run)


def test_a_test_loss_that_is_not_finite():
    network = sal.Network([sal.NeuronLayer(1)], 4, sal.MeanSquaredError(), sal.SGD(0.01))
    run = sal.Engine(network, (X, Y), (X * np.float32(1e30), Y), batch_size=8)
    assert (
        "test_loss became inf after step 8: nothing had grown in the steps before (loss"
        in message(run)
    )
