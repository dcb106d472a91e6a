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
    Projection,
    Reshape,
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
    from salamandre.games import (
        GanGame,
        Gaussian,
        GradientPenalty,
        Hinge,
        LeastSquares,
        Minimax,
        NonSaturating,
        SpectralNorm,
        Uniform,
        Wasserstein,
        WeightClipping,
        WGanGame,
    )
    from salamandre.pytorch import from_pytorch, to_pytorch
    from salamandre.training import (
        Callback,
        Checkpoint,
        Curves,
        EarlyStopping,
        Engine,
        Epochs,
        History,
        ProgressBar,
        Seconds,
        Steps,
    )

__version__ = "0.1.0"

# What a first look at a network does not need is imported when it is first used.
_LATER = {
    **dict.fromkeys(("data", "evaluation", "games", "plots", "runs", "studies", "training"), ""),
    **dict.fromkeys(
        (
            "GanGame",
            "Gaussian",
            "GradientPenalty",
            "Hinge",
            "LeastSquares",
            "Minimax",
            "NonSaturating",
            "SpectralNorm",
            "Uniform",
            "Wasserstein",
            "WeightClipping",
            "WGanGame",
        ),
        "games",
    ),
    **dict.fromkeys(
        (
            "Callback",
            "Checkpoint",
            "Curves",
            "EarlyStopping",
            "Engine",
            "Epochs",
            "History",
            "ProgressBar",
            "Seconds",
            "Steps",
        ),
        "training",
    ),
    **dict.fromkeys(("from_pytorch", "to_pytorch"), "pytorch"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'salamandre' has no attribute {name!r}")
    if not _LATER[name]:
        return import_module(f"salamandre.{name}")
    value = globals()[name] = getattr(import_module(f"salamandre.{_LATER[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
