"""Rounds of a game: against PyTorch, and what they must leave alone."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest
from differences import gradient_error
from players import POINTS, REMEDIES, game, players

import salamandre as sal


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


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("remedies", [[], REMEDIES["remedies"]], ids=["plain", "remedies"])
def test_the_generator_s_step_writes_nothing_of_the_discriminator(normalised, remedies):
    """Not even to put it back: all of it may be read only."""
    play = game(normalised=normalised, remedies=remedies)
    play.play_and_learn()
    d = play.discriminator
    views = [*d.named_parameters().values(), *d.named_gradients().values()]
    views += [*d.named_state().values(), *d.optimizer.memory.values()]
    for array in (d.parameters, d.gradients, d.state, *views):
        array.flags.writeable = False
    before = play.generator.parameters.copy()
    for _ in range(2):
        play.generator_learning(play.draw())
    assert not np.array_equal(play.generator.parameters, before)
    with pytest.raises(ValueError, match=r"read-only|not acceptable"):  # its own step writes
        play.discriminator_learning()


@pytest.mark.parametrize("lipschitz", [sal.SpectralNorm(), sal.GradientPenalty()], ids=repr)
def test_the_generator_s_step_leaves_a_constraint_alone(lipschitz):
    play = game(sal.WGanGame, lipschitz=lipschitz)
    play.play_and_learn()
    batch = play.draw()
    before = {name: array.copy() for name, array in play.lipschitz.state().items()}
    play.critic.gradients[...] = 7.0
    play.generator_learning(batch)
    assert (play.critic.gradients == 7).all()
    after = play.lipschitz.state()
    assert all(np.array_equal(array, after[name]) for name, array in before.items())


def test_the_generator_s_step_draws_only_dropout_s_numbers_from_the_discriminator():
    play = game()
    batch, d = play.draw(), play.discriminator
    expected = copy.deepcopy(d.random)
    play.generator_learning(batch)
    expected.uniform((16, 8), d.dtype)  # what dropout drops of 16 examples
    assert d.random.state == expected.state


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


def test_a_count_and_as_many_latent_vectors():
    with pytest.raises(ValueError, match="a count of 5 and 3 latent vectors"):
        game().generate(5, latent=np.zeros((3, 5)))


def test_points_in_space_are_no_picture():
    """Their first axis has three numbers, as the colours of images have three."""
    play = game()
    play.play(3)
    (drawn,) = {len(play.plot().axes)}
    assert drawn == len(play.history.plot().axes)


def test_nobody_sees_half_of_an_average_that_is_restored():
    play = game(remedies=[sal.MovingAverage(0.5)])
    snapshot = play.snapshot()
    play.play(2)
    average = play.average.network
    after = average.parameters.copy()
    restoring = threading.Thread(target=play.restore, args=(snapshot,), daemon=True)
    average.gate.begin_reading()
    restoring.start()
    restoring.join(0.2)
    assert restoring.is_alive() and np.array_equal(average.parameters, after)
    average.gate.end_reading()
    restoring.join(10)
    assert not restoring.is_alive() and not np.array_equal(average.parameters, after)
