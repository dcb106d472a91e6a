"""Data sets as people have them, and what their labels mean where two sets meet."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest

import salamandre as sal
from salamandre import data
from salamandre.data import Images
from salamandre.data.batches import Source

RANDOM = np.random.default_rng(0)
COLOURS = {"red": 0, "green": 80, "blue": 250}


def painted(names, split="train", each=20):
    """Return flat images whose brightness says their class, with labels in the order of names."""
    labels = np.repeat(np.arange(len(names), dtype=np.uint8), each)
    values = np.array([COLOURS[name] for name in names])[labels]
    noise = RANDOM.integers(0, 5, (len(labels), 1, 2, 2))
    return Images((values[:, None, None, None] + noise).astype(np.uint8), labels, names, "p", split)


def classifier(outputs=3, shape=4, loss=None, last=None, **options):
    layers = [sal.NeuronLayer(20, sal.ReLU()), sal.NeuronLayer(outputs, last or sal.Softmax())]
    return sal.Network(layers, shape, loss or sal.CrossEntropy(), sal.Adam(0.05), **options)


def test_two_sets_with_their_classes_in_other_orders():
    train, test = painted(("blue", "green", "red")), painted(("blue", "red"), "test")
    network = classifier()
    engine = sal.Engine(network, train, test, batch_size=20)
    assert engine.run(40).records[-1]["accuracy"] == 1
    assert network.class_names == ("blue", "green", "red")
    for others in (("red", "blue"), ("green", "red", "blue")):
        again = sal.Engine(network, painted(others), painted(others, "test"))
        assert again.evaluate()["accuracy"] == 1
        assert again.test()["accuracy"] == 1


def test_classes_that_others_lack_are_refused():
    train = painted(("blue", "green"))
    network = classifier(2)
    message = r"class 'red' that the network lacks: .* 'red', 'green', .* 'blue', 'green'"
    with pytest.raises(ValueError, match=message):
        sal.Engine(network, train, painted(("red", "green"), "test"))
    assert network.class_names is None  # nothing has changed
    sal.Engine(network, train)
    with pytest.raises(ValueError, match=message):
        sal.Engine(network, painted(("red", "green")))
    network.class_names = None
    sal.Engine(network, painted(("red", "green")))


X = RANDOM.normal(size=(60, 4)).astype(np.float32)
SIDE = (X[:, 0] > 0).astype(int)


def torch_tensor(values):
    return pytest.importorskip("torch").tensor(np.asarray(values))


def series(values):
    return pytest.importorskip("pandas").Series(np.asarray(values))


def table(values):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(np.asarray(values), columns=[*"abcd"])


LABELS = {
    "whole": (SIDE, None),
    "floats": (SIDE * 1.0, None),
    "a column": (SIDE[:, None], None),
    "truths": (SIDE > 0, ("False", "True")),
    "signs": (2 * SIDE - 1, ("-1", "1")),
    "signs in floats": (2.0 * SIDE - 1, ("-1", "1")),
    "words": (np.where(SIDE, "yes", "no"), ("no", "yes")),
    "words in a list": ([*np.where(SIDE, "yes", "no")], ("no", "yes")),
    "words in a column": (np.where(SIDE, "yes", "no")[:, None], ("no", "yes")),
    "objects": (np.where(SIDE, "yes", "no").astype(object), ("no", "yes")),
    "one-hot": (np.eye(2)[SIDE], None),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_as_people_have_them(kind):
    labels, names = LABELS[kind]
    network, usual = classifier(2), classifier(2)
    history = sal.Engine(network, (X, labels), (X, labels), seed=1).run(3)
    wanted = sal.Engine(usual, (X, SIDE), (X, SIDE), seed=1).run(3)
    assert history.records[-1]["accuracy"] == wanted.records[-1]["accuracy"] > 0.5
    np.testing.assert_allclose(network.parameters, usual.parameters, rtol=1e-5, atol=1e-6)
    assert network.class_names == names


@pytest.mark.parametrize("inputs", [list, table, torch_tensor], ids=["list", "pandas", "torch"])
@pytest.mark.parametrize("targets", [list, series, torch_tensor], ids=["list", "pandas", "torch"])
def test_containers_as_people_have_them(inputs, targets):
    network, usual = classifier(2), classifier(2)
    sal.Engine(network, (inputs(X), targets(SIDE)), seed=1).run(1)
    sal.Engine(usual, (X, SIDE), seed=1).run(1)
    np.testing.assert_array_equal(network.parameters, usual.parameters)
    np.testing.assert_array_equal(network.predict(inputs(X)), usual.predict(X))
    assert network.learn(inputs(X), targets(SIDE)) == usual.learn(X, SIDE)


def test_pandas_words_and_missing_values():
    pandas = pytest.importorskip("pandas")
    words = pandas.Series(np.where(SIDE, "yes", "no"))
    for labels in (words, words.astype("category"), words.astype("string")):
        network = classifier(2)
        sal.Engine(network, (X, labels)).run(1)
        assert network.class_names == ("no", "yes")
    holes = pandas.DataFrame({"a": [1, None], "b": ["x", "y"]})
    for inputs in (holes, pandas.array([1, None], dtype="Int64")):
        with pytest.raises(ValueError, match=r"missing values|NaN or infinity"):
            sal.Engine(classifier(2), (inputs, [0, 1]))


def test_signs_and_words_for_one_output():
    for labels in (2 * SIDE - 1, np.where(SIDE, "yes", "no"), SIDE > 0, SIDE[:, None]):
        network = classifier(1, loss=sal.BinaryCrossEntropy(), last=sal.Sigmoid())
        sal.Engine(network, (X, labels), batch_size=20).run(60)
        assert ((network.predict(X)[:, 0] > 0.5) == SIDE).mean() > 0.95


def test_signs_are_values_for_other_losses():
    network = classifier(1, loss=sal.MeanSquaredError(), last=sal.Tanh())
    sal.Engine(network, (X, 2 * SIDE - 1), batch_size=20).run(60)
    assert network.class_names is None
    assert (np.sign(network.predict(X)[:, 0]) == 2 * SIDE - 1).mean() > 0.95
    first, second = (classifier(1, loss=network.loss, last=sal.Tanh()) for _ in range(2))
    first.class_names = ["-1", "1"]
    assert first.learn(X, 2 * SIDE - 1) == second.learn(X, 2 * SIDE - 1)


@pytest.mark.parametrize("loss", [sal.MeanSquaredError(), sal.MeanAbsoluteError()], ids=repr)
def test_targets_for_one_output_are_a_row_or_a_column(loss):
    one, other = (classifier(1, loss=loss, last=sal.Identity()) for _ in range(2))
    assert one.learn(X, X[:, 0]) == other.learn(X, X[:, :1])
    with pytest.raises(ValueError, match=r"outputs' shape \(60, 1\), got \(59,\)"):
        one.learn(X, X[1:, 0])


def test_what_is_no_data_set():
    for given, message in (
        (X, "Images or a pair"),
        ((X, SIDE, SIDE), "a pair .* got tuple of 3"),
        ((np.ma.masked_array(X, X > 1), SIDE), "the inputs are a masked array"),
        ((X, np.ma.masked_array(SIDE, SIDE > 0)), "the targets are a masked array"),
        (([np.ma.masked_array(row, row > 1) for row in X], SIDE), "the inputs are a masked array"),
        (([[1, 2, 3, 4], [1, 2]], [0, 1]), "rows of equal lengths"),
        ((X, {"a": 1}), "must be an array, got a dict"),
        ((X.astype("datetime64[s]"), SIDE), "real numbers, got dtype datetime64"),
    ):
        with pytest.raises(ValueError, match=message):
            sal.Engine(classifier(2), given)


def test_sparse_matrices_are_told():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match=r"sparse matrix: give x.toarray\(\)"):
        sal.Engine(classifier(2), (sparse.csr_matrix(X), SIDE))


BYTES = RANDOM.integers(0, 256, (30, 1, 4, 4)).astype(np.uint8)
BYTES[0, 0, 0, 0] = 255
OF_BYTES = RANDOM.integers(0, 2, 30)


def test_images_of_bytes_are_scaled_wherever_they_come_from():
    images = Images(BYTES, OF_BYTES.astype(np.uint8), ("a", "b"), "made", "train")
    kinds = (
        images,
        (BYTES, OF_BYTES),
        (BYTES[:, 0], OF_BYTES),
        (BYTES / np.float32(255), OF_BYTES),
    )
    found = []
    for kind in kinds:
        network = convolution()
        sal.Engine(network, kind, batch_size=10).run(2)
        found.append(network)
    for network in found[1:]:
        np.testing.assert_allclose(network.parameters, found[0].parameters, rtol=1e-4, atol=1e-6)
    first = found[0]
    wanted = first.predict(BYTES / np.float32(255))
    for x in (images, BYTES, BYTES[:, 0], images[:], [*BYTES]):
        np.testing.assert_allclose(first.predict(x), wanted, rtol=1e-5)


def convolution():
    layers = [sal.ConvolutionalLayer(2, 3), sal.ReLU(), sal.Flatten()]
    layers += [sal.NeuronLayer(2, sal.Softmax())]
    return sal.Network(layers, (1, 4, 4), sal.CrossEntropy(), sal.Adam(0.01), seed=2)


def test_a_picture_is_predicted_as_the_engine_took_it(tmp_path):
    train, test = data.load("digits")  # white is 16
    network = sal.Network(
        [sal.NeuronLayer(10, sal.Softmax())], 64, sal.CrossEntropy(), sal.Adam(0.01)
    )
    sal.Engine(network, train).run(1)
    scaled = (test.images / np.float32(test.white)).reshape(-1, 64)
    wanted = network.predict(scaled)
    network.save(tmp_path / "net")
    for known in (network, sal.Network.load(tmp_path / "net")):
        for x in (test, test.images, test.images[:, 0]):
            np.testing.assert_allclose(known.predict(x), wanted, rtol=1e-4, atol=1e-7)
        for x, rows in (
            (test[0], slice(0, 1)),
            (test[-1], slice(len(test) - 1, None)),
            (test[:10], slice(10)),
            (test.images[:3], slice(3)),
            (test.images[5], slice(5, 6)),
            (test[[4, 2]], [4, 2]),
        ):
            np.testing.assert_allclose(known.predict(x), wanted[rows], rtol=1e-4, atol=1e-7)
    guesses = [int(network.predict(example).argmax()) for example in test[:20]]
    assert guesses == wanted[:20].argmax(axis=1).tolist()


def test_many_images_are_predicted_block_by_block():
    network = classifier(1, 784, sal.BinaryCrossEntropy(), sal.Sigmoid())
    zeros = np.zeros((8000, 1, 28, 28), np.uint8)
    images = Images(zeros, np.zeros(8000, np.uint8), ("a",), "many", "test")
    wanted = network.predict(images[:300])
    tracemalloc.start()
    found = network.predict(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * zeros.size / 4  # as floats they would take four times their bytes
    np.testing.assert_array_equal(found[:300], wanted)


def test_rows_of_bytes_are_features():
    network = classifier(2)
    rows = RANDOM.integers(0, 256, (5, 4)).astype(np.uint8)
    np.testing.assert_array_equal(network.predict(rows), network.predict(rows.astype(np.float32)))


def test_a_discriminator_takes_images_in_the_range_of_its_game(tmp_path):
    images = Images(BYTES, OF_BYTES.astype(np.uint8), ("a", "b"), "made", "train")
    generator = sal.Network([sal.NeuronLayer(16, sal.Tanh())], 2, optimizer=sal.Adam())
    discriminator = sal.Network([sal.NeuronLayer(1)], 16, optimizer=sal.Adam())
    sal.GanGame(generator, discriminator, images, latent=sal.Gaussian(2), batch_size=10)
    discriminator.save(tmp_path / "d")
    wanted = discriminator.predict(BYTES.reshape(-1, 16) / np.float32(127.5) - 1)
    again = sal.Network.load(tmp_path / "d")
    np.testing.assert_allclose(again.predict(images), wanted, rtol=1e-4, atol=1e-6)


def test_pixels_that_are_not_scaled_are_told():
    flat = RANDOM.integers(0, 256, (20, 64)).astype(np.float32)
    flat[0, 0] = 255
    values = classifier(1, 64, sal.MeanSquaredError(), sal.Identity())
    with pytest.warns(UserWarning, match="look like pixels in 0..255"):
        Source((flat, np.zeros(20)), values)
    masks = RANDOM.integers(0, 2, (20, 8, 8)).astype(np.uint8)
    with pytest.warns(UserWarning, match="reach only 1"):
        Source((masks, np.zeros(20)), values)
    digits, _ = data.load("digits")
    with pytest.warns(UserWarning, match="divided by 255, and these reach only 16"):
        Source((digits.images, digits.labels), values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Source((flat / 255, np.zeros(20)), values)


def test_bytes_of_a_test_set_are_scaled_as_those_of_the_training_set():
    train, test = data.load("digits")  # whose white is 16
    engines = [
        sal.Engine(classifier(10, 64), train, given) for given in (test, (test.images, test.labels))
    ]
    assert engines[0].evaluate() == engines[1].evaluate()
    pictures = RANDOM.integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
    with pytest.warns(UserWarning, match=r"divided by 16 .* reach 255"):
        sal.Engine(engines[0].network, (pictures, np.arange(20) % 10))


def test_targets_that_are_images_of_bytes_are_told():
    layers = [sal.ConvolutionalLayer(1, 3, 1, 1)]
    network = sal.Network(layers, (1, 4, 4), sal.MeanSquaredError(), sal.Adam())
    x = RANDOM.integers(0, 256, (20, 1, 4, 4)).astype(np.uint8)
    with pytest.warns(UserWarning, match=r"scaled to 0\.\.1, the targets are taken as they are"):
        sal.Engine(network, (x, x))
    sal.Engine(network, (x, x / np.float32(255)))
    sal.Engine(network, (x, (x > 99).astype(np.uint8)))  # masks


def test_words_for_the_test_set_alone_are_refused():
    x, labels = RANDOM.normal(size=(30, 4)), np.arange(30) % 3
    words = np.array(["a", "b", "c"])[labels]
    network = classifier(3)
    for some in (labels > 0, labels >= 0):
        with pytest.raises(ValueError, match="whole numbers without names: give both alike"):
            sal.Engine(network, (x, labels), (x[some], words[some]))
    assert network.class_names is None
    network.class_names = ["a", "b", "c"]
    engine = sal.Engine(network, (x, labels), (x[labels > 0], words[labels > 0]))
    same = sal.Engine(network, (x, labels), (x[labels > 0], labels[labels > 0]))
    assert engine.evaluate() == same.evaluate()


def test_channels_that_come_last_are_told():
    network = sal.Network([sal.ConvolutionalLayer(1, 2)], (3, 5, 6))
    with pytest.raises(ValueError, match=r"x.transpose\(0, 3, 1, 2\)"):
        network.predict(np.zeros((2, 5, 6, 3)))


def test_a_split_of_arrays_has_the_same_shares_of_each_class():
    labels = np.repeat(["a", "b", "c"], [50, 30, 20])
    x = np.arange(100.0)[:, None]
    (x_train, train), (x_test, test) = data.split((x, labels), 0.2, seed=3)
    assert [(test == name).sum() for name in "abc"] == [10, 6, 4]
    assert sorted([*x_train[:, 0], *x_test[:, 0]]) == [*range(100)]
    assert (labels[x_test[:, 0].astype(int)] == test).all() and len(train) == 80
    (again, _), _ = data.split((x, labels), 0.2, seed=3)
    np.testing.assert_array_equal(again, x_train)
    one_hot = np.eye(2)[np.repeat([0, 1], 50)]
    assert data.split((x, one_hot), 0.1)[1][1].sum(axis=0).tolist() == [5, 5]
    numbers = np.repeat([0.0, 1.0], [90, 10])
    assert [data.split((x, numbers), 0.1, seed)[1][1].sum() for seed in range(9)] == [1] * 9
    assert len(data.split((x, np.arange(100)), 0.25)[1][0]) == 25  # values, no classes
    for wrong in ({"x": x}, (x,), (x, labels, labels), (1, 2)):
        with pytest.raises(ValueError, match="a data set"):
            data.split(wrong, 0.2)
    images = painted(("red", "green"))
    assert len(data.split(images, 0.5)[1]) == 20


def test_rows_of_truths_are_answers_to_several_questions():
    network = classifier()
    sal.Engine(network, (X, np.eye(3, dtype=bool)[np.arange(60) % 3])).run(1)
    assert network.class_names is None
    network = classifier(loss=sal.BinaryCrossEntropy(), last=sal.Sigmoid())
    sal.Engine(network, (X, X[:, :3] > 0)).run(1)
    assert network.class_names is None


def test_words_of_every_kind_of_string():
    words = np.where(SIDE, "yes", "no")
    for labels in (words.astype("S"), words.astype(np.dtypes.StringDType())):
        network = classifier(2)
        sal.Engine(network, (X, labels)).run(1)
        assert network.class_names == ("no", "yes")


def test_bytes_of_another_encoding_are_told():
    words = np.array(["grün".encode("latin-1"), b"rot"])
    with pytest.raises(ValueError, match="the targets are bytes that are no text in UTF-8"):
        sal.Engine(classifier(2), (X[:2], words))
