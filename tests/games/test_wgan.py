"""The Wasserstein game."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from players import POINTS, game

import salamandre as sal

torch = pytest.importorskip("torch")
F = torch.nn.functional

LEAKY = sal.LeakyReLU(0.2)


def linear(x, w, n):
    return x @ w[f"{n}.weights"].T + w[f"{n}.bias"]


# Critics, and their scores in PyTorch of x, labels k and parameters w by name: rectifiers, layers
# one after another, second derivatives, layers that write their gradients where others add, labels.
CRITICS = {
    "rectifiers": (
        [sal.NeuronLayer(6, LEAKY), sal.NeuronLayer(5, LEAKY), sal.NeuronLayer(1)],
        lambda x, k, w: linear(
            F.leaky_relu(linear(F.leaky_relu(linear(x, w, 0), 0.2), w, 1), 0.2), w, 2
        ),
    ),
    "apart": (
        [sal.NeuronLayer(6), sal.ReLU(), sal.NeuronLayer(5), sal.SoftPlus(), sal.NeuronLayer(1)],
        lambda x, k, w: linear(F.softplus(linear(torch.relu(linear(x, w, 0)), w, 2)), w, 4),
    ),
    "curved": (
        [sal.NeuronLayer(6, sal.Tanh()), sal.NeuronLayer(5, sal.Sigmoid()), sal.NeuronLayer(1)],
        lambda x, k, w: linear(torch.sigmoid(linear(torch.tanh(linear(x, w, 0)), w, 1)), w, 2),
    ),
    "normalised": (
        [sal.NeuronLayer(6), sal.LayerNorm(), sal.Tanh(), sal.NeuronLayer(1)],
        lambda x, k, w: linear(
            torch.tanh(F.layer_norm(linear(x, w, 0), (6,), w["1.gamma"], w["1.beta"])), w, 3
        ),
    ),
    "of labels": (
        [sal.Embedding(4, 2), sal.NeuronLayer(5, LEAKY), sal.NeuronLayer(1)],
        lambda x, k, w: linear(
            F.leaky_relu(linear(torch.cat([x, w["0.weights"][k]], dim=1), w, 1), 0.2), w, 2
        ),
    ),
}


@pytest.mark.parametrize("frozen", [(), ("0",)])
@pytest.mark.parametrize("name", CRITICS)
def test_the_critics_gradient_is_that_of_pytorchs_double_backward(name, frozen, backend, host):
    layers, scores = CRITICS[name]
    labels = np.arange(len(POINTS)) % 4 if name == "of labels" else None
    first = [] if labels is None else [sal.Embedding(4, 2)]
    options = {"optimizer": sal.Adam(), "backend": backend, "dtype": "float64"}
    generator = sal.Network([*first, sal.NeuronLayer(3, sal.Tanh())], 2, **options)
    options["optimizer"] = sal.Adam()
    critic = sal.Network(copy.deepcopy(layers), 3, seed=5, frozen=frozen, **options)
    play = sal.WGanGame(
        generator,
        critic,
        np.tanh(POINTS.astype(np.float64)),
        latent=sal.Gaussian(2),
        labels=labels,
        batch_size=16,
        lipschitz=sal.GradientPenalty(7),
    )
    play = copy.deepcopy(play)  # its passes are tied as those of the game
    critic = play.critic
    for _ in range(2):  # the second step has the memory of the first
        named = critic.named_parameters().items()
        w = {name: torch.tensor(np.array(host(a)), requires_grad=True) for name, a in named}
        batch, state = play.draw(), critic.random.state
        share = torch.tensor(host(critic.random.uniform((16, 1), np.float64)))
        critic.random.state = state
        real, fake = (torch.tensor(np.array(host(x))) for x in (batch.real, batch.fake))
        k = None if batch.labels is None else torch.tensor(np.array(host(batch.labels)))
        between = (share * real + (1 - share) * fake).requires_grad_()
        (g,) = torch.autograd.grad(scores(between, k, w).sum(), between, create_graph=True)
        loss = scores(fake, k, w).mean() - scores(real, k, w).mean()
        loss = loss + 7 * ((g.norm(dim=1) - 1) ** 2).mean()
        loss.backward()
        found = play.critic_learning(batch)
        assert float(found["d_loss"]) == pytest.approx(loss.item(), rel=1e-9)
        for name, gradient in critic.named_gradients().items():
            still = frozen and name.startswith("0.")
            wanted = torch.zeros_like(w[name]) if still else w[name].grad
            assert np.allclose(host(gradient), wanted, atol=1e-10), name


def test_the_wasserstein_game_counts_its_steps():
    play = game(sal.WGanGame, critic_steps=3, initial_steps=4)
    play.play(2)
    assert play.critic.optimizer.steps == 10 and play.generator.optimizer.steps == 2
    rounds = play.history.arrays()
    assert np.allclose(rounds["distance"], rounds["d_real"] - rounds["d_fake"])


def test_the_critics_estimate_finds_the_distance_of_two_points():
    """Between a point at 0 and one at 2 the distance is 2; a good critic of slope 1 finds it."""
    generator = sal.Network([sal.NeuronLayer(1)], 1, optimizer=sal.SGD(0.0))
    generator.parameters[...] = 0
    critic = sal.Network(
        [sal.NeuronLayer(16, sal.LeakyReLU(0.2)), sal.NeuronLayer(1)], 1, optimizer=sal.Adam(0.01)
    )
    play = sal.WGanGame(
        generator,
        critic,
        np.full((64, 1), 2.0, np.float32),
        latent=sal.Gaussian(1),
        lipschitz=sal.GradientPenalty(10),
    )
    play.play(200)
    # With a penalty of weight w the optimum exceeds slope 1 by 2 / (2 w).
    assert play.history.mean("distance") == pytest.approx(2 * (1 + 2 / 20), abs=0.05)
