"""Copies and pickles in mid-training: nothing is shared, and they go on bit for bit alike."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from networks import LABELS, X
from players import REMEDIES, game

import salamandre as sal
from salamandre import studies
from salamandre.training import Loop

TWINS = {"copied": copy.deepcopy, "pickled": lambda thing: pickle.loads(pickle.dumps(thing))}


@pytest.fixture(params=TWINS)
def twin_of(request):
    """What makes a copy."""
    return TWINS[request.param]


def layers():
    """Layers with everything that is remembered, nested and plain."""
    return {
        "first": sal.NeuronLayer(5, sal.ReLU(), noise=2),
        "norm": sal.BatchNorm(),
        "middle": sal.Skip(
            [
                sal.Dropout(0.3),
                sal.Parallel({"a": sal.NeuronLayer(2), "b": sal.NeuronLayer(3, sal.Tanh())}),
            ],
            "add",
        ),
        "nested": sal.Network([sal.NeuronLayer(4), sal.BatchNorm()]),
        "last": sal.NeuronLayer(3, sal.Softmax()),
    }


def whole(backend="numpy", **options):
    optimizer = sal.Adam(sal.schedules.CosineDecay(0.02, 30), clip_norm=1.0)
    options = {"loss": sal.CrossEntropy(), "optimizer": optimizer, **options}
    return sal.Network(layers(), 4, backend=backend, **options)


def shared(backend="numpy"):
    """A network that holds another one, which is trained as well."""
    part = sal.Network(
        [sal.NeuronLayer(4, sal.Tanh()), sal.BatchNorm()],
        4,
        sal.MeanSquaredError(),
        sal.Momentum(0.1),
        backend=backend,
    )
    return sal.Network(
        [part, sal.NeuronLayer(3, sal.Softmax())],
        4,
        sal.CrossEntropy(),
        sal.Adam(0.02),
        backend=backend,
    )


def learn(network, steps=3):
    losses = []
    for _ in range(steps):
        losses.append(float(network.learn(X, LABELS)))
        if network.layers[0].owns_vectors:
            losses.append(float(network.layers[0].learn(X, X)))
    return losses


def host(network, array):
    return network.backend.to_numpy(array)


def arrays(network):
    """Return all arrays that a network remembers, by name."""
    found = {
        "parameters": network.parameters,
        "gradients": network.gradients,
        "state": network.state,
        **{f"optimizer {name}": slot for name, slot in network.optimizer.memory.items()},
    }
    if network.layers[0].owns_vectors:
        found |= {f"shared {name}": array for name, array in arrays(network.layers[0]).items()}
    return found


def same(one, other) -> bool:
    pairs = zip(arrays(one).values(), arrays(other).values(), strict=True)
    return all(np.array_equal(host(one, a), host(other, b)) for a, b in pairs)


MADE = {
    "with everything": whole,
    "frozen": lambda backend: whole(backend, frozen=("norm", "middle.1.a")),
    "shared": shared,
}


@pytest.mark.parametrize("kind", MADE)
def test_networks_in_mid_training(kind, twin_of, backend):
    network = MADE[kind](backend)
    learn(network)
    network.compute(X)  # its latest pass is alive
    twin = twin_of(network)
    assert same(network, twin)
    assert twin.frozen == network.frozen and twin.backend is network.backend
    assert learn(twin) == learn(network)  # and so are noise, dropout, schedule
    assert same(network, twin)
    before = {name: host(network, array).copy() for name, array in arrays(network).items()}
    learn(twin)
    twin.parameters[...] = 7.0
    assert all(np.array_equal(before[n], host(network, a)) for n, a in arrays(network).items())
    assert (host(twin, twin.layers[-1].weights) == 7).all()


@pytest.mark.parametrize("kind", MADE)
def test_copies_share_no_memory_and_their_layers_hold_views(kind, twin_of):
    network = MADE[kind]("numpy")
    learn(network, 1)
    twin = twin_of(network)
    originals = arrays(network).values()
    for array in arrays(twin).values():
        assert not any(np.shares_memory(array, original) for original in originals)
    for _, layer in twin.walk(shared=False):
        for declared in layer.declared:
            value, gradient = getattr(layer, declared.name), getattr(layer, f"d_{declared.name}")
            assert np.shares_memory(value, twin.parameters)
            assert np.shares_memory(gradient, twin.gradients)
        for declared in layer.declared_state:
            assert np.shares_memory(getattr(layer, declared.name), twin.state)
    assert [*twin.named_arrays()] == [*network.named_arrays()]


def test_a_shared_part_stays_shared_among_what_is_copied_together(twin_of):
    part = sal.Network([sal.NeuronLayer(4)], 4, sal.MeanSquaredError(), sal.SGD(0.1))
    one, other = (sal.Network([part, sal.NeuronLayer(2)], 4) for _ in range(2))
    twin_part, twin_one, twin_other = twin_of((part, one, other))
    assert twin_one.layers[0] is twin_other.layers[0] is twin_part
    twin_part.learn(X, X)
    assert np.array_equal(one.layers[0].parameters, other.layers[0].parameters)
    assert not np.array_equal(twin_part.parameters, part.parameters)
    weights = twin_one.named_arrays()["0.0.weights"]
    assert np.shares_memory(weights, twin_part.parameters)
    twin_alone = twin_of(one)  # brings its own
    assert not np.shares_memory(twin_alone.layers[0].parameters, part.parameters)


def test_losses_and_optimizers(twin_of):
    loss = sal.CrossEntropy(label_smoothing=0.1)
    assert repr(twin_of(loss)) == repr(loss) and twin_of(loss) is not loss
    optimizer = sal.Adam(0.02, weight_decay=0.1)
    network = whole(optimizer=optimizer)
    learn(network)
    twin = twin_of(optimizer)
    assert twin.steps == 3 and [*twin.memory] == [*optimizer.memory]
    for name, slot in twin.memory.items():
        assert np.array_equal(slot, optimizer.memory[name])
        assert not np.shares_memory(slot, optimizer.memory[name])
    parameters, gradient = np.zeros(network.parameters.shape, "float32"), network.gradients
    other = parameters.copy()
    optimizer.step(parameters, gradient.copy())
    twin.step(other, gradient.copy())
    assert np.array_equal(parameters, other) and np.abs(parameters).max() > 0
    free = twin_of(sal.Adam(0.02))  # one that belongs to no network yet
    assert learn(whole(optimizer=free), 1)


def test_one_optimizer_of_a_copied_network_is_its_own(twin_of):
    network = whole()
    learn(network)
    twin = twin_of(network)
    assert twin.optimizer is not network.optimizer and twin.optimizer.steps == 3
    learn(twin)
    assert (network.optimizer.steps, twin.optimizer.steps) == (3, 6)


# -- runs ------------------------------------------------------------------------------------------


def engine(seed=0):
    points = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
    targets = np.arange(40) % 3
    network = whole(seed=seed)
    return sal.Engine(network, (points, targets), (points, targets), batch_size=8, seed=seed)


def history_of(run: Loop):
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in run.history.records]
    return run.history.steps, records


def test_engines_in_mid_run(twin_of):
    run = engine()
    run.run(2)
    twin = twin_of(run)
    assert not np.shares_memory(twin.network.parameters, run.network.parameters)
    run.run(5)
    assert twin.step == 10 and len(twin.history) == 10
    twin.run(5)
    assert same(run.network, twin.network) and history_of(run) == history_of(twin)


GAMES = {
    "remedies": {"normalised": True, **REMEDIES},
    "penalty": {"kind": sal.WGanGame, "lipschitz": sal.GradientPenalty(), "critic_steps": 2},
    "spectral": {"lipschitz": sal.SpectralNorm(), "objective": sal.Hinge()},
    "clipping": {"kind": sal.WGanGame, "lipschitz": sal.WeightClipping(0.1)},
}


def players_arrays(play):
    found = [*play.lipschitz.state().values()]
    for network in (play.generator, play.discriminator):
        found += arrays(network).values()
    for remedy in play.remedies:
        found += remedy.state().values()
    return found


@pytest.mark.parametrize("kind", GAMES)
def test_games_in_mid_run(kind, twin_of):
    play = game(**GAMES[kind])
    play.play(3)
    play.generate(2)
    twin = twin_of(play)
    ours, theirs = players_arrays(play), players_arrays(twin)
    assert not any(np.shares_memory(a, b) for a in ours for b in theirs)
    before = [array.copy() for array in ours]
    twin.play(6)
    assert all(map(np.array_equal, before, players_arrays(play)))
    play.play(6)
    assert all(map(np.array_equal, players_arrays(play), players_arrays(twin)))
    assert history_of(play) == history_of(twin)
    assert np.array_equal(play.generate(5, seed=3), twin.generate(5, seed=3))


def test_a_copied_game_is_saved_and_resumed_as_the_original(twin_of, tmp_path):
    play = game(**GAMES["remedies"])
    play.play(2)
    twin_of(play).save(tmp_path / "game")
    again = game(**GAMES["remedies"])
    again.resume(tmp_path / "game")
    play.play(4)
    again.play(4)
    assert all(map(np.array_equal, players_arrays(play), players_arrays(again)))


# -- processes -------------------------------------------------------------------------------------


def experiment(seed):
    """A network, an engine and a game, in the middle of what they do."""
    network, run, play = whole(seed=seed), engine(seed), game(**GAMES["remedies"])
    learn(network)
    run.run(1)
    play.play(2)
    return network, run, play


def test_repeat_returns_networks_engines_and_games_from_processes():
    results = studies.repeat(experiment, [0, 1], processes=2)
    for seed, (network, run, play) in enumerate(results):
        own_network, own_run, own_play = experiment(seed)
        assert same(network, own_network) and same(run.network, own_run.network)
        assert learn(network) == learn(own_network)
        run.run(2)
        own_run.run(2)
        assert history_of(run) == history_of(own_run)
        play.play(4)
        own_play.play(4)
        assert all(map(np.array_equal, players_arrays(play), players_arrays(own_play)))
    assert not np.array_equal(results[0][0].parameters, results[1][0].parameters)
