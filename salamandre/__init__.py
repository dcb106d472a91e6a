"""Salamandre: neural networks and adversarial games from scratch, on NumPy and CuPy."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from salamandre import initializers, schedules
from salamandre.activations import (
    ELU,
    Activation,
    CenteredSigmoid,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    SoftPlus,
    Tanh,
)
from salamandre.backend import Backend, get_backend, register_backend
from salamandre.component import Component
from salamandre.compound_optimizers import Lookahead, Muon
from salamandre.gradient_checking import gradient_check
from salamandre.later import Later
from salamandre.layer import Layer
from salamandre.layers.augmentation import Augmentation
from salamandre.layers.conditional import ConditionalBatchNorm, Embedding, LabelMap, Projection
from salamandre.layers.containers import Parallel, Sequential, Skip
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.minibatch import MinibatchDeviation, MinibatchDiscrimination, Packing
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.noise import GaussianNoise
from salamandre.layers.normalization import BatchNorm, InstanceNorm, LayerNorm
from salamandre.layers.pooling import (
    AdaptiveAveragePool,
    AveragePool,
    GlobalAveragePool,
    MaxPool,
    Upsample,
)
from salamandre.layers.shape import Flatten, Reshape
from salamandre.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
)
from salamandre.network import Diverged, Network
from salamandre.optimizers import (
    SGD,
    Adadelta,
    AdaGrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSProp,
)
from salamandre.other_names import instead
from salamandre.parts import call
from salamandre.pytorch import from_pytorch, to_pytorch
from salamandre.variational import GaussianSample, VariationalBound

if TYPE_CHECKING:
    from salamandre import (
        data,
        evaluation,
        games,
        inspection,
        models,
        plots,
        runs,
        studies,
        training,
    )
    from salamandre.games import *
    from salamandre.training import *

__version__ = "0.2.0"

# What a network can do by rooms that it does not know itself.
Network.fit = Later("salamandre.training", "fit")  # type: ignore[assignment]
Network.evaluate = Later("salamandre.training", "evaluate")  # type: ignore[assignment]

# What a first look at a network does not need is imported when it is first used: these rooms, and
# the classes and functions of those that come second.
_ROOMS = (
    *("data", "evaluation", "games", "inspection", "models", "plots"),
    *("runs", "studies", "training"),
)
_FACES = ("training", "games")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"salamandre.{name}")
    for room in () if name.startswith("_") else _FACES:
        found = getattr(import_module(f"salamandre.{room}"), name, None)
        if callable(found):
            globals()[name] = found
            return found
    told = "" if name.startswith("_") else _told(name)
    raise AttributeError(f"module 'salamandre' has no attribute {name!r}{told}")


def _told(name: str) -> str:
    """Return what a name of another library is called here, the end of a sentence; or ""."""
    calls = {cls.__name__: call(cls) for cls in Component._classes.values()}
    ours = [n for n in __dir__() if n in _ROOMS or not isinstance(globals().get(n), ModuleType)]
    return instead(name, {n: text for n, text in calls.items() if n in ours}, ours)


def __dir__() -> list[str]:
    rooms = (vars(import_module(f"salamandre.{room}")) for room in _FACES)
    later = {name for room in rooms for name, found in room.items() if callable(found)}
    return sorted({*globals(), *_ROOMS, *later})
