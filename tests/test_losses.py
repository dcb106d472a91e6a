"""Losses: values, gradients, numbers far out, targets that are refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from differences import gradient_error
from networks import snapshot, unchanged
from pytorch_twins import F, as_torch, close

import salamandre as sal
from salamandre.gradient_checking import gradient_check


def probabilities(shape):
    values = np.random.default_rng(3).uniform(0.1, 1, shape)
    return values / values.sum(axis=1, keepdims=True)


RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(5, 4))
LABELS = np.array([0, 3, 1, 1, 2])
LOSSES = [
    (sal.MeanSquaredError(), X, X[::-1].copy()),
    (sal.MeanAbsoluteError(), X, X[::-1] + 0.3),
    (sal.BinaryCrossEntropy(), RANDOM.uniform(0.1, 0.9, (5, 4)), RANDOM.uniform(0, 1, (5, 4))),
    (sal.BinaryCrossEntropy(from_logits=True), 3 * X, RANDOM.uniform(0, 1, (5, 4))),
    (sal.BinaryCrossEntropy(from_logits=True), 3 * X[:, :1], np.array([0, 1, 1, 0, 1])),
    (sal.CrossEntropy(), probabilities((5, 4)), LABELS),
    (sal.CrossEntropy(), probabilities((5, 4)), probabilities((5, 4))[::-1].copy()),
    (sal.CrossEntropy(label_smoothing=0.2), probabilities((5, 4)), LABELS),
    (sal.CrossEntropy(from_logits=True), 3 * X, LABELS),
    (sal.CrossEntropy(from_logits=True), 3 * X, probabilities((5, 4))),
    (sal.CrossEntropy(from_logits=True, label_smoothing=0.1), 3 * X, LABELS),
]


@pytest.mark.parametrize("loss, y, target", LOSSES, ids=[repr(row[0]) for row in LOSSES])
def test_gradients(loss, y, target, backend):
    assert gradient_check(loss, y, target, backend=backend).worst < 1e-6


SHORT_CUTS = [
    (sal.Softmax(), sal.CrossEntropy(), LABELS[:, None], True),
    (sal.Softmax(), sal.CrossEntropy(label_smoothing=0.1), LABELS[:, None], True),
    (sal.Softmax(), sal.CrossEntropy(), probabilities((5, 4)), False),
    (sal.Sigmoid(), sal.BinaryCrossEntropy(), RANDOM.uniform(0, 1, (5, 4)), False),
    (sal.Sigmoid(mu=0.3), sal.BinaryCrossEntropy(), RANDOM.uniform(0, 1, (5, 4)), False),
    (sal.Tanh(), sal.MeanSquaredError(), X, False),
]


@pytest.mark.parametrize("activation, loss, target, labels", SHORT_CUTS)
def test_what_learn_computes_is_the_gradient_of_its_loss(activation, loss, target, labels, backend):
    """Checks the closed forms before an activation, through ``learn`` itself."""
    target = target[:, 0] if labels else target
    layers = [sal.NeuronLayer(3, sal.Tanh()), sal.NeuronLayer(4, activation)]
    network = sal.Network(layers, 4, loss, sal.SGD(0.0), backend=backend, dtype="float64")

    def energy():
        return float(network.learn(X, target))

    assert gradient_error(network, energy, h=1e-5) < 1e-6


P = RANDOM.uniform(0.05, 0.95, (7, 3))
ROWS = P / P.sum(axis=1, keepdims=True)
T = RANDOM.uniform(0, 1, (7, 3))
SOFT = T / T.sum(axis=1, keepdims=True)
CLASSES = np.array([0, 2, 1, 1, 0, 2, 2])
THEIRS = [
    (sal.MeanSquaredError(), P, T, F.mse_loss),
    (sal.MeanAbsoluteError(), P, T, F.l1_loss),
    (sal.BinaryCrossEntropy(), P, T, F.binary_cross_entropy),
    (sal.BinaryCrossEntropy(from_logits=True), 9 * P, T, F.binary_cross_entropy_with_logits),
    (sal.CrossEntropy(), ROWS, CLASSES, lambda y, t: F.nll_loss(y.log(), t)),
    (sal.CrossEntropy(from_logits=True), 9 * P, CLASSES, F.cross_entropy),
    (sal.CrossEntropy(from_logits=True), 9 * P, SOFT, F.cross_entropy),
    (
        sal.CrossEntropy(from_logits=True, label_smoothing=0.2),
        9 * P,
        CLASSES,
        lambda y, t: F.cross_entropy(y, t, label_smoothing=0.2),
    ),
    (
        sal.CrossEntropy(label_smoothing=0.2),
        ROWS,
        CLASSES,
        lambda y, t: F.cross_entropy(y.log(), t, label_smoothing=0.2),
    ),
]


@pytest.mark.parametrize("loss, y, target, theirs", THEIRS, ids=[repr(row[0]) for row in THEIRS])
def test_values_and_gradients_against_pytorch(loss, y, target, theirs, backend, host):
    logits = as_torch(y).requires_grad_()
    value = theirs(logits, as_torch(target))
    value.backward()
    # A network of the identity hands y to the loss and gives back dE/dy.
    network = sal.Network([sal.Identity()], 3, backend=backend, dtype="float64")
    side = network.backend
    checked = loss.check(target, y.shape, network.dtype, side)
    ours, dy = loss.compute(network.compute(y), checked, side.xp)
    assert float(ours) == pytest.approx(float(value.detach()), abs=1e-12)
    gradient = logits.grad.numpy()
    if getattr(loss, "label_smoothing", 0) and not loss.from_logits:
        # torch's log-softmax of log p re-normalises; within the simplex both agree.
        gradient = gradient - gradient.mean(axis=1, keepdims=True)
        dy = host(dy) - host(dy).mean(axis=1, keepdims=True)
        tangent = (dy - (dy * y).sum(axis=1, keepdims=True)) * y
        their_tangent = (gradient - (gradient * y).sum(axis=1, keepdims=True)) * y
        assert close(tangent, their_tangent)
    else:
        assert close(host(dy), gradient)


@pytest.mark.parametrize("logits", [1e4, -1e4, 200.0])
def test_losses_are_stable_far_out(logits, backend, host):
    z = np.array([[logits, 0, -logits]], np.float32)
    for loss, target, expected in (
        (sal.CrossEntropy(from_logits=True), np.array([0]), max(0.0, -2 * logits)),
        (sal.BinaryCrossEntropy(from_logits=True), np.ones((1, 3)), (abs(logits) + np.log(2)) / 3),
    ):
        network = sal.Network([sal.Identity()], 3, backend=backend)
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
        side = network.backend
        checked = loss.check(target, (1, 3), network.dtype, side)
        value, dy = loss.compute(network.compute(x), checked, side.xp)
        assert 10 < float(value) < 200  # of probabilities, which end at the smallest number
        assert np.isfinite(host(dy)).all()


@pytest.mark.parametrize(
    "loss, target, message",
    [
        (sal.MeanSquaredError(), np.zeros((6, 2)), r"shape \(6, 3\), got \(6, 2\)"),
        (sal.MeanSquaredError(), np.full((6, 3), np.inf), "NaN or infinity"),
        (sal.MeanAbsoluteError(), np.zeros(6), r"shape \(6, 3\), got \(6,\)"),
        (sal.BinaryCrossEntropy(), np.full((6, 3), 2.0), r"targets in \[0, 1\], got values from 2"),
    ],
)
def test_bad_targets_of_other_losses(loss, target, message):
    network = sal.Network([sal.NeuronLayer(3, sal.Sigmoid())], 4, loss, sal.SGD())
    x = np.zeros((6, 4))
    before = snapshot(network)
    with pytest.raises(ValueError, match=message):
        network.learn(x, target)
    assert unchanged(network, before)


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
        network.learn(X, LABELS % 3)
        return np.abs(network.gradients).max()

    assert gradient(Tempered()) < 0.2 * gradient(sal.Softmax())


def test_a_loss_derived_from_a_cross_entropy_is_what_is_learned():
    class Ten(sal.BinaryCrossEntropy):
        def compute(self, y, target, xp):
            value, dy = super().compute(y, target, xp)
            return 10 * value, 10 * dy

    def first(loss):
        network = sal.Network([sal.NeuronLayer(1, sal.Sigmoid())], 4, loss, sal.SGD(0.0))
        x = np.random.default_rng(0).normal(size=(6, 4))
        return network.learn(x, np.ones((6, 1))), network.gradients

    (value, gradients), (expected, ones) = first(Ten()), first(sal.BinaryCrossEntropy())
    assert value == pytest.approx(10 * expected)
    assert np.allclose(gradients, 10 * ones, rtol=1e-5)


WEIGHTS = np.array([0.5, 2, 0, 1, 3, 1, 0.25])
EACH = {
    "MeanSquaredError": lambda y, t: ((y - t) ** 2).mean(axis=1),
    "MeanAbsoluteError": lambda y, t: (y - t).abs().mean(axis=1),
}


def each_by_pytorch(loss, y, target):
    """Return PyTorch's loss of each example, (N,)."""
    name, smoothing = type(loss).__name__, getattr(loss, "label_smoothing", 0)
    if name in EACH:
        return EACH[name](y, target)
    if name == "BinaryCrossEntropy":
        logits = F.binary_cross_entropy_with_logits
        each = logits if loss.from_logits else F.binary_cross_entropy
        return each(y, target, reduction="none").mean(axis=1)
    logits = y if loss.from_logits else y.log()
    return F.cross_entropy(logits, target, reduction="none", label_smoothing=smoothing)


@pytest.mark.parametrize("loss, y, target, _", THEIRS, ids=[repr(row[0]) for row in THEIRS])
def test_weighted_losses_against_pytorch(loss, y, target, _, backend, host):
    """The weighted mean, and its gradient through the closed forms that learn has."""
    of_logits = getattr(loss, "from_logits", True)
    last = {"CrossEntropy": sal.Softmax(), "BinaryCrossEntropy": sal.Sigmoid()}
    layer = sal.Identity() if of_logits else last[type(loss).__name__]
    z = as_torch(y).requires_grad_()
    made = z if of_logits else z.softmax(1) if isinstance(layer, sal.Softmax) else z.sigmoid()
    weights = as_torch(WEIGHTS)
    value = (weights * each_by_pytorch(loss, made, as_torch(target))).sum() / weights.sum()
    value.backward()
    network = sal.Network(
        [sal.NeuronLayer(3, layer)], 3, loss, sal.SGD(1), backend=backend, dtype="float64"
    )
    for name, start in (("0.weights", np.eye(3)), ("0.bias", np.zeros(3))):
        network.named_parameters()[name][...] = network.backend.asarray(start)
    found = network.learn(y, target, weights=WEIGHTS)
    assert float(found) == pytest.approx(float(value.detach()), abs=1e-12)
    d_weights = host(network.named_gradients()["0.weights"])
    np.testing.assert_allclose(d_weights, z.grad.numpy().T @ y, atol=1e-12)


def test_weights_of_one_class_are_those_of_pytorch():
    of_class = np.array([1.0, 3, 0.5])
    network = sal.Network(
        [sal.Identity()], 3, sal.CrossEntropy(from_logits=True), sal.SGD(), dtype="float64"
    )
    found = network.learn(9 * P, CLASSES, weights=of_class[CLASSES])
    wanted = F.cross_entropy(as_torch(9 * P), as_torch(CLASSES), weight=as_torch(of_class))
    assert found == pytest.approx(float(wanted), abs=1e-12)


@pytest.mark.parametrize("activation, loss, target, labels", SHORT_CUTS)
def test_gradients_of_weighted_losses(activation, loss, target, labels):
    target, weights = target[:, 0] if labels else target, WEIGHTS[:5]
    layers = [sal.NeuronLayer(3, sal.Tanh()), sal.NeuronLayer(4, activation)]
    network = sal.Network(layers, 4, loss, sal.SGD(0.0), dtype="float64")
    energy = lambda: float(network.learn(X, target, weights=weights))  # noqa: E731
    assert gradient_error(network, energy, h=1e-5) < 1e-6


class Unweighted(sal.Loss):
    """A loss from before there were weights."""

    def compute(self, y, target, xp):
        return ((y - target) ** 2).mean(), 2 * (y - target) / y.size


def test_a_loss_of_one_s_own_needs_no_weights():
    network = sal.Network([sal.NeuronLayer(3)], 3, Unweighted(), sal.SGD(0.1))
    network.learn(P, T)
    before = snapshot(network)
    with pytest.raises(ValueError, match="Unweighted takes no weights of examples"):
        network.learn(P, T, weights=WEIGHTS)
    assert unchanged(network, before)


@pytest.mark.parametrize(
    "weights, message",
    [
        (WEIGHTS[:3], "one number for each of the 7 examples, got shape"),
        (-WEIGHTS, "at least 0"),
        (WEIGHTS * np.nan, "finite numbers"),
        (np.ma.masked_array(WEIGHTS, WEIGHTS > 1), "a masked array"),
    ],
)
def test_weights_that_are_none(weights, message):
    network = sal.Network([sal.NeuronLayer(3)], 3, sal.MeanSquaredError(), sal.SGD(0.1))
    before = snapshot(network)
    with pytest.raises(ValueError, match=message):
        network.learn(P, T, weights=weights)
    assert unchanged(network, before)


@pytest.mark.parametrize("scale", [1e-38, 1e38])
def test_only_the_ratios_of_weights_count(scale):
    one, other = (
        sal.Network([sal.NeuronLayer(3)], 3, sal.MeanSquaredError(), sal.SGD(0.1)) for _ in range(2)
    )
    weights = np.array([1, 2, 3, 1, 2, 3, 1])
    assert one.learn(P, T, weights=weights) == pytest.approx(
        other.learn(P, T, weights=weights * scale), rel=1e-5
    )


def test_a_batch_without_weight_teaches_nothing():
    network = sal.Network([sal.NeuronLayer(3)], 3, sal.MeanSquaredError(), sal.SGD(0.1))
    before = network.parameters.copy()
    assert network.learn(P, T, weights=np.zeros(7)) == 0
    np.testing.assert_array_equal(network.parameters, before)


UNFIT = [
    (None, sal.CrossEntropy(), r"has no activation: give it Softmax\(\), or .* from_logits=True"),
    (sal.ReLU(), sal.CrossEntropy(), r"the last layer has ReLU\(\): give it Softmax\(\)"),
    (sal.Tanh(), sal.BinaryCrossEntropy(), r"the last layer has Tanh\(\): give it Sigmoid\(\)"),
    (None, sal.BinaryCrossEntropy(), r"has no activation: give it Sigmoid\(\)"),
    (sal.Softmax(), sal.CrossEntropy(from_logits=True), "includes the Softmax, but .* already"),
    (sal.Sigmoid(), sal.BinaryCrossEntropy(from_logits=True), "includes the Sigmoid, but"),
    (sal.Sigmoid(), sal.CrossEntropy(), "would all become 1: use Softmax"),
]


@pytest.mark.parametrize("activation, loss, message", UNFIT)
def test_an_activation_that_is_not_fit_for_the_loss_is_said_at_once(activation, loss, message):
    for layers in (
        [sal.NeuronLayer(3, activation)],
        [sal.NeuronLayer(3), activation or sal.Identity()],
        [sal.Sequential([sal.NeuronLayer(3, activation)])],
    ):
        with pytest.warns(UserWarning, match=message) as caught:
            sal.Network(layers, 4, loss, sal.SGD())
        assert len(caught) == 1 and caught[0].filename == __file__


def test_one_output_of_softmax_tells_nothing():
    for loss in (sal.CrossEntropy(), sal.BinaryCrossEntropy(), sal.MeanSquaredError()):
        with pytest.warns(UserWarning, match="Softmax of one output is always 1"):
            sal.Network([sal.NeuronLayer(1, sal.Softmax())], 4, loss)


class Own(sal.Softmax):
    """Nobody knows what it gives."""

    def function(self, x, out, ctx):
        return ctx.xp.divide(x, x.sum(axis=1, keepdims=True), out=out)


class OwnLoss(sal.CrossEntropy):
    def compute(self, y, target, xp):
        return super().compute(y * y, target, xp)


@pytest.mark.parametrize(
    "layers, loss",
    [
        ([sal.NeuronLayer(3, Own())], sal.CrossEntropy()),
        ([sal.NeuronLayer(3, Own())], sal.CrossEntropy(from_logits=True)),
        ([sal.NeuronLayer(3, sal.Tanh())], OwnLoss()),
        ([sal.NeuronLayer(3, sal.Tanh())], sal.CrossEntropy(from_logits=True)),
        ([sal.NeuronLayer(3), sal.BatchNorm()], sal.CrossEntropy()),
        ([sal.NeuronLayer(3), sal.Dropout()], sal.BinaryCrossEntropy()),
        ([sal.Parallel([sal.NeuronLayer(2, sal.Softmax())] * 1)], sal.CrossEntropy()),
        ([sal.NeuronLayer(3, sal.Softmax())], sal.BinaryCrossEntropy()),
        ([sal.NeuronLayer(3)], sal.MeanSquaredError()),
        ([sal.NeuronLayer(3)], None),
    ],
)
def test_what_may_be_right_is_not_complained_of(layers, loss):
    sal.Network(copy.deepcopy(layers), 4, loss, sal.SGD())


@pytest.mark.parametrize(
    "loss, target", [(sal.CrossEntropy(), LABELS % 3), (sal.BinaryCrossEntropy(), np.ones((5, 3)))]
)
def test_outputs_that_are_no_probabilities_are_refused_before_anything_changes(loss, target):
    network = sal.Network([sal.NeuronLayer(3), sal.BatchNorm()], 4, loss, sal.SGD())
    before = network.tensors()
    with pytest.raises(ValueError, match=r"outputs go from -[\d.]+ to [\d.]+: let it end in S"):
        network.learn(X, target)
    assert all(np.array_equal(a, before[name]) for name, a in network.tensors().items())


def test_labels_out_of_range_damage_nothing():
    """Who asks a loss may give any labels; a compiled loop would write beyond its arrays."""
    pytest.importorskip("numba")
    loss, z = sal.CrossEntropy(from_logits=True), np.zeros((3, 4)).T
    backend = sal.get_backend("numpy")
    value, dz = loss.evaluate(z, np.array([0, 12, 1, -1]), backend)
    assert np.isnan(value) and np.isnan(dz[[1, 3]]).all() and np.isfinite(dz[[0, 2]]).all()
    with pytest.raises(ValueError, match=r"shape \(4,\), got \(2,\)"):
        loss.evaluate(z, np.array([0, 1]), backend)
