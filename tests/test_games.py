"""Games: objectives, constraints, rounds, and what they must leave alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from differences import gradient_error

import salamandre as sal
from salamandre.games import Lipschitz

RANDOM = np.random.default_rng(3)
POINTS = RANDOM.normal(size=(200, 3)).astype(np.float32)


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


# -- objectives ----------------------------------------------------------------------------------

OBJECTIVES = [
    sal.Minimax(),
    sal.NonSaturating(),
    sal.LeastSquares(),
    sal.Hinge(),
    sal.Wasserstein(),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
@pytest.mark.parametrize("target", [1, 0, 0.8])
def test_gradients_of_objectives(objective, target, backend, host):
    side = sal.get_backend(backend)
    scores = np.array([[-2.0], [0.3], [1.7], [-0.4]])
    other = side.asarray(scores[::-1] + 0.1)

    def real(s):
        loss, d_real, _ = objective.discriminator(s, other, target, 0, side.xp)
        return loss, d_real

    def fake(s):
        loss, _, d_fake = objective.discriminator(other, s, 1, target, side.xp)
        return loss, d_fake

    for player in (real, fake, lambda s: objective.generator(s, side.xp)):
        _, gradient = player(side.asarray(scores))
        for i in range(4):
            h = np.zeros((4, 1))
            h[i] = 1e-6
            high, low = (float(player(side.asarray(scores + s * h))[0]) for s in (1, -1))
            assert float(host(gradient)[i, 0]) == pytest.approx((high - low) / 2e-6, abs=1e-8)


def test_objectives_against_their_formulas():
    scores = np.array([[-1.3], [0.4]])
    p = 1 / (1 + np.exp(-scores))
    minimax, saturating = sal.Minimax(), sal.NonSaturating()
    q = 1 / (1 + np.exp(3 - scores))
    value = float(minimax.discriminator(scores, scores - 3, 1, 0, np)[0])
    assert value == pytest.approx(-np.log(p).mean() - np.log(1 - q).mean())
    assert float(minimax.generator(scores, np)[0]) == pytest.approx(np.log(1 - p).mean())
    assert float(saturating.generator(scores, np)[0]) == pytest.approx(-np.log(p).mean())
    assert float(minimax.shown(scores, np)) == pytest.approx(p.mean())
    distance = -sal.Wasserstein().discriminator(scores, scores - 3, 1, 0, np)[0]
    assert float(distance) == pytest.approx(3)
    hinge = sal.Hinge().loss(np.array([[-3.0], [3.0]]), 1, np)[0]
    assert float(hinge) == 2


# -- constraints ---------------------------------------------------------------------------------

CRITICS = {
    "rectifiers": [sal.NeuronLayer(6, sal.LeakyReLU(0.2)), sal.NeuronLayer(5, sal.ReLU())],
    "smooth": [sal.NeuronLayer(6, sal.Tanh(1.7, 0.7)), sal.NeuronLayer(5, sal.Sigmoid(mu=2))],
    "others": [sal.NeuronLayer(6, sal.SoftPlus(), noise=2), sal.NeuronLayer(5, sal.ELU(0.7))],
    "apart": [sal.NeuronLayer(6), sal.CenteredSigmoid(1.3), sal.Dropout(0.2), sal.Tanh()],
    "shapes": [sal.Reshape((2, 2)), sal.Flatten(), sal.Network([sal.NeuronLayer(4, sal.Tanh())])],
}


@pytest.mark.parametrize("name", CRITICS)
def test_the_gradient_of_the_gradient_penalty(name, backend, host):
    layers = [*copy.deepcopy(CRITICS[name]), sal.NeuronLayer(1)]
    critic = sal.Network(layers, 4, optimizer=sal.SGD(0.1), backend=backend, dtype="float64")
    penalty = sal.GradientPenalty(10)
    penalty.attach(critic)
    real, fake = (critic.backend.asarray(RANDOM.normal(size=(6, 4))) for _ in range(2))
    state = copy.deepcopy(critic.random.state)

    def energy():
        critic.random.state, critic.gradients[...] = copy.deepcopy(state), 0
        return float(penalty.penalty(real, fake))

    assert gradient_error(critic, energy) < 1e-7


def test_the_gradient_penalty_against_pytorch(backend, host):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 7), torch.nn.LeakyReLU(0.2), torch.nn.Linear(7, 5), torch.nn.Tanh()
    ).double()
    head = torch.nn.Linear(5, 1).double()
    critic = sal.Network(
        [
            sal.NeuronLayer(7, sal.LeakyReLU(0.2)),
            sal.NeuronLayer(5, sal.Tanh()),
            sal.NeuronLayer(1),
        ],
        4,
        optimizer=sal.SGD(0.1),
        backend=backend,
        dtype="float64",
    )
    whole = torch.nn.Sequential(module, head)
    sal.from_pytorch(critic, whole.state_dict())
    penalty = sal.GradientPenalty(7)
    penalty.attach(critic)
    real, fake = RANDOM.normal(size=(6, 4)), RANDOM.normal(size=(6, 4))
    state = copy.deepcopy(critic.random.state)
    share = host(critic.random.uniform((6, 1), critic.dtype))
    critic.random.state = state
    value = penalty.penalty(critic.backend.asarray(real), critic.backend.asarray(fake))
    x = torch.tensor(fake + share * (real - fake), requires_grad=True)
    (g,) = torch.autograd.grad(whole(x).sum(), x, create_graph=True)
    loss = 7 * ((g.norm(dim=1) - 1) ** 2).mean()
    loss.backward()
    expected = np.concatenate(
        [p.grad.numpy().ravel() for p in whole.parameters() if p.grad is not None]
    )
    assert float(value) == pytest.approx(float(loss.detach()), rel=1e-9)
    found = np.array(host(critic.gradients))
    ours = np.concatenate(
        [
            host(array).ravel()
            for array, (_, p) in zip(
                critic.named_gradients().values(), whole.named_parameters(), strict=True
            )
            if p.grad is not None
        ]
    )
    assert np.allclose(ours, expected, atol=1e-10)
    assert np.isfinite(found).all()


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


def test_clipping_holds_every_parameter(backend, host):
    play = game(sal.WGanGame, backend, lipschitz=sal.WeightClipping(0.05))
    assert np.abs(host(play.critic.parameters)).max() <= 0.05
    for _ in range(3):
        play.play_and_learn()
    assert np.abs(host(play.critic.parameters)).max() == pytest.approx(0.05)


def test_spectral_norm_holds_the_largest_singular_value_at_1(backend, host):
    play = game(backend=backend, lipschitz=sal.SpectralNorm(5), objective=sal.Hinge())
    for _ in range(10):
        play.play_and_learn()
        for name, weights in play.discriminator.named_parameters().items():
            if name.endswith("weights"):
                assert np.linalg.svd(host(weights))[1][0] == pytest.approx(1, abs=2e-3)


def test_the_gradient_of_spectral_norm():
    """Against finite differences of the loss by the free weights."""
    critic = sal.Network(
        [sal.NeuronLayer(4, sal.Tanh()), sal.NeuronLayer(1)],
        3,
        optimizer=sal.SGD(1.0),
        dtype="float64",
    )
    norm = sal.SpectralNorm(200)
    norm.attach(critic)
    x, free = RANDOM.normal(size=(5, 3)), norm._free.copy()

    def energy(parameters):
        norm._free[...] = parameters
        norm._normalise(200)
        return float((critic.compute(x) ** 2).sum())

    energy(free)
    critic.backprop(2 * critic.compute(x))
    norm.step()  # SGD with rate 1: the change is minus the gradient
    analytic = free - norm._free
    for i in range(len(free)):
        h = np.zeros_like(free)
        h[i] = 1e-6
        numerical = (energy(free + h) - energy(free - h)) / 2e-6
        assert analytic[i] == pytest.approx(numerical, abs=1e-6)


# -- rounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("matching", [[], [sal.FeatureMatching(1.0)]])
def test_the_generator_learns_without_touching_the_discriminator(
    backend, host, normalised, matching
):
    play = game(backend=backend, normalised=normalised, remedies=matching)
    play.play_and_learn()
    d, g = play.discriminator, play.generator
    d.gradients[...] = 7.0
    before, memory = d.tensors(), {n: host(a).copy() for n, a in d.optimizer.memory.items()}
    g_before, steps = g.tensors(), d.optimizer.steps
    play.generator_learning()
    after = d.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert all(np.array_equal(memory[n], host(a)) for n, a in d.optimizer.memory.items())
    assert (host(d.gradients) == 7).all() and d.optimizer.steps == steps
    assert not np.array_equal(g_before["0.weights"], g.tensors()["0.weights"])


def test_a_round_against_pytorch(backend, host):
    """Two rounds of the game of 2014 with the same numbers in both libraries."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    g = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 3), nn.Tanh()).double()
    d = nn.Sequential(nn.Linear(3, 7), nn.LeakyReLU(0.2), nn.Linear(7, 1)).double()
    ours_g = sal.Network(
        [sal.NeuronLayer(6, sal.ReLU()), sal.NeuronLayer(3, sal.Tanh())],
        2,
        optimizer=sal.Adam(0.01, 0.5),
        backend=backend,
        dtype="float64",
    )
    ours_d = sal.Network(
        [sal.NeuronLayer(7, sal.LeakyReLU(0.2)), sal.NeuronLayer(1)],
        3,
        optimizer=sal.Adam(0.02, 0.5),
        backend=backend,
        dtype="float64",
    )
    sal.from_pytorch(ours_g, g.state_dict())
    sal.from_pytorch(ours_d, d.state_dict())
    points = np.tanh(POINTS[:16]).astype(float)
    play = sal.GanGame(ours_g, ours_d, points, latent=sal.Uniform(2), batch_size=16, seed=9)
    drawn = []
    draw = play.latent.draw
    play.latent.draw = lambda *a: drawn.append(draw(*a)) or drawn[-1]
    for_g = torch.optim.Adam(g.parameters(), 0.01, betas=(0.5, 0.999))
    for_d = torch.optim.Adam(d.parameters(), 0.02, betas=(0.5, 0.999))
    bce = nn.functional.binary_cross_entropy_with_logits
    one, zero = torch.ones(16, 1).double(), torch.zeros(16, 1).double()
    for _ in range(2):
        play.play_and_learn()
        fake = g(torch.tensor(np.array(host(drawn[-1]))))  # one latent batch serves both players
        d_loss = bce(d(torch.tensor(points)), one) + bce(d(fake.detach()), zero)
        for_d.zero_grad()
        d_loss.backward()
        for_d.step()
        g_loss = bce(d(fake), one)
        for_g.zero_grad()
        g_loss.backward()
        for_g.step()
        assert play.history.mean("d_loss", 1) == pytest.approx(float(d_loss.detach()))
        assert play.history.mean("g_loss", 1) == pytest.approx(float(g_loss.detach()))
    assert len(drawn) == 2
    for network, module in ((ours_g, g), (ours_d, d)):
        for name, value in sal.to_pytorch(network, module.state_dict()).items():
            assert torch.allclose(value, module.state_dict()[name], atol=1e-9)


def test_labels_are_smoothed_on_one_side_and_flipped(backend, host):
    remedies = [sal.LabelSmoothing(0.7, 0.9), sal.LabelFlipping(0.25)]
    play = game(backend=backend, batch_size=200, remedies=remedies)
    given = []
    judge = play.objective.discriminator
    play.objective.discriminator = lambda *a: given.append(a[2:4]) or judge(*a)
    play.discriminator_learning()
    real, fake = map(host, given[0])
    kept = real[real > 0]
    assert kept.min() >= 0.7 and kept.max() < 0.9 and kept.std() > 0.03
    assert np.mean(real == 0) == pytest.approx(0.25, abs=0.12)
    assert set(np.unique(fake)) == {0, 1} and fake.mean() == pytest.approx(0.25, abs=0.12)


def test_the_moving_average_is_what_generates(backend, host, tmp_path):
    play = game(backend=backend, remedies=[sal.MovingAverage(0.5)])
    averages = {name: array.copy() for name, array in play.generator.tensors().items()}
    for step in range(1, 8):
        play.play_and_learn()
        decay = min(0.5, (1 + step) / (10 + step))  # the untrained beginning is forgotten sooner
        for name, array in play.generator.tensors().items():
            averages[name] = decay * averages[name] + (1 - decay) * array
    before = play.generator.tensors()
    play.save_generator(tmp_path / "generator")
    saved = sal.Network.load(tmp_path / "generator", backend=backend).tensors()
    assert all(np.allclose(saved[name], array, atol=1e-6) for name, array in averages.items())
    with_average = host(play.generate(4))
    after = play.generator.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    play.generator.load_tensors(averages)
    play.remedies = ()
    assert np.allclose(host(play.generate(4)), with_average, atol=1e-5)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("matching", [[], [sal.FeatureMatching(0.7)]])
def test_the_generators_gradient_is_that_of_its_loss(normalised, matching, backend, host):
    """By centred differences, through the discriminator and all remedies of that step."""
    generator, discriminator = players(backend, normalised, dtype="float64")
    generator.optimizer.learning_rate = 0.0
    options = {"remedies": [sal.InstanceNoise(0.1), *matching], "batch_size": 8}
    play = sal.GanGame(
        generator, discriminator, POINTS.astype(float), latent=sal.Gaussian(5), **options
    )
    streams = (play.random, generator.random, discriminator.random)
    states = copy.deepcopy([stream.state for stream in streams])

    def energy():
        for stream, state in zip(streams, states, strict=True):
            stream.state = copy.deepcopy(state)
        play.batches.drawn = 0
        return float(play.generator_learning())

    assert gradient_error(generator, energy) < 1e-6


def test_generating_leaves_the_game_as_it_was(backend, host):
    with_pictures, without = game(backend=backend, **REMEDIES), game(backend=backend, **REMEDIES)
    for _ in range(3):
        first = host(with_pictures.generate(7))
        assert np.array_equal(first, host(with_pictures.generate(7)))
        assert not np.array_equal(first, host(with_pictures.generate(7, seed=1)))
        with_pictures.play_and_learn()
        without.play_and_learn()
    assert first.shape == (7, 3)
    a, b = with_pictures.generator.tensors(), without.generator.tensors()
    assert all(np.array_equal(a[name], b[name]) for name in a)


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


# -- stopping and going on -----------------------------------------------------------------------


class StopAt(sal.Callback):
    def __init__(self, rounds):
        self.rounds = rounds

    def on_step(self, game):
        if game.rounds == self.rounds:
            game.stop()


@pytest.mark.parametrize("kind", ["remedies", "penalty", "spectral", "clipping"])
def test_a_resumed_game_is_the_same_bit_for_bit(kind, backend, tmp_path):
    def make():
        if kind == "remedies":
            return game(backend=backend, normalised=True, **REMEDIES)
        if kind == "spectral":
            return game(backend=backend, lipschitz=sal.SpectralNorm(), objective=sal.Hinge())
        lipschitz = sal.GradientPenalty() if kind == "penalty" else sal.WeightClipping(0.1)
        return game(sal.WGanGame, backend, lipschitz=lipschitz, critic_steps=2, initial_steps=3)

    whole, first, second = make(), make(), make()
    whole.play(30)
    first.play(30, [StopAt(17)])
    first.save(tmp_path / "game")
    second.play(3)  # whatever it was before
    second.resume(tmp_path / "game")
    assert second.rounds == 17
    second.play(30)
    for a, b in ((whole.generator, second.generator), (whole.discriminator, second.discriminator)):
        ours, theirs = a.tensors(), b.tensors()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = whole.history.arrays(), second.history.arrays()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    "other",
    [
        {"batch_size": 8},
        {"latent": sal.Uniform(5)},
        {"objective": sal.Hinge()},
        {"remedies": [sal.LabelFlipping(0.1)]},
        {"lipschitz": sal.SpectralNorm()},
        {"kind": sal.WGanGame},
        {"normalised": True},
    ],
    ids=str,
)
def test_another_game_is_not_resumed(other, tmp_path):
    first = game()
    first.play(2)
    first.save(tmp_path / "game")
    second = game(**other)
    before = second.generator.tensors()
    with pytest.raises(ValueError, match="belongs to another run: its "):
        second.resume(tmp_path / "game")
    after = second.generator.tensors()
    assert second.rounds == 0 and all(np.array_equal(before[n], after[n]) for n in before)


def test_a_diverged_game_names_its_round_and_keeps_the_checkpoint(tmp_path):
    play, checkpoint = game(), sal.Checkpoint(tmp_path / "game", every=sal.Steps(1))
    play.play(3, [checkpoint])
    play.discriminator.optimizer.learning_rate = 1e30
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"became .* in round 4"):
        play.play(50, [checkpoint])
    again = game()
    again.resume(tmp_path / "game")
    assert again.rounds == play.rounds == len(play.history) == 3
    assert all(np.isfinite(values).all() for values in again.history.arrays().values())


def test_parameters_that_became_infinite_do_not_reach_the_checkpoint(tmp_path):
    play, checkpoint = game(), sal.Checkpoint(tmp_path / "game", every=sal.Steps(1))
    play.play(3, [checkpoint])
    play.generator.optimizer.learning_rate = 1e39  # the loss of that round is still finite
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"generator/.* by round 4"):
        play.play(50, [checkpoint])
    again = game()
    again.resume(tmp_path / "game")
    assert again.rounds == 3
    assert all(np.isfinite(array).all() for array in again.generator.tensors().values())


def test_a_learning_rate_set_by_hand_is_resumed(tmp_path):
    whole = game()
    whole.play(3)
    whole.generator.optimizer.learning_rate = 1e-5
    whole.save(tmp_path / "game")
    whole.play(6)
    again = game()
    again.resume(tmp_path / "game")
    again.play(6)
    assert np.array_equal(again.generator.parameters, whole.generator.parameters)


def test_one_callback_that_fails_does_not_keep_others_from_the_end(tmp_path):
    class Fails(sal.Callback):
        def on_end(self, game):
            raise OSError("no space")

    play = game()
    with pytest.raises(OSError, match="no space"):
        play.play(3, [Fails(), sal.Checkpoint(tmp_path / "game")])
    assert (tmp_path / "game").exists()


def test_spectral_norm_of_a_matrix_of_zeros_recovers():
    generator, _ = players()
    zeros = sal.NeuronLayer(1, initializer=sal.initializers.Zeros())
    critic = sal.Network([sal.NeuronLayer(8, sal.Tanh()), zeros], 3, optimizer=sal.SGD(0.1))
    options = {"lipschitz": sal.SpectralNorm(), "objective": sal.Hinge(), "batch_size": 16}
    play = sal.GanGame(generator, critic, POINTS, latent=sal.Gaussian(5), **options)
    play.play(30)
    last = critic.named_parameters()["1.weights"]
    assert np.linalg.norm(last, 2) == pytest.approx(1, abs=1e-3)
    assert max(play.history.steps["d_loss"]) < 10


# -- bad input -----------------------------------------------------------------------------------


def wrong_games():
    g, d = players()
    net = sal.Network
    two = net([sal.NeuronLayer(2)], 3, optimizer=sal.SGD())
    wide = net([sal.NeuronLayer(1)], 4, optimizer=sal.SGD())
    sigmoid = net([sal.NeuronLayer(1, sal.Sigmoid())], 3, optimizer=sal.SGD())
    lazy = net([sal.NeuronLayer(1)], 3)
    double = net([sal.NeuronLayer(1)], 3, optimizer=sal.SGD(), dtype="float64")
    strict = net([sal.NeuronLayer(1)], 3, optimizer=sal.SGD(), backend="strict")
    latent = {"latent": sal.Gaussian(5)}
    return [
        ((g, two, POINTS), latent, r"must give one score, got outputs \(2,\)"),
        ((g, wide, POINTS), latent, r"generator makes \(3,\), the discriminator takes \(4,\)"),
        ((g, sigmoid, POINTS), latent, "must end in a linear neuron"),
        ((g, lazy, POINTS), latent, "discriminator needs an optimizer"),
        ((g, double, POINTS), latent, "one dtype"),
        ((g, strict, POINTS), latent, "one backend"),
        ((g, d, POINTS), {"latent": sal.Gaussian(4)}, r"takes \(5,\), the latent space has 4"),
        ((g, d, POINTS[:10]), latent, "at least as many images, got 10"),
        ((g, d, POINTS[:, :2]), latent, r"takes examples of shape \(3,\), the data set has \(2,\)"),
        ((g, d, POINTS * np.nan), latent, "NaN or infinity"),
        ((g, d, POINTS), {**latent, "batch_size": 0}, "batch_size must be"),
    ]


@pytest.mark.parametrize(
    "remedy, message",
    [
        (lambda: sal.LabelSmoothing(0.3), "LabelSmoothing low .* at least 0.5"),
        (lambda: sal.LabelSmoothing(0.8, 0.7), "LabelSmoothing high .* at least 0.8"),
        (lambda: sal.LabelFlipping(0.5), "below 0.5"),
        (lambda: sal.InstanceNoise(-1), "at least 0"),
        (lambda: sal.FeatureMatching(np.nan), "finite"),
        (lambda: sal.MovingAverage(1), "below 1"),
    ],
)
def test_wrong_remedies_get_one_sentence(remedy, message):
    with pytest.raises(ValueError, match=message):
        remedy()


def test_what_is_no_remedy_is_refused():
    with pytest.raises(TypeError, match=r"each of the remedies must be a Remedy object, got 0.9"):
        game(remedies=[0.9])


@pytest.mark.parametrize("number", range(11))
def test_wrong_games_get_one_sentence(number):
    arguments, options, message = wrong_games()[number]
    with pytest.raises(ValueError, match=message) as caught:
        sal.GanGame(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_images_out_of_reach_are_a_warning():
    with pytest.warns(
        UserWarning, match=r"values in \[.*\], the generator can only reach \[-4, 4\]"
    ):
        sal.GanGame(*players(), 3 * POINTS, latent=sal.Gaussian(5))


def test_the_range_of_a_generator_that_ends_in_a_reshape():
    layers = [sal.NeuronLayer(16, sal.Sigmoid()), sal.Reshape((1, 4, 4))]
    generator = sal.Network(layers, 5, optimizer=sal.SGD())
    linear = sal.ConvolutionalLayer(1, 4)
    discriminator = sal.Network([linear, sal.Flatten()], (1, 4, 4), optimizer=sal.SGD())
    images = RANDOM.uniform(size=(9, 1, 4, 4))
    play = sal.GanGame(generator, discriminator, images, latent=sal.Gaussian(5), batch_size=4)
    assert play.value_range == (0, 1)
    squashed = [sal.ConvolutionalLayer(1, 4, activation=sal.Sigmoid()), sal.Flatten()]
    squashed = sal.Network(squashed, (1, 4, 4), optimizer=sal.SGD())
    with pytest.raises(ValueError, match="must end in a linear neuron, got Sigmoid"):
        sal.GanGame(generator, squashed, images, latent=sal.Gaussian(5), batch_size=4)


def test_images_are_scaled_to_the_generators_range():
    images = sal.data.Images(
        np.array([0, 255], np.uint8).repeat(32 * 4).reshape(64, 1, 2, 2),
        np.zeros(64, np.uint8),
        ("a",),
        "halves",
        "train",
    )
    for activation, expected in ((sal.Tanh(), {-1, 1}), (sal.Sigmoid(), {0, 1})):
        g = sal.Network([sal.NeuronLayer(4, activation)], 2, optimizer=sal.SGD())
        d = sal.Network([sal.NeuronLayer(1)], 4, optimizer=sal.SGD())
        play = sal.GanGame(g, d, images, latent=sal.Uniform(2))
        assert set(np.unique(play.draw().real).tolist()) == expected
        assert play.image_shape == (1, 2, 2)


def test_uniform_latent_points(backend, host):
    side = sal.get_backend(backend)
    z = host(sal.Uniform(50).draw(side.stream(0), 200, np.float32))
    assert z.shape == (200, 50) and z.min() >= -1 and z.max() < 1
    assert z.mean() == pytest.approx(0, abs=0.02) and z.var() == pytest.approx(1 / 3, rel=0.05)


def test_no_constraint_is_the_default():
    play = game()
    assert type(play.lipschitz) is Lipschitz and play.lipschitz.state() == {}
