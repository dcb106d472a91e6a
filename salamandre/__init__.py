"""Salamandre: neural networks and adversarial games from scratch, on NumPy and CuPy."""

from importlib import import_module
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
from salamandre.gradient_checking import gradient_check
from salamandre.layer import Layer
from salamandre.layers import (
    AveragePool,
    BatchNorm,
    ConditionalBatchNorm,
    ConvolutionalLayer,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    InstanceNorm,
    LabelMap,
    LayerNorm,
    MaxPool,
    MinibatchDeviation,
    MinibatchDiscrimination,
    NeuronLayer,
    Parallel,
    Projection,
    Reshape,
    Sequential,
    Skip,
    TransposedConvolutionalLayer,
    Upsample,
)
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

if TYPE_CHECKING:
    from salamandre import data, evaluation, games, plots, runs, studies, training
    from salamandre.games import *
    from salamandre.pytorch import *
    from salamandre.training import *

__version__ = "0.1.0"

# What a first look at a network does not need is imported when it is first used.
_ROOMS = ("data", "evaluation", "games", "plots", "runs", "studies", "training")
_LATER = {
    "training": """
        Callback Checkpoint Curves EarlyStopping Engine Epochs History ProgressBar Seconds Steps
    """,
    "games": """
        GanGame WGanGame Gaussian Uniform
        Minimax NonSaturating LeastSquares Hinge Wasserstein
        WeightClipping GradientPenalty SpectralNorm
        Remedy LabelSmoothing LabelFlipping InstanceNoise FeatureMatching MovingAverage
    """,
    "pytorch": "from_pytorch to_pytorch",
}
_ROOM_OF = {name: room for room, names in _LATER.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"salamandre.{name}")
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'salamandre' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"salamandre.{_ROOM_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_ROOM_OF})
