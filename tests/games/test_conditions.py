"""Games that make pictures from pictures."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, evaluation, games

CONV, UP = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer
RANDOM = np.random.default_rng(8)
LINES = RANDOM.integers(0, 256, (24, 1, 8, 8), dtype=np.uint8)
COLOURS = RANDOM.integers(0, 256, (24, 3, 8, 8), dtype=np.uint8)


def generator(latent=False, backend="numpy", **options):
    layers = [
        CONV(4, 4, 2, 1, activation=sal.LeakyReLU(0.2)),
        sal.Dropout(0.5, always=True),
        UP(3, 4, 2, 1, activation=sal.Tanh()),
    ]
    shape = (1, 8, 8)
    if latent:
        layers, shape = games.translators.with_latent(layers, (8, 8)), [(5,), shape]
    return sal.Network(
        layers, shape, optimizer=sal.Adam(0.002, 0.5), seed=1, backend=backend, **options
    )


def discriminator(norm=(), backend="numpy", last=(), **options):
    layers = [CONV(4, 4, 2, 1), *norm, sal.LeakyReLU(0.2), CONV(1, 3), *last]
    return sal.Network(
        layers, (4, 8, 8), optimizer=sal.Adam(0.002, 0.5), seed=2, backend=backend, **options
    )


def game(kind=sal.GanGame, backend="numpy", latent=None, norm=(), **options):
    players = generator(bool(latent), backend), discriminator(norm, backend)
    options = {"conditions": LINES, "batch_size": 6, "seed": 3, **options}
    return kind(*players, COLOURS, latent=latent, **options)


def test_each_picture_is_shown_beside_its_condition(backend, host):
    play = game(backend=backend)
    lines, colours = (x / np.float32(127.5) - 1 for x in (LINES, COLOURS))
    real, fake, labels = play.draw()
    real, fake = host(real), host(fake)
    assert real.shape == fake.shape == (6, 4, 8, 8) and labels is None
    for example in real:
        where = np.abs(lines - example[:1]).max(axis=(1, 2, 3)).argmin()
        assert np.allclose(example, np.concatenate([lines[where], colours[where]]), atol=1e-6)
    assert np.array_equal(real[:, :1], fake[:, :1])
    assert not np.allclose(real[:, 1:], fake[:, 1:])
    assert play.image_shape == (3, 8, 8)


def test_pairs_bring_their_conditions_and_their_transform():
    pairs = replace(data.Pairs.of(LINES, COLOURS), transform=data.Flip())
    play = sal.GanGame(generator(), discriminator(), pairs, batch_size=6)
    both = np.concatenate([LINES, COLOURS], axis=1) / np.float32(127.5) - 1
    flipped = 0
    for example in play.draw().real:
        errors = [np.abs(x - example).max(axis=(1, 2, 3)).min() for x in (both, both[..., ::-1])]
        assert min(errors) < 1e-6
        flipped += errors[0] > 1e-6
    assert 0 < flipped < 6


def test_what_is_generated_depends_on_condition_and_seed(backend, host):
    play = game(backend=backend)
    play.play(2)
    one, same, other = (host(play.generate(conditions=LINES[:5], seed=s)) for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    scaled = host(play.generate(conditions=LINES[:5] / np.float32(127.5) - 1, seed=1))
    assert np.allclose(one, scaled, atol=1e-6)
    assert not np.allclose(one, host(play.generate(conditions=LINES[5:10], seed=1)))


def test_bytes_are_conditions_of_a_game_on_numbers_too():
    lines, colours = (x / np.float32(127.5) - 1 for x in (LINES, COLOURS))
    play = sal.GanGame(generator(), discriminator(), colours, conditions=lines, batch_size=6)
    given = [play.generate(conditions=x[:5]) for x in (lines, LINES)]
    np.testing.assert_allclose(*given, atol=1e-6)
    found = evaluation.of_pairs(data.Pairs.of(LINES[:5], COLOURS[:5]))(play)
    assert found["l1"] == pytest.approx(evaluation.l1(given[0], colours[:5], (-1, 1)), abs=1e-6)


def test_a_latent_vector_may_be_beside_the_condition(backend, host):
    play = game(backend=backend, latent=sal.Gaussian(5))
    play.play(2)
    z = np.zeros((2, 5))
    z[1] = 1
    first, second = host(play.generate(latent=z, conditions=LINES[[0, 0]]))
    assert not np.allclose(first, second)
    assert host(play.generate(conditions=LINES[:3])).shape == (3, 3, 8, 8)


def test_labels_may_be_beside_the_condition(tmp_path):
    maker, judge = generator(), None
    layers = [sal.LabelMap(2), CONV(3, 3, padding=1, activation=sal.Tanh())]
    maker = sal.Network(layers, (1, 8, 8), optimizer=sal.Adam())
    judge = sal.Network(
        [CONV(1, 8), sal.Flatten(), sal.Projection(2)], (4, 8, 8), optimizer=sal.Adam()
    )
    play = sal.GanGame(
        maker, judge, COLOURS, conditions=LINES, labels=np.arange(24) // 2 % 2, batch_size=6
    )
    shown = []
    games.SampleGrids(tmp_path, count=3, draw=lambda x, path: shown.append(x)).on_start(play)
    made = play.generate(conditions=LINES[:3], labels=[0, 0, 1])  # the labels of these pairs
    assert np.allclose(shown[0][1::3], made, atol=1e-6)
    low, high = play.value_range
    assert np.allclose(play.samples(3), (made - low) / (high - low), atol=1e-6)
    play.play(3)
    first, second = play.generate(conditions=LINES[[0, 0]], labels=[0, 1])
    assert not np.allclose(first, second)


def test_vectors_may_be_conditions():
    x = RANDOM.uniform(-1, 1, (30, 3))
    maker = sal.Network([sal.NeuronLayer(2, sal.Tanh())], 3, optimizer=sal.Adam(0.03))
    judge = sal.Network([sal.NeuronLayer(1)], 5, optimizer=sal.Adam())
    play = sal.GanGame(
        maker, judge, x[:, :2] / 2, conditions=x, batch_size=10, remedies=[sal.Reconstruction(10)]
    )
    play.play(300)
    assert np.abs(play.generate(conditions=x) - x[:, :2] / 2).max() < 0.2


@pytest.mark.parametrize("kind", ["remedies", "batch-norm", "penalty", "latent"])
def test_a_resumed_game_is_the_same(kind, backend, tmp_path):
    def make():
        if kind == "penalty":
            return game(sal.WGanGame, backend, lipschitz=sal.GradientPenalty(), critic_steps=2)
        if kind == "latent":
            return game(backend=backend, latent=sal.Gaussian(5))
        if kind == "batch-norm":
            return game(backend=backend, norm=[sal.BatchNorm()], objective=sal.LeastSquares())
        remedies = [sal.Reconstruction(50), sal.InstanceNoise(0.1), sal.LabelSmoothing()]
        remedies += [sal.FeatureMatching(0.5), sal.MovingAverage(0.9)]
        return game(backend=backend, remedies=remedies, generator_steps=2)

    whole, first, second = make(), make(), make()
    whole.play(7)
    first.play(3)
    first.save(tmp_path / "game")
    second.resume(tmp_path / "game")
    second.play(7)
    for a, b in ((whole.generator, second.generator), (whole.discriminator, second.discriminator)):
        ours, theirs = a.tensors(), b.tensors()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_of_other_conditions_is_refused(tmp_path):
    game().save(tmp_path / "game")
    with pytest.raises(ValueError, match="belongs to another run"):
        game(conditions=LINES[::-1]).resume(tmp_path / "game")


def test_grids_show_condition_result_and_truth(tmp_path):
    play, shown = game(), {}
    pairs = data.Pairs.of(LINES[:4], COLOURS[:4])
    for name, given in (("train", None), ("test", pairs)):
        grids = games.SampleGrids(
            tmp_path, count=3, draw=lambda x, path, name=name: shown.update({name: x}), pairs=given
        )
        grids.on_start(play)
    made = play.generate(conditions=LINES[:3])
    for triples in shown.values():
        assert triples.shape == (9, 3, 8, 8)
        condition, result, truth = triples[3:6]
        assert np.allclose(condition, LINES[1] / np.float32(127.5) - 1, atol=1e-6)
        assert np.allclose(result, made[1], atol=1e-6)
        assert np.allclose(truth, COLOURS[1] / np.float32(127.5) - 1, atol=1e-6)
    play.play(2, [games.SampleGrids(tmp_path, count=4)])
    assert (tmp_path / "samples" / "00000002.png").exists()


def test_grids_of_what_is_no_picture_are_refused(tmp_path):
    x = RANDOM.uniform(-1, 1, (30, 3))
    maker = sal.Network([sal.NeuronLayer(2, sal.Tanh())], 3, optimizer=sal.Adam())
    judge = sal.Network([sal.NeuronLayer(1)], 5, optimizer=sal.Adam())
    play = sal.GanGame(maker, judge, x[:, :2], conditions=x, batch_size=10)
    grids = games.SampleGrids(tmp_path, draw=lambda x, path: None)
    with pytest.raises(ValueError, match=r"side by side.*\(3,\) and \(2,\)"):
        play.play(1, [grids])


def test_grids_of_what_are_no_pairs_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"pairs must be Pairs, .* got ndarray"):
        games.SampleGrids(tmp_path, pairs=LINES)


def test_the_penalty_of_a_critic_of_patches_against_pytorch(backend, host):
    """Gulrajani et al. 2017, equation 3; D(x) is the mean of the scores of its patches."""
    torch = pytest.importorskip("torch")
    critic = discriminator(backend=backend, dtype="float64")
    theirs = torch.nn.Sequential(
        *(torch.nn.Conv2d(4, 4, 4, 2, 1), torch.nn.LeakyReLU(0.2), torch.nn.Conv2d(4, 1, 3))
    ).double()
    theirs.load_state_dict(sal.to_pytorch(critic, theirs.state_dict()))
    penalty = sal.GradientPenalty(10)
    penalty.attach(critic)
    real, fake = RANDOM.normal(size=(2, 5, 4, 8, 8))
    share = host(copy.deepcopy(critic.random).uniform((5, 1, 1, 1), critic.dtype))
    critic.gradients[...] = 0
    asarray = critic.backend.asarray
    value = penalty.penalty(asarray(real), asarray(fake))
    between = torch.tensor(fake + share * (real - fake), requires_grad=True)
    mean = theirs(between).mean(dim=(1, 2, 3)).sum()
    (slope,) = torch.autograd.grad(mean, between, create_graph=True)
    wanted = 10 * ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    wanted.backward()
    assert float(value) == pytest.approx(wanted.item(), abs=1e-9)
    for ours, weight in zip(
        critic.named_gradients().values(),
        (p.grad for p in theirs.parameters()),
        strict=True,
    ):
        expected = np.zeros(ours.shape) if weight is None else weight.numpy()
        np.testing.assert_allclose(host(ours), expected, atol=1e-9)


def test_wrong_conditions_get_one_sentence():
    players = generator(), discriminator()
    floats = COLOURS / np.float32(127.5) - 1
    dark = data.Images(COLOURS // 16, np.zeros(24, np.uint8), ("a",), "dark", "train", 15)
    plain = sal.Network(
        [sal.NeuronLayer(192, sal.Tanh()), sal.Reshape((3, 8, 8))], 5, optimizer=sal.SGD()
    )
    judge = sal.Network([sal.Flatten(), sal.NeuronLayer(1)], (3, 8, 8), optimizer=sal.SGD())
    for arguments, options, message in (
        ((*players, COLOURS), {"conditions": LINES[:9]}, r"pairs of one size, got shapes \(9, 1"),
        ((*players, COLOURS), {"conditions": LINES[..., :4]}, "pairs of one size"),
        ((*players, data.Pairs.of(LINES, COLOURS)), {"conditions": LINES}, "have their own"),
        ((*players, dark), {"conditions": LINES}, "whose white is 15, got values up to 255"),
        ((*players, floats), {"conditions": LINES}, "both bytes or both numbers"),
        ((*players, COLOURS), {}, "needs latent=.*, or conditions="),
        ((*players, COLOURS), {"conditions": COLOURS}, r"conditions are of the shape \(3, 8, 8\)"),
        ((generator(), judge, COLOURS), {"conditions": LINES}, r"takes \(2, 8, 8\) beside a cond"),
        (
            (plain, judge, COLOURS),
            {"latent": sal.Gaussian(5), "remedies": [sal.Reconstruction()]},
            "give the game conditions",
        ),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            sal.GanGame(*arguments, batch_size=6, **options)
        assert "\n" not in str(caught.value)
    play = game()
    for options, message in (
        ({"count": 3}, "give some, generate"),
        ({"conditions": data.Pairs.of(LINES, COLOURS)}, "got Pairs: give it pairs.conditions"),
        ({"count": 3, "conditions": LINES[:2]}, "a count of 3 and 2 conditions"),
        ({"conditions": LINES[:2], "latent": np.zeros((2, 5))}, "has no latent space: leave"),
        ({"conditions": COLOURS[:2]}, r"expected a batch of shape \(N, 1, 8, 8\)"),
        ({"conditions": LINES[0, 0, 0, 0]}, "needs a count, or a row"),
    ):
        with pytest.raises(ValueError, match=message):
            play.generate(**options)
    unconditional = sal.GanGame(plain, judge, COLOURS, latent=sal.Gaussian(5), batch_size=6)
    with pytest.raises(ValueError, match="has no conditions"):
        unconditional.generate(2, conditions=LINES[:2])


def test_a_game_goes_on_with_the_same_transform_of_pairs_only(tmp_path):
    def jittered(scale):
        pairs = replace(data.Pairs.of(LINES, COLOURS), transform=data.Jitter(scale))
        players = generator(), discriminator()
        return sal.GanGame(*players, pairs, batch_size=6, seed=3)

    begun = jittered(1.5)
    begun.play(2)
    begun.save(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"it belongs to another run: its transform"):
        jittered(2).resume(tmp_path / "a.safetensors")
    again = jittered(1.5)
    again.resume(tmp_path / "a.safetensors")
    for game in (begun, again):
        game.play(4)
    np.testing.assert_array_equal(begun.generator.parameters, again.generator.parameters)
