"""The promises of Network: flat vectors, whose arrays are whose, and errors that change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import salamandre as sal

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(6, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 2, 1, 0])


def everything(backend="numpy", **options) -> sal.Network:
    """A network with noise, dropout, running statistics and an optimizer with memory."""
    layers = [
        sal.NeuronLayer(5, sal.ReLU(), noise=2),
        sal.BatchNorm(),
        sal.Dropout(0.3),
        sal.NeuronLayer(3, sal.Softmax()),
    ]
    options = {"loss": sal.CrossEntropy(), "optimizer": sal.Adam(0.01), **options}
    return sal.Network(layers, 4, backend=backend, **options)


def snapshot(network: sal.Network) -> dict[str, np.ndarray]:
    """All that a network remembers, random numbers excepted."""
    to_numpy = network.backend.to_numpy
    arrays = {**network.tensors(), "gradients": np.array(to_numpy(network.gradients))}
    for name, memory in network.optimizer.memory.items():
        arrays[f"optimizer {name}"] = np.array(to_numpy(memory))
    arrays["steps"] = np.array(network.optimizer.steps)
    return arrays


def unchanged(network: sal.Network, before: dict[str, np.ndarray]) -> bool:
    after = snapshot(network)
    return all(np.array_equal(before[name], after[name]) for name in before)


# -- the vectors ---------------------------------------------------------------------------------


def test_parameters_are_views_of_one_vector_in_order(backend, host):
    network = everything(backend)
    names = [*network.named_parameters()]
    assert names == ["0.weights", "0.bias", "1.gamma", "1.beta", "3.weights", "3.bias"]
    shapes = [(5, 6), (5,), (5,), (5,), (3, 5), (3,)]
    assert [p.shape for p in network.named_parameters().values()] == shapes
    assert network.parameters.shape == network.gradients.shape == (63,)
    flat = np.concatenate([host(p).ravel() for p in network.named_parameters().values()])
    assert np.array_equal(flat, host(network.parameters))
    network.parameters[...] = 2.0
    assert all((host(p) == 2).all() for p in network.named_parameters().values())
    assert [*network.named_gradients()] == names
    assert [*network.named_state()] == ["1.running_mean", "1.running_variance"]


def test_equal_seeds_start_equal_on_every_backend(backend, host):
    assert np.array_equal(host(everything(backend).parameters), everything().parameters)
    other = everything(backend, seed=1)
    assert not np.array_equal(host(other.parameters), everything().parameters)


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


# -- whose arrays are whose ----------------------------------------------------------------------


def test_inputs_are_left_alone_and_outputs_belong_to_the_caller(backend, host):
    network = everything(backend, optimizer=sal.Adam(0.01))
    x, dy = X.copy(), RANDOM.normal(size=(6, 3)).astype(np.float32)
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


def test_step_by_hand_is_learn(backend, host):
    one, other = (
        sal.Network(
            [sal.NeuronLayer(3)], 4, sal.MeanSquaredError(), sal.Momentum(0.1), backend=backend
        )
        for _ in range(2)
    )
    target = RANDOM.normal(size=(6, 3)).astype(np.float32)
    for _ in range(3):
        one.learn(X, target)
        y = other.compute(X)
        other.backprop((y - other.backend.asarray(target)) * (2 / 18))
        other.step()
    assert np.allclose(host(one.parameters), host(other.parameters), atol=1e-6)


# -- single layers -------------------------------------------------------------------------------


def test_noise_is_fresh_gaussian_and_part_of_the_weights(backend, host):
    layer = sal.NeuronLayer(20_000, noise=3, initializer=sal.initializers.Constant(1))
    network = sal.Network([layer], 1, backend=backend)
    zero = np.zeros((1, 1))
    assert host(layer.weights).shape == (20_000, 4)
    first, second = host(network.compute(zero)), host(network.compute(zero, training=False))
    assert (first == first[0, 0]).all()  # one draw serves all neurons of an example
    assert first[0, 0] != second[0, 0]  # but each compute has its own, in use too
    wide = sal.Network([sal.NeuronLayer(1, noise=20_000)], 1, backend=backend, dtype="float64")
    run = wide.new_pass()
    wide.compute(np.zeros((2, 1)), run)
    wide.backprop(np.eye(2)[:, :1], run)  # dW is the first example's inputs
    first = host(wide.named_gradients()["0.weights"])[0, 1:] + 0
    wide.backprop(np.eye(2)[:, 1:], run)
    draws = np.stack([first, host(wide.named_gradients()["0.weights"])[0, 1:]])
    assert abs(draws.mean()) < 0.02 and abs(draws.std() - 1) < 0.02
    assert abs((draws[0] * draws[1]).mean()) < 0.03
    assert host(wide.backprop(np.ones((2, 1)), run)).shape == (2, 1)


def test_dropout_keeps_the_mean_and_is_off_in_use(backend, host):
    network = sal.Network([sal.Dropout(0.25)], 10_000, backend=backend, dtype="float64")
    y = host(network.compute(np.ones((2, 10_000))))
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert np.mean(y == 0) == pytest.approx(0.25, abs=0.01)
    assert not np.array_equal(y[0], y[1])
    assert np.array_equal(host(network.backprop(np.ones((2, 10_000)))), y)
    assert (host(network.compute(np.ones((2, 10_000)), training=False)) == 1).all()


def test_batch_norm_needs_two_values_to_train():
    network = everything()
    before = snapshot(network)
    with pytest.raises(ValueError, match="at least 2 values per feature"):
        network.learn(X[:1], LABELS[:1])
    assert unchanged(network, before)
    assert network.compute(X[:1], training=False).shape == (1, 3)


def test_a_network_is_a_layer(backend, host):
    inner = [sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(3, sal.Softmax())]
    outer = [sal.NeuronLayer(5, sal.Tanh()), sal.Network([sal.NeuronLayer(3, sal.Softmax())])]
    options = {"backend": backend, "dtype": "float64"}
    flat = sal.Network(inner, 4, sal.CrossEntropy(), sal.SGD(0.1), **options)
    nested = sal.Network(outer, 4, sal.CrossEntropy(), sal.SGD(0.1), **options)
    assert [*nested.named_parameters()] == ["0.weights", "0.bias", "1.0.weights", "1.0.bias"]
    for _ in range(3):
        assert float(flat.learn(X, LABELS)) == float(nested.learn(X, LABELS))
    assert np.array_equal(host(flat.parameters), host(nested.parameters))


def test_one_activation_object_may_serve_several_layers():
    class Cube(sal.Activation):
        """Needs its input for the gradient, so it keeps buffers of its own."""

        def function(self, x, out, ctx):
            out[...] = x**3
            return out

        def gradient(self, dy, x, y, out, ctx):
            out[...] = dy * 3 * x * x
            return out

    cube = Cube()
    assert sal.gradient_check([sal.NeuronLayer(3, cube), sal.NeuronLayer(3, cube)], X)


@pytest.mark.parametrize(
    "activation",
    [
        sal.Identity(),
        sal.Sigmoid(),
        sal.Sigmoid(mu=20),
        sal.CenteredSigmoid(),
        sal.Tanh(),
        sal.ReLU(),
        sal.LeakyReLU(),
        sal.ELU(),
        sal.SoftPlus(),
        sal.Softmax(),
    ],
    ids=repr,
)
def test_activations_are_stable_far_out(activation, backend, host):
    """At ±1e4 in float32: finite, without warnings, and equal to the value in float64."""
    x = np.array([[1e4, -1e4, 0, 1], [-1e4, -1e4, -1e4, -1e4], [1e4, 1e4, 90, -90]], np.float32)
    results = {}
    for dtype in ("float32", "float64"):
        network = sal.Network(
            [type(activation)(**activation.config())], 4, backend=backend, dtype=dtype
        )
        y = host(network.compute(x))
        dx = host(network.backprop(np.ones((3, 4))))
        assert np.isfinite(y).all() and np.isfinite(dx).all()
        results[dtype] = y, dx
    for low, high in zip(*results.values(), strict=True):
        assert low.dtype == np.float32
        assert np.allclose(low, high, rtol=1e-5, atol=1e-6)


def test_known_values_of_activations():
    def value(activation, x):
        network = sal.Network([activation], np.size(x), dtype="float64")
        return network.compute(np.reshape(x, (1, -1)))[0]

    assert value(sal.Sigmoid(), 0) == 0.5
    assert value(sal.Sigmoid(mu=2), [1]) == pytest.approx(1 / (1 + np.exp(-2)))
    assert value(sal.CenteredSigmoid(mu=2), [1]) == pytest.approx(np.tanh(1))
    assert value(sal.Tanh(1.7159, 2 / 3), [1]) == pytest.approx(1, abs=1e-5)  # LeCun's choice
    assert value(sal.SoftPlus(), [0]) == pytest.approx(np.log(2))
    assert value(sal.SoftPlus(), [-50]) == pytest.approx(np.exp(-50), rel=1e-12)
    assert value(sal.ELU(2), [-1]) == pytest.approx(2 * (np.exp(-1) - 1))
    assert value(sal.Softmax(), [np.log(1), np.log(3)]) == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize("logits", [1e4, -1e4, 200.0])
def test_losses_are_stable_far_out(logits, backend, host):
    z = np.array([[logits, 0, -logits]], np.float32)
    for loss, target, expected in (
        (sal.CrossEntropy(from_logits=True), np.array([0]), max(0.0, -2 * logits)),
        (sal.BinaryCrossEntropy(from_logits=True), np.ones((1, 3)), (abs(logits) + np.log(2)) / 3),
    ):
        network = sal.Network([sal.Identity()], 3, loss, sal.SGD(), backend=backend)
        side = network.backend
        checked = loss.check(target, (1, 3), network.dtype, side)
        value, dz = loss.compute(side.asarray(z), checked, side.xp)
        assert float(value) == pytest.approx(expected, rel=1e-6)
        assert np.isfinite(host(dz)).all() and np.abs(host(dz)).max() <= 1


def test_sure_and_wrong_probabilities_give_a_finite_loss(backend, host):
    for activation, loss, target in (
        (sal.Softmax(), sal.CrossEntropy(), np.array([1])),
        (sal.Sigmoid(), sal.BinaryCrossEntropy(), np.array([[0, 1, 0]])),
    ):
        network = sal.Network([activation], 3, loss, sal.SGD(), backend=backend)
        x = np.array([[1e4, -1e4, -1e4]])
        assert 10 < float(network.learn(x, target)) < 3e4  # of logits: how far they are off
        y = network.compute(x)
        assert (
            10
            < float(
                loss.compute(
                    y, loss.check(target, (1, 3), y.dtype, network.backend), network.backend.xp
                )[0]
            )
            < 200
        )
        side = network.backend
        checked = loss.check(target, (1, 3), network.dtype, side)
        _, dy = loss.compute(y, checked, side.xp)
        assert np.isfinite(host(dy)).all()


# -- any shape, type and memory order ------------------------------------------------------------

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


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int64", "bool"]),
    order=st.sampled_from(["rows", "columns", "every other", "backwards", "read-only"]),
    batch=st.integers(1, 9),
)
def test_inputs_of_any_type_and_order_mean_the_same(kind, order, batch):
    values = np.random.default_rng(batch).integers(0, 2 if kind == "bool" else 5, (batch, 4))
    expected = everything().predict(values.astype(np.float32))
    x = values.astype(kind)
    if order == "columns":
        x = np.asfortranarray(x)
    elif order == "every other":
        x = np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2]
    elif order == "backwards":
        x = x[::-1, ::-1].copy()[::-1, ::-1]
    x.flags.writeable = order != "read-only"
    before = x.copy()
    assert np.array_equal(everything().predict(x), expected)
    assert np.array_equal(x, before)


def test_predict_in_blocks_is_predict_at_once():
    network = sal.Network([sal.NeuronLayer(3, sal.Tanh()), sal.BatchNorm()], 4, dtype="float64")
    assert np.allclose(network.predict(X, batch_size=4), network.predict(X), atol=1e-12)
    assert len(network.predict(X, batch_size=1)) == 6


# -- bad input -----------------------------------------------------------------------------------

NAN, INFINITE = X.copy(), X.copy()
NAN[3, 2], INFINITE[0, 0] = np.nan, np.inf
HUGE = np.full_like(X, 3e19)  # finite, though the sum of squares overflows


@pytest.mark.parametrize(
    "x, labels, message",
    [
        (X[:, :3], LABELS, r"expected a batch of shape \(N, 4\), got \(6, 3\)"),
        (X[0], LABELS[:1], r"expected a batch of shape \(N, 4\), got \(4,\)"),
        (np.float32(3), LABELS[:1], r"got \(\)"),
        (X[:0], LABELS[:0], "at least one example"),
        (NAN, LABELS, "NaN or infinity"),
        (INFINITE, LABELS, "NaN or infinity"),
        (1e39 * X.astype(float), LABELS, "NaN or infinity"),
        (X.astype(complex), LABELS, "real numbers, got dtype complex128"),
        (np.array([["a"] * 4]), LABELS[:1], "real numbers, got dtype <U1"),
        (X, LABELS + 1, r"labels must lie in 0..2 for 3 classes, got values from 1 to 3"),
        (X, LABELS - 1, r"from -1 to 1"),
        (X, LABELS.astype(float), "whole-number labels"),
        (X, LABELS > 0, "whole-number labels"),
        (X, LABELS[:5], "one label for each of the 6 outputs"),
        (X, np.full((6, 3), 1.5), r"probabilities in \[0, 1\]"),
        (X, np.full((6, 3), np.nan), "NaN or infinity"),
        (X, np.full((6, 2), 0.5), r"shape \(6, 3\), got \(6, 2\)"),
    ],
)
def test_bad_batches_change_nothing(x, labels, message):
    network = everything()
    network.learn(X, LABELS)
    before = snapshot(network)
    with pytest.raises(ValueError, match=message):
        network.learn(x, labels)
    assert unchanged(network, before)


def test_large_finite_inputs_are_no_error():
    network = sal.Network([sal.NeuronLayer(3, sal.Tanh())], 4)
    assert np.isfinite(network.compute(HUGE)).all()


@pytest.mark.parametrize(
    "loss, target, message",
    [
        (sal.MeanSquaredError(), np.zeros((6, 2)), r"shape \(6, 3\), got \(6, 2\)"),
        (sal.MeanSquaredError(), np.full((6, 3), np.inf), "NaN or infinity"),
        (sal.MeanAbsoluteError(), LABELS, r"shape \(6, 3\), got \(6,\)"),
        (sal.BinaryCrossEntropy(), np.full((6, 3), 2.0), r"targets in \[0, 1\], got values from 2"),
    ],
)
def test_bad_targets_of_other_losses(loss, target, message):
    network = sal.Network([sal.NeuronLayer(3, sal.Sigmoid())], 4, loss, sal.SGD())
    before = snapshot(network)
    with pytest.raises(ValueError, match=message):
        network.learn(X, target)
    assert unchanged(network, before)


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


def test_divergence_names_the_step_and_keeps_the_parameters():
    layers = [sal.NeuronLayer(3)]
    network = sal.Network(layers, 4, sal.MeanSquaredError(), sal.SGD(1e30))
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"at step 2.*learning rate"):
        for _ in range(5):
            before = np.array(network.parameters)
            network.learn(1e5 * X, np.zeros((6, 3)))
    assert np.array_equal(before, network.parameters) and network.optimizer.steps == 1


def bad_calls():
    layers = [sal.NeuronLayer(3)]
    yield lambda: sal.NeuronLayer(0), "NeuronLayer outputs must be a whole number of at least 1"
    yield lambda: sal.NeuronLayer(-3), "at least 1, got -3"
    yield lambda: sal.NeuronLayer(2.5), "got 2.5"
    yield lambda: sal.NeuronLayer(3, noise=-1), "noise must be a whole number of at least 0"
    yield lambda: sal.NeuronLayer(3, "relu"), "must be an Activation"
    yield lambda: sal.NeuronLayer(3, sal.ReLU), "must be an Activation"
    unfit = sal.NeuronLayer(3, initializer="he")
    yield lambda: sal.Network([unfit], 4), "NeuronLayer's weights must be one such as .*He"
    yield lambda: sal.Dropout(1), "below 1, got 1"
    yield lambda: sal.Dropout(float("nan")), "finite"
    yield lambda: sal.BatchNorm(eps=0), "above 0"
    yield lambda: sal.Sigmoid(mu=0), "above 0"
    yield lambda: sal.LeakyReLU("0.2"), "finite number"
    yield lambda: sal.Reshape((0, 3)), "at least 1"
    yield lambda: sal.Network([], 4), "at least one layer"
    yield lambda: sal.Network([sal.ReLU], 4), "must be a salamandre.Layer"
    yield lambda: sal.Network(layers, 0), "at least 1, got 0"
    yield lambda: sal.Network(layers, (4, -1)), "at least 1, got -1"
    yield lambda: sal.Network(layers, 2.5), "input_shape must be a whole number .* got 2.5"
    yield lambda: sal.Network(layers, "4"), "input_shape must be a whole number .* got '4'"
    yield lambda: sal.Network(layers, 4, seed=-1), "at least 0"
    yield lambda: sal.Network(layers, 4, dtype="flaot32"), "did you mean 'float32'"
    yield lambda: everything().predict(X, batch_size=0), "batch_size must be"
    yield lambda: sal.Network(layers, 4, dtype="float16"), "unknown dtype 'float16'"
    yield lambda: sal.Network(layers, 4, backend="nunpy"), "did you mean 'numpy'"
    yield lambda: sal.Network(layers, 4, loss=sal.SGD()), "loss must be a salamandre.Loss"
    yield lambda: sal.Network([sal.Reshape((5,))], 4), "layer 0 .Reshape.*5 numbers"
    yield lambda: sal.Network(layers, (2, 2)), "put a Flatten"
    yield lambda: sal.SGD(-1), "learning_rate must be a finite number at least 0"
    yield lambda: sal.SGD(clip=3), "no option 'clip'"
    yield lambda: sal.Momentum(beta=1), "below 1"
    yield lambda: sal.Adam(clip_norm=0), "above 0"
    yield lambda: sal.CrossEntropy(label_smoothing=1), "below 1"
    yield lambda: sal.schedules.CosineDecay(0.1, 10, warmup=10), "shorter than its 10 steps"
    yield lambda: sal.get_backend("cuda"), "unknown backend 'cuda'"


@pytest.mark.parametrize("call, message", list(bad_calls()))
def test_bad_arguments_get_one_sentence(call, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


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


def test_summary_is_a_table_of_layers_shapes_and_counts():
    text = everything().summary()
    for part in ("NeuronLayer(outputs=5, activation=ReLU(), noise=2)", "(3,)", "63", "35"):
        assert part in text
    assert len({len(line) for line in text.splitlines() if line}) <= 2


def test_dtypes_may_be_named_as_numpy_does(tmp_path):
    for dtype in ("float64", np.float64, np.dtype("float64")):
        network = sal.Network([sal.NeuronLayer(1)], 1, dtype=dtype)
        network.save(tmp_path / "network")
        assert network.dtype == sal.Network.load(tmp_path / "network").dtype == np.float64


def test_every_public_name_is_there():
    for name in dir(sal):
        getattr(sal, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sal.nothing  # noqa: B018


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


def test_a_network_that_is_refused_gives_its_layers_back():
    layer = sal.NeuronLayer(3)
    with pytest.raises(ValueError, match="put a Flatten"):
        sal.Network([layer], (1, 2, 2))
    assert sal.Network([sal.Flatten(), layer], (1, 2, 2)).output_shape == (3,)


def test_a_network_without_an_input_shape_says_so(tmp_path):
    part = sal.Network([sal.NeuronLayer(3)])
    for call in (
        lambda: part.compute(X),
        lambda: part.learn(X, X),
        part.summary,
        lambda: part.save(tmp_path / "part"),
    ):
        with pytest.raises(ValueError, match="no input_shape"):
            call()


def test_subclasses_of_softmax_have_gradients_of_their_own():
    class Tempered(sal.Softmax):
        def function(self, x, out, ctx):
            return super().function(x / 10, out, ctx)

        def gradient(self, dy, x, y, out, ctx):
            out[...] = super().gradient(dy, x, y, out, ctx) / 10
            return out

    def gradient(activation):
        network = sal.Network(
            [sal.NeuronLayer(3, activation)], 4, sal.CrossEntropy(), sal.SGD(0.0), dtype="float64"
        )
        network.learn(X, LABELS)
        return np.abs(network.gradients).max()

    assert gradient(Tempered()) < 0.2 * gradient(sal.Softmax())


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


def test_clip_norm_holds_gradients_whose_squares_overflow():
    optimizer = sal.SGD(1.0, clip_norm=1.0)
    side = sal.get_backend("numpy")
    parameters = np.zeros(2, np.float32)
    optimizer.attach(side, parameters)
    optimizer.step(parameters, np.array([3e30, 4e30], np.float32))
    assert parameters == pytest.approx([-0.6, -0.8], rel=1e-5)


def test_a_rule_with_more_slots_than_the_compiled_loops():
    class Many(sal.Optimizer):
        slots = ("a", "b", "c", "d")

        @staticmethod
        def rule(p, g, a, b, c, d, rate):
            p -= rate * g
            return p, a, b, c, d

    network = sal.Network([sal.NeuronLayer(1)], 4, sal.MeanSquaredError(), Many(0.1))
    assert network.learn(X, X[:, :1]) > network.learn(X, X[:, :1])


def test_an_optimizer_in_use_leaves_the_layers_free():
    optimizer, layer = sal.SGD(), sal.NeuronLayer(1)
    sal.Network([sal.NeuronLayer(1)], 1, optimizer=optimizer)
    with pytest.raises(ValueError, match="belongs to a network already"):
        sal.Network([layer], 1, optimizer=optimizer)
    assert not layer.built
