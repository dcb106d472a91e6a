"""Small programs as those write them from memory who know Keras, PyTorch or scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
import torch

import salamandre as sal

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (80, 8, 8), dtype=np.uint8)
DIGITS = RANDOM.integers(0, 10, 80)
ROWS = RANDOM.normal(size=(100, 3))
LINE = ROWS @ [1.0, -2.0, 0.5] + 3


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


def test_pytorch_a_loop_of_ones_own():
    model = sal.Network([sal.NeuronLayer(8, "relu"), sal.NeuronLayer(1)], 3, "mse", sal.Adam(0.02))
    inputs, targets = torch.tensor(ROWS), torch.tensor(LINE)
    losses = []
    for _ in range(30):
        for start in range(0, len(inputs), 25):
            loss = model.learn(inputs[start : start + 25], targets[start : start + 25])
        losses.append(loss)
    assert losses[-1] < losses[0] / 2
    criterion = sal.MeanSquaredError()
    found = model.evaluate(ROWS, LINE)["test_loss"]
    assert criterion(model(inputs), targets) == pytest.approx(found)


def test_pytorch_the_steps_by_hand():
    model = sal.Network([sal.NeuronLayer(8, "tanh"), sal.NeuronLayer(1)], 3, "mse", "adam")
    with pytest.raises(AttributeError, match="nothing to set to zero"):
        model.zero_grad()
    before = model.parameters.copy()
    y = model.compute(ROWS)
    _, dy = model.loss.compute(y, LINE[:, None].astype(y.dtype), np)
    model.backprop(dy)
    model.step()
    assert not np.array_equal(before, model.parameters)
    twin = sal.Network([sal.NeuronLayer(8, "tanh"), sal.NeuronLayer(1)], 3, "mse", "adam")
    twin.learn(ROWS, LINE)
    assert np.allclose(twin.parameters, model.parameters, atol=1e-6)


def test_pytorch_habits():
    with pytest.raises(AttributeError, match="Network"):
        type("Net", (sal.Module,), {})
    model = sal.Network([sal.NeuronLayer(1)], 3)
    for name, way in (("train", "no mode"), ("cuda", "backend='cupy'"), ("backward", "backprop")):
        with pytest.raises(AttributeError, match=way):
            getattr(model, name)()
    with pytest.raises(TypeError, match="which is called 'learning_rate' here"):
        sal.Adam(model.parameters, lr=1e-3)
    with pytest.raises(ValueError, match=r"a learning rate must .* gets the parameters from its n"):
        sal.Adam(model.parameters)
    with pytest.raises(TypeError, match=r"give one of this package, ReLU\(\)"):
        sal.NeuronLayer(3, torch.nn.ReLU())
    with pytest.raises(ValueError, match=r"unknown backend 'cuda'.*cupy"):
        sal.Network([sal.NeuronLayer(1)], 3, backend="cuda")


def test_scikit_learn_tables_and_words():
    table = pandas.DataFrame(ROWS, columns=["a", "b", "c"])
    species = pandas.Series(np.where(ROWS[:, 0] > 0, "setosa", "virginica"))
    model = sal.Network([sal.NeuronLayer(2, "softmax")], 3, "log_loss", sal.Adam(0.05), seed=1)
    model.fit(table, species, epochs=40, verbose=False)
    guesses = [model.class_names[k] for k in model.predict(table).argmax(axis=1)]
    assert np.mean(guesses == species) > 0.9
    assert model.evaluate(table, species)["accuracy"] == np.mean(guesses == species)
    with pytest.raises(AttributeError, match="it is the network that has learned"):
        model.fit(table, species, verbose=False).predict(table)


def test_scikit_learn_habits():
    with pytest.raises(TypeError, match="'random_state', which is called 'seed' here"):
        sal.Network([sal.NeuronLayer(1)], 3, random_state=0)
    with pytest.raises(AttributeError, match=r"data.split\(\(x, y\), 0.2\)"):
        sal.train_test_split(ROWS, LINE)
    (x_train, y_train), (x_test, y_test) = sal.data.split((ROWS, LINE), 0.25)
    assert (len(x_train), len(y_train), len(x_test), len(y_test)) == (75, 75, 25, 25)


def test_a_game_in_few_words():
    points = RANDOM.normal(size=(64, 2)).astype(np.float32)
    players = [[sal.NeuronLayer(8, "relu"), sal.NeuronLayer(count)] for count in (2, 1)]
    generator = sal.Network(players[0], 4, optimizer="adam")
    critic = sal.Network(players[1], 2, optimizer="adam")
    options = {"latent": sal.Gaussian(4), "batch_size": 16}
    game = sal.GanGame(generator, critic, points, objective="hinge", **options)
    with pytest.raises(AttributeError, match=r"a game play\(rounds=10_000\)"):
        game.fit()
    game.play(rounds=3, callbacks=lambda run: None)
    assert game.generate(5).shape == (5, 2)
    with pytest.raises(TypeError, match=r"objective must be .* got 'wasserstain', did you mean"):
        sal.GanGame(generator, critic, points, objective="wasserstain", **options)


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


def test_pytorch_the_dcgan_of_the_tutorial():
    def up(channels, stride, padding):
        return sal.TransposedConvolutionalLayer(channels, 4, stride, padding, bias=False)

    def down(channels, stride, padding):
        return sal.ConvolutionalLayer(channels, 4, stride, padding, bias=False)

    generator = [sal.Reshape((20, 1, 1)), up(8, 1, 0), sal.BatchNorm(), sal.ReLU(), up(1, 2, 1)]
    generator = sal.Network([*generator, sal.Tanh()], 20, optimizer=sal.Adam(0.0002, beta1=0.5))
    layers = [down(8, 2, 1), sal.LeakyReLU(0.2), down(1, 1, 0), sal.Flatten()]
    discriminator = sal.Network(layers, (1, 8, 8), optimizer=sal.Adam(0.0002, beta1=0.5))
    players = (generator, discriminator, PIXELS[:, None] / 127.5 - 1)
    with pytest.raises(
        TypeError, match=r"latent must be .* got 20: give an object, Gaussian\(20\)"
    ):
        sal.GanGame(*players, latent=20, batch_size=16)
    game = sal.GanGame(*players, latent=sal.Gaussian(20), batch_size=16)
    game.play(rounds=2)
    assert game.generate(3).shape == (3, 1, 8, 8)
    for given, way in (
        ({"n_critic": 5}, "which is called 'critic_steps' here"),
        ({"lipschitz": "gp"}, "or one of .*WeightClipping, .*GradientPenalty"),
        ({"gp_weight": 10}, "WGanGame has no argument 'gp_weight'"),
    ):
        with pytest.raises(TypeError, match=way):
            sal.WGanGame(*players, latent=sal.Gaussian(20), batch_size=16, **given)


def test_pytorch_tensors_where_arrays_are_meant():
    model = sal.Network([sal.NeuronLayer(2, "softmax")], 3, "nll_loss", sal.SGD(0.5))
    x = torch.tensor(ROWS, requires_grad=True)
    loss = model.learn(x, torch.tensor(ROWS[:, 0] > 0).long())
    assert isinstance(float(loss), float) and model(x).shape == (100, 2)


def test_scikit_learn_scores():
    model = sal.Network([sal.NeuronLayer(2, "softmax")], 3, "log_loss", sal.Adam(0.1))
    labels = (ROWS[:, 0] > 0).astype(int)
    model.fit(ROWS, labels, epochs=20, verbose=0)
    guesses = model.predict(ROWS).argmax(axis=1)
    assert sal.evaluation.accuracy(model.predict(ROWS), labels) == (guesses == labels).mean()
    with pytest.raises(ValueError, match=r"outputs \(N, classes\).*\(guesses == labels\).mean"):
        sal.evaluation.accuracy(labels, guesses)
    for name, way in (("SalamandreClassifier", "estimators"), ("StandardScaler", "scikit-learn")):
        with pytest.raises(AttributeError, match=f"here it is .*{way}"):
            getattr(sal, name)


def test_pictures_of_a_data_set():
    train, _ = sal.data.load("digits")
    with pytest.raises(TypeError, match=r"no array: take their images \(N, C, H, W\)"):
        sal.plots.plot_images(train[:4])
    assert sal.plots.plot_images(train.images[:4], white=train.white).axes


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *[("GAN", "GanGame"), ("random", "seed=0"), ("to_categorical", "whole numbers")],
        *[("callbacks", "EarlyStopping"), ("set_num_threads", "threads=2"), ("datasets", "load")],
    ],
)
def test_what_else_is_looked_for_in_the_package(name, way):
    with pytest.raises(AttributeError, match=f"no attribute '{name}': here it is .*{way}"):
        getattr(sal, name)
