"""The engine: the order of examples, learning, epochs, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.data import Images

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 6)).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)


def perceptron(optimizer=None, seed=0, **options) -> sal.Network:
    """A network with everything that has a state: noise, dropout, running statistics, memory."""
    layers = [
        sal.NeuronLayer(8, sal.ReLU(), noise=2),
        sal.BatchNorm(),
        sal.Dropout(0.2),
        sal.NeuronLayer(2, sal.Softmax()),
    ]
    optimizer = optimizer or sal.Adam(sal.schedules.CosineDecay(0.01, 100))
    return sal.Network(layers, 6, sal.CrossEntropy(), optimizer, seed=seed, **options)


def plain():
    layers = [sal.NeuronLayer(8, sal.Tanh()), sal.NeuronLayer(2, sal.Softmax())]
    return sal.Network(layers, 6, sal.CrossEntropy(), sal.Adam(0.01))


def conditional():
    layers = [sal.Embedding(3), sal.NeuronLayer(2, sal.Softmax())]
    return sal.Network(layers, 6, sal.CrossEntropy(), sal.SGD())


def engine(**options) -> sal.Engine:
    return sal.Engine(perceptron(), (X, LABELS), (X, LABELS), batch_size=8, **options)


def test_an_epoch_visits_every_example_once_in_an_order_of_its_own():
    x = np.arange(48, dtype=np.float32).reshape(48, 1)
    network = sal.Network(
        [sal.NeuronLayer(1)], 1, sal.MeanSquaredError(), sal.SGD(0.0), dtype="float32"
    )
    seen = []
    learn = network.learn
    network.learn = lambda x, t: seen.append(x[:, 0].copy()) or learn(x, t)
    sal.Engine(network, (x, x), batch_size=8, seed=5).run(2)
    first, second = np.concatenate(seen[:6]), np.concatenate(seen[6:])
    assert sorted(first) == sorted(second) == list(range(48))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(48))
    again = sal.data.batches.Source((x, x), network).batches(8, 5, 1)
    assert np.array_equal(np.concatenate([x[:, 0] for x, _ in again]), second)


def test_it_learns():
    network = sal.Network(
        [sal.NeuronLayer(16, sal.Tanh()), sal.NeuronLayer(2, sal.Softmax())],
        6,
        sal.CrossEntropy(),
        sal.Adam(0.02),
    )
    history = sal.Engine(network, (X, LABELS), (X, LABELS), batch_size=10).run(60)
    assert history.records[-1]["accuracy"] > 0.95 > history.records[0]["accuracy"]


def test_epochs_are_a_total_and_a_second_call_says_so(tmp_path):
    run = engine()
    run.run(3)
    run.save(tmp_path / "run")
    again = engine()
    again.resume(tmp_path / "run")
    again.run(3)  # a program that is started again is complete
    again.resume(tmp_path / "run")
    with pytest.warns(UserWarning, match="3 are done: .* for 2 more give epochs=5"):
        again.run(2)
    with pytest.warns(UserWarning, match=r"epochs=3 counts all .* 3 are done: .* give epochs=6"):
        run.run(epochs=3)
    assert run.step == 18
    run.run(epochs=6)
    assert run.step == 36


def test_callbacks_are_checked_when_an_engine_is_made():
    with pytest.raises(TypeError, match=r"make one, ProgressBar\(\)"):
        engine(callbacks=[sal.ProgressBar])


def test_images_are_scaled_and_flattened_for_the_network():
    pixels = np.array([[[[0, 51], [102, 255]]]] * 4, dtype=np.uint8)
    data = Images(pixels, np.zeros(4, np.uint8), ("0", "1"), "made", "train")
    network = sal.Network([sal.NeuronLayer(2)], 4, sal.CrossEntropy(from_logits=True), sal.SGD())
    (x, labels), *_ = sal.data.batches.Source(data, network).batches(2, 0, 0)
    assert x.dtype == np.float32
    assert np.allclose(x, [[0, 0.2, 0.4, 1]] * 2)
    assert labels.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: engine().run(0), "epochs must be a whole number of at least 1"),
        (lambda: sal.Engine(perceptron(), (X, LABELS), batch_size=0), "batch_size must be"),
        (lambda: sal.Engine(perceptron(), (X[:0], LABELS[:0])), "at least one"),
        (lambda: sal.Engine(perceptron(), (X, LABELS[:9])), "50 inputs and 9 targets"),
        (lambda: sal.Engine(perceptron(), (X[:, :5], LABELS)), r"shape \(6,\).*\(5,\)"),
        (lambda: sal.Engine(perceptron(), (X * np.nan, LABELS)), "NaN"),
        (lambda: sal.Engine(perceptron(), (X, LABELS + 1)), r"labels must lie in 0\.\.1"),
        (lambda: sal.Engine(perceptron(), (X, LABELS + 0.5)), "whole-number labels"),
        (lambda: sal.Engine(sal.Network([sal.NeuronLayer(1)], 6), (X, LABELS)), "a loss and an"),
        (
            lambda: sal.Engine(perceptron(), (X.astype(float) * 1e300, LABELS)),
            "which float32 cannot",
        ),
        (lambda: sal.Engine(conditional(), (X, LABELS)), "gives no labels to conditional layers"),
    ],
)
def test_bad_input_is_refused_before_anything_happens(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("white", [16, 255])
def test_a_transform_may_scale_pixels_to_1_whatever_their_white(white):
    pixels = np.tile(np.array([0, white // 2, white, white], np.uint8), (8, 1)).reshape(8, 1, 2, 2)
    images = Images(pixels, np.zeros(8, np.uint8), ("0", "1"), "made", "train", white)
    network = sal.Network([sal.NeuronLayer(2)], 4, sal.CrossEntropy(from_logits=True), sal.SGD())
    whole = sal.data.batches.Source(images, network)
    scaling = sal.data.batches.Source(images, network, lambda x, random: x / np.float32(white))
    (wanted, _), (found, _) = (next(iter(source.batches(8, 0, 0))) for source in (whole, scaling))
    assert found.max() == 1 and np.allclose(found, wanted)


def test_fit_takes_a_list_of_inputs_and_targets_as_one_batch():
    histories = [plain().fit(pair, epochs=2, verbose=False) for pair in ((X, LABELS), [X, LABELS])]
    assert histories[0]["loss"] == histories[1]["loss"] and len(histories[0]) == 2


def test_arrays_of_another_byte_order_are_taken():
    swapped = [values.astype(values.dtype.newbyteorder()) for values in (X, LABELS)]
    found, wanted = plain(), plain()
    assert found.learn(*swapped) == wanted.learn(X, LABELS)
    assert np.array_equal(found.parameters, wanted.parameters)


def test_a_batch_is_no_larger_than_the_data_when_it_is_cut():
    def engine(threads=None, accumulate=1):
        net = sal.Network([sal.NeuronLayer(2)], 2, "mse", sal.SGD(0.1), threads=threads)
        return sal.Engine(net, (np.ones((3, 2)), np.ones((3, 2))), accumulate=accumulate)

    with pytest.raises(ValueError, match="threads=4 cannot share a batch of 3"):
        engine(threads=4)
    with pytest.raises(ValueError, match="a batch of 3 cannot be learned in 8 parts"):
        engine(accumulate=8)
    engine(accumulate=3).run(1)
