"""Small programs as those write them from memory who know PyTorch, scikit-learn and others."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
import torch
from newcomer import DIGITS, LINE, PIXELS, RANDOM, ROWS

import salamandre as sal


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
    for optimizer in (sal.AdamW, sal.Muon):
        with pytest.raises(TypeError, match="'weight_decay', which is called 'decay' here"):
            optimizer(1e-3, weight_decay=0.1)
        assert optimizer(1e-3, weight_decay=0.0).weight_decay == 0  # as in earlier files
    with pytest.raises(ValueError, match=r"models.of_network\(network\).classify\(path\)"):
        model.predict(np.array(["cat.jpg"]))
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


def test_pytorch_loaders_and_a_loop_over_them():
    rows, line = torch.tensor(ROWS).float(), torch.tensor(LINE).float()
    pairs = torch.utils.data.TensorDataset(rows, line)
    loader = torch.utils.data.DataLoader(pairs, batch_size=25, shuffle=True)
    model = sal.Network([sal.NeuronLayer(8, "relu"), sal.NeuronLayer(1)], 3, "mse", sal.Adam(0.02))
    for given in (loader, pairs):
        with pytest.raises(
            ValueError, match=r"x must be all inputs .*batches are made of them here"
        ):
            model.fit(given)
    first = model.evaluate(ROWS, LINE)["test_loss"]
    for _ in range(20):
        for x, y in loader:
            model.learn(x, y)
    assert model.evaluate(rows, line)["test_loss"] < first / 2
    assert sum(p.size for p in model.named_parameters().values()) == model.parameter_count()


def test_pytorch_files_of_weights(tmp_path):
    twin = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    torch.save(twin.state_dict(), tmp_path / "twin.pt")
    model = sal.Network([sal.NeuronLayer(4, "tanh"), sal.NeuronLayer(1)], 3)
    for given in (tmp_path / "twin.pt", twin):
        with pytest.raises(
            TypeError, match=r"module.state_dict\(\) or what torch.load\(path\) ret"
        ):
            sal.from_pytorch(model, given)
    sal.from_pytorch(model, torch.load(tmp_path / "twin.pt"))
    wanted = twin(torch.tensor(ROWS).float()).detach().numpy()
    assert np.allclose(model(ROWS), wanted, atol=1e-6)


def test_pytorch_augmented_images():
    model = sal.Network(["flatten", sal.NeuronLayer(10, "softmax")], (1, 8, 8), "nll_loss", "adam")
    several = [sal.data.Flip(), sal.data.Shift(1)]
    for wrong in (several, sal.data.Flip, lambda x: x[..., ::-1]):
        with pytest.raises(ValueError, match=r"a function of \(x, random\), such as .*data.Chain"):
            model.fit(PIXELS[:, None], DIGITS, transform=wrong, verbose=0)
    with pytest.raises(ImportError, match=r"'Compose' from 'salamandre.data': here it is data.Ch"):
        exec("from salamandre.data import Compose", {})
    with pytest.raises(TypeError, match=r"one by one, such as .*, got \[Flip"):
        sal.data.Chain(several)
    model.fit(PIXELS[:, None], DIGITS, transform=sal.data.Chain(*several), verbose=0)


def test_scikit_learn_searches_and_scores():
    from sklearn.model_selection import cross_val_score

    labels = np.where(ROWS[:, 0] > 0, "yes", "no")
    with pytest.raises(TypeError, match="'hidden_layer_sizes', which is called 'layers' here"):
        sal.estimators.SalamandreClassifier(hidden_layer_sizes=(10,))
    with pytest.raises(TypeError, match="'max_iter', which is called 'epochs' here"):
        sal.estimators.SalamandreRegressor((10,), max_iter=20)
    with pytest.raises(TypeError, match=r"layers must be a list, such as \[100\], got 10"):
        sal.estimators.SalamandreClassifier(10).fit(ROWS, labels)
    model = sal.estimators.SalamandreClassifier((10,), learning_rate=0.05, epochs=10)
    assert cross_val_score(model, ROWS, labels, cv=3).mean() > 0.7
    model.fit(ROWS, labels)
    assert model.predict_proba(ROWS).shape == (100, 2)
    with pytest.raises(AttributeError, match=r"has no loss_curve_: it is history_\['loss'\]"):
        model.loss_curve_  # noqa: B018


def test_jax_pure_functions():
    model = sal.Network([sal.NeuronLayer(1)], 3, "mse", sal.SGD(0.1))
    for name, way in (("jit", "whole batches"), ("grad", "own-layers"), ("vmap", "whole batches")):
        with pytest.raises(AttributeError, match=way):
            getattr(sal, name)
    with pytest.raises(TypeError, match=r"write into it, parameters\[...\] = value"):
        model.parameters = model.parameters - 0.1 * model.gradients
    before = model.evaluate(ROWS, LINE)["test_loss"]
    for _ in range(50):
        _, dy = model.loss.compute(model.compute(ROWS), LINE[:, None].astype(np.float32), np)
        model.backprop(dy)
        model.parameters[...] -= 0.1 * model.gradients
    assert model.evaluate(ROWS, LINE)["test_loss"] < before / 10


def test_fastai_one_cycle():
    with pytest.raises(AttributeError, match="'Learner': here it is Engine"):
        sal.Learner(None, None)
    rate = sal.schedules.Triangle(0.05, steps=20)
    model = sal.Network([sal.NeuronLayer(2, "softmax")], 3, "crossentropy", sal.Adam(rate))
    with pytest.raises(AttributeError, match=r"has no fit_one_cycle: it is .* fit"):
        model.fit_one_cycle(5)
    labels = (ROWS[:, 0] > 0).astype(int)
    assert len(sal.lr_find(model, (ROWS, labels)).rates) > 10
    model.fit(ROWS, labels, batch_size=25, epochs=5, verbose=0)
    assert model.optimizer.learning_rate < 0.05 / 10


def test_curves_and_captions():
    model = sal.Network([sal.NeuronLayer(2, "softmax")], 3, "crossentropy", "adam")
    history = model.fit(ROWS, (ROWS[:, 0] > 0).astype(int), epochs=3, verbose=0)
    assert pandas.DataFrame(history.steps).shape == (3, 1)
    with pytest.raises(ValueError, match="unknown entry of the history 0"):
        list(history)
    with pytest.raises(ValueError, match="to_csv returns a text"):
        history.to_csv("history.csv")
    figure = sal.plots.plot_images(PIXELS[:3, None], captions=DIGITS[:3])
    assert [ax.get_title() for ax in figure.axes[:3]] == list(map(str, DIGITS[:3]))
    with pytest.raises(ValueError, match="3 images need as many captions, got 2"):
        sal.plots.plot_images(PIXELS[:3, None], captions=DIGITS[:2])
    with pytest.raises(ValueError, match=r"counts must be of shape \(2, 2\), got \(80,\): evalua"):
        sal.plots.plot_confusion(DIGITS, ["a", "b"])
