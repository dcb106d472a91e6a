"""The first hour with the library of those who know another one: shapes and short ways."""

from __future__ import annotations

import numpy as np
import pytest
from newcomer import LABELS, PICTURES, X, classifier

import salamandre as sal
from salamandre import data
from salamandre.data import Images
from salamandre.training import metrics

# -- shapes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "x", "message"),
    [
        (4, X[0], r"got \(4,\): one example is a batch of one, give x\[None\]"),
        ((1, 6, 6), PICTURES[0, 0, 0], r"got \(6,\)$"),
        ((3, 6, 6), np.ones((3, 6, 6)), r"a batch of one, give x\[None\]"),
        ((1, 6, 6), PICTURES.transpose(0, 2, 3, 1), r"give x.transpose\(0, 3, 1, 2\)"),
        ((1, 6, 6), PICTURES.reshape(20, 36), r"give x.reshape\(-1, 1, 6, 6\)"),
    ],
)
def test_a_batch_of_another_shape_is_told_how_to_fit(inputs, x, message):
    layers = [sal.Flatten(), sal.NeuronLayer(2)]
    with pytest.raises(ValueError, match=message):
        sal.Network(layers, inputs).predict(x)


def test_an_engine_tells_it_too():
    layers = [sal.ConvolutionalLayer(2, 3), sal.Flatten(), sal.NeuronLayer(2, "softmax")]
    network = sal.Network(layers, (1, 6, 6), "cross_entropy", "adam")
    last, labels = PICTURES.transpose(0, 2, 3, 1), LABELS[:20]
    with pytest.raises(ValueError, match=r"the channels come first here, give x.transpose"):
        sal.Engine(network, (last, labels))
    for call in (
        lambda: sal.Engine(network, PICTURES, labels),
        lambda: data.split(PICTURES, labels, 0.2),
    ):
        with pytest.raises(
            ValueError, match=r"a pair \(inputs, targets\), got nda.*write \(x, y\)"
        ):
            call()


def test_images_whose_channels_seem_to_come_last():
    layers = [sal.Flatten(), sal.NeuronLayer(2)]
    with pytest.warns(UserWarning, match=r"the channels come first here, \(3, 32, 32\)"):
        sal.Network(layers, (32, 32, 3))
    for shape in ((3, 32, 32), (64, 40, 1), (4, 4, 1)):  # of one signal of 40 steps, after layers
        sal.Network([sal.Flatten(), sal.NeuronLayer(2)], shape)


def test_images_that_the_engine_took_as_vectors_are_predicted_so():
    network = classifier(36)
    network.fit(PICTURES, LABELS[:20], verbose=False)
    assert np.allclose(network.predict(PICTURES), network.predict(PICTURES.reshape(20, 36)))
    assert network.predict(PICTURES[0]).shape == (1, 2)


# -- short ways ------------------------------------------------------------------------------


def test_a_network_is_called_to_predict():
    network = classifier()
    assert np.array_equal(network(X), network.predict(X))


def test_fit_is_an_engine_that_runs():
    network, same = classifier(), classifier()
    history = network.fit(X, LABELS, epochs=5, batch_size=16, validation_split=0.2, verbose=False)
    known, unknown = data.split((X, LABELS), 0.2)
    run = sal.Engine(same, known, unknown, batch_size=16)
    run.run(epochs=5)
    assert np.array_equal(network.parameters, same.parameters)
    assert [r["accuracy"] for r in history.records] == history["accuracy"]
    assert len(history.records) == 5 and history["loss"] == run.history.steps["loss"]
    again = network.fit((X, LABELS), epochs=2, verbose=False, metrics=["mae"], batch_size=500)
    assert len(again) == 2  # a batch is at most all of them
    with pytest.raises(ValueError, match="unknown entry of the history 'acuracy'"):
        history["acuracy"]


def test_fit_takes_what_an_engine_takes(capsys):
    few = data.load("digits")[0][:80]
    seen = []
    history = classifier(64, 10).fit(
        few, epochs=3, validation_data=few, callbacks=lambda run: seen.append(run.step)
    )
    assert seen == [1, 2, 3] and len(history.records) == 3
    with pytest.raises(ValueError, match="a validation_split or validation_data, not both"):
        classifier().fit(X, LABELS, validation_split=0.1, validation_data=(X, LABELS))
    with pytest.raises(ValueError, match="inputs without targets: give both, x and y"):
        classifier().fit(X)
    for given in (data.load("digits"), list(data.load("digits"))):
        with pytest.raises(ValueError, match=r"got several data sets .* validation_data=test"):
            classifier(64, 10).fit(given)
        with pytest.raises(ValueError, match=r"got several data sets"):
            classifier(64, 10).evaluate(*given)
    first = data.load("digits")
    for write in (
        lambda: sal.Engine(classifier(64, 10), first),
        lambda: sal.games.new_game("cgan", first),
        lambda: sal.GanGame(
            sal.Network([sal.NeuronLayer(64)], 4, optimizer="adam"),
            sal.Network([sal.NeuronLayer(1)], 64, optimizer="adam"),
            first,
            latent=sal.Gaussian(4),
        ),
    ):
        with pytest.raises(ValueError, match=r"got several data sets .* a game of train"):
            write()
    with pytest.raises(ValueError, match=r"must be Images or Pairs, .* got a str"):
        sal.games.new_game("cgan", "digits")
    for given in (zip(X, LABELS, strict=True), "digits"):
        with pytest.raises(ValueError, match=r"got a (zip|str): batches are made of them here"):
            classifier().fit(given)
    coder = sal.Network([sal.NeuronLayer(2, "tanh"), sal.NeuronLayer(4)], 4, "mse", "adam")
    coder.fit(X, X, verbose=False)


def test_fit_says_a_line_an_epoch_as_keras_does(capsys):
    classifier().fit(X, LABELS, epochs=2, verbose=2)
    assert [line[:12] for line in capsys.readouterr().out.splitlines()] == [
        "epoch 1 of 2",
        "epoch 2 of 2",
    ]


def test_evaluate_on_other_data():
    network = classifier()
    engine = sal.Engine(network, (X[:40], LABELS[:40]), (X[40:], LABELS[40:]))
    engine.run(epochs=2)
    right = network.predict(X[:40]).argmax(axis=1) == LABELS[:40]
    found = engine.evaluate((X[:40], LABELS[:40]))
    assert found["accuracy"] == right.mean()
    assert found == network.evaluate(X[:40], LABELS[:40])
    assert engine.evaluate() == network.evaluate((X[40:], LABELS[40:]))
    names = network.class_names
    words = network.evaluate(X, LABELS, metrics=["accuracy"], batch_size=7)
    assert network.class_names == names and {*words} == {"test_loss", "accuracy"}
    with pytest.raises(ValueError, match=r"labels must lie in 0..1"):
        engine.evaluate((X, LABELS + 5))
    with pytest.raises(ValueError, match="evaluate needs a Network with a loss"):
        sal.Network([sal.NeuronLayer(2)], 4).evaluate(X, LABELS)


def test_metrics_have_names():
    values = sal.Network([sal.NeuronLayer(1)], 4, "mse", "adam")
    found = values.evaluate(X, X[:, 1], metrics=["mae", "mse"])
    error = values.predict(X)[:, 0] - X[:, 1]
    assert found["mae"] == pytest.approx(abs(error).mean(), rel=1e-5)
    assert found["mse"] == pytest.approx((error**2).mean(), rel=1e-5)

    def largest(y, targets):
        return abs(y - targets).max()

    found = values.evaluate(X, X[:, 1], metrics={"worst": largest, "error": "mae"})
    assert found["worst"] == pytest.approx(abs(error).max(), rel=1e-5) and "error" in found
    assert "largest" in values.evaluate(X, X[:, 1], metrics=largest)
    with pytest.raises(ValueError, match="unknown metric 'acuracy', did you mean 'accuracy'"):
        values.evaluate(X, X[:, 1], metrics="acuracy")
    with pytest.raises(TypeError, match=r"metrics must be functions of .* or names, got 3"):
        values.evaluate(X, X[:, 1], metrics=[3])
    with pytest.raises(ValueError, match=r"mae needs targets of shape \(N, 2\), got \(N\)"):
        classifier().evaluate(X, LABELS, metrics="mae")


def test_the_accuracy_of_one_output():
    for loss, end, threshold in (
        ("bce", "sigmoid", 0.5),
        (sal.BinaryCrossEntropy(from_logits=True), None, 0),
    ):
        network = sal.Network([sal.NeuronLayer(1, end)], 4, loss, "adam")
        found = network.evaluate(X, LABELS, metrics=["accuracy"])["accuracy"]
        assert found == ((network.predict(X)[:, 0] > threshold) == LABELS).mean()
    with pytest.raises(ValueError, match="accuracy of one output needs targets 0 and 1"):
        metrics.accuracy(np.ones((3, 1)), np.array([0, 1, 2]))


def test_a_loss_is_called_for_its_value():
    y, t = np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]])
    assert sal.MeanSquaredError()(y, t) == 2.5
    assert sal.MeanSquaredError()([[1, 3]], [[0, 1]]) == 2.5
    assert sal.CrossEntropy()([[0.25, 0.75]], [1]) == pytest.approx(-np.log(0.75))


def test_early_stopping_leaves_the_best_network():
    kept = []
    stopping = sal.EarlyStopping("test_loss", patience=2)
    network = classifier(optimizer=sal.SGD(8.0))
    history = network.fit(
        X[:30],
        LABELS[:30],
        epochs=40,
        batch_size=10,
        validation_data=(X[30:], LABELS[30:]),
        callbacks=[lambda run: kept.append(run.network.parameters.copy()), stopping],
        verbose=False,
    )
    best = history.best("test_loss")
    assert best is not history.records[-1] and not np.array_equal(kept[-1], network.parameters)
    assert np.array_equal(network.parameters, kept[best["step"] // 3 - 1])
    assert network.evaluate(X[30:], LABELS[30:])["test_loss"] == best["test_loss"]


def test_the_last_network_stays_if_that_is_wanted(tmp_path):
    def run(**options):
        stopping = sal.EarlyStopping("test_loss", patience=1, **options)
        network = classifier(optimizer=sal.SGD(8.0))
        engine = sal.Engine(network, (X, LABELS), (X, -LABELS % 2), callbacks=stopping)
        engine.run(epochs=30)
        return engine

    last, best = run(best=False), run()
    assert last.evaluate()["test_loss"] == last.history["test_loss"][-1]
    assert best.evaluate()["test_loss"] == min(best.history["test_loss"])
    best.save(tmp_path / "best")
    again = sal.Engine(classifier(optimizer=sal.SGD(8.0)), (X, LABELS), (X, -LABELS % 2))
    again.callbacks = sal.EarlyStopping("test_loss", patience=1)
    again.resume(tmp_path / "best")
    with pytest.warns(UserWarning, match="were of a program before.*keeps them in a file"):
        again.run(epochs=50)
    with pytest.raises(ValueError, match="'val_loss' of the test set is called 'test_loss' here"):
        sal.EarlyStopping("val_loss")


def test_what_is_shown_at_a_prompt():
    network = classifier()
    assert repr(network.summary()) == str(network.summary()) and "\n" in network.summary()
    few = Images(np.zeros((3, 1, 2, 2), np.uint8), np.zeros(3, np.uint8), ("a", "b"), "few", "test")
    assert repr(few) == "Images('few', test: 3 of 1×2×2, 2 classes: 'a', 'b')"
    engine = sal.Engine(network, (X, LABELS))
    assert repr(engine) == "<Engine: 0 steps; no records>"
    engine.run(epochs=1)
    assert repr(engine).startswith("<Engine: 1 step: loss ")
