"""Small programs as those write them from memory who know Keras."""

from __future__ import annotations

import numpy as np
import pytest
from newcomer import DIGITS, LINE, PIXELS, ROWS

import salamandre as sal


def test_keras_digits_by_a_perceptron():
    x_train, x_test = PIXELS[:60] / 255.0, PIXELS[60:] / 255.0
    y_train, y_test = DIGITS[:60], DIGITS[60:]
    model = sal.Network(
        [
            sal.Flatten(),
            sal.NeuronLayer(16, activation="relu"),
            sal.Dropout(0.2),
            sal.NeuronLayer(10, activation="softmax"),
        ],
        input_shape=(8, 8),
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
    )
    history = model.fit(
        x_train, y_train, epochs=2, batch_size=32, validation_split=0.1, metrics=["accuracy"]
    )
    assert len(history["accuracy"]) == 2
    assert 0 <= model.evaluate(x_test, y_test)["accuracy"] <= 1
    assert model.predict(x_test).argmax(axis=1).shape == (20,)


def test_keras_a_network_is_added_together():
    model = sal.Sequential([])
    with pytest.raises(AttributeError, match=r"make one, Network\(\[...\], input_shape, loss, opt"):
        model.add(sal.NeuronLayer(10))
    model = sal.Network([sal.NeuronLayer(1)], 3)
    with pytest.raises(AttributeError, match="give loss and optimizer when you make it"):
        model.compile(optimizer="adam", loss="mse")
    with pytest.raises(ValueError, match=r"Network\(layers, .*loss='mse', optimizer='adam'\)"):
        model.fit(ROWS, LINE, epochs=3)


def test_keras_pictures_with_their_channels_last():
    images = PIXELS[..., None] / 255.0
    layers = [sal.ConvolutionalLayer(4, 3, activation="relu"), sal.MaxPool(2), "flatten"]
    layers.append(sal.NeuronLayer(10, "softmax"))
    with pytest.warns(UserWarning, match=r"the channels come first here, \(1, 8, 8\)"):  # noqa: SIM117
        with pytest.raises(ValueError, match="ConvolutionalLayer kernel"):
            sal.Network(layers, (8, 8, 1), "crossentropy", "adam")
    layers[0] = sal.ConvolutionalLayer(4, 3, activation="relu")
    model = sal.Network(layers, (1, 8, 8), "crossentropy", "adam")
    with pytest.raises(ValueError, match=r"give x.transpose\(0, 3, 1, 2\)"):
        model.fit(images, DIGITS)
    model.fit(images.transpose(0, 3, 1, 2), DIGITS, verbose=False)
    assert model.predict(PIXELS[:1]).shape == (1, 10)
    with pytest.raises(ValueError, match=r"one example is a batch of one, give x\[None\]"):
        model.predict(PIXELS[0])


def test_keras_callbacks(tmp_path, capsys):
    model = sal.Network([sal.NeuronLayer(1)], 3, "mse", sal.Adam(0.05))
    history = model.fit(
        ROWS,
        LINE,
        epochs=6,
        validation_split=0.2,
        callbacks=[
            sal.EarlyStopping("test_loss", patience=3),
            sal.Checkpoint(tmp_path / "best.safetensors", best="test_loss"),
            lambda run: print("epoch", run.step),
        ],
        verbose=False,
    )
    assert capsys.readouterr().out.startswith("epoch 1\nepoch 2\n")
    assert history["test_loss"][0] > history["test_loss"][-1]
    figure = history.plot()
    assert [ax.get_legend_handles_labels()[1][0] for ax in figure.axes[:1]] == ["training"]


def test_keras_one_hot_targets_and_two_classes():
    model = sal.Network([sal.NeuronLayer(3, "softmax")], 3, "categorical_crossentropy", "sgd")
    model.fit(ROWS, np.eye(3)[ROWS.argmax(axis=1)], epochs=2, verbose=False)
    model = sal.Network([sal.NeuronLayer(1, "sigmoid")], 3, "binary_crossentropy", "rmsprop")
    history = model.fit(
        ROWS, ROWS[:, 0] > 0, epochs=30, batch_size=10, validation_split=0.2, metrics=["accuracy"]
    )
    assert history["accuracy"][-1] > history["accuracy"][0] - 0.2


def test_keras_truth_tables_in_lists():
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    layers = [sal.NeuronLayer(8, activation="tanh"), sal.NeuronLayer(1, activation="sigmoid")]
    adam = sal.Adam(learning_rate=0.1)
    model = sal.Network(
        layers, input_shape=(2,), loss="binary_crossentropy", optimizer=adam, seed=1
    )
    model.fit(x, y, epochs=300, verbose=0)
    assert model.predict(x).round().tolist() == y
    assert model.predict([[0, 1]]).shape == (1, 1)


def test_keras_weights_and_copies(tmp_path):
    model = sal.Network([sal.NeuronLayer(4, "relu"), sal.NeuronLayer(2, "softmax")], 3)
    for name, way in (
        ("count_params", "parameter_count"),
        ("get_layer", "network.layers"),
        ("clone", "copy.deepcopy"),
        ("fit_transform", "estimators"),
    ):
        with pytest.raises(AttributeError, match=f"has no {name}: .*{way}"):
            getattr(model, name)()
    with pytest.raises(TypeError, match=r"network.freeze\('0'\), by the part's name"):
        model.layers[0].trainable = False
    model.layers[0].bias[...] = 2
    model.save(tmp_path / "m")
    assert (sal.Network.load(tmp_path / "m").layers[0].bias == 2).all()


def test_keras_a_convolutional_autoencoder():
    def block(channels, end="relu"):
        return sal.ConvolutionalLayer(channels, (3, 3), activation=end, padding="same")

    layers = [block(4), sal.MaxPool((2, 2)), block(2), sal.Upsample(2), block(1, "sigmoid")]
    model = sal.Network(layers, (1, 8, 8), "binary_crossentropy", "adam")
    x = PIXELS[:, None] / 255
    history = model.fit(x, x, epochs=2, batch_size=16, validation_data=(x, x), verbose=0)
    assert model.predict(x).shape == x.shape
    with pytest.raises(ValueError, match="'val_loss' of the test set is called 'test_loss' here"):
        history["val_loss"]
    with pytest.raises(TypeError, match="'shuffle': each epoch has an order of its own"):
        model.fit(x, x, shuffle=True)
    with pytest.raises(ValueError, match=r"'valid' is 0\), or 'same' with stride 1"):
        sal.MaxPool(2, padding="valid")


def test_keras_the_functional_interface_and_an_encoder_of_its_own():
    with pytest.raises(AttributeError, match="'Input': here it is the input_shape of a Network"):
        sal.Input(shape=(3,))
    with pytest.raises(TypeError, match=r"a NeuronLayer is not called: .* Network\(\[...\], inp"):
        sal.NeuronLayer(8, activation="relu")(ROWS)
    halves = {"encoder": sal.NeuronLayer(2, "tanh"), "decoder": sal.NeuronLayer(3)}
    model = sal.Network(halves, 3, loss="mse", optimizer="adam")
    model.fit(ROWS, ROWS, epochs=2, verbose=0)
    encoder, decoder = model.part("encoder"), model.part("decoder")
    assert np.allclose(decoder.predict(encoder.predict(ROWS)), model.predict(ROWS), atol=1e-6)


def test_keras_a_learning_rate_that_a_callback_changes():
    model = sal.Network([sal.NeuronLayer(1)], 3, "mse", sal.Adam(0.1))
    with pytest.raises(AttributeError, match="it is learning_rate"):
        model.optimizer.lr = 0.01

    def halve(run):
        run.network.optimizer.learning_rate *= 0.5

    history = model.fit(ROWS, LINE, epochs=3, callbacks=halve, verbose=0)
    assert [r["learning_rate"] for r in history.records] == [0.1, 0.05, 0.025]
    with pytest.raises(AttributeError, match=r"here it is Adam\(schedules.StepDecay"):
        sal.ReduceLROnPlateau(patience=2)
    with pytest.raises(TypeError, match="'gamma', which is called 'factor' here"):
        sal.Adam(sal.schedules.ExponentialDecay(0.1, gamma=0.99))


def test_keras_transfer_learning(tmp_path):
    layers = [sal.NeuronLayer(8, "relu"), sal.NeuronLayer(4, "relu"), sal.NeuronLayer(3, "softmax")]
    base = sal.Network(layers, 3, "crossentropy", "adam")
    base.fit(ROWS, ROWS.argmax(axis=1), epochs=2, verbose=0)
    with pytest.raises(ValueError, match=r"in a network already.*or share a whole network"):
        sal.Network([*base.layers[:2], sal.NeuronLayer(1)], 3)
    with pytest.raises(TypeError, match=r"network.freeze\('0'\)"):
        base.layers[0].trainable = False
    parts = [base.part("0"), base.part("1"), sal.NeuronLayer(1)]
    model = sal.Network(parts, 3, "mse", sal.Adam(0.01))
    before = base.part("0").parameters.copy()
    model.fit(ROWS, LINE, epochs=2, verbose=0)
    assert np.array_equal(parts[0].parameters, before)  # a shared network is not trained
    base.freeze("0", "1")
    base.fit(ROWS, ROWS.argmax(axis=1), epochs=1, verbose=0)
    assert np.array_equal(base.part("0").parameters, before)
