"""Networks: what learning does, whose arrays are whose, and errors that change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from networks import LABELS, X, everything
from pytorch_twins import as_torch, close, same_weights, twins

import salamandre as sal


def test_backends_learn_alike(backend, host):
    """Without random numbers, which differ between backends."""

    def learn(backend):
        layers = [
            sal.NeuronLayer(8, sal.Tanh()),
            sal.BatchNorm(),
            sal.NeuronLayer(3, sal.Softmax()),
        ]
        network = sal.Network(
            layers, 4, sal.CrossEntropy(), sal.Adam(0.01), backend=backend, dtype="float64"
        )
        losses = [float(network.learn(X, LABELS)) for _ in range(50)]
        return losses, network.tensors()

    (losses, tensors), (expected, reference) = learn(backend), learn("plain")
    assert losses == pytest.approx(expected, abs=1e-10)
    assert all(np.allclose(tensors[name], reference[name], atol=1e-10) for name in reference)


def test_the_same_seed_gives_the_same_run(backend):
    def learn():
        network = everything(backend)
        return [float(network.learn(X, LABELS)) for _ in range(5)], network.tensors()

    (losses, tensors), (again, same) = learn(), learn()
    assert losses == again
    assert all(np.array_equal(tensors[name], same[name]) for name in tensors)


def test_learning_lowers_the_loss_to_nothing(backend):
    network = sal.Network(
        [sal.NeuronLayer(32, sal.ReLU()), sal.NeuronLayer(3, sal.Softmax())],
        4,
        sal.CrossEntropy(),
        sal.Adam(0.01),
        backend=backend,
    )
    losses = [float(network.learn(X, LABELS)) for _ in range(300)]
    assert losses[0] > 0.5 and losses[-1] < 0.02
    assert float(sal.evaluation.accuracy(network.predict(X), network.backend.asarray(LABELS))) == 1


def test_inputs_are_left_alone_and_outputs_belong_to_the_caller(backend, host, random):
    network = everything(backend, optimizer=sal.Adam(0.01))
    x, dy = X.copy(), random.normal(size=(6, 3)).astype(np.float32)
    x.flags.writeable = False
    dy_before = dy.copy()
    y = network.compute(x)
    dx = network.backprop(dy)
    kept = host(y).copy(), host(dx).copy()
    y_first, dx_first = y, dx
    for _ in range(3):
        network.compute(2 * X)
        network.backprop(-dy)
        network.learn(X, LABELS)
    assert np.array_equal(host(y_first), kept[0]) and np.array_equal(host(dx_first), kept[1])
    assert np.array_equal(x, X) and np.array_equal(dy, dy_before)
    y_first[...] = 0  # may be written to
    dx_first[...] = 0


@pytest.mark.parametrize(
    "layer", [sal.Flatten(), sal.Dropout(), sal.Reshape((2, 2)), sal.Identity()]
)
def test_layers_that_pass_arrays_through_do_not_hand_out_the_input(layer):
    network = sal.Network([layer], 4)
    x = X.copy()
    for training in (True, False):
        y = network.compute(x, training=training)
        y[...] = 9
        network.backprop(y)[...] = 9
        assert np.array_equal(x, X)


def test_update_false_leaves_gradients_alone(backend, host):
    network = everything(backend)
    network.compute(X)
    network.gradients[...] = 5.0
    dx = network.backprop(np.ones((6, 3)), update=False)
    assert (host(network.gradients) == 5).all()
    assert np.array_equal(host(dx), host(network.backprop(np.ones((6, 3)))))
    assert not (host(network.gradients) == 5).any()


def test_step_by_hand_is_learn(backend, host, random):
    one, other = (
        sal.Network(
            [sal.NeuronLayer(3)], 4, sal.MeanSquaredError(), sal.Momentum(0.1), backend=backend
        )
        for _ in range(2)
    )
    target = random.normal(size=(6, 3)).astype(np.float32)
    for _ in range(3):
        one.learn(X, target)
        y = other.compute(X)
        other.backprop((y - other.backend.asarray(target)) * (2 / 18))
        other.step()
    assert np.allclose(host(one.parameters), host(other.parameters), atol=1e-6)


def test_backprop_needs_a_compute_and_its_shape(backend):
    network = everything(backend)
    with pytest.raises(RuntimeError, match="compute before it"):
        network.backprop(np.ones((6, 3)))
    network.compute(X)
    with pytest.raises(ValueError, match=r"shape \(6, 3\), got \(5, 3\)"):
        network.backprop(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        network.compute(X[:, :2])
    network.backprop(np.ones((6, 3)))  # the latest compute that succeeded


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_backprop_refuses_what_is_not_finite(broken):
    network = everything()
    network.compute(X)
    with pytest.raises(ValueError, match="dy holds NaN or infinity"):
        network.backprop(np.full((6, 3), broken))


@pytest.mark.parametrize(
    "first", [sal.Flatten(), sal.Dropout(0.2), sal.Network([sal.Flatten(), sal.NeuronLayer(4)])]
)
def test_backprop_gives_dx_after_learn_whatever_is_first(first):
    layers = [first, sal.NeuronLayer(3, sal.Softmax())]
    network = sal.Network(layers, 4, sal.CrossEntropy(), sal.SGD(0.1))
    network.learn(X, LABELS)
    with pytest.raises(RuntimeError, match="compute before it"):
        network.backprop(np.ones((6, 3)))
    network.compute(X)
    dx = network.backprop(np.arange(18.0).reshape(6, 3))
    assert dx.shape == X.shape and np.abs(dx).max() > 0
    y = network.compute(X)
    network.predict(X)  # has a pass of its own
    assert np.array_equal(network.backprop(np.arange(18.0).reshape(6, 3)), dx) == (
        not isinstance(first, sal.Dropout)
    )
    network.compute(X)
    network.learn(X, LABELS)  # the parameters are others now
    with pytest.raises(RuntimeError, match="compute before it"):
        network.backprop(np.ones_like(y))


def test_predict_in_blocks_is_predict_at_once():
    network = sal.Network([sal.NeuronLayer(3, sal.Tanh()), sal.BatchNorm()], 4, dtype="float64")
    assert np.allclose(network.predict(X, batch_size=4), network.predict(X), atol=1e-12)
    assert len(network.predict(X, batch_size=1)) == 6


def test_divergence_names_the_step_and_keeps_the_parameters():
    layers = [sal.NeuronLayer(3)]
    network = sal.Network(layers, 4, sal.MeanSquaredError(), sal.SGD(1e30))
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"at step 2.*learning rate"):
        for _ in range(5):
            before = np.array(network.parameters)
            network.learn(1e5 * X, np.zeros((6, 3)))
    assert np.array_equal(before, network.parameters) and network.optimizer.steps == 1


def test_layers_and_optimizers_serve_one_network():
    layer, optimizer = sal.NeuronLayer(3), sal.Adam()
    sal.Network([layer], 4, sal.MeanSquaredError(), optimizer)
    with pytest.raises(ValueError, match="in a network already"):
        sal.Network([layer], 4)
    with pytest.raises(ValueError, match="belongs to a network already"):
        sal.Network([sal.NeuronLayer(3)], 4, sal.MeanSquaredError(), optimizer)
    with pytest.raises(ValueError, match="needs a Network with a loss"):
        sal.Network([sal.NeuronLayer(3)], 4).learn(X, X)
    with pytest.raises(ValueError, match="needs a Network with an optimizer"):
        sal.Network([sal.NeuronLayer(3)], 4).step()


def test_running_statistics_go_back_with_a_step_that_failed():
    layers = [
        sal.Reshape((2, 2, 1)),
        sal.BatchNorm(),
        sal.Flatten(),
        sal.BatchNorm(),
        sal.NeuronLayer(3, sal.Softmax()),
    ]
    network = sal.Network(layers, 4, sal.CrossEntropy(), sal.SGD(0.1))
    before = network.tensors()
    with pytest.raises(ValueError, match="at least 2 values"):
        network.learn(X[:1], LABELS[:1])
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


NUMBERS = st.floats(-10, 10, width=32)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.sampled_from([1, 2, 3, 7, 64, 65]),
    inputs=st.integers(1, 9),
    hidden=st.integers(1, 9),
    outputs=st.integers(1, 5),
    noise=st.integers(0, 3),
    dtype=st.sampled_from(["float32", "float64"]),
    data=st.data(),
)
def test_compute_and_backprop_of_any_size(batch, inputs, hidden, outputs, noise, dtype, data):
    """Against the matrix formulas in float64."""
    x = data.draw(hnp.arrays(np.float32, (batch, inputs), elements=NUMBERS))
    dy = data.draw(hnp.arrays(np.float32, (batch, outputs), elements=NUMBERS))
    layers = [sal.NeuronLayer(hidden, sal.LeakyReLU(0.1), noise=noise), sal.NeuronLayer(outputs)]
    network = sal.Network(layers, inputs, dtype=dtype)
    y, dx = network.compute(x), network.backprop(dy)
    p = {name: array.astype(float) for name, array in network.named_parameters().items()}
    random = sal.get_backend("numpy").stream([network.seed, 1])
    drawn = random.normal((batch, noise), dtype)
    with_noise = np.concatenate([x, drawn], axis=1).astype(float)
    z = with_noise @ p["0.weights"].T
    h = np.where(z > 0, z, 0.1 * z)
    dz = (dy @ p["1.weights"]) * np.where(z > 0, 1, 0.1)
    tolerance = {"rtol": 1e-3, "atol": 1e-2} if dtype == "float32" else {"atol": 1e-9}
    assert np.allclose(y, h @ p["1.weights"].T, **tolerance)
    near_the_kink = np.abs(z).min() < 1e-3
    if not near_the_kink:
        assert np.allclose(dx, (dz @ p["0.weights"])[:, :inputs], **tolerance)
        assert np.allclose(network.named_gradients()["0.weights"], dz.T @ with_noise, **tolerance)
        expected = dy.astype(float).sum(axis=0)
        assert np.allclose(network.named_gradients()["1.bias"], expected, **tolerance)
    assert y.dtype == dx.dtype == network.gradients.dtype == dtype
    assert y.flags.c_contiguous and dx.flags.c_contiguous


def test_outputs_gradients_and_statistics(backend, host, random):
    network, module = twins(backend, loss=sal.CrossEntropy(from_logits=True))
    values = random.normal(size=(7, 5))
    x = as_torch(values).requires_grad_()
    dy = random.normal(size=(7, 3))
    y = module(x)
    y.backward(as_torch(dy))
    assert close(host(network.compute(values)), y)
    assert close(host(network.backprop(dy)), x.grad)
    gradients = np.concatenate([p.grad.numpy().ravel() for p in module.parameters()])
    assert close(host(network.gradients), gradients)
    assert same_weights(network, module)  # the running statistics among them
    module.eval()
    assert close(host(network.compute(values, training=False)), module(x))
    assert close(host(network.predict(values)), module(x))


def test_seeds_and_stops_that_are_none_are_refused(random):
    net = sal.Network([sal.NeuronLayer(3), sal.Dropout(0.5)], 2)
    x = random.normal(size=(4, 2))
    for seed in (-1, 1.5, [1, -2], "a"):
        with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
            net.predict(x, seed=seed)
    for stop in (-1, True, 1.5):
        with pytest.raises(ValueError, match="stop must be a whole number of at least 0"):
            net.compute(x, stop=stop)
