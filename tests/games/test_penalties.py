"""Penalties on slopes at real and at fake examples, against PyTorch's double backward."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from differences import penalty_agrees
from players import game
from pytorch_twins import close, nn, torch

import salamandre as sal

LABELS = np.array([2, 0, 1, 2])
CONV = sal.ConvolutionalLayer


class WithLabel(nn.Module):
    """Appends a learned vector of the label to x, or a learned image as a channel."""

    def __init__(self, shape):
        super().__init__()
        self.shape, self.weight = shape, nn.Parameter(torch.randn(3, int(np.prod(shape))))

    def forward(self, x):
        return torch.cat([x, self.weight[LABELS].reshape(len(x), *self.shape)], dim=1)


CRITICS = {
    "perceptron": (
        (4,),
        [sal.NeuronLayer(6, sal.LeakyReLU(0.2)), sal.NeuronLayer(5, sal.Tanh())],
        [nn.Linear(4, 6), nn.LeakyReLU(0.2), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)],
    ),
    "conditional": (
        (4,),
        [sal.Embedding(3, 2), sal.NeuronLayer(6, sal.Sigmoid())],
        [WithLabel((2,)), nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, 1)],
    ),
    "convolutional": (
        (2, 6, 8),
        [CONV(3, 4, 2, 1, sal.Tanh()), CONV(4, 3, activation=sal.LeakyReLU(0.2)), sal.Flatten()],
        [
            *(nn.Conv2d(2, 3, 4, 2, 1), nn.Tanh(), nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(8, 1)),
        ],
    ),
    "conditional convolutional": (
        (1, 6, 8),
        [sal.LabelMap(3), CONV(3, 4, 2, 1, sal.SoftPlus()), sal.Flatten()],
        [
            *(WithLabel((1, 6, 8)), nn.Conv2d(2, 3, 4, 2, 1), nn.Softplus()),
            *(nn.Flatten(), nn.Linear(36, 1)),
        ],
    ),
    "patches": (
        (2, 6, 8),
        [CONV(3, 4, 2, 1, sal.Tanh()), CONV(1, 2)],
        [nn.Conv2d(2, 3, 4, 2, 1), nn.Tanh(), nn.Conv2d(3, 1, 2)],
    ),
}


def twins(name, backend):
    """Return a critic, and the same in PyTorch."""
    torch.manual_seed(0)
    shape, layers, modules = CRITICS[name]
    layers = [*copy.deepcopy(layers), *[sal.NeuronLayer(1)] * (name != "patches")]
    critic = sal.Network(layers, shape, optimizer=sal.SGD(0.1), backend=backend, dtype="float64")
    module = nn.Sequential(*copy.deepcopy(modules)).double()
    critic.load_tensors(
        dict(
            zip(
                critic.tensors(),
                (p.detach().numpy().reshape(p.shape) for p in module.parameters()),
                strict=True,
            )
        )
    )
    return critic, module


def squares(module, x):
    """Return ‖∇D(x)‖² of each example, which can be differentiated again."""
    x = torch.tensor(x, requires_grad=True)
    scores = module(x).flatten(1).mean(dim=1)
    (g,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return (g * g).flatten(1).sum(dim=1)


def agree(critic, penalty, module, loss, real, fake, host):
    """Assert that a penalty and its gradients are those of a loss in PyTorch."""
    penalty.attach(critic)
    labels = critic.backend.asarray(LABELS) if critic.classes else None
    state = copy.deepcopy(critic.random.state)
    value = penalty.penalty(critic.backend.asarray(real), critic.backend.asarray(fake), labels)
    critic.random.state = state
    loss = loss()
    loss.backward()
    assert float(value) == pytest.approx(float(loss.detach()), rel=1e-9)
    for ours, parameter in zip(critic.named_gradients().values(), module.parameters(), strict=True):
        theirs = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert close(host(ours), theirs.reshape(ours.shape), 1e-9)


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("weights", [(3, 0), (0, 5), (3, 5)], ids=["R1", "R2", "both"])
def test_zero_centred_penalties_against_pytorch(name, weights, backend, host, random):
    critic, module = twins(name, backend)
    real, fake = random.normal(size=(2, 4, *critic.input_shape))

    def loss():
        r1, r2 = squares(module, real).mean(), squares(module, fake).mean()
        return weights[0] / 2 * r1 + weights[1] / 2 * r2

    agree(critic, sal.ZeroCentredPenalty(*weights), module, loss, real, fake, host)


@pytest.mark.parametrize("name", CRITICS)
def test_dragan_against_pytorch(name, backend, host, random):
    critic, module = twins(name, backend)
    real, fake = random.normal(size=(2, 4, *critic.input_shape))

    def loss():
        noise = host(critic.random.normal(real.shape, critic.dtype))
        norm = torch.sqrt(squares(module, real + 0.7 * real.std() * noise) + 1e-12)
        return 3 * ((norm - 1) ** 2).mean()

    agree(critic, sal.games.Dragan(3, 0.7), module, loss, real, fake, host)


@pytest.mark.parametrize("penalty", [sal.ZeroCentredPenalty(3, 5), sal.Dragan()], ids=repr)
@pytest.mark.parametrize("name", CRITICS)
def test_gradients_of_penalties_against_differences(name, penalty, backend, host, random):
    critic, penalty = twins(name, backend)[0], copy.copy(penalty)
    real, fake = map(critic.backend.asarray, random.normal(size=(2, 4, *critic.input_shape)))
    labels = critic.backend.asarray(LABELS) if critic.classes else None
    penalty.attach(critic)
    penalty_agrees(penalty, critic, real, fake, labels, random, 3)


def test_a_penalty_is_added_to_the_gradients_that_are_there(random):
    critic, _ = twins("perceptron", "numpy")
    penalty, x = sal.ZeroCentredPenalty(3), random.normal(size=(4, 4))
    penalty.attach(critic)
    penalty.penalty(x, x)
    alone = critic.gradients.copy()
    critic.compute(x)
    critic.backprop(np.ones((4, 1)))
    before = critic.gradients.copy()
    penalty.penalty(x, x)
    assert np.allclose(critic.gradients, before + alone, atol=1e-12)


def test_a_lazy_penalty_is_rare_and_as_much_stronger():
    lazy = game(lipschitz=sal.ZeroCentredPenalty(3, 5, every=4))
    each = game(lipschitz=sal.ZeroCentredPenalty(3, 5))
    lazy.play(9)
    each.play(1)
    found = lazy.history.steps["penalty"]
    assert [bool(value) for value in found] == [True, False, False, False] * 2 + [True]
    assert found[0] == pytest.approx(4 * each.history.steps["penalty"][0], rel=1e-5)


class Negative(sal.schedules.Schedule):
    """A schedule that gives no weight."""

    def __call__(self, step):
        return -1.0


def test_a_weight_falls_with_the_steps_of_the_discriminator():
    """Its penalty is, at each step, that of a game with the step's weight throughout."""
    fall = sal.schedules.StepDecay(4.0, every=2, factor=0.5)
    falling = game(lipschitz=sal.ZeroCentredPenalty(fall, fall))
    falling.play(2)
    copies = falling.generator.parameters.copy(), falling.discriminator.parameters.copy()
    found = {}
    for weight in (4, 2):
        same = game(lipschitz=sal.ZeroCentredPenalty(weight, weight))
        same.play(2)
        same.generator.parameters[:], same.discriminator.parameters[:] = copies
        same.play(3)
        found[weight] = same.history.steps["penalty"]
    falling.play(3)
    assert falling.history.steps["penalty"][:2] == found[4][:2]
    assert falling.history.steps["penalty"][2] == found[2][2] == pytest.approx(found[4][2] / 2)
    falling.lipschitz.real = falling.lipschitz.fake = 2  # a number may be set
    falling.play(4)
    wrong = game(lipschitz=sal.ZeroCentredPenalty(Negative()))
    with pytest.raises(ValueError, match="at step 0 must be a finite number at least 0, got -1"):
        wrong.play(1)
    nothing = game(lipschitz=sal.ZeroCentredPenalty(sal.schedules.CosineDecay(1.0, 2)))
    nothing.play(3)
    assert [bool(value) for value in nothing.history.steps["penalty"]] == [True, True, False]


def test_a_falling_weight_is_part_of_the_game(tmp_path):
    path = tmp_path / "checkpoint"
    falling = sal.ZeroCentredPenalty(sal.schedules.CosineDecay(1, 10, final=0.1), 2)
    game(lipschitz=falling).play(3, [sal.Checkpoint(path, sal.Steps(1))])
    again = game(lipschitz=falling)
    again.resume(path)
    assert again.rounds == 3
    with pytest.raises(ValueError, match="lipschitz"):
        game(lipschitz=sal.ZeroCentredPenalty(1, 2)).resume(path)


def test_a_lazy_game_that_is_resumed_is_the_same(backend, tmp_path):
    options = {
        "backend": backend,
        "lipschitz": sal.ZeroCentredPenalty(3, every=4),
        "objective": sal.RelativisticPairing(),
    }
    whole, first, second = (game(**options) for _ in range(3))
    whole.play(11)
    first.play(6)
    checkpoint = sal.Checkpoint(tmp_path / "checkpoint", sal.Steps(1))
    first.play(7, [checkpoint])
    second.play(11, [checkpoint])
    assert whole.history.steps == second.history.steps


@pytest.mark.parametrize(
    "penalty, message",
    [
        (lambda: sal.ZeroCentredPenalty(0), "needs a weight above 0: real=10 for R1"),
        (lambda: sal.ZeroCentredPenalty(-1), "real must be a finite number at least 0"),
        (lambda: sal.ZeroCentredPenalty(1, "few"), "ZeroCentredPenalty fake must be"),
        (lambda: sal.ZeroCentredPenalty(1, every=0), "every must be a whole number of at least 1"),
        (lambda: sal.games.Dragan(0), "Dragan weight must be"),
    ],
)
def test_wrong_penalties_get_one_sentence(penalty, message):
    with pytest.raises(ValueError, match=message):
        penalty()


@pytest.mark.parametrize("penalty", [sal.ZeroCentredPenalty(), sal.games.Dragan()], ids=repr)
def test_batch_norm_is_refused_under_a_penalty(penalty):
    with pytest.raises(ValueError, match="cannot be part of a critic with a gradient penalty"):
        game(normalised=True, lipschitz=penalty)
