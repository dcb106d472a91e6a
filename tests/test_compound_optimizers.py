"""Muon against the singular value decomposition and PyTorch, Lookahead against its algorithm."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pytorch_twins import LABELS, X, as_torch, nn, torch

import salamandre as sal
from salamandre.compound_optimizers import QUINTIC, orthogonal


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5), (1, 6)])
def test_the_iterations_are_a_polynomial_of_the_singular_values(shape, backend, host, random):
    side, g = sal.get_backend(backend), random.normal(size=shape)
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    s /= np.linalg.norm(s)
    a, b, c = QUINTIC
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    assert np.allclose(host(orthogonal(side.xp, side.asarray(g))), (u * s) @ vt, atol=1e-5)
    assert shape == (5, 5) or (s.min() > 0.6 and s.max() < 1.3)


def test_small_singular_values_grow_also_in_single_precision(random):
    u, v = (np.linalg.qr(random.normal(size=(n, 32)))[0] for n in (32, 200))
    s = np.geomspace(1, 1e-6, 32)
    found = np.linalg.svd(orthogonal(np, ((u * s) @ v.T).astype("float32")), compute_uv=False)
    a, b, c = QUINTIC
    s /= np.linalg.norm(s)
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    assert np.allclose(np.sort(found), np.sort(s), atol=0.003)


def networks(optimizer, backend="numpy"):
    layers = [sal.NeuronLayer(8, sal.Tanh()), sal.NeuronLayer(6, sal.Tanh())]
    last = sal.NeuronLayer(3, sal.Softmax())
    return sal.Network(
        [*layers, last], 5, sal.CrossEntropy(), optimizer, backend=backend, dtype="float64"
    )


def test_muon_and_its_others_against_pytorch(backend, host):
    """PyTorch iterates in bfloat16: steps agree to two digits."""
    muon = sal.Muon(0.01, decay=0.1, others=sal.Adam(0.003))
    network = networks(muon, backend)
    module = nn.Sequential(
        nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)
    ).double()
    tensors = {
        n: as_torch(v) for n, v in zip(module.state_dict(), network.tensors().values(), strict=True)
    }
    module.load_state_dict(tensors)
    hidden = [module[0].weight, module[2].weight]
    rest = [p for p in module.parameters() if not any(p is h for h in hidden)]
    theirs = torch.optim.Muon(hidden, lr=0.01, weight_decay=0.1), torch.optim.Adam(rest, lr=0.003)
    before = network.tensors()
    for _ in range(5):
        network.learn(X, LABELS)
        for optimizer in theirs:
            optimizer.zero_grad()
        nn.functional.cross_entropy(module(as_torch(X)), as_torch(LABELS)).backward()
        for optimizer in theirs:
            optimizer.step()
    for (name, ours), value in zip(
        network.tensors().items(), module.state_dict().values(), strict=True
    ):
        moved = np.abs(ours - before[name]).max()
        assert np.abs(ours - value.numpy()).max() < 0.1 * moved, name


def test_muon_learns_convolutions_and_leaves_embeddings_to_the_others(random):
    layers = [sal.LabelMap(3), sal.ConvolutionalLayer(4, 3), sal.BatchNorm(), sal.ReLU()]
    layers += [sal.ConvolutionalLayer(5, 3), sal.Flatten(), sal.NeuronLayer(3, sal.Softmax())]
    muon = sal.Muon(0.1, 0, others=sal.SGD(0.0))
    network = sal.Network(layers, (1, 6, 6), sal.CrossEntropy(), muon)
    before = network.tensors()
    network.learn(random.normal(size=(8, 1, 6, 6)), np.arange(8) % 3, labels=np.arange(8) % 3)
    for name, after in network.tensors().items():
        step = before[name] - after
        if name in ("1.weights", "4.weights"):
            values = np.linalg.svd(step.reshape(len(step), -1))[1]
            assert values.min() > 0.05 and values.max() < 0.13
        elif "running" not in name:
            assert not step.any(), name


@pytest.mark.parametrize(
    ("last", "classes"), [(sal.NeuronLayer(1), None), (sal.Projection(3), np.arange(8) % 3)]
)
def test_all_hidden_matrices_of_a_critic_learn_by_muon(last, classes, random):
    layers = [sal.NeuronLayer(8, sal.Tanh()), sal.NeuronLayer(6, sal.Tanh()), last]
    muon = sal.Muon(0.1, others=sal.SGD(0.0))
    network = sal.Network(layers, 5, sal.MeanSquaredError(), muon)
    before = network.tensors()
    network.learn(random.normal(size=(8, 5)), np.ones((8, 1)), labels=classes)
    moved = [name for name, after in network.tensors().items() if (after != before[name]).any()]
    assert moved == ["0.weights", "1.weights"]


def test_frozen_matrices_stay_under_muon(random):
    network = networks(sal.Muon(0.1))
    network.freeze("0")
    before = network.tensors()
    network.learn(X, LABELS)
    after = network.tensors()
    assert all(np.array_equal(before[n], after[n]) == n.startswith("0.") for n in before)


def test_lookahead_is_its_algorithm(backend, host):
    network = networks(sal.Lookahead(sal.Adam(0.05), 3, 0.4), backend)
    plain = networks(sal.Adam(0.05), backend)
    slow = np.array(host(plain.parameters))
    for step in range(1, 8):
        network.learn(X, LABELS)
        plain.learn(X, LABELS)
        if step % 3 == 0:
            slow += 0.4 * (host(plain.parameters) - slow)
            plain.parameters[...] = plain.backend.asarray(slow)
        assert np.allclose(host(network.parameters), host(plain.parameters), atol=1e-12)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: sal.Muon(sal.schedules.CosineDecay(0.02, 50)),
        lambda: sal.Lookahead(sal.Nesterov(sal.schedules.CosineDecay(0.02, 50)), 4),
        lambda: sal.Lookahead(sal.Muon(0.01), 4),
    ],
)
def test_runs_with_them_are_copied_saved_and_continued(optimizer, tmp_path):
    def engine():
        return sal.Engine(networks(optimizer()), (X, LABELS), batch_size=3)

    whole, first, second = engine(), engine(), engine()
    whole.run(9)
    first.run(5)
    first.save(tmp_path / "run")
    twin = copy.deepcopy(first)
    second.resume(tmp_path / "run")
    for run in (second, twin):
        run.run(9)
        assert np.array_equal(run.network.parameters, whole.network.parameters)
    whole.network.save(tmp_path / "network")
    loaded = sal.Network.load(tmp_path / "network")
    assert repr(loaded.optimizer) == repr(whole.network.optimizer)


def test_an_optimizer_inside_belongs_to_one_network():
    inner = sal.Adam()
    networks(sal.Lookahead(inner))
    for outer in (sal.Lookahead(inner), sal.Muon(others=inner)):
        with pytest.raises(ValueError, match="belongs to a network already"):
            networks(outer)
    with pytest.raises(TypeError, match=r"Lookahead optimizer must be .* did you mean 'Adam'"):
        sal.Lookahead("adma")
    with pytest.raises(TypeError, match="optimizer of another kind, got Lookahead"):
        sal.Lookahead(sal.Lookahead("adam"))
    assert repr(sal.Lookahead("adam")) == "Lookahead(optimizer=Adam())"


def test_the_rate_of_an_optimizer_inside_is_saved_and_put_back(tmp_path):
    """It may be set by hand, as a callback does."""

    def engine():
        return sal.Engine(networks(sal.Lookahead(sal.Muon(0.01), 4)), (X, LABELS), batch_size=3)

    def others(run):
        return run.network.optimizer.fast.others

    whole, second = engine(), engine()
    whole.run(2)
    others(whole).learning_rate = 0.05
    whole.save(tmp_path / "run")
    kept = whole.snapshot()
    second.resume(tmp_path / "run")
    assert others(second).learning_rate == 0.05
    for run in (whole, second):
        run.run(4)
    assert np.array_equal(second.network.parameters, whole.network.parameters)
    others(whole).learning_rate = 0.0
    whole.restore(kept)
    assert others(whole).learning_rate == 0.05


@pytest.mark.parametrize("size", [1e25, 1e-25])
def test_gradients_of_any_size_are_made_orthogonal(size, random):
    g = random.normal(size=(4, 9))
    expected = orthogonal(np, g)
    found = orthogonal(np, (size * g).astype(np.float32))
    assert np.allclose(found, expected, atol=1e-4)


def test_lookahead_takes_what_frozen_parts_were_set_to():
    network = networks(sal.Lookahead(sal.SGD(0.0), 2))
    network.freeze("0")
    network.learn(X, LABELS)
    network.named_parameters()["0.weights"][...] = 5
    network.learn(X, LABELS)
    network.unfreeze("0")
    for _ in range(2):
        network.learn(X, LABELS)
    assert (network.named_parameters()["0.weights"] == 5).all()


@pytest.mark.parametrize("inside", [False, True])
def test_lookahead_goes_on_from_parameters_that_were_loaded(inside):
    optimizer = sal.Lookahead(sal.SGD(0.0), 2)
    network = networks(sal.Muon(0.0, others=optimizer) if inside else optimizer)
    for _ in range(3):
        network.learn(X, LABELS)
    loaded = {name: np.full_like(array, 3) for name, array in network.tensors().items()}
    network.load_tensors(loaded)
    for _ in range(3):
        network.learn(X, LABELS)
    assert (network.parameters == 3).all()


def test_lookahead_without_a_network_is_refused():
    with pytest.raises(ValueError, match="this Lookahead is not attached"):
        sal.Lookahead(sal.SGD()).step(np.zeros(2), np.zeros(2))
