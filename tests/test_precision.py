"""Steps of single precision compute nothing in double, which takes twice the time and memory.

A backend that sees every result watches layers, losses, optimizers and games; the compiled loops
say themselves what numbers they have.
"""

from __future__ import annotations

import copy
import sys
from contextlib import nullcontext as nothing
from pathlib import Path

import numpy as np
import pytest
import strict_backend
from backend.test_operations import CASES, OPERATIONS, Sizes

import salamandre as sal
from salamandre import games
from salamandre.backend.compilation import compiled
from salamandre.layer import Layer

PACKAGE = str(Path(sal.__file__).parent)
VECTORS = np.random.default_rng(7).normal(size=(6, 8)).astype(np.float32)
IMAGES = np.random.default_rng(8).normal(size=(6, 2, 8, 8)).astype(np.float32)
CLASSES = np.array([0, 1, 2, 2, 1, 0])
# Sums over all rows of a batch, of which single precision would lose digits.
DELIBERATE = {"moments", "normalize_sums"}
LAYERS = {
    "NeuronLayer": [sal.NeuronLayer(6, noise=2)],
    "Dropout": [sal.Dropout(0.4)],
    "BatchNorm": [sal.BatchNorm()],
    "LayerNorm": [sal.LayerNorm()],
    "MinibatchDiscrimination": [sal.MinibatchDiscrimination(2, 3)],
    "MinibatchDeviation": [sal.MinibatchDeviation()],
    "Packing": [sal.Packing(2)],
    "GaussianNoise": [sal.GaussianNoise(0.1)],
    "Embedding": [sal.Embedding(3)],
    "Projection": [sal.NeuronLayer(4), sal.Projection(3)],
    "ConditionalBatchNorm": [sal.ConditionalBatchNorm(3)],
    "Reshape": [sal.Reshape((2, 2, 2)), sal.Flatten()],
    "Skip": [sal.Skip([sal.NeuronLayer(8)], join="add")],
    "Sequential": [sal.Skip([sal.NeuronLayer(3)]), sal.Sequential([sal.NeuronLayer(3)])],
    "GaussianSample": [sal.GaussianSample()],
    "ConvolutionalLayer": [sal.ConvolutionalLayer(3, 3, activation=sal.ReLU())],
    "TransposedConvolutionalLayer": [sal.TransposedConvolutionalLayer(3, 4, 2, 1)],
    "InstanceNorm": [sal.InstanceNorm()],
    "BatchNorm of images": [sal.BatchNorm()],
    "MaxPool": [sal.MaxPool(2)],
    "AveragePool": [sal.AveragePool(2)],
    "GlobalAveragePool": [sal.GlobalAveragePool()],
    "AdaptiveAveragePool": [sal.AdaptiveAveragePool(3)],
    "Upsample": [sal.Upsample(2)],
    "LabelMap": [sal.LabelMap(3)],
    "Augmentation": [sal.Augmentation()],
    "Dropout of channels": [sal.Dropout(0.4, channels=True)],
    **{
        activation: [sal.NeuronLayer(5, getattr(sal, activation)())]
        for activation in (
            *("Identity", "Sigmoid", "Tanh", "CenteredSigmoid", "LeakyReLU", "ReLU", "ELU"),
            *("SoftPlus", "Softmax"),
        )
    },
}
OF_IMAGES = list(LAYERS)[list(LAYERS).index("ConvolutionalLayer") :][:12]
LOSSES = {
    "MeanSquaredError": (sal.MeanSquaredError(), sal.Identity(), np.zeros((6, 3))),
    "MeanAbsoluteError": (sal.MeanAbsoluteError(), sal.Identity(), np.zeros((6, 3))),
    "BinaryCrossEntropy": (sal.BinaryCrossEntropy(), sal.Sigmoid(), np.ones((6, 3))),
    "of probabilities": (sal.CrossEntropy(), sal.ELU(), np.full((6, 3), 1 / 3)),
    "CrossEntropy": (sal.CrossEntropy(), sal.Softmax(), CLASSES),
    "of logits": (sal.CrossEntropy(from_logits=True, label_smoothing=0.1), None, CLASSES),
    "of rows": (sal.CrossEntropy(), sal.Softmax(), np.full((6, 3), 1 / 3)),
}
OPTIMIZERS = [
    *(sal.SGD(), sal.Momentum(), sal.Nesterov(), sal.AdaGrad(), sal.Adam(), sal.AdamW()),
    *(sal.RMSProp(), sal.RMSProp(centred=True), sal.Adadelta(), sal.Adadelta(centred=True)),
    sal.SGD(weight_decay=0.1, clip_norm=1.0, clip_value=1.0, clip_weights=1.0),
]


@pytest.fixture
def doubles(monkeypatch):
    """Return the lines of the package that have made numbers of double precision, as a set."""
    found, wrap = set(), strict_backend.wrap

    def watched(result, out=None):
        made = wrap(result, out)
        if getattr(made, "dtype", None) == np.float64:
            frame = sys._getframe()
            while frame and not frame.f_code.co_filename.startswith(PACKAGE):
                frame = frame.f_back
            if frame and frame.f_code.co_name not in DELIBERATE:
                found.add(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        return made

    monkeypatch.setattr(strict_backend, "wrap", watched)
    return found


def network(layers, shape, **options):
    return sal.Network(copy.deepcopy(layers), shape, backend="strict", **options)


def test_the_watch_sees_doubles(doubles):
    single = sal.get_backend("strict").asarray(VECTORS)
    sal.losses.MeanSquaredError().compute(single, single.astype("float64"), single.hidden)
    assert doubles


def test_every_layer_is_watched():
    def below(kind):
        return {kind}.union(*map(below, kind.__subclasses__()))

    parts = [part for layers in LAYERS.values() for layer in layers for _, part in layer.walk()]
    seen = {type(part).__name__ for part in parts} | {"Network", "Parallel"}
    public = {kind.__name__ for kind in below(Layer) if hasattr(sal, kind.__name__)}
    assert not public - seen - {"Layer", "Activation"}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, training, doubles):
    x = IMAGES if name in OF_IMAGES else VECTORS
    net = network(LAYERS[name], x.shape[1:])
    labels = CLASSES if net.classes else None
    x = net.backend.asarray(x)
    y = net.compute(x, training=training, labels=labels)
    assert net.backprop(y).dtype == np.float32
    assert not doubles


@pytest.mark.parametrize("name", [name for name in LAYERS if "Minibatch" not in name])
def test_second_order_backprop(name, doubles):
    x = IMAGES if name in OF_IMAGES else VECTORS
    net = network(LAYERS[name], x.shape[1:])
    run, x = net.new_pass(), net.backend.asarray(x)
    y = net.compute(x, run, labels=CLASSES if net.classes else None)
    try:
        net.compute_tangent(x, run)
        net.backprop_tangent(None, y, run)
    except ValueError as refusal:
        assert "gradient penalty" in str(refusal)
    assert not doubles


@pytest.mark.parametrize("weights", [None, np.arange(6.0)])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, weights, doubles):
    loss, activation, target = LOSSES[name]
    layers = [sal.NeuronLayer(3, activation)]
    with pytest.warns(UserWarning) if name == "of probabilities" else nothing():
        net = network(layers, 8, loss=copy.deepcopy(loss), optimizer=sal.SGD())
    net.learn(VECTORS, target, weights=weights)
    assert not doubles


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizers(optimizer, doubles):
    net = network([sal.NeuronLayer(3)], 8, loss=sal.MeanSquaredError(), optimizer=optimizer)
    for _ in range(2):
        net.learn(VECTORS, np.zeros((6, 3)))
    assert not doubles
    net.optimizer.memory.clear()


REMEDIES = [
    *(sal.LabelSmoothing(), sal.LabelFlipping(0.4), sal.InstanceNoise(), sal.FeatureMatching()),
    sal.MovingAverage(),
]
GAMES = {
    **{
        objective: {"objective": getattr(sal, objective)()}
        for objective in ("Minimax", "NonSaturating", "LeastSquares", "Hinge")
    },
    "remedies": {"remedies": REMEDIES},
    "SpectralNorm": {"lipschitz": sal.SpectralNorm(), "objective": sal.Hinge()},
    "WeightClipping": {"lipschitz": sal.WeightClipping(), "kind": sal.WGanGame},
    "GradientPenalty": {"lipschitz": sal.GradientPenalty(), "kind": sal.WGanGame},
    "Uniform": {"latent": games.Uniform(3)},
    "labels": {"labels": CLASSES},
}


@pytest.mark.parametrize("name", GAMES)
def test_games(name, doubles):
    options = {"latent": sal.Gaussian(3), "batch_size": 3, "kind": sal.GanGame, **GAMES[name]}
    first = [sal.Embedding(3)] if "labels" in options else []
    makes = [*first, sal.NeuronLayer(6, sal.ReLU()), sal.BatchNorm(), sal.NeuronLayer(8)]
    tells = [*first, sal.NeuronLayer(6, sal.LeakyReLU(0.2)), sal.Dropout(0.3), sal.NeuronLayer(1)]
    generator = network(makes, 3, optimizer=sal.Adam())
    discriminator = network(tells, 8, optimizer=sal.Adam())
    play = options.pop("kind")(generator, discriminator, VECTORS, **options)
    for _ in range(2):
        play.play_and_learn()
    assert not doubles


@pytest.mark.parametrize(
    "name", [n for n in OPERATIONS if OPERATIONS[n].loop and n not in DELIBERATE]
)
def test_compiled_loops(name):
    """Their variables, as Numba infers them for arrays of single precision."""
    numba = pytest.importorskip("numba")
    window = (2, 2), (1, 1), (0, 0), (1, 1)
    sizes = Sizes(np.random.default_rng(), "float32", 2, 3, *window, 0.2, [0, 1, 2, 3])
    loop = compiled(OPERATIONS[name].loop, kept=False)
    loop(
        *(
            (a.reshape(-1) if OPERATIONS[name].elementwise else np.ascontiguousarray(a))
            if isinstance(a, np.ndarray)
            else np.float32(a)
            if isinstance(a, float)
            else a
            for a in CASES[name](sizes)
        )
    )
    (made,) = loop.overloads.values()
    kinds = made.type_annotation.typemap.items()
    assert not {n for n, kind in kinds if kind == numba.float64 and "binop" in n}
