"""What other libraries call our parts: names that are taken, and messages that say ours."""

from __future__ import annotations

import numpy as np
import pytest
from newcomer import LABELS, X, classifier

import salamandre as sal
from salamandre import data


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        *[("relu", sal.ReLU), ("ReLU", sal.ReLU), ("leaky_relu", sal.LeakyReLU)],
        *[("linear", sal.Identity), ("logistic", sal.Sigmoid), ("softplus", sal.SoftPlus)],
    ],
)
def test_activations_have_names(name, cls):
    layer = sal.NeuronLayer(3, activation=name)
    assert type(layer.activation) is cls
    assert repr(layer) == repr(sal.NeuronLayer(3, cls()))


@pytest.mark.parametrize(
    ("loss", "cls"),
    [
        *[("mse", sal.MeanSquaredError), ("mean_squared_error", sal.MeanSquaredError)],
        *[("mae", sal.MeanAbsoluteError), ("L1Loss", sal.MeanAbsoluteError)],
        *[("binary_crossentropy", sal.BinaryCrossEntropy), ("bce", sal.BinaryCrossEntropy)],
        *[
            ("sparse_categorical_crossentropy", sal.CrossEntropy),
            ("crossentropy", sal.CrossEntropy),
        ],
    ],
)
def test_losses_have_names(loss, cls):
    end = {sal.CrossEntropy: "softmax", sal.BinaryCrossEntropy: "sigmoid"}.get(cls)
    network = sal.Network([sal.NeuronLayer(2, end)], 4, loss, "rmsprop")
    assert type(network.loss) is cls and type(network.optimizer) is sal.RMSProp


def test_a_network_of_names_is_saved_as_one_of_objects(tmp_path):
    named, made = (
        sal.Network([sal.NeuronLayer(3, f), g, sal.NeuronLayer(1)], 4, e, o)
        for f, g, e, o in (
            ("tanh", "elu", "mse", "adam"),
            (sal.Tanh(), sal.ELU(), sal.MeanSquaredError(), sal.Adam()),
        )
    )
    named.save(tmp_path / "named")
    made.save(tmp_path / "made")
    assert (tmp_path / "named").read_bytes() == (tmp_path / "made").read_bytes()


def test_a_layer_of_ones_own_has_its_name_too():
    class Twice(sal.Layer):
        def build(self, input_shape):
            return input_shape

        def compute(self, x, ctx):
            return 2 * x

    assert np.allclose(sal.Network(["twice"], 4)(X), 2 * X)


def told():
    """Yield what such people write, and what they are told."""
    adam = sal.Adam
    yield lambda: sal.NeuronLayer(3, "rleu"), "got 'rleu', did you mean 'ReLU'"
    yield lambda: sal.NeuronLayer(3, sal.ReLU), r"a class: make an object of it, ReLU\(\)"
    yield lambda: sal.NeuronLayer(784, 10), "a layer is given its outputs alone, its inputs follow"
    yield lambda: sal.NeuronLayer(units=10), "no argument 'units', which is called 'outputs' here"
    yield lambda: sal.NeuronLayer(3, input_shape=(4,)), "the input_shape of the Network"
    yield lambda: sal.ConvolutionalLayer(8, kernel_size=3), "which is called 'kernel' here"
    yield lambda: sal.Dropout(p=0.5), "which is called 'rate' here"
    yield lambda: sal.Dropout(rte=0.5), "no argument 'rte', did you mean 'rate'"
    yield lambda: sal.ReLU(3, inplace=True), r"ReLU has no argument 'inplace' \(arguments: none\)"
    yield lambda: adam(lr=0.1), "no option 'lr', which is called 'learning_rate' here"
    yield lambda: sal.SGD(0.1, momentum=0.9), r"no option 'momentum': use Momentum\(rate, beta\)"
    yield lambda: classifier(device="cuda"), "which is called 'backend' here"
    yield lambda: classifier(optimizer=adam), r"a class: make an object of it, Adam\(\)"
    yield lambda: classifier(loss="hinge"), "or one of MeanSquaredError, MeanAbsoluteError"
    yield lambda: sal.Engine(classifier(), (X, LABELS), epochs=3), r"give them to run\(epochs\)"
    yield lambda: sal.Engine(classifier(), (X, LABELS), loss="mse"), "loss and optimizer to the Net"
    yield lambda: sal.EarlyStopping(monitor="loss"), "'monitor', which is called 'metric' here"
    yield lambda: classifier().fit(X, LABELS, class_weight=1), "'class_weights' here"
    yield lambda: classifier(metrics=["accuracy"]), "give metrics to the Engine, or to network.fit"
    yield lambda: sal.Flatten(1), r"Flatten takes no arguments, got 1"
    yield lambda: sal.Reshape(1, 28, 28), r"Reshape takes 1 argument, got 3 \(arguments: shape\)"
    yield lambda: sal.MeanSquaredError(X, X), "MeanSquaredError takes no arguments, got 2"
    yield lambda: sal.SGD(0.1, 0.9), "SGD takes 1 argument without its name, got 2"
    yield lambda: sal.EarlyStopping("accuracy", 3, "max", True, 5), "takes 4 arguments, got 5"
    yield lambda: sal.EarlyStopping(min_delta=0.1), "'min_delta': any better value counts"
    yield lambda: sal.NeuronLayer(3, name="hidden"), "the Network names its layers"
    yield lambda: sal.NeuronLayer(3, kernel_regularizer="l2"), "weight_decay to the optimizer"
    yield lambda: sal.schedules.StepDecay(0.1, step_size=9), "which is called 'every' here"
    yield lambda: classifier().fit(X, LABELS, epoch=5), "which is called 'epochs' here"
    yield lambda: classifier().fit(X, LABELS, workers=2), "batches need no workers"
    yield lambda: sal.NeuronLayer(3)(X), r"not called: put layers into a list, Network\(\[...\]"
    yield lambda: sal.Engine((X, LABELS), classifier()), "network must be a salamandre.Network"
    yield lambda: sal.from_pytorch(classifier(), "w.pth"), r"what torch.load\(path\) returns"


@pytest.mark.parametrize(("write", "message"), list(told()))
def test_wrong_arguments_are_told_in_one_sentence(write, message):
    with pytest.raises(TypeError, match=message) as caught:
        write()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *[("Dense", "NeuronLayer"), ("Linear", "NeuronLayer"), ("Conv2d", "ConvolutionalLayer")],
        *[("MaxPooling2D", "MaxPool"), ("BatchNormalization", "BatchNorm"), ("Model", "Network")],
        *[("MSELoss", "MeanSquaredError"), ("relu", "ReLU"), ("DataLoader", "Engine")],
        *[("train_test_split", "data.split"), ("no_grad", "predict"), ("load_model", "load")],
        *[("LSTM", "own-layers"), ("Netwrok", "Network")],
    ],
)
def test_names_of_other_libraries_lead_to_ours(name, ours):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'.*{ours}") as caught:
        getattr(sal, name)
    assert "\n" not in str(caught.value)
    with pytest.raises(AttributeError, match="the layers are in salamandre itself"):
        getattr(sal.layers, name)


@pytest.mark.parametrize(
    ("room", "name", "ours"),
    [
        ("layers", "Dense", r"here it is NeuronLayer\(.*the layers are in salamandre itself"),
        ("data", "DataLoader", r"here it is Engine\(.*: it makes the batches"),
        ("data", "lood", "did you mean 'load'"),
        ("plots", "imshow", "here it is plots.plot_images"),
        ("evaluation", "confusion_matrix", "here it is evaluation.confusion"),
        ("models", "Sequential", r"here it is Sequential\(layers\)"),
    ],
)
def test_names_of_other_libraries_are_looked_for_in_rooms_too(room, name, ours):
    with pytest.raises(AttributeError, match=f"module 'salamandre.{room}' has no .*{ours}"):
        getattr(getattr(sal, room), name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from salamandre import Dense", r"'Dense' from 'salamandre': here it is NeuronLayer\("),
        ("from salamandre import Netwrok", "'Netwrok' from 'salamandre', did you mean 'Network'"),
        ("from salamandre.nn import Linear", r"'nn' from 'salamandre': here it is Network\("),
        ("import salamandre.callbacks", r"here it is Checkpoint\(\.\.\.\), EarlyStopping"),
        ("from salamandre.layers import Conv2D", r"here it is ConvolutionalLayer\("),
        ("from salamandre.layers import MaxPool", "write from salamandre import MaxPool"),
        ("from salamandre.data import DataLoader", r"here it is Engine\(.*: it makes the batches"),
        ("import salamandre.nothing_of_the_kind", "^No module named 'salamandre.nothing"),
        ("from salamandre import nothing_of_the_kind", "^cannot import name 'nothing"),
    ],
)
def test_imports_of_other_names_lead_to_ours(line, message):
    with pytest.raises(ImportError, match=message) as caught:
        exec(line, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("thing", "name", "way"),
    [
        *[(classifier(), "eval", "no mode"), (classifier(), "forward", "compute")],
        *[(classifier(), "compile", "when you make it"), (classifier(), "to", "backend='cupy'")],
        *[(classifier(), "score", "evaluate"), (classifier(), "state_dict", "named_parameters")],
        (classifier(), "trainable_variables", "named_parameters"),
        (sal.Sequential([sal.NeuronLayer(3)]), "fit", "make one, Network"),
        (sal.training.History(), "history", r"history\['loss'\]"),
        (sal.Engine(classifier(), (X, LABELS)), "fit", r"run\(epochs=10\)"),
        (data.load("digits")[0], "targets", "labels"),
        *[(data.load("digits")[0], name, "Engine") for name in ("batch", "shuffle", "map")],
    ],
)
def test_methods_of_other_libraries_lead_to_ours(thing, name, way):
    with pytest.raises(AttributeError, match=f"{type(thing).__name__} has no {name}: .*{way}"):
        getattr(thing, name)
    with pytest.raises(AttributeError, match="object has no attribute 'nothing'"):
        thing.nothing  # noqa: B018


def test_what_an_optimizer_or_a_layer_of_a_network_has_not_cannot_be_set():
    network = classifier()
    with pytest.raises(AttributeError, match="has no lr: it is learning_rate"):
        network.optimizer.lr = 0.1

    class Own(sal.SGD):
        pass

    own = Own()
    own.lr = 0.1
    with pytest.raises(TypeError, match=r"network.freeze\('0'\)"):
        network.layers[0].trainable = False
    network.freeze("0")
    before = network.parameters.copy()
    network.fit(X, LABELS, verbose=False)
    changed = network.parameters != before
    assert not changed[: 8 * 5].any() and changed[8 * 5 :].any()


def test_numbers_that_are_arrays_are_told_in_one_line():
    with pytest.raises(ValueError, match=r"batch_size must be .*, got array\(\[") as caught:
        classifier().predict(X, np.arange(200))
    assert "\n" not in str(caught.value)
