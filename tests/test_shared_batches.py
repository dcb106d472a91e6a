"""Batches that are shared among threads: as one batch, whatever the layers and the errors."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest
from networks import everything, snapshot, unchanged

import salamandre as sal
from salamandre.backend import team

N = 7  # of which no number of threads but 1 and 7 makes equal shares
IMAGES, VECTORS = (2, 6, 6), 5
LABELS = np.arange(N) % 3


def window(channels, *arguments, **options):
    return sal.ConvolutionalLayer(channels, *arguments, activation=sal.Tanh(), **options)


LAYERS = {
    "neurons": (VECTORS, lambda: [sal.NeuronLayer(4, sal.ELU())]),
    "neurons of two numbers": (
        [(5,), (2,)],
        lambda: [sal.Parallel([sal.NeuronLayer(4), sal.NeuronLayer(3)])],
    ),
    "a residual block": (VECTORS, lambda: [sal.Skip([sal.NeuronLayer(5, sal.ELU())], "add")]),
    "a skip of images": (IMAGES, lambda: [sal.Skip([window(3, 3, 1, 1)]), sal.Flatten()]),
    "windows": (IMAGES, lambda: [window(3, 3), sal.MaxPool(2), sal.Flatten()]),
    "transposed windows": (
        IMAGES,
        lambda: [sal.TransposedConvolutionalLayer(3, 4, 2, 1), sal.AveragePool(2), sal.Flatten()],
    ),
    "batch-norm": (VECTORS, lambda: [sal.NeuronLayer(4), sal.BatchNorm(), sal.Tanh()]),
    "batch-norm of images": (IMAGES, lambda: [window(3, 3), sal.BatchNorm(), sal.Flatten()]),
    "batch-norm of classes": (VECTORS, lambda: [sal.ConditionalBatchNorm(3), sal.NeuronLayer(4)]),
    "layer-norm": (IMAGES, lambda: [sal.LayerNorm(), sal.Flatten()]),
    "instance-norm": (IMAGES, lambda: [sal.InstanceNorm(), sal.Flatten()]),
    "minibatch discrimination": (VECTORS, lambda: [sal.MinibatchDiscrimination(3, 2)]),
    "minibatch deviation": (VECTORS, lambda: [sal.NeuronLayer(4), sal.MinibatchDeviation()]),
    "packs": (VECTORS, lambda: [sal.Packing(2), sal.NeuronLayer(4)]),
    "an embedding": (VECTORS, lambda: [sal.Embedding(3, 2), sal.NeuronLayer(4)]),
    "a map of the label": (IMAGES, lambda: [sal.LabelMap(3), window(3, 3), sal.Flatten()]),
    "a projection": (VECTORS, lambda: [sal.NeuronLayer(4), sal.Projection(3)]),
}


def network(name, threads, **options):
    shape, layers = LAYERS[name]
    options = {"dtype": "float64", "optimizer": sal.Momentum(0.1), "seed": 4, **options}
    layers = [*layers(), sal.NeuronLayer(3, sal.Softmax())]
    return sal.Network(layers, shape, sal.CrossEntropy(), threads=threads, **options)


def batch(net, seed):
    random, shape = np.random.default_rng(seed), net.input_shape
    if isinstance(shape[0], tuple):
        return tuple(random.normal(size=(N, *part)) for part in shape)
    return random.normal(size=(N, *shape))


def trained(net, weights=None, steps=3):
    """Return the losses of some steps."""
    labels = LABELS if net.classes else None
    return [net.learn(batch(net, seed), LABELS, labels, weights) for seed in range(steps)]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("threads", [2, 3, N])
@pytest.mark.parametrize("name", LAYERS)
def test_shares_learn_what_the_whole_batch_does(name, threads):
    one, shared = network(name, 1), network(name, threads)
    close(trained(shared), trained(one))
    for what in ("parameters", "gradients", "state"):
        close(getattr(shared, what), getattr(one, what))
    x, labels = batch(one, 9), LABELS if one.classes else None
    close(shared.predict(x, labels=labels), one.predict(x, labels=labels))


@pytest.mark.parametrize("weights", [[1, 0, 0, 0, 0, 0, 0], [0.5, 2, 0, 1, 3, 0, 1]])
@pytest.mark.parametrize("name", ["neurons", "batch-norm of images"])
def test_weights_of_examples_are_of_the_whole_batch(name, weights):
    one, shared = network(name, 1), network(name, 4)
    close(trained(shared, weights), trained(one, weights))
    close(shared.parameters, one.parameters)


def test_eight_threads_share_a_batch_of_eight_on_any_machine():
    x, labels = np.random.default_rng(0).normal(size=(8, 4)), np.arange(8) % 3
    layers = [
        [sal.NeuronLayer(5), sal.BatchNorm(), sal.NeuronLayer(3, sal.Softmax())] for _ in "12"
    ]
    one, eight = (
        sal.Network(given, 4, sal.CrossEntropy(), sal.Adam(), dtype="float64", threads=threads)
        for given, threads in zip(layers, (1, 8), strict=True)
    )
    for _ in range(20):
        close(eight.learn(x, labels), one.learn(x, labels))


def test_a_pass_gives_what_backprop_and_tangents_give_without_sharing():
    x, x_dot, dy = (
        np.random.default_rng(n).normal(size=(N, k)) for n, k in ((0, 4), (1, 4), (2, 2))
    )
    found = []
    for shared in (False, True):
        layers = [sal.NeuronLayer(5, sal.Tanh()), sal.LayerNorm(), sal.NeuronLayer(2, sal.ELU())]
        net = sal.Network(layers, 4, dtype="float64", threads=3)
        run = net.new_pass(shared=shared, accumulate=True)
        results = [net.compute(x, run), net.backprop(dy, run), net.compute_tangent(x_dot, run)]
        results += net.backprop_tangent(dy, 2 * dy, run)
        results += [net.compute(x, run, stop=1), net.backprop(np.ones((N, 5)), run), net.gradients]
        found.append([np.array(result) for result in results])
        assert bool(run.shares) is shared
    for plain, of_shares in zip(*found, strict=True):
        close(of_shares, plain)


@pytest.mark.parametrize("name", ["windows", "batch-norm of images", "neurons of two numbers"])
def test_predictions_and_gradients_without_training_are_as_without_sharing(name):
    found, x = [], batch(network(name, 1), 9)
    for threads in (1, 3):
        net = network(name, threads)
        run = net.new_pass(shared=True)
        y = net.compute(x, run, training=False)
        dx = net.backprop(np.cos(np.arange(y.size)).reshape(y.shape), run)
        found.append([net.predict(x, batch_size=4), net.gradients, *dx])
        assert len(run.shares) == (threads if threads > 1 else 0)
    for plain, of_shares in zip(*found, strict=True):
        close(of_shares, plain)


# -- the same bits -----------------------------------------------------------------------------


def noisy(threads=3):
    net = everything(threads=threads)
    for seed in range(5):
        net.learn(np.random.default_rng(seed).normal(size=(6, 4)), [0, 1, 2, 2, 1, 0])
    return net


def test_the_same_number_of_threads_gives_the_same_bits():
    first, second = noisy(), noisy()
    assert unchanged(second, snapshot(first))
    assert second.random.state == first.random.state


def test_each_share_has_noise_of_its_own():
    net = sal.Network([sal.Dropout(0.5)], 1000, threads=2)
    y = net.compute(np.ones((2, 1000)), net.new_pass(shared=True))
    assert 0.4 < (y[0] != y[1]).mean() < 0.6


def test_one_thread_is_as_without_sharing():
    assert unchanged(noisy(1), snapshot(noisy(None)))


def test_copies_learn_on_alike():
    net = noisy()
    copies = [copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    for one in (net, *copies):
        one.learn(np.ones((6, 4)), [0] * 6)
        assert one.threads == 3 and unchanged(one, snapshot(net))


def test_parts_may_be_frozen_and_rates_changed_between_steps():
    one, shared = (
        sal.Network(
            [sal.NeuronLayer(4), sal.BatchNorm(), sal.NeuronLayer(3, sal.Softmax())],
            *(5, sal.CrossEntropy(), sal.Momentum(0.1)),
            dtype="float64",
            threads=threads,
        )
        for threads in (1, 3)
    )
    for net in (one, shared):
        trained(net)
        net.freeze("0")
        net.layers[1].eps, net.layers[1].momentum = 0.5, 0.9
        trained(net)
        net.unfreeze()
        trained(net)
    close(shared.parameters, one.parameters)
    close(shared.state, one.state)


# -- how many ----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, -2, 1.5, "two", True])
def test_a_wrong_number_of_threads_is_refused(threads):
    layer = sal.NeuronLayer(2)
    with pytest.raises(ValueError, match="threads must be a whole number"):
        sal.Network([layer], 3, threads=threads)
    net = sal.Network([layer], 3, threads=2)  # the layer is free
    with pytest.raises(ValueError, match="threads must be a whole number"):
        net.threads = threads
    assert net.threads == 2


def test_more_threads_than_examples_are_refused():
    net = network("neurons", 8)
    before = snapshot(net)
    with pytest.raises(ValueError, match=r"threads=8 cannot share a batch of 7: set fewer threads"):
        trained(net)
    assert unchanged(net, before)
    x = np.zeros((20, VECTORS))
    with pytest.raises(ValueError, match="threads=8 cannot share a batch of 5"):
        sal.Engine(net, (x, np.zeros(20, int)), batch_size=5)
    images = np.zeros((20, VECTORS))
    generator = sal.Network([sal.NeuronLayer(VECTORS)], 2, optimizer=sal.SGD(0.1), threads=9)
    critic = sal.Network([sal.NeuronLayer(1)], VECTORS, optimizer=sal.SGD(0.1))
    with pytest.raises(ValueError, match="threads=9 cannot share a batch of 5"):
        sal.GanGame(generator, critic, images, latent=sal.Gaussian(2), batch_size=5)


def test_threads_are_of_a_network_on_the_cpu_that_is_no_part():
    with pytest.raises(ValueError, match="threads=2 needs an input_shape"):
        sal.Network([sal.NeuronLayer(2)], threads=2)

    class Elsewhere(sal.backend.NumpyBackend):
        name, shares_batches = "elsewhere", False

    with pytest.raises(ValueError, match="cores of a CPU, got a network on backend 'elsewhere'"):
        sal.Network([sal.NeuronLayer(2)], 2, threads=2, backend=Elsewhere())


def test_a_saved_network_does_not_know_of_threads(tmp_path):
    net = network("neurons", 3)
    net.save(tmp_path / "n.safetensors")
    assert sal.Network.load(tmp_path / "n.safetensors").threads is None


class TwiceAsMuch(sal.NeuronLayer):
    """A layer of a user's own, which might look at the whole batch."""

    def compute(self, x, ctx):
        return 2 * super().compute(x, ctx)


def convolutional(last, **options):
    layers = [sal.ConvolutionalLayer(32, 3, 1, 1), sal.MaxPool(2), sal.Flatten(), last]
    return sal.Network(layers, (16, 28, 28), **options)


@pytest.mark.parametrize(
    "make, allowed, count, shares",
    [
        (lambda: sal.Network([sal.NeuronLayer(300), sal.NeuronLayer(10)], 784), 8, 64, 0),
        (lambda: convolutional(sal.NeuronLayer(10)), 1, 64, 0),
        (lambda: convolutional(sal.NeuronLayer(10)), 4, 1, 0),
        (lambda: convolutional(sal.NeuronLayer(10)), 4, 64, 4),
        (lambda: convolutional(sal.NeuronLayer(10)), 0, 64, 0),  # BLAS cannot be told
        (lambda: convolutional(TwiceAsMuch(10)), 4, 64, 0),
    ],
)
def test_large_steps_of_known_layers_are_shared(make, allowed, count, shares, monkeypatch):
    monkeypatch.setattr("salamandre.shared_batches.allowed_threads", lambda: allowed)
    net = make()
    run = net.new_pass(shared=True)
    net.compute(np.zeros((count, *net.input_shape)), run)
    assert len(run.shares) == shares
    net.compute(np.zeros((count, *net.input_shape)), run, training=False)
    assert len(run.shares) == shares
    alone = net.new_pass()
    net.compute(np.zeros((count, *net.input_shape)), alone)
    assert not alone.shares


# -- BLAS --------------------------------------------------------------------------------------


class Seen(sal.NeuronLayer):
    """Notes how many threads BLAS may use."""

    seen: list[int] = []

    def compute(self, x, ctx):
        self.seen.append(team.allowed_threads() and max(blas_threads()))
        return super().compute(x, ctx)


def blas_threads():
    return [library.get_num_threads() for library in team._blas.libraries]


def test_blas_keeps_to_one_thread_in_a_share_and_has_its_own_after_it():
    before = blas_threads()
    net = sal.Network([Seen(3)], 4, sal.MeanSquaredError(), sal.SGD(0.1), threads=2)
    Seen.seen.clear()
    net.learn(np.ones((4, 4)), np.ones((4, 3)))
    assert Seen.seen == [1, 1] and blas_threads() == before


def test_a_blas_that_cannot_be_told_is_mentioned_once_and_steps_are_as_ever(monkeypatch):
    class Nobody:
        lib_controllers = ()

        def select(self, **_):
            return self

    monkeypatch.setattr("threadpoolctl.ThreadpoolController", Nobody)
    monkeypatch.setattr(team, "_blas", team._Blas())
    one, two = network("batch-norm", 1), network("batch-norm", 2)
    with pytest.warns(RuntimeWarning, match="cannot be limited to one thread") as told:
        losses = trained(two)
    assert len(told) == 1 and losses == trained(one)


# -- errors ------------------------------------------------------------------------------------


class RefusingShare(sal.NeuronLayer):
    """Raises what it is told to for the examples that begin with a number."""

    errors: dict[float, BaseException] = {}

    def compute(self, x, ctx):
        if x[0, 0] in self.errors:
            raise self.errors[float(x[0, 0])]
        return super().compute(x, ctx)


@pytest.mark.parametrize("error", [ValueError("too bad"), KeyboardInterrupt("stop")])
@pytest.mark.parametrize("where", [0, 2, 5])
def test_an_error_in_one_share_ends_all_and_changes_nothing(where, error, monkeypatch):
    layers = [RefusingShare(4), sal.BatchNorm(), sal.NeuronLayer(3, sal.Softmax())]
    net = sal.Network(layers, 2, sal.CrossEntropy(), sal.Adam(), threads=3)
    x, labels = np.arange(12.0).reshape(6, 2), [0, 1, 2, 0, 1, 2]
    net.learn(x, labels)
    before, blas = snapshot(net), blas_threads()
    monkeypatch.setitem(RefusingShare.errors, x[where // 2 * 2, 0], error)
    with pytest.raises(type(error), match=str(error)):  # while the others wait for its sums
        net.learn(x, labels)
    monkeypatch.setattr(RefusingShare, "errors", {})
    assert unchanged(net, before) and blas_threads() == blas
    net.learn(x, labels)


def test_of_several_errors_the_first_share_s_is_raised(monkeypatch):
    net = sal.Network([RefusingShare(3)], 2, sal.MeanSquaredError(), sal.SGD(0.1), threads=3)
    for number in (2.0, 4.0):
        monkeypatch.setitem(RefusingShare.errors, number, ValueError(f"share {number / 2}"))
    with pytest.raises(ValueError, match=r"share 1\.0"):
        net.learn(np.arange(6.0).reshape(3, 2), np.zeros((3, 3)))


def test_a_loss_that_is_not_finite_is_refused_as_ever():
    net = network("neurons", 2)
    net.parameters[...] = 1e200
    with pytest.raises(sal.Diverged, match="at step 1"), np.errstate(all="ignore"):
        trained(net)


# -- other threads -----------------------------------------------------------------------------


def test_other_threads_predict_and_learn_while_batches_are_shared():
    net, x = noisy(2), np.ones((6, 4), np.float32)
    others, answers = [noisy(2) for _ in range(2)], []

    def predict():
        answers.extend(net.predict(x) for _ in range(30))

    def learn(other):
        for seed in range(10):
            other.learn(np.full((6, 4), seed / 10), [0, 1, 2, 2, 1, 0])

    tasks = [threading.Thread(target=predict)]
    tasks += [threading.Thread(target=learn, args=(other,)) for other in others]
    for task in tasks:
        task.start()
    learn(net)
    for task in tasks:
        task.join()
    assert len(answers) == 30 and all(np.isfinite(answer).all() for answer in answers)
    assert all(unchanged(other, snapshot(net)) for other in others)
