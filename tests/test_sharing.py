"""Networks that are layers of others, with vectors of their own: against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from networks import LABELS
from pytorch_twins import F, as_torch, close, nn, torch

import salamandre as sal

X = np.random.default_rng(5).normal(size=(6, 4))
T = np.random.default_rng(6).normal(size=(6, 4))


def encoder(backend="numpy", **options):
    layers = [sal.NeuronLayer(5, sal.Tanh()), sal.BatchNorm(), sal.NeuronLayer(4)]
    options = {"backend": backend, "dtype": "float64", **options}
    return sal.Network(layers, 4, sal.MeanSquaredError(), sal.SGD(0.1), seed=3, **options)


def over(shared, outputs=3, seed=1):
    """A classifier that begins with a layer of its own, then the shared network, then another."""
    layers = {
        "before": sal.NeuronLayer(4, sal.Sigmoid()),
        "encoder": shared,
        "after": sal.NeuronLayer(outputs, sal.Softmax()),
    }
    options = {"backend": shared.backend, "dtype": shared.dtype, "seed": seed}
    return sal.Network(
        layers, 4, sal.CrossEntropy(), sal.Momentum(0.1, weight_decay=0.1), **options
    )


def in_pytorch(network):
    """Return the same network in PyTorch; its shared part requires no gradient."""
    shared = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.BatchNorm1d(5), nn.Linear(5, 4))
    module = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), shared, nn.Linear(4, 3)).double()
    module.load_state_dict(sal.to_pytorch(network, module.state_dict()))
    shared.eval().requires_grad_(False)
    return module, shared


def equal(before, after) -> bool:
    return all(np.array_equal(before[name], after[name]) for name in before)


def test_gradients_flow_through_a_shared_network(backend, host):
    shared = encoder(backend)
    shared.learn(X, T)
    network = over(shared)
    module, _ = in_pytorch(network)
    x, dy = as_torch(X).requires_grad_(), np.random.default_rng(0).normal(size=(6, 3))
    y = torch.softmax(module(x), dim=1)
    y.backward(as_torch(dy))
    shared.gradients[...] = 5.0
    assert close(host(network.compute(X)), y)
    assert close(host(network.backprop(dy)), x.grad)
    assert [*network.named_gradients()] == [
        *("before.weights", "before.bias", "after.weights", "after.bias")
    ]
    for ours, theirs in zip(
        network.named_gradients().values(),
        [p.grad for p in module.parameters() if p.requires_grad],
        strict=True,
    ):
        assert close(host(ours), theirs)
    assert (host(shared.gradients) == 5).all()


def test_training_another_network_does_not_change_it(backend):
    shared = encoder(backend)
    shared.learn(X, T)
    one, other = over(shared), over(shared, seed=2)
    module, _ = in_pytorch(one)
    theirs = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    before = shared.tensors()
    for _ in range(3):
        one.learn(X, LABELS)
        other.learn(X, LABELS)
        theirs.zero_grad()
        F.cross_entropy(module(as_torch(X)), as_torch(LABELS)).backward()
        theirs.step()
    assert equal(before, shared.tensors())
    for name, value in sal.to_pytorch(one, module.state_dict()).items():
        assert close(value.numpy(), module.state_dict()[name])


def test_its_own_training_is_seen_by_both(backend, host):
    shared = encoder(backend)
    one, other = over(shared), over(shared, seed=2)
    before = host(one.predict(X)), host(other.predict(X))
    shared.learn(X, T)
    for network, old in ((one, before[0]), (other, before[1])):
        module, _ = in_pytorch(network)
        module.eval()
        found = host(network.predict(X))
        assert close(found, torch.softmax(module(as_torch(X)), dim=1))
        assert not np.allclose(found, old)
    assert np.array_equal(
        host(one.named_arrays()["encoder.0.weights"]), shared.tensors()["0.weights"]
    )


def test_names_parameters_and_summary():
    shared = encoder()
    network = over(shared)
    assert network.parameters.size == 4 * 4 + 4 + 4 * 3 + 3
    assert not any(name.startswith("encoder") for name in network.named_parameters())
    assert {"encoder.0.weights", "encoder.1.running_mean"} <= set(network.named_arrays())
    (row,) = [line for line in network.summary().splitlines() if "encoder" in line]
    assert "shared" in row
    with pytest.raises(ValueError, match=r"unknown part of the network 'encoder\.0'"):
        network.freeze("encoder.0")


def test_what_is_saved_includes_it(tmp_path):
    shared = encoder()
    network = over(shared)
    shared.learn(X, T)
    network.learn(X, LABELS)
    network.save(tmp_path / "net")
    shared.learn(X, T)  # goes on; the file does not
    loaded = sal.Network.load(tmp_path / "net")
    assert [*loaded.tensors()] == [*network.tensors()]
    assert not equal(loaded.tensors(), network.tensors())
    inner = loaded.layers[1]
    assert inner.owns_vectors and np.shares_memory(inner.layers[0].weights, inner.parameters)
    before = inner.tensors()
    loaded.learn(X, LABELS)
    assert equal(before, inner.tensors())
    twin = over(encoder())
    twin.load_tensors(loaded.tensors())
    assert np.array_equal(twin.predict(X), loaded.predict(X))


def test_a_shared_network_of_a_part_and_of_a_parallel(backend, host):
    """Twice in one network, once inside a container."""
    shared = encoder(backend)
    layers = [
        sal.Parallel({"a": sal.Sequential([shared, sal.Tanh()]), "b": sal.NeuronLayer(4)}, "add"),
        sal.Skip([shared], "add"),
    ]
    network = sal.Network(layers, 4, backend=backend, dtype="float64")
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.BatchNorm1d(5), nn.Linear(5, 4)).double()
    module.load_state_dict(sal.to_pytorch(shared, module.state_dict()))
    module.eval().requires_grad_(False)
    b = nn.Linear(4, 4).double()
    b.load_state_dict(
        {
            name: as_torch(host(network.named_parameters()[f"0.b.{ours}"]))
            for name, ours in (("weight", "weights"), ("bias", "bias"))
        }
    )
    x, dy = as_torch(X).requires_grad_(), np.random.default_rng(0).normal(size=(6, 4))
    h = torch.tanh(module(x)) + b(x)
    y = h + module(h)
    y.backward(as_torch(dy))
    assert close(host(network.compute(X)), y)
    assert close(host(network.backprop(dy)), x.grad)
    assert close(host(network.named_gradients()["0.b.weights"]), b.weight.grad)


@pytest.mark.parametrize(
    "options", [{"backend": "strict"}, {"dtype": "float32"}], ids=["backend", "dtype"]
)
def test_networks_of_other_kinds_are_not_shared(options):
    options = {"backend": "numpy", "dtype": "float64", **options}
    with pytest.raises(ValueError, match="a shared network is of float64 on backend") as caught:
        sal.Network([sal.NeuronLayer(4), encoder()], 4, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"dtype": "float32"}, {"dtype": "float64", "frozen": ["7"]}])
def test_a_network_that_is_refused_late_gives_its_layers_back(wrong):
    shared, layer = encoder(), sal.NeuronLayer(4)
    with pytest.raises(ValueError, match=r"shared network|unknown part"):
        sal.Network([layer, shared], 4, **wrong)
    assert sal.Network([layer, shared], 4, dtype="float64").output_shape == (4,)


def test_shapes_and_labels_of_a_shared_network_are_checked():
    shared = encoder()
    with pytest.raises(ValueError, match=r"takes examples of shape \(4,\), got \(3,\)"):
        sal.Network([sal.NeuronLayer(3), shared], 4, dtype="float64")
    knows = sal.Network([sal.Embedding(3), sal.NeuronLayer(4)], 4, dtype="float64")
    network = sal.Network([knows, sal.NeuronLayer(2)], 4, dtype="float64")
    assert network.classes == 3
    with pytest.raises(ValueError, match="needs a label"):
        network.predict(X)
    expected = network.layers[1]
    inner = knows.predict(X, labels=LABELS)
    found = network.predict(X, labels=LABELS)
    assert np.allclose(found, inner @ expected.weights.T + expected.bias)


def test_one_encoder_in_two_games():
    shared = sal.Network([sal.NeuronLayer(6, sal.LeakyReLU(0.2)), sal.NeuronLayer(5)], 3)
    points = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

    def play(seed):
        generator = sal.Network([sal.NeuronLayer(3, sal.Tanh(k=4))], 2, optimizer=sal.Adam())
        critic = sal.Network([shared, sal.NeuronLayer(1)], 3, optimizer=sal.Adam(), seed=seed)
        return sal.GanGame(
            generator, critic, points, latent=sal.Gaussian(2), batch_size=8, seed=seed
        )

    one, other = play(0), play(1)
    before, expected = shared.tensors(), play(0)
    for rounds in (2, 4):
        one.play(rounds)
        other.play(rounds)
    expected.play(4)
    assert equal(before, shared.tensors())
    assert np.array_equal(one.discriminator.parameters, expected.discriminator.parameters)
    assert np.array_equal(one.generator.parameters, expected.generator.parameters)


def test_a_network_with_a_shared_part_is_loaded_on_its_backend(tmp_path):
    """The shared part is on the backend that is asked for too, not on the default one."""
    shared = sal.Network([sal.NeuronLayer(3)], 4, backend="strict")
    sal.Network([sal.NeuronLayer(4), shared], 5, backend="strict").save(tmp_path / "net")
    for name in ("strict", "plain"):
        loaded = sal.Network.load(tmp_path / "net", backend=name)
        wanted = sal.get_backend(name).name
        assert [network.backend.name for network in loaded.owners] == [wanted, wanted]


def test_networks_that_share_in_another_order_do_not_wait_for_each_other():
    """A look takes the gates of all networks; in another order two threads would wait for ever."""
    first, second = encoder(), encoder()
    one, two = (
        sal.Network(list(parts), 4, dtype="float64") for parts in ((first, second), (second, first))
    )
    shared = [[n for n in network.owners if n is not network] for network in (one, two)]
    assert shared[0] == shared[1] and len(shared[0]) == 2
