"""Salamandre: neural networks and adversarial games from scratch, on NumPy and CuPy."""

import sys
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

# ``X as X``: to a type checker a name that is imported is a public one only if it is written so.
from salamandre import initializers as initializers, schedules as schedules
from salamandre.activations import (
    ELU as ELU,
    Activation as Activation,
    CenteredSigmoid as CenteredSigmoid,
    Identity as Identity,
    LeakyReLU as LeakyReLU,
    ReLU as ReLU,
    Sigmoid as Sigmoid,
    Softmax as Softmax,
    SoftPlus as SoftPlus,
    Tanh as Tanh,
)
from salamandre.backend import (
    Backend as Backend,
    get_backend as get_backend,
    register_backend as register_backend,
)
from salamandre.component import Component as Component
from salamandre.compound_optimizers import Lookahead as Lookahead, Muon as Muon
from salamandre.gradient_checking import gradient_check as gradient_check
from salamandre.layer import Layer as Layer
from salamandre.layers.augmentation import Augmentation as Augmentation
from salamandre.layers.conditional import (
    ConditionalBatchNorm as ConditionalBatchNorm,
    Embedding as Embedding,
    LabelMap as LabelMap,
    Projection as Projection,
)
from salamandre.layers.containers import (
    Parallel as Parallel,
    Sequential as Sequential,
    Skip as Skip,
)
from salamandre.layers.convolution import (
    ConvolutionalLayer as ConvolutionalLayer,
    TransposedConvolutionalLayer as TransposedConvolutionalLayer,
)
from salamandre.layers.dropout import Dropout as Dropout
from salamandre.layers.minibatch import (
    MinibatchDeviation as MinibatchDeviation,
    MinibatchDiscrimination as MinibatchDiscrimination,
    Packing as Packing,
)
from salamandre.layers.neuron import NeuronLayer as NeuronLayer
from salamandre.layers.noise import GaussianNoise as GaussianNoise
from salamandre.layers.normalization import (
    BatchNorm as BatchNorm,
    InstanceNorm as InstanceNorm,
    LayerNorm as LayerNorm,
)
from salamandre.layers.pooling import (
    AdaptiveAveragePool as AdaptiveAveragePool,
    AveragePool as AveragePool,
    GlobalAveragePool as GlobalAveragePool,
    MaxPool as MaxPool,
    Upsample as Upsample,
)
from salamandre.layers.shape import Flatten as Flatten, Reshape as Reshape
from salamandre.learnable import Diverged as Diverged
from salamandre.losses import (
    BinaryCrossEntropy as BinaryCrossEntropy,
    CrossEntropy as CrossEntropy,
    Loss as Loss,
    MeanAbsoluteError as MeanAbsoluteError,
    MeanSquaredError as MeanSquaredError,
)
from salamandre.network import Network as Network
from salamandre.optimizer import Optimizer as Optimizer
from salamandre.optimizers import (
    SGD as SGD,
    Adadelta as Adadelta,
    AdaGrad as AdaGrad,
    Adam as Adam,
    AdamW as AdamW,
    Momentum as Momentum,
    Nesterov as Nesterov,
    RMSProp as RMSProp,
)
from salamandre.parts import call
from salamandre.pytorch import from_pytorch as from_pytorch, to_pytorch as to_pytorch
from salamandre.told import instead
from salamandre.variational import (
    GaussianSample as GaussianSample,
    VariationalBound as VariationalBound,
)

if TYPE_CHECKING:
    from salamandre import (
        data as data,
        estimators as estimators,
        evaluation as evaluation,
        games as games,
        inspection as inspection,
        models as models,
        onnx as onnx,
        pages as pages,
        parallel as parallel,
        plots as plots,
        runs as runs,
        studies as studies,
        training as training,
    )
    from salamandre.games import *
    from salamandre.onnx import *
    from salamandre.training import *

__version__ = "0.2.0"


class _Later:
    """A method that is a function of a room which the class's own room does not know.

    The room is imported when the method is used.
    """

    def __init__(self, room: str, name: str) -> None:
        self._room, self._name = room, name

    def __get__(self, owner: Any, cls: type | None = None) -> Any:
        function = getattr(import_module(self._room), self._name)
        return function if owner is None else function.__get__(owner, cls)


Network.fit = _Later("salamandre.training", "fit")  # type: ignore[assignment]
Network.evaluate = _Later("salamandre.training", "evaluate")  # type: ignore[assignment]

# What a first look at a network does not need is imported when it is first used: these rooms, and
# the classes and functions of those that come second.
_ROOMS = (
    *("data", "estimators", "evaluation", "games", "inspection", "models", "onnx", "pages"),
    *("parallel", "plots", "runs", "studies", "training"),
)
_FACES = ("training", "games", "onnx")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"salamandre.{name}")
    for room in () if name.startswith("_") else _FACES:
        found = getattr(import_module(f"salamandre.{room}"), name, None)
        if callable(found):
            globals()[name] = found
            return found
    told = "" if name.startswith("_") else _told(name, _ours())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{told}")


class _LastFinder:
    """Where no other finder has found a module, an import says what its name is called here."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Raise ImportError for ``from salamandre import Dense`` and ``import salamandre.nn``."""
        package, _, last = name.rpartition(".")
        if package.partition(".")[0] != __name__ or last.startswith("_"):
            return
        if package == __name__:
            told = _told(last, _ours())
        elif last in __dir__():
            told = f": write from {__name__} import {last}"
        else:
            told = _told(last, [n for n in vars(sys.modules[package]) if not n.startswith("_")])
        if told:  # not name=name, which "from ... import" would swallow
            message = f"cannot import {last!r} from {package!r}{told}"
            raise ModuleNotFoundError(message, name=last)


sys.meta_path.append(_LastFinder)


def _told(name: str, names: Iterable[str]) -> str:
    """Return what a name of another library is called here, the end of a sentence; or ""."""
    ours = _ours()
    calls = {cls.__name__: call(cls) for cls in Component._classes.values()}
    return instead(name, {n: text for n, text in calls.items() if n in ours}, names)


def _ours() -> list[str]:
    return [n for n in __dir__() if n in _ROOMS or not isinstance(globals().get(n), ModuleType)]


def __dir__() -> list[str]:
    rooms = (vars(import_module(f"salamandre.{room}")) for room in _FACES)
    later = {name for room in rooms for name, found in room.items() if callable(found)}
    return sorted({*globals(), *_ROOMS, *later})
